package online

import (
	"cmp"
	"context"
	"slices"
	"sync"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"featurestore/feature"
	"featurestore/hlc"
)

// ConflictCount is what cells of one view under one conflict rule met here since
// the store was opened: those of writes that it accepted, and of other origins'
// that it joined.
type ConflictCount struct {
	View feature.ViewID
	Rule feature.Rule
	// Superseded counts cells of which nothing was left: what was here is newer.
	Superseded int64
	// Concurrent counts cells that met a value of another origin which their
	// session had not seen. Of a joined write, the session is known to have seen
	// what the write waited for.
	Concurrent int64
	// Dropped counts siblings that went unseen, because a write that was accepted
	// here would have left too many.
	Dropped int64
}

// conflicts counts what committed writes met. There is a count for each view
// and rule that met something.
type conflicts struct {
	mu struct {
		sync.Mutex
		counts map[conflictsOf]*ConflictCount
	}
}

type conflictsOf struct {
	view feature.ViewID
	rule feature.Rule
}

// stagedConflict is counted when what it was found for is committed.
type stagedConflict struct {
	view feature.ViewID
	feature.Conflict
}

func (c *conflicts) add(found []stagedConflict) {
	if len(found) == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.counts == nil {
		c.mu.counts = map[conflictsOf]*ConflictCount{}
	}
	for i := range found {
		f := &found[i]
		of := conflictsOf{view: f.view, rule: f.Rule}
		n := c.mu.counts[of]
		if n == nil {
			n = &ConflictCount{View: f.view, Rule: f.Rule}
			c.mu.counts[of] = n
		}
		if f.Superseded {
			n.Superseded++
		}
		if f.Concurrent {
			n.Concurrent++
		}
		n.Dropped += int64(f.Dropped)
	}
}

// Conflicts returns what met here since the store was opened, by rising view and
// rule. What never met anything is left out.
func (s *Store) Conflicts() []ConflictCount {
	s.conflicts.mu.Lock()
	defer s.conflicts.mu.Unlock()
	out := make([]ConflictCount, 0, len(s.conflicts.mu.counts))
	for _, n := range s.conflicts.mu.counts {
		out = append(out, *n)
	}
	slices.SortFunc(out, func(a, b ConflictCount) int {
		return cmp.Or(cmp.Compare(a.View, b.View), cmp.Compare(a.Rule, b.Rule))
	})
	return out
}

// noteConflicts stages what delta met when it was joined into before.
func (st *stage) noteConflicts(view feature.ViewID, before, delta, joined feature.Row, seen feature.Seen, accepted bool) {
	if before.IsEmpty() {
		return
	}
	joined.Conflicts(before, delta, seen, func(c feature.Conflict) {
		if !accepted { // whoever accepted it counts them
			c.Dropped = 0
		}
		st.conflicts = append(st.conflicts, stagedConflict{view: view, Conflict: c})
	})
}

// seenBy is what the session of another store's write is known to have seen.
func seenBy(deps []hlc.Position) feature.Seen {
	if len(deps) == 0 {
		return nil
	}
	return func(p hlc.Position) bool {
		return slices.ContainsFunc(deps, func(d hlc.Position) bool { return d.Origin == p.Origin && d.At >= p.At })
	}
}

// observeConflicts registers the figures of conflicts, by project, view and rule.
func observeConflicts(s *Store, m metric.Meter) (metric.Registration, error) {
	superseded, err := m.Int64ObservableCounter("featurestore.online.conflicts.superseded", metric.WithUnit("{cell}"),
		metric.WithDescription("cells of writes, accepted here or joined, of which nothing was left because what was here is newer, by project, view and rule"))
	if err != nil {
		return nil, err
	}
	concurrent, err := m.Int64ObservableCounter("featurestore.online.conflicts.concurrent", metric.WithUnit("{cell}"),
		metric.WithDescription("cells of writes, accepted here or joined, that met a value of another origin which their session had not seen, by project, view and rule"))
	if err != nil {
		return nil, err
	}
	dropped, err := m.Int64ObservableCounter("featurestore.online.conflicts.dropped", metric.WithUnit("{value}"),
		metric.WithDescription("siblings that went unseen because a write accepted here would have left too many, by project, view and rule"))
	if err != nil {
		return nil, err
	}
	return m.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		counts := s.Conflicts()
		registry := s.Registry()
		for _, project := range registry.Projects() {
			catalog, _ := registry.Catalog(project)
			for _, n := range counts {
				view, ok := catalog.ViewByID(n.View)
				if !ok {
					continue
				}
				of := metric.WithAttributeSet(attribute.NewSet(
					attribute.String("project", project), attribute.String("view", view.Name), attribute.String("rule", n.Rule.String())))
				o.ObserveInt64(superseded, n.Superseded, of)
				o.ObserveInt64(concurrent, n.Concurrent, of)
				o.ObserveInt64(dropped, n.Dropped, of)
			}
		}
		return nil
	}, superseded, concurrent, dropped)
}
