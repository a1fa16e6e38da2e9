package feature

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"featurestore/hlc"
)

// As their users understand siblings: a value is there until a write whose
// session had seen it replaces it, and no other write ever does. Stores hear of
// each origin's writes in their order, as replication sees to; a session has
// seen what some store had once, and writes where all of that is.
func TestSiblingsFollowCausalHistories(t *testing.T) {
	type write struct {
		dot   hlc.Position
		seen  hlc.Vector
		delta Row
	}
	type place struct {
		row      Row
		progress hlc.Vector
	}
	rapid.Check(t, func(t *rapid.T) {
		const stores = 3
		var places [stores]place
		var logs [stores][]write
		var heard [stores][stores]int // by store, of each log
		var sessions []hlc.Vector
		for i := range places {
			places[i].progress = hlc.Vector{}
		}
		hear := func(i, o int) {
			w := logs[o][heard[i][o]]
			heard[i][o]++
			places[i].row = JoinRow(places[i].row, w.delta)
			places[i].progress[w.dot.Origin] = w.dot.At
		}
		clock := hlc.Timestamp(0)
		for range rapid.IntRange(1, 24).Draw(t, "steps") {
			i := rapid.IntRange(0, stores-1).Draw(t, "store")
			switch rapid.IntRange(0, 2).Draw(t, "step") {
			case 0: // a session reads
				sessions = append(sessions, places[i].progress.Clone())
			case 1: // a store hears of a write
				if o := rapid.IntRange(0, stores-1).Draw(t, "origin"); heard[i][o] < len(logs[o]) {
					hear(i, o)
				}
			case 2: // a session writes, which waits until what it saw is there
				w := write{seen: hlc.Vector{}}
				if len(sessions) > 0 && rapid.Bool().Draw(t, "in a session") {
					w.seen = sessions[rapid.IntRange(0, len(sessions)-1).Draw(t, "session")]
				}
				for o := range stores {
					for places[i].progress[hlc.Origin(o+1)] < w.seen[hlc.Origin(o+1)] {
						hear(i, o)
					}
				}
				clock++
				w.dot = hlc.Position{Origin: hlc.Origin(i + 1), At: clock}
				c := change(0, set(1, Siblings, OfInt64(int64(clock))))
				w.delta = must(c.DeltaAfter(places[i].row, w.dot.At, w.dot.Origin, w.seen.CoversPosition))
				logs[i] = append(logs[i], w)
				hear(i, i)
			}
		}
		var want []int64
		var all []write
		for _, log := range logs {
			all = append(all, log...)
		}
		for _, w := range all {
			if !slices.ContainsFunc(all, func(by write) bool { return by.seen.CoversPosition(w.dot) }) {
				want = append(want, int64(w.dot.At))
			}
		}
		slices.Sort(want)
		slices.Reverse(want)
		for i := range places {
			for o := range stores {
				for heard[i][o] < len(logs[o]) {
					hear(i, o)
				}
			}
			var got []int64
			if c, ok := places[i].row.Cell(1); ok {
				for _, s := range c.AppendSiblings(nil) {
					got = append(got, s.Value.Int())
				}
			}
			if !slices.Equal(got, want) {
				t.Fatalf("store %d has %v, nobody had seen and replaced %v\n%+v", i, got, want, all)
			}
		}
	})
}

func all(hlc.Position) bool { return true }

// writeAfter is apply for a session that had seen something.
func writeAfter(t *testing.T, row Row, at hlc.Timestamp, origin hlc.Origin, seen Seen, c Change) Row {
	t.Helper()
	delta, err := c.DeltaAfter(row, at, origin, seen)
	if err != nil {
		t.Fatal(err)
	}
	return JoinRow(row, delta)
}

func siblingsOf(t *testing.T, row Row) string {
	t.Helper()
	c, _ := row.Cell(1)
	var texts []string
	for _, s := range c.AppendSiblings(nil) {
		texts = append(texts, s.Value.String())
	}
	return strings.Join(texts, " ")
}

func TestStoriesOfSiblings(t *testing.T) {
	value := func(n int64) Change { return change(1, set(1, Siblings, OfInt64(n))) }
	upTo := func(p ...hlc.Position) Seen {
		return func(q hlc.Position) bool {
			return slices.ContainsFunc(p, func(p hlc.Position) bool { return p.Origin == q.Origin && p.At >= q.At })
		}
	}
	two := writeAfter(t, writeAfter(t, Row{}, 1, 1, nil, value(1)), 2, 2, nil, value(2))
	for _, tc := range []struct {
		name string
		row  Row
		want string
	}{
		{"the latest is seen, whatever its event time", writeAfter(t, two, 3, 1, nil, change(-9, set(1, Siblings, OfInt64(3)))), "3 2 1"},
		{"blind writes at one store stay beside each other", writeAfter(t, two, 3, 2, nil, value(3)), "3 2 1"},
		{"a session that saw both replaces both", writeAfter(t, two, 3, 1, all, value(3)), "3"},
		{"a session that saw one replaces that", writeAfter(t, two, 3, 1, upTo(hlc.Position{Origin: 1, At: 1}), value(3)), "3 2"},
		{"a value takes part though it is null", writeAfter(t, two, 3, 1, nil, change(1, Assignment{Feature: 1, Rule: Siblings, Type: ScalarOf(Int64)})), "null 2 1"},
		{"an older value seen, the newer of that origin not", writeAfter(t, writeAfter(t, two, 3, 2, nil, value(3)), 4, 1, upTo(hlc.Position{Origin: 2, At: 2}), value(4)), "4 3 1"},
		{"a newer value seen, the older of that origin not", writeAfter(t, writeAfter(t, two, 3, 2, nil, value(3)), 4, 1, func(p hlc.Position) bool { return p.At == 3 }, value(4)), "4 3 2 1"},
	} {
		if got := siblingsOf(t, tc.row); got != tc.want {
			t.Errorf("%s: got %s, want %s", tc.name, got, tc.want)
		}
	}
	deleted := writeAfter(t, two, 3, 1, nil, Change{Delete: true})
	if len(deleted.Cells) > 0 {
		t.Errorf("deleted: %+v", deleted)
	}
	unaware := must(value(9).Delta(two, 4, 2))
	if row := JoinRow(deleted, unaware); len(row.Cells) > 0 || !row.Supersedes(unaware) {
		t.Errorf("a write that did not know of the delete is there: %+v", row)
	}
	again := writeAfter(t, deleted, 5, 2, nil, value(5))
	if got := siblingsOf(t, JoinRow(again, two)); got != "5" {
		t.Errorf("after the delete: got %s, want 5 alone", got)
	}
}

