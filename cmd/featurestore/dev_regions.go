package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"featurestore/relay"
	"featurestore/replica"
)

// deployment is the stores of dev: one a region, in one process, each with files,
// ports and streams of its own. What they say to each other goes through relays
// whose delay, loss and cuts are set while they run.
type deployment struct {
	names  []string
	stores []*devStore
	relays []*relay.Relay
}

// place is one region's listeners, open before anything knows their addresses.
type place struct {
	rest, peers net.Listener
}

// newDeployment opens every region's store below a folder. Base has the settings
// that all share; the first region listens at base.Listen, the others at the
// ports that follow.
func newDeployment(names []string, base replica.Config) (_ *deployment, err error) {
	d := &deployment{names: names}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.close())
		}
	}()
	places, err := listen(names, base.Listen)
	if err != nil {
		return nil, err
	}
	defer func() {
		for _, p := range places {
			if err != nil {
				p.close() // once more, where a store took it over
			}
		}
	}()
	secret, err := devSecret(base.Data)
	if err != nil {
		return nil, err
	}
	links := relay.NewLinks(names...)
	ways, err := d.relay(links, places)
	if err != nil {
		return nil, err
	}
	for i, name := range names {
		c := base
		c.Region, c.Store, c.Data = name, name+"-1", filepath.Join(base.Data, name)
		c.SecretFile = secret
		c.Listener, c.PeerListener = places[i].rest, places[i].peers
		c.Listen, c.PeerListen = places[i].rest.Addr().String(), places[i].peers.Addr().String()
		c.Links = links
		c.Forward = forwarding(ways, name, names, places)
		if i > 0 {
			c.Definitions = "" // they are applied at the first region
		}
		c.Home = names[0]
		for _, other := range names {
			if other != name {
				c.Peers = append(c.Peers, replica.Peer{Region: other, Address: ways[way{name, other, toPeers}]})
			}
		}
		r, err := replica.New(c)
		if err != nil {
			return nil, err
		}
		d.stores = append(d.stores, newDevStore(c, r))
	}
	return d, nil
}

// listen opens the ports of every region.
func listen(names []string, first string) ([]place, error) {
	if first == "" {
		first = replica.DefaultListen
	}
	host, portText, err := net.SplitHostPort(first)
	if err != nil {
		return nil, fmt.Errorf("listen is %q: write it as host:port, such as %s", first, replica.DefaultListen)
	}
	port, err := strconv.Atoi(portText)
	if err != nil {
		return nil, fmt.Errorf("listen is %q: the port must be a number", first)
	}
	places := make([]place, len(names))
	for i := range places {
		at := port
		if port > 0 {
			at += i
		}
		rest, err := new(net.ListenConfig).Listen(context.Background(), "tcp", net.JoinHostPort(host, strconv.Itoa(at)))
		if err == nil {
			places[i].rest = rest
			places[i].peers, err = new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
		}
		if err != nil {
			for _, p := range places[:i+1] {
				p.close()
			}
			return nil, fmt.Errorf("region %s: %w; set --listen to another address, port 0 for free ones", names[i], err)
		}
	}
	return places, nil
}

func (p place) close() {
	for _, l := range []net.Listener{p.rest, p.peers} {
		if l != nil {
			_ = l.Close()
		}
	}
}

// way is what one region reaches another by: its peer port, or its REST port.
type way struct {
	from, to string
	port     port
}

type port int

const (
	toPeers port = iota
	toREST
)

// relay puts a relay into every way and returns their addresses.
func (d *deployment) relay(links *relay.Links, places []place) (map[way]string, error) {
	ways := map[way]string{}
	for _, from := range d.names {
		for i, to := range d.names {
			if from == to {
				continue
			}
			for p, target := range map[port]net.Listener{toPeers: places[i].peers, toREST: places[i].rest} {
				r, err := relay.New(relay.Config{From: from, To: to, Links: links, Listen: "127.0.0.1:0", Target: target.Addr().String()})
				if err != nil {
					return nil, err
				}
				d.relays = append(d.relays, r)
				ways[way{from, to, p}] = r.Addr().String()
			}
		}
	}
	return ways, nil
}

// forwarding sends what a region forwards to another through their relay.
func forwarding(ways map[way]string, from string, names []string, places []place) http.RoundTripper {
	through := map[string]string{}
	for i, to := range names {
		if to != from {
			through[places[i].rest.Addr().String()] = ways[way{from, to, toREST}]
		}
	}
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.Proxy = nil
	t.MaxIdleConnsPerHost = 32
	dialer := &net.Dialer{Timeout: 2 * time.Second}
	t.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		if relayed, ok := through[address]; ok {
			address = relayed
		}
		return dialer.DialContext(ctx, network, address)
	}
	return t
}

// devSecret makes the secret that the regions share, unless it is there.
func devSecret(data string) (path string, err error) {
	path = filepath.Join(data, "secret")
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	if err := os.MkdirAll(data, 0o700); err != nil {
		return "", err
	}
	secret := make([]byte, 32)
	if _, err := rand.Read(secret); err != nil {
		return "", err
	}
	return path, os.WriteFile(path, []byte(hex.EncodeToString(secret)+"\n"), 0o600)
}

// close closes what was opened and does not run.
func (d *deployment) close() error {
	var errs []error
	for _, s := range d.stores {
		errs = append(errs, s.replica().Close())
	}
	for _, r := range d.relays {
		errs = append(errs, r.Close())
	}
	return errors.Join(errs...)
}
