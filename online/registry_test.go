package online

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"featurestore/feature"
	"featurestore/feature/definition"
)

func definitions(t testing.TB, project string, features int) feature.Definitions {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "project: %s\nentities:\n  - {name: driver, join_keys: [{name: driver_id, type: int64}]}\n", project)
	b.WriteString("views:\n  - name: stats\n    entity: driver\n    features:\n")
	for n := range features {
		fmt.Fprintf(&b, "      - {name: f%d, type: float64, description: %q}\n", n, strings.Repeat("x", 200))
	}
	d, err := definition.Parse("test.yaml", strings.NewReader(b.String()))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestApplyIsInForceAndKept(t *testing.T) {
	h := openHouse(t)
	if h.Registry() == nil || h.Registry().Revision() != 0 {
		t.Fatalf("registry %+v, want an empty one", h.Registry())
	}
	plan, err := h.Apply(t.Context(), definitions(t, "rides", 2), nil)
	if err != nil || plan.IsEmpty() {
		t.Fatalf("Apply: %v, %v", plan, err)
	}
	catalog, ok := h.Registry().Catalog("rides")
	if !ok {
		t.Fatal("the project is not in force")
	}
	view, _ := catalog.View("stats")
	h.restart()
	again, ok := h.Registry().Catalog("rides")
	if !ok {
		t.Fatal("the project is not kept")
	}
	if kept, _ := again.View("stats"); kept.ID != view.ID || len(kept.Fields) != 2 {
		t.Errorf("view %+v, was %+v", kept, view)
	}
	before := h.disk.lastCommit()
	plan, err = h.Apply(t.Context(), definitions(t, "rides", 2), nil)
	if err != nil || !plan.IsEmpty() || h.disk.lastCommit() != before {
		t.Errorf("the same again: %v, %v, %d commits; want nothing to change", plan, err, h.disk.lastCommit()-before)
	}
}

// Many appliers that saw the same revision: one of them wins each time.
func TestApplyIsCompareAndSwap(t *testing.T) {
	h := openHouse(t)
	const appliers, wins = 6, 5
	var wg sync.WaitGroup
	var mu sync.Mutex
	won := 0
	for a := range appliers {
		wg.Go(func() {
			for revision := uint64(0); revision < wins; {
				expect := revision
				_, err := h.Apply(t.Context(), definitions(t, "rides", 1+int(revision)*appliers+a), &expect)
				switch conflict, lost := errors.AsType[*feature.ConflictError](err); {
				case err == nil:
					mu.Lock()
					won++
					mu.Unlock()
					revision++
				case lost:
					revision = conflict.Have
				default:
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	if catalog, _ := h.Registry().Catalog("rides"); won != wins || catalog.Revision() != wins {
		t.Errorf("%d applies won, want %d", won, wins)
	}
}

func TestInvalidDefinitionsChangeNothing(t *testing.T) {
	h := openHouse(t)
	d := definitions(t, "rides", 1)
	d.Views[0].Entities = []string{"nobody"}
	if _, err := h.Apply(t.Context(), d, nil); !errors.Is(err, feature.ErrInvalid) {
		t.Errorf("got %v, want %v", err, feature.ErrInvalid)
	}
	if h.Registry().Revision() != 0 {
		t.Errorf("revision %d, want 0", h.Registry().Revision())
	}
}

func TestTheRegistryKeepsItsLastRevisions(t *testing.T) {
	h := openHouse(t)
	const applies = registryRevisionsKept + 20
	for n := range applies {
		if _, err := h.Apply(t.Context(), definitions(t, "rides", 1+n%2), nil); err != nil {
			t.Fatal(err)
		}
	}
	h.stop()
	var revisions []uint64
	for r, err := range Inspect(t.Context(), h.cfg.Dir, InspectOptions{Prefix: []byte{byte(kindRegistry)}}) {
		if err != nil || r.Err != nil {
			t.Fatal(err, r.Err)
		}
		if r.Registry.Registry.Revision() != r.Registry.Revision {
			t.Errorf("revision %d is stored as %d", r.Registry.Registry.Revision(), r.Registry.Revision)
		}
		revisions = append(revisions, r.Registry.Revision)
	}
	if len(revisions) != registryRevisionsKept || revisions[len(revisions)-1] != applies {
		t.Errorf("%d revisions up to %d, want %d up to %d", len(revisions), revisions[len(revisions)-1], registryRevisionsKept, applies)
	}
	h.start()
}

func TestARegistryOfSeveralPartsIsKept(t *testing.T) {
	h := openHouse(t)
	for p := range 5 {
		if _, err := h.Apply(t.Context(), definitions(t, fmt.Sprintf("p%d", p), 300), nil); err != nil {
			t.Fatal(err)
		}
	}
	encoded, err := definition.EncodeRegistry(h.Registry())
	if err != nil || len(encoded) <= registryPartBytes {
		t.Fatalf("%d bytes, %v: not several parts", len(encoded), err)
	}
	h.restart()
	if got := h.Registry().Projects(); len(got) != 5 {
		t.Errorf("projects %v, want 5", got)
	}
	for p := 5; ; p++ {
		_, err := h.Apply(t.Context(), definitions(t, fmt.Sprintf("p%d", p), 300), nil)
		if err == nil {
			continue
		}
		if !errors.Is(err, ErrTooLarge) || len(h.Registry().Projects()) != p {
			t.Errorf("got %v with %d projects, want %v with %d", err, len(h.Registry().Projects()), ErrTooLarge, p)
		}
		return
	}
}