func TestSiblingsAreBounded(t *testing.T) {
	text := func(size int) Change {
		return change(1, set(1, Siblings, must(OfString(strings.Repeat("x", size)))))
	}
	var row Row
	for at := range hlc.Timestamp(MaxSiblings + 4) {
		row = writeAfter(t, row, at+1, hlc.Origin(at%3+1), nil, text(int(at)))
	}
	c, _ := row.Cell(1)
	kept := c.AppendSiblings(nil)
	if len(kept) != MaxSiblings || kept[0].Version.At != MaxSiblings+4 || kept[MaxSiblings-1].Version.At != 5 {
		t.Errorf("kept %d, from %v to %v; want the latest %d", len(kept), kept[0].Version.At, kept[len(kept)-1].Version.At, MaxSiblings)
	}
	row = writeAfter(t, row, 90, 1, nil, text(MaxSiblingBytes-10))
	c, _ = row.Cell(1)
	if kept := c.AppendSiblings(nil); len(kept) != 1 {
		t.Errorf("a large value left %d beside it, want none", len(kept)-1)
	}
	if _, err := text(MaxSiblingBytes+1).Delta(row, 91, 1); !errors.Is(err, ErrSiblingTooLarge) {
		t.Errorf("one byte more: got %v, want ErrSiblingTooLarge", err)
	}
	// Two origins that could not see each other may keep more together, until the
	// next write.
	var a, b Row
	for at := range hlc.Timestamp(MaxSiblings) {
		a = writeAfter(t, a, 2*at+1, 1, nil, text(1))
		b = writeAfter(t, b, 2*at+2, 2, nil, text(1))
	}
	both := JoinRow(a, b)
	if c, _ = both.Cell(1); len(c.AppendSiblings(nil)) != 2*MaxSiblings {
		t.Errorf("joined: %d values, want %d", len(c.AppendSiblings(nil)), 2*MaxSiblings)
	}
	both = writeAfter(t, both, 99, 3, nil, text(1))
	if c, _ = both.Cell(1); len(c.AppendSiblings(nil)) != MaxSiblings {
		t.Errorf("after the next write: %d values, want %d", len(c.AppendSiblings(nil)), MaxSiblings)
	}
}

func TestConflictsAreTold(t *testing.T) {
	value := func(rule Rule, event, n int64) Change { return change(event, set(1, rule, OfInt64(n))) }
	full := Row{}
	for at := range hlc.Timestamp(MaxSiblings) {
		full = writeAfter(t, full, at+1, 1, nil, value(Siblings, 1, 1))
	}
	one := func(rule Rule) Row { return writeAfter(t, Row{}, 1, 1, nil, value(rule, 5, 1)) }
	for _, tc := range []struct {
		name   string
		before Row
		origin hlc.Origin
		seen   Seen
		change Change
		want   []Conflict
	}{
		{"the first value", Row{}, 2, nil, value(EventTime, 1, 1), nil},
		{"over one of the own origin", one(EventTime), 1, nil, value(EventTime, 6, 1), nil},
		{"over one of another", one(EventTime), 2, nil, value(EventTime, 6, 1), []Conflict{{1, EventTime, false, true, 0}}},
		{"over one that was seen", one(EventTime), 2, all, value(EventTime, 6, 1), nil},
		{"under one that was seen", one(EventTime), 2, all, value(EventTime, 4, 1), []Conflict{{1, EventTime, true, false, 0}}},
		{"behind a delete", writeAfter(t, Row{}, 1, 1, nil, Change{Delete: true, EventTime: 5}), 2, nil, value(EventTime, 4, 1), []Conflict{{1, EventTime, true, false, 0}}},
		{"beside a sibling", one(Siblings), 2, nil, value(Siblings, 1, 2), []Conflict{{1, Siblings, false, true, 0}}},
		{"in place of a sibling", one(Siblings), 2, all, value(Siblings, 1, 2), nil},
		{"beside a sibling of its own", one(Siblings), 1, nil, value(Siblings, 1, 2), nil},
		{"one too many", full, 2, nil, value(Siblings, 1, 2), []Conflict{{1, Siblings, false, true, 1}}},
	} {
		delta := must(tc.change.DeltaAfter(tc.before, 40, tc.origin, tc.seen))
		var got []Conflict
		JoinRow(tc.before, delta).Conflicts(tc.before, delta, tc.seen, func(c Conflict) { got = append(got, c) })
		if !slices.Equal(got, tc.want) {
			t.Errorf("%s: got %+v, want %+v", tc.name, got, tc.want)
		}
	}
}
