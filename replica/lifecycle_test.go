package replica

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"featurestore/meta"
	"featurestore/replication"
)

// deployment returns configurations of stores in regions that reach each other
// on free ports. The ports are taken: each configuration is for one New, and
// again gives a store other ones.
func deployment(t *testing.T, regions ...string) map[string]Config {
	t.Helper()
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte(strings.Repeat("s", 32)), 0o600); err != nil {
		t.Fatal(err)
	}
	listeners := map[string]net.Listener{}
	for _, region := range regions {
		listeners[region] = listenFree(t)
	}
	out := map[string]Config{}
	for _, region := range regions {
		c := Config{Region: region, Store: region + "-1", Data: t.TempDir(), SecretFile: secret}
		c.PeerListener, c.PeerListen = listeners[region], listeners[region].Addr().String()
		for _, other := range regions {
			if other != region {
				c.Peers = append(c.Peers, Peer{Region: other, Address: listeners[other].Addr().String()})
			}
		}
		out[region] = c
	}
	return out
}

// listenFree listens at a port that the system gives to nobody: stores come back to
// it after they ended.
func listenFree(t *testing.T) net.Listener {
	t.Helper()
	for range 100 {
		if l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 10_000+rand.IntN(20_000))); err == nil {
			return l
		}
	}
	t.Fatal("no free port from 10000 to 30000")
	return nil
}

// running is a store, and what its Run came to.
type running struct {
	*Replica
	stop func()
	done chan error
}

// run runs a store until the test ends or stop is called.
func run(t *testing.T, c Config) *running {
	t.Helper()
	c.Listen = "127.0.0.1:0"
	r, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	x := &running{Replica: r, stop: cancel, done: make(chan error, 1)}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		x.done <- r.Run(ctx)
	}()
	t.Cleanup(func() { cancel(); <-ended })
	return x
}

// awaitReady fails the test when a store ends before it is ready.
func awaitReady(t *testing.T, stores ...*running) {
	t.Helper()
	for _, x := range stores {
		select {
		case <-x.Ready():
		case err := <-x.done:
			t.Fatalf("store %s ended before it was ready: %v", x.cfg.Store, err)
		}
	}
}

func change(t *testing.T, home *running, c meta.Change) {
	t.Helper()
	if _, err := (members{home.node, home.store}).Change(t.Context(), c); err != nil {
		t.Fatal(err)
	}
}

// The data of a store that was taken for lost turns up, and is started while the
// store lives again under its name: it learns that it was evicted, and ends.
func TestAnEvictedStoreThatComesBackBesideItsSuccessorEnds(t *testing.T) {
	all := deployment(t, "ap", "eu", "us")
	ap, eu, us := run(t, all["ap"]), run(t, all["eu"]), run(t, all["us"])
	awaitReady(t, ap, eu, us)
	us.stop()
	if err := <-us.done; err != nil {
		t.Fatal(err)
	}
	old := all["us"]
	old.PeerListener, old.Data = listenFree(t), t.TempDir()
	old.PeerListen = old.PeerListener.Addr().String()
	if err := os.Rename(OnlineDir(all["us"].Data), OnlineDir(old.Data)); err != nil {
		t.Fatal(err)
	}
	change(t, ap, meta.Change{Action: meta.Expel, Store: "us-1"})
	c := all["us"]
	c.PeerListener = nil // the port is free again
	again := run(t, c)
	awaitReady(t, again)
	if err := <-run(t, old).done; !errors.Is(err, ErrRetired) {
		t.Errorf("the old one ended with %v, want ErrRetired", err)
	}
	if why := again.node.NotWriting(); why != "" {
		t.Errorf("the one that followed it takes no writes: %s", why)
	}
}

// A store that was evicted stops, and under the same name and with the old data
// put aside it joins again.
func TestAnEvictedStoreStopsAndJoinsAnew(t *testing.T) {
	all := deployment(t, "ap", "eu", "us")
	ap, eu, us := run(t, all["ap"]), run(t, all["eu"]), run(t, all["us"])
	awaitReady(t, ap, eu, us)
	before := us.store.Identity().Origin
	change(t, ap, meta.Change{Action: meta.Expel, Store: "us-1"})
	if err := <-us.done; !errors.Is(err, ErrRetired) || errors.Is(err, ErrDrained) {
		t.Fatalf("an evicted store ended with %v, want ErrRetired", err)
	}
	if _, err := http.Get(us.URL() + "/livez"); err == nil {
		t.Error("an evicted store answers")
	}
	c := all["us"]
	c.PeerListener = nil // the port is free again
	aside, err := Renew(c)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(aside); err != nil || aside == OnlineDir(c.Data) {
		t.Errorf("the old data is in %s: %v", aside, err)
	}
	again := run(t, c)
	awaitReady(t, again)
	if now := again.store.Identity().Origin; now == before {
		t.Errorf("it takes part again under the origin %v, which has ended", now)
	}
	if x, _ := again.node.Membership().Member("us-1"); x.State != meta.Active {
		t.Errorf("it is %v, want active", x.State)
	}
}

