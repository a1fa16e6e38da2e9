package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"featurestore/api"
)

// TestTheCommandsThatDevPrintsWork runs each group of lines in a shell, as a
// newcomer would who copies it, and checks what is answered.
func TestTheCommandsThatDevPrintsWork(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("curl is not installed")
	}
	p := startStore(t, t.TempDir(), "dev")
	groups := commandGroups(p.output.String())
	checks := []struct {
		begins string
		check  func(t *testing.T, out string)
	}{
		{"curl -s --json", func(t *testing.T, out string) {
			if n := strings.Count(out, `"PRESENT"`); n < 10 {
				t.Errorf("%d values are there, want those of two drivers, twice: %s", n, out)
			}
		}},
		{"featurestore link", func(t *testing.T, out string) {
			if !strings.Contains(out, tourDelay) {
				t.Errorf("the link is not shown with its delay: %s", out)
			}
		}},
		{"session=", func(t *testing.T, out string) {
			answers := lookups(t, out, 2)
			stale, right := answers[0], answers[1]
			if stale.Consistency.Met != "eventual" || right.Consistency.Met != "session" || right.Consistency.Degraded {
				t.Errorf("met %s and %s", stale.Consistency.Met, right.Consistency.Met)
			}
			if tripsOf(t, stale) >= tripsOf(t, right) {
				t.Errorf("%d trips at level eventual and %d at session: the link's delay is not to be seen", tripsOf(t, stale), tripsOf(t, right))
			}
			if right.Consistency.WaitedMs == 0 || right.Consistency.Region != "us" {
				t.Errorf("level session was met in %s after %d ms, want us, and a wait", right.Consistency.Region, right.Consistency.WaitedMs)
			}
		}},
		{"featurestore lag", func(t *testing.T, out string) {
			for _, region := range []string{"eu", "us", "ap"} {
				if !strings.Contains(out, "\n"+region+"/"+region+"-1") {
					t.Errorf("%s is not shown:\n%s", region, out)
				}
			}
		}},
		{"featurestore link", func(t *testing.T, out string) {
			right := lookups(t, out[strings.Index(out, "{"):], 1)[0]
			if right.Consistency.Met != "session" || right.Consistency.Region != "us" || right.Consistency.WaitedMs == 0 {
				t.Errorf("with eu cut off from us, its write came to us as %+v", right.Consistency)
			}
		}},
		{"featurestore link", func(t *testing.T, out string) {
			if strings.Contains(out, "yes") || strings.Contains(out, "differ ") || !strings.Contains(out, "default") {
				t.Errorf("after healing: %s", out)
			}
		}},
	}
	if len(groups) != len(checks) {
		t.Fatalf("dev printed %d groups of commands, want %d:\n%s", len(groups), len(checks), p.output)
	}
	for i, group := range groups {
		if at := strings.Index(group, checks[i].begins); at < 0 {
			t.Fatalf("group %d does not begin with %q:\n%s", i+1, checks[i].begins, group)
		}
		out, err := exec.CommandContext(t.Context(), "sh", "-ec", group).CombinedOutput()
		if err != nil {
			t.Fatalf("%s\nends with %v: %s", group, err, out)
		}
		checks[i].check(t, "\n"+string(out))
	}
}

// commandGroups returns the indented lines of a text, those that stand together
// as one script.
func commandGroups(text string) []string {
	var groups []string
	open := false
	for line := range strings.Lines(text) {
		command, indented := strings.CutPrefix(line, "  ")
		switch {
		case indented && open:
			groups[len(groups)-1] += command
		case indented:
			groups = append(groups, command)
		}
		open = indented
	}
	return groups
}

// lookups reads the last answers of lookups that stand in a text.
func lookups(t *testing.T, text string, n int) []api.LookupResponse {
	t.Helper()
	var all []api.LookupResponse
	for d := json.NewDecoder(strings.NewReader(text)); d.More(); {
		var answer api.LookupResponse
		if err := d.Decode(&answer); err != nil {
			t.Fatalf("%v in %s", err, text)
		}
		all = append(all, answer)
	}
	if len(all) != n {
		t.Fatalf("%d answers, want %d: %s", len(all), n, text)
	}
	return all
}

func tripsOf(t *testing.T, answer api.LookupResponse) (trips int) {
	t.Helper()
	if len(answer.Rows) != 1 || len(answer.Rows[0].Values) != 1 {
		t.Fatalf("got %+v, want one value", answer)
	}
	if err := json.Unmarshal(answer.Rows[0].Values[0], &trips); err != nil {
		t.Fatalf("%s is no number of trips: %v", answer.Rows[0].Values[0], err)
	}
	return trips
}

// TestDevGoesOnWithItsData: the stores are the same after a restart, with the
// same logs, and have what was pushed before.
func TestDevGoesOnWithItsData(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	identities := func() (out []string) {
		for _, region := range []string{"ap", "eu", "us"} {
			text, err := exec.Command(featurestoreBinary(t), "inspect", "--kind", "store", filepath.Join(data, region)).Output()
			var store struct{ Origin, Store string }
			if err != nil || json.Unmarshal(text, &store) != nil || store.Origin == "" || store.Store != region+"-1" {
				t.Fatalf("%s: %s, %v", region, text, err)
			}
			out = append(out, store.Origin)
		}
		return out
	}
	members := func(p *process) (revision, text string) {
		out, err := exec.Command(featurestoreBinary(t), "members", "--url", p.url).Output()
		if err != nil || strings.Count(string(out), " active ") != 3 {
			t.Fatalf("members are\n%s%v", out, err)
		}
		return string(out[strings.LastIndex(strings.TrimSpace(string(out)), "\n"):]), string(out)
	}
	var before []string
	for life := range 2 {
		p, err := startProcess(featurestoreBinary(t), t.TempDir(), os.Environ(), "dev", "--data", data, "--listen", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		_, list := members(p)
		for _, url := range regionURLs(t, p) {
			if !strings.Contains(list, url) && life == 0 {
				t.Errorf("no member is at %s:\n%s", url, list)
			}
			out, err := exec.Command(featurestoreBinary(t), "get", "--url", url, "--features", "driver_stats:trips", "--consistency", "eventual", "driver_id=1001").CombinedOutput()
			if err != nil || strings.Contains(string(out), "NOT_FOUND") {
				t.Errorf("life %d at %s: %s, %v", life, url, out, err)
			}
		}
		if err := p.stop(); err != nil {
			t.Fatalf("stop: %v\n%s", err, p.output)
		}
		if now := identities(); life > 0 && !slices.Equal(now, before) {
			t.Errorf("the origins were %v and are %v", before, now)
		} else {
			before = now
		}
	}
}

// regionURLs are where dev's regions listen, as it printed.
func regionURLs(t *testing.T, p *process) []string {
	t.Helper()
	urls := slices.Compact(atURL.FindAllString(p.output.String()[:strings.Index(p.output.String(), "with a generated")], -1))
	if len(urls) != 3 {
		t.Fatalf("dev printed the addresses %v:\n%s", urls, p.output)
	}
	return urls
}

// featurestoreBinary is this test's binary under the name by which it is
// featurestore.
func featurestoreBinary(t *testing.T) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "featurestore")
	linkBinary(t, name)
	return name
}
