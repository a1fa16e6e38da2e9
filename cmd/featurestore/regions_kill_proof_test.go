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

// A forgery breaks a promise at one operation of a history that kept it, if the
// operation is of the kind.
type forgery struct {
	promise string
	forge   func(*simulation.Evidence, *simulation.Operation) bool
}

var forgeries = []forgery{
	{"session", forgeRow(func(op *simulation.Operation) bool { return op.Met.Met.Level != consistency.Eventual })},
	{"staleness", forgeRow(func(*simulation.Operation) bool { return true })},
	{"causal order", func(_ *simulation.Evidence, op *simulation.Operation) bool {
		if op.Passes[1] == nil || op.Err != nil {
			return false
		}
		empty := map[int64]feature.Row{}
		for driver := range op.Passes[1] {
			empty[driver] = feature.Row{}
		}
		op.Passes[1] = empty
		return true
	}},
	{"nothing lost", func(e *simulation.Evidence, op *simulation.Operation) bool {
		if op.Push == nil || op.Err != nil {
			return false
		}
		e.Final = maps.Clone(e.Final)
		e.Final[op.Region] = maps.Clone(e.Final[op.Region])
		delete(e.Final[op.Region], op.Driver)
		return true
	}},
	{"convergence", func(e *simulation.Evidence, op *simulation.Operation) bool {
		if op.Push == nil || op.Err != nil {
			return false
		}
		e.Expected = maps.Clone(e.Expected)
		e.Expected[op.Driver] = feature.Row{}
		return true
	}},
	{"counters", func(_ *simulation.Evidence, op *simulation.Operation) bool {
		if op.Push == nil || op.Push.N == nil || op.Err != nil {
			return false
		}
		p, twice := *op.Push, 2**op.Push.N
		p.N = &twice
		op.Push = &p
		return true
	}},
	{"finite answers", func(_ *simulation.Evidence, op *simulation.Operation) bool {
		op.Ended = op.Ended.Add(time.Hour)
		return true
	}},
}

// forgeRow makes a read that some test picks show nothing.
func forgeRow(pick func(*simulation.Operation) bool) func(*simulation.Evidence, *simulation.Operation) bool {
	return func(_ *simulation.Evidence, op *simulation.Operation) bool {
		if op.Lookup == nil || op.Err != nil || len(op.Row.Cells) == 0 || !pick(op) {
			return false
		}
		op.Row = feature.Row{}
		return true
	}
}

// maxForged bounds how many operations are forged, one after the other, before
// one must have been found: a read that lacks something may be owed nothing.
const maxForged = 60

// proveCheckers breaks one promise after the other in what real stores did, and
// wants each to be found.
func proveCheckers(t *testing.T, e *simulation.Evidence) {
	t.Helper()
	for _, f := range forgeries {
		if n := f.foundAfter(e); n == 0 {
			t.Errorf("%s was broken, and not found", f.promise)
		} else {
			t.Logf("%s: forging %d operations was enough to be found", f.promise, n)
		}
	}
}

// foundAfter returns how many operations were forged until the checkers found
// the promise broken, 0 for never.
func (f forgery) foundAfter(e *simulation.Evidence) int {
	tries := 0
	for i := range e.Operations {
		forged := *e
		forged.Operations = slices.Clone(e.Operations)
		if !f.forge(&forged, &forged.Operations[i]) {
			continue
		}
		tries++
		if slices.ContainsFunc(simulation.Check(&forged), func(v simulation.Violation) bool { return v.Promise == f.promise }) {
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
	s.settle()

	const region = "us" // where all clients are: what others write would wait for what is gone
	s.stop(region)
	data, earlier := filepath.Join(s.dir, region), filepath.Join(s.dir, "earlier")
	if err := os.CopyFS(earlier, os.DirFS(data)); err != nil {
		t.Fatal(err)
	}
	s.launch(region)
	s.await(region)
	h := newKillHistory()
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