// A store that is removed in order tells that it was.
func TestARemovedStoreDrainsAndStops(t *testing.T) {
	all := deployment(t, "ap", "eu")
	ap, eu := run(t, all["ap"]), run(t, all["eu"])
	awaitReady(t, ap, eu)
	change(t, ap, meta.Change{Action: meta.Drop, Store: "eu-1"})
	if err := <-eu.done; !errors.Is(err, ErrDrained) {
		t.Fatalf("a removed store ended with %v, want ErrDrained", err)
	}
}

// /metrics tells how far a store is behind the other, and of the way to it.
func TestMetricsTellOfReplication(t *testing.T) {
	all := deployment(t, "ap", "eu")
	c := all["ap"]
	c.Definitions = ridesFile(t)
	ap, eu := run(t, c), run(t, all["eu"])
	awaitReady(t, ap, eu)
	wanted := []string{
		`featurestore_replication_lag_seconds{peer="ap-1"`, `featurestore_replication_peer_round_trip_seconds{peer="ap-1"`,
		`featurestore_replication_peer_clock_offset_seconds{peer="ap-1"`, "featurestore_replication_safe_age_seconds ", "featurestore_replication_stable_age_seconds ",
		"featurestore_replication_log_bytes ", "featurestore_replication_membership_revision ", "featurestore_replication_peer_conversations{",
		"featurestore_replication_gaps_total ", "featurestore_replication_joined_entries_total ",
	}
	page, overdue := "", time.After(20*time.Second)
	for tick := time.Tick(20 * time.Millisecond); ; <-tick { // clocks are compared once a second
		_, page = get(t, eu.URL()+"/metrics")
		missing := slices.DeleteFunc(slices.Clone(wanted), func(name string) bool { return strings.Contains(page, "\n"+name) })
		if len(missing) == 0 {
			break
		}
		select {
		case <-overdue:
			t.Fatalf("/metrics lacks %q of\n%s", missing, page)
		default:
		}
	}
	for name, want := range map[string]string{"peers_live": "1", "writing": "1", "rebuilding": "0"} {
		value := regexp.MustCompile(`(?m)^featurestore_replication_` + name + `(?:_ratio)? (\S+)$`).FindStringSubmatch(page)
		if value == nil || value[1] != want {
			t.Errorf("%s is %q, want %s", name, value, want)
		}
	}
}

// Until it takes part, a store says what it waits for.
func TestAStoreThatWaitsForOthersSaysForWhom(t *testing.T) {
	all := deployment(t, "ap", "eu")
	ap := run(t, all["ap"])
	if err := ap.Started(); !errors.Is(err, replication.ErrNotWriting) || !strings.Contains(err.Error(), "missing: eu") {
		t.Errorf("got %v, want that a store in eu is missing", err)
	}
	status, body := get(t, ap.URL()+"/readyz")
	if status != http.StatusServiceUnavailable || !strings.Contains(body, "missing: eu") {
		t.Errorf("/readyz answers %d %s", status, body)
	}
	ap.stop()
	if err := <-ap.done; err != nil {
		t.Errorf("stopped while it waited: %v", err)
	}
	all["eu"].PeerListener.Close()
}

// Two stores that do not share a secret never find each other; each says why,
// where it says that it is not ready, and in its log.
func TestStoresOfDifferentSecretsSayWhyTheyDoNotMeet(t *testing.T) {
	all := deployment(t, "ap", "eu")
	eu := all["eu"]
	eu.SecretFile = filepath.Join(t.TempDir(), "other")
	if err := os.WriteFile(eu.SecretFile, []byte(strings.Repeat("x", 32)), 0o600); err != nil {
		t.Fatal(err)
	}
	all["eu"] = eu
	for _, r := range []*running{run(t, all["ap"]), run(t, all["eu"])} {
		overdue := time.After(time.Minute)
		for !strings.Contains(r.Started().Error(), "stores of one deployment share one secret") {
			select {
			case <-time.After(10 * time.Millisecond):
			case <-overdue:
				t.Fatalf("it says only: %v", r.Started())
			}
		}
		status, body := get(t, r.URL()+"/readyz")
		if status != http.StatusServiceUnavailable || !strings.Contains(body, "share one secret") {
			t.Errorf("/readyz answers %d %s", status, body)
		}
	}
}

// A store with peers that is not run gives everything back.
func TestAStoreThatIsNotRunClosesItsPorts(t *testing.T) {
	all := deployment(t, "ap", "eu")
	c := all["ap"]
	c.Listen = "127.0.0.1:0"
	r, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	for _, address := range []string{c.PeerListen, r.Addr().String()} {
		l, err := net.Listen("tcp", address)
		if err != nil {
			t.Errorf("%s is taken after Close: %v", address, err)
			continue
		}
		l.Close()
	}
	all["eu"].PeerListener.Close()
}
