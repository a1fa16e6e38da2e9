package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestDevGoesOnWithoutAStore: of the regions of dev, one is evicted and comes
// back by itself, and another is removed and ends. The first goes on serving
// meanwhile, and dev starts with what is left of its data.
func TestDevGoesOnWithoutAStore(t *testing.T) {
	binary, data := featurestoreBinary(t), filepath.Join(t.TempDir(), "data")
	run := func(p *process, args ...string) string {
		t.Helper()
		out, err := exec.Command(binary, append(args, "--url", p.url)...).CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s\ndev printed\n%s", strings.Join(args, " "), err, out, p.output)
		}
		return string(out)
	}
	p := startDev(t, binary, data)
	run(p, "members", "evict", "us-1", "--yes")
	p.awaitText(t, "featurestore: dev: store us-1 was evicted; its data lies in "+filepath.Join(data, "us", "online.removed-1")+", and it joins anew\n")
	awaitMembers(t, p, run, `us-1 +active`)
	run(p, "get", "--features", "driver_stats:trips", "driver_id=1001")

	run(p, "members", "remove", "ap-1")
	left := "featurestore: dev: store ap-1 has left its deployment: the others have all that it had; the other regions go on, and " +
		filepath.Join(data, "ap") + " may be removed\n"
	p.awaitText(t, left)
	run(p, "get", "--features", "driver_stats:trips", "driver_id=1001")
	if err := p.stop(); err != nil {
		t.Fatalf("stop: %v\n%s", err, p.output)
	}

	p = startDev(t, binary, data)
	p.awaitText(t, left) // it may be ready before
	if out := p.output.String(); strings.Contains(out, "\nap at ") || !strings.Contains(out, "\nus at ") {
		t.Errorf("with the data of a removed store, dev prints\n%s", out)
	}
	run(p, "get", "--features", "driver_stats:trips", "driver_id=1001")
	if err := p.stop(); err != nil {
		t.Fatalf("stop: %v\n%s", err, p.output)
	}
	// Its directory was removed: it waits to be added, and dev says for what.
	if err := os.RemoveAll(filepath.Join(data, "ap")); err != nil {
		t.Fatal(err)
	}
	p = launchDev(t, binary, data)
	p.awaitText(t, "featurestore: dev: waiting for store ap-1: starting: membership change refused: store ap-1 was removed; add it again: featurestore members add ")
	if err := p.stop(); err != nil {
		t.Fatalf("stop: %v\n%s", err, p.output)
	}
}

func launchDev(t *testing.T, binary, data string) *process {
	t.Helper()
	p, err := launchProcess(binary, t.TempDir(), os.Environ(), "dev", "--data", data, "--listen", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.cmd.Process.Kill() })
	return p
}

func startDev(t *testing.T, binary, data string) *process {
	t.Helper()
	p := launchDev(t, binary, data)
	if err := p.await(); err != nil {
		t.Fatal(err)
	}
	return p
}

// awaitText waits until the process has printed a text.
func (p *process) awaitText(t *testing.T, text string) {
	t.Helper()
	p.awaitSomething(t, text, func() bool { return strings.Contains(p.output.String(), text) })
}

// awaitMembers waits until a line of the members matches.
func awaitMembers(t *testing.T, p *process, run func(*process, ...string) string, line string) {
	t.Helper()
	matches := regexp.MustCompile(line)
	p.awaitSomething(t, line, func() bool { return matches.MatchString(run(p, "members")) })
}

func (p *process) awaitSomething(t *testing.T, what string, happened func() bool) {
	t.Helper()
	look, limit := time.NewTicker(20*time.Millisecond), time.NewTimer(time.Minute)
	defer look.Stop()
	defer limit.Stop()
	for !happened() {
		select {
		case <-look.C:
		case err := <-p.ended:
			p.ended <- err
			t.Fatalf("dev ended with %v before %q:\n%s", err, what, p.output)
		case <-limit.C:
			t.Fatalf("no %q in a minute:\n%s", what, p.output)
		}
	}
}
