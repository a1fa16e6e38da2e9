//go:build unix

package main

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"featurestore/consistency"
	"featurestore/feature"
	"featurestore/simulation"
)

// proveCheckers breaks, in what real stores did, one promise after the other,
// and wants each to be found.
func proveCheckers(t *testing.T, e *simulation.Evidence) {
	t.Helper()
	for promise, breakIt := range map[string]func(*simulation.Evidence, int) bool{
		"session": func(e *simulation.Evidence, i int) bool {
			// Some session's reads come to show nothing.
			op := &e.Operations[i]
			if op.Lookup == nil || op.Err != nil || op.Met.Met.Level == consistency.Eventual || len(op.Row.Cells) == 0 {
				return false
			}
			op.Row = feature.Row{}
			return true
		},
		"causal order": func(e *simulation.Evidence, i int) bool {
			op := &e.Operations[i]
			if op.Passes[1] == nil || op.Err != nil {
				return false
			}
			op.Passes[1] = maps.Clone(op.Passes[1])
			for driver := range op.Passes[1] {
				op.Passes[1][driver] = feature.Row{}
			}
			return true
		},
		"staleness": func(e *simulation.Evidence, i int) bool {
			op := &e.Operations[i]
			if op.Lookup == nil || op.Err != nil || len(op.Row.Cells) == 0 {
				return false
			}
			op.Row = feature.Row{}
			return true
		},
		"nothing lost": func(e *simulation.Evidence, i int) bool {
			op := &e.Operations[i]
			if op.Push == nil || op.Err != nil {
				return false
			}
			e.Final = maps.Clone(e.Final)
			e.Final[op.Region] = maps.Clone(e.Final[op.Region])
			e.Final[op.Region][op.Driver] = feature.Row{}
			return true
		},
		"convergence": func(e *simulation.Evidence, i int) bool {
			op := &e.Operations[i]
			e.Expected = maps.Clone(e.Expected)
			e.Expected[op.Driver] = feature.Row{}
			return op.Push != nil && op.Err == nil
		},
		"counters": func(e *simulation.Evidence, i int) bool {
			op := &e.Operations[i]
			if op.Push == nil || op.Push.N == nil || op.Err != nil {
				return false
			}
			p, twice := *op.Push, 2**op.Push.N
			p.N = &twice
			op.Push = &p
			return true
		},
		"finite answers": func(e *simulation.Evidence, i int) bool {
			e.Operations[i].Ended = e.Operations[i].Ended.Add(time.Hour)
			return true
		},
	} {
		if tries := foundAfter(e, promise, breakIt); tries == 0 {
			t.Errorf("%s was broken and not found", promise)
		} else {
			t.Logf("%s: found when the operation number %d was forged", promise, tries)
		}
	}
}

// maxForged bounds how many operations are forged, one after the other, before
// one must have been found: what one read lacks may be nothing that its session
// was owed.
const maxForged = 200

// foundAfter returns how many operations were forged until the checkers found
// the promise broken, 0 for never.
func foundAfter(e *simulation.Evidence, promise string, breakIt func(*simulation.Evidence, int) bool) int {
	tries := 0
	for i := range e.Operations {
		forged := *e
		forged.Operations = slices.Clone(e.Operations)
		if !breakIt(&forged, i) {
			continue
		}
		tries++
		if slices.ContainsFunc(simulation.Check(&forged), func(v simulation.Violation) bool { return v.Promise == promise }) {
			return tries
		}
		if tries == maxForged {
			break
		}
	}
	return 0
}

// TestCheckersFindADiskThatForgets is the negative control with real processes:
// a store is killed, and comes back with the directory that it had some
// acknowledged writes ago.
func TestCheckersFindADiskThatForgets(t *testing.T) {
	if testing.Short() {
		t.Skip("starts and kills processes")
	}
	s := newKillStores(t)
	s.launch(killRegions...)
	s.await(killRegions...)
	s.settle()
	h := newKillHistory()

	const region = "us" // where all clients are: what others write would wait for what is gone
	s.stop(region)
	data, earlier := filepath.Join(s.dir, region), filepath.Join(s.dir, "earlier")
	if err := os.CopyFS(earlier, os.DirFS(data)); err != nil {
		t.Fatal(err)
	}
	s.launch(region)
	s.await(region)
	stop := s.load(h, 1, region)
	s.pass(time.Second)
	stop()
	s.settle()
	s.kill(region)
	if err := os.RemoveAll(data); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(earlier, data); err != nil {
		t.Fatal(err)
	}
	s.launch(region)
	broken, _ := s.judge(h)
	for _, v := range broken {
		if v.Promise == "nothing lost" {
			t.Logf("found: %v", v)
			return
		}
	}
	t.Errorf("a store forgot what it had acknowledged, and the checkers found %v", broken)
}
