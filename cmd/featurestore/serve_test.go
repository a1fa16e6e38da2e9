package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"featurestore/replica"
)

// lines hands on what is printed, line by line.
type lines struct {
	rest string
	out  chan string
}

func (l *lines) Write(p []byte) (int, error) {
	l.rest += string(p)
	for {
		line, rest, whole := strings.Cut(l.rest, "\n")
		if !whole {
			return len(p), nil
		}
		l.rest = rest
		l.out <- line
	}
}

// A served is a store that serve runs in this process.
type served struct {
	url  string
	says *lines
	done chan error
}

// await returns when the store has printed a line that begins so.
func (s *served) await(t *testing.T, prefix string) {
	t.Helper()
	for {
		select {
		case line := <-s.says.out:
			if strings.HasPrefix(line, prefix) {
				return
			}
		case err := <-s.done:
			t.Fatalf("the store at %s ended before it said %q: %v", s.url, prefix, err)
		}
	}
}

// serveRegions runs a store in each region by serve, until the test ends.
func serveRegions(t *testing.T, regions ...string) map[string]*served {
	t.Helper()
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte(strings.Repeat("s", 32)), 0o600); err != nil {
		t.Fatal(err)
	}
	peers := map[string]string{}
	for _, region := range regions {
		peers[region] = freeAddress(t)
	}
	all := map[string]*served{}
	for _, region := range regions {
		c := replica.Config{Region: region, Store: region + "-1", Data: t.TempDir(), SecretFile: secret, Listen: freeAddress(t), PeerListen: peers[region]}
		for _, other := range regions {
			if other != region {
				c.Peers = append(c.Peers, replica.Peer{Region: other, Address: peers[other]})
			}
		}
		s := &served{url: "http://" + c.Listen, says: &lines{out: make(chan string, 100)}, done: make(chan error, 1)}
		ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			s.done <- serve(ctx, &app{out: s.says, err: s.says}, c)
		}()
		t.Cleanup(func() { cancel(); <-ended })
		all[region] = s
	}
	for _, region := range regions {
		all[region].await(t, "ready")
	}
	return all
}

// command runs one command line and returns what it prints.
func command(t *testing.T, args ...string) string {
	t.Helper()
	var out, errs strings.Builder
	if code := execute(t.Context(), &app{in: strings.NewReader(""), out: &out, err: &errs}, args); code != 0 {
		t.Fatalf("featurestore %s ends with %d: %s", strings.Join(args, " "), code, &errs)
	}
	return out.String()
}

// TestServeBeginsAnewWhenItWasEvicted: the store that was put out comes back by
// itself, with the rows of the others.
func TestServeBeginsAnewWhenItWasEvicted(t *testing.T) {
	all := serveRegions(t, "ap", "eu", "us")
	home := all["ap"].url
	definitions := filepath.Join(t.TempDir(), "rides.yaml")
	if err := os.WriteFile(definitions, sampleDefinitions, 0o600); err != nil {
		t.Fatal(err)
	}
	rows := filepath.Join(t.TempDir(), "drivers.csv")
	if err := os.WriteFile(rows, sampleRows, 0o600); err != nil {
		t.Fatal(err)
	}
	command(t, "apply", definitions, "--url", home)
	command(t, "push", "--view", "driver_stats", rows, "--url", home)
	command(t, "members", "evict", "us-1", "--yes", "--url", home)
	all["us"].await(t, "featurestore: serve: store us-1 was evicted; its data lies in ")
	all["us"].await(t, "ready")
	out := command(t, "get", "--features", "driver_stats:trips", "driver_id=1001", "--consistency", "eventual", "--url", all["us"].url)
	if !strings.Contains(out, "1001       3\n") || !strings.Contains(out, "served by us/us-1") {
		t.Errorf("the store that came back answers %s", out)
	}
}

// TestServeEndsWellWhenItWasRemoved holds the exit code 0 that help promises.
func TestServeEndsWellWhenItWasRemoved(t *testing.T) {
	all := serveRegions(t, "ap", "eu")
	command(t, "members", "remove", "eu-1", "--url", all["ap"].url)
	if err := <-all["eu"].done; err != nil {
		t.Fatalf("serve ends with %v", err)
	}
	said := fmt.Sprint(drained(all["eu"].says.out))
	if !strings.Contains(said, "store eu-1 has left its deployment: the others have all that it had") {
		t.Errorf("it said %s", said)
	}
}

// drained takes what is in a channel.
func drained(c chan string) (all []string) {
	for len(c) > 0 {
		all = append(all, <-c)
	}
	return all
}
