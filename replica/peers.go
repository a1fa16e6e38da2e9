package replica

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"featurestore/meta"
)

// Peer is a store of another region.
type Peer struct {
	Region  string
	Address string // of its peer_listen
}

// parsePeers reads "us=127.0.0.1:9081,ap=127.0.0.1:9082".
func parsePeers(text string) ([]Peer, error) {
	var out []Peer
	for item := range strings.SplitSeq(text, ",") {
		if item = strings.TrimSpace(item); item == "" {
			continue
		}
		region, address, ok := strings.Cut(item, "=")
		if !ok || region == "" || address == "" {
			return nil, fmt.Errorf("%q is not a peer such as us=127.0.0.1:9081", item)
		}
		out = append(out, Peer{Region: strings.TrimSpace(region), Address: strings.TrimSpace(address)})
	}
	return out, nil
}

// peersText is what a list in a file says, as text for parsePeers.
func peersText(list []any) (string, error) {
	var items []string
	for i, entry := range list {
		fields, ok := entry.(map[string]any)
		if !ok {
			return "", fmt.Errorf("peers[%d] is %v: write it as {region: us, address: 127.0.0.1:9081}", i, entry)
		}
		for key := range fields {
			if key != "region" && key != "address" {
				return "", fmt.Errorf("peers[%d].%s is not known; a peer has region and address", i, key)
			}
		}
		if fields["region"] == nil || fields["address"] == nil {
			return "", fmt.Errorf("peers[%d] needs a region and an address", i)
		}
		items = append(items, fmt.Sprintf("%v=%v", fields["region"], fields["address"]))
	}
	return strings.Join(items, ","), nil
}

// validatePeers returns what is wrong with how the store talks to others.
func (c Config) validatePeers() error {
	var errs []error
	fault := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	fault(len(c.Peers) > 0 && c.PeerListen == "", "peers are set and peer_listen is not: name the address at which they reach this store, such as 127.0.0.1:9080")
	fault(c.PeerListen != "" && c.SecretFile == "", "peer_listen is set and secret_file is not: stores of a deployment know each other, and each other's session tokens, by a secret that they share")
	if c.PeerListen != "" {
		if err := checkListen("peer_listen", c.PeerListen, c.AllowInsecure); err != nil {
			errs = append(errs, err)
		}
	}
	seen := map[string]bool{c.Region: true}
	for i, p := range c.Peers {
		fault(p.Region == c.Region, "peers[%d] is of region %s, as this store is: this version has one store in each region", i, p.Region)
		fault(p.Region != c.Region && seen[p.Region], "peers[%d]: region %s is there twice", i, p.Region)
		seen[p.Region] = true
		if err := meta.Region(p.Region).Validate(); err != nil {
			errs = append(errs, fmt.Errorf("peers[%d].%w", i, err))
		}
		if _, _, err := net.SplitHostPort(p.Address); err != nil {
			errs = append(errs, fmt.Errorf("peers[%d].address is %q: write it as host:port, such as 127.0.0.1:9081", i, p.Address))
		}
	}
	return errors.Join(errs...)
}

// validateLog returns what is wrong with how long the log is kept.
func (c Config) validateLog() error {
	var errs []error
	t := c.Replication
	for _, is := range []struct {
		setting string
		value   time.Duration
	}{{"log_min_age", t.LogMinAge}, {"log_max_age", t.LogMaxAge}, {"tombstone_grace", t.Grace}, {"max_clock_skew", t.MaxSkew}} {
		if is.value < 0 {
			errs = append(errs, fmt.Errorf("%s is %v: it must be positive, or zero for the default", is.setting, is.value))
		}
	}
	if t.LogMaxBytes < 0 {
		errs = append(errs, fmt.Errorf("log_max_bytes is %d: it must be positive, or zero for the default", t.LogMaxBytes))
	}
	if d := t.WithDefaults(); d.LogMaxAge < d.LogMinAge {
		errs = append(errs, fmt.Errorf("log_max_age is %v, and log_min_age %v: what a store that is away may miss must stay at least as long", d.LogMaxAge, d.LogMinAge))
	}
	return errors.Join(errs...)
}

// seeds are the peers as replication dials them.
func (c Config) seeds() []meta.Member {
	var out []meta.Member
	for _, p := range c.Peers {
		out = append(out, meta.Member{Region: meta.Region(p.Region), Address: p.Address})
	}
	return out
}

// founding says whether this store begins the deployment, and which regions'
// stores must be heard of before: the first region by name begins, so that all
// agree.
func (c Config) founding() (founder bool, others []meta.Region) {
	first := c.Region
	for _, p := range c.Peers {
		others = append(others, meta.Region(p.Region))
		first = min(first, p.Region)
	}
	if c.Home != "" {
		first = c.Home
	}
	return c.Region == first, others
}

// invites says that the store of a region that the configuration names may join
// by saying hello, once.
func (c Config) invites(members func() *meta.Membership) func(meta.Member) bool {
	return func(x meta.Member) bool {
		for _, p := range c.Peers {
			if meta.Region(p.Region) != x.Region {
				continue
			}
			for _, y := range members().Members.In(x.Region) {
				if y.State != meta.Removed && y.Store != x.Store {
					return false
				}
			}
			return true
		}
		return false
	}
}
