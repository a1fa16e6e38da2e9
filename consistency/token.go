package consistency

import (
	"cmp"
	"slices"

	"featurestore/feature"
	"featurestore/hlc"
)

// MaxPositions is how many positions a token holds before a whole group is
// folded into one floor.
const MaxPositions = 64

// maxFloors is how many groups have floors of their own before one floor
// stands for every group. With MaxPositions it keeps the text of the largest
// token under MaxTokenBytes.
const maxFloors = 16

// everyGroup is the group of the floor that stands for all of them.
const everyGroup feature.GroupID = 0

// MaxTokens is how many tokens one request may carry.
const MaxTokens = 8

// Token is what a session has seen: the positions of the cells it read and of
// the writes it made. The zero Token is that of a new session. It is not safe
// for concurrent use.
type Token struct {
	// Revision is the metadata revision whose origins the token's floors span.
	Revision uint64
	// positions are ordered by shard and origin, each once.
	positions []positionIn
	// floors are ordered by group, each once. A floor stands for every origin
	// of the group up to its time.
	floors []floor
	// folded says that a floor was made since Revision was set.
	folded bool
}

type positionIn struct {
	shard feature.Shard
	hlc.Position
}

type floor struct {
	group feature.GroupID
	at    hlc.Timestamp
}

func compareShards(a, b feature.Shard) int {
	return cmp.Or(cmp.Compare(a.Group, b.Group), cmp.Compare(a.Partition, b.Partition))
}

func comparePositions(a, b positionIn) int {
	return cmp.Or(compareShards(a.shard, b.shard), cmp.Compare(a.Origin, b.Origin))
}

// IsEmpty reports whether the session has seen nothing.
func (t *Token) IsEmpty() bool { return len(t.positions) == 0 && len(t.floors) == 0 }

func (t *Token) hasFloors() bool { return len(t.floors) > 0 }

// Note adds one position that the session read or wrote. The zero position is
// ignored.
func (t *Token) Note(shard feature.Shard, p hlc.Position) {
	if p.At == 0 {
		return
	}
	in := positionIn{shard: shard, Position: p}
	i, found := slices.BinarySearchFunc(t.positions, in, comparePositions)
	if found {
		t.positions[i].At = max(t.positions[i].At, p.At)
		return
	}
	if p.At <= t.Floor(shard.Group) {
		return
	}
	t.positions = slices.Insert(t.positions, i, in)
	if len(t.positions) > MaxPositions {
		t.foldLargestGroup()
	}
}

// Merge adds everything that u has seen.
func (t *Token) Merge(u Token) {
	t.Revision = max(t.Revision, u.Revision)
	t.folded = t.folded || u.folded
	for _, f := range u.floors {
		t.raiseFloor(f)
	}
	for _, p := range u.positions {
		t.Note(p.shard, p.Position)
	}
}

// Positions calls visit for each position of shard until it returns false.
func (t *Token) Positions(shard feature.Shard, visit func(hlc.Position) bool) {
	i, _ := slices.BinarySearchFunc(t.positions, positionIn{shard: shard}, comparePositions)
	for ; i < len(t.positions) && t.positions[i].shard == shard; i++ {
		if !visit(t.positions[i].Position) {
			return
		}
	}
}

// Floor returns the time up to which every origin of the group must be
// covered, zero for none.
func (t *Token) Floor(group feature.GroupID) hlc.Timestamp {
	var at hlc.Timestamp
	for _, f := range t.floors {
		if f.group == group || f.group == everyGroup {
			at = max(at, f.at)
		}
	}
	return at
}

// Dependencies returns the positions of other origins that a write to shard
// must be joined after.
func (t *Token) Dependencies(shard feature.Shard, self hlc.Origin) hlc.Vector {
	var deps hlc.Vector
	t.Positions(shard, func(p hlc.Position) bool {
		if p.Origin != self {
			if deps == nil {
				deps = hlc.Vector{}
			}
			deps[p.Origin] = p.At
		}
		return true
	})
	return deps
}

// Latest returns the greatest time in the token.
func (t *Token) Latest() hlc.Timestamp {
	var at hlc.Timestamp
	for _, p := range t.positions {
		at = max(at, p.At)
	}
	for _, f := range t.floors {
		at = max(at, f.at)
	}
	return at
}

// Reset empties the token and keeps its space.
func (t *Token) Reset() {
	t.Revision, t.positions, t.floors, t.folded = 0, t.positions[:0], t.floors[:0], false
}

func (t *Token) raiseFloor(f floor) {
	i, ok := slices.BinarySearchFunc(t.floors, f, func(a, b floor) int { return cmp.Compare(a.group, b.group) })
	if ok {
		t.floors[i].at = max(t.floors[i].at, f.at)
	} else {
		t.floors = slices.Insert(t.floors, i, f)
	}
	if len(t.floors) > maxFloors {
		all := floor{group: everyGroup}
		for _, x := range t.floors {
			all.at = max(all.at, x.at)
		}
		t.floors = append(t.floors[:0], all)
	}
	t.positions = slices.DeleteFunc(t.positions, func(p positionIn) bool {
		return p.At <= t.Floor(p.shard.Group)
	})
}

// foldLargestGroup replaces the positions of the group that has most of them
// by a floor. That asks for more than the session saw, never for less.
func (t *Token) foldLargestGroup() {
	counts := map[feature.GroupID]int{}
	for _, p := range t.positions {
		counts[p.shard.Group]++
	}
	largest := t.positions[0].shard.Group
	for group, n := range counts {
		if n > counts[largest] || n == counts[largest] && group < largest {
			largest = group
		}
	}
	top := floor{group: largest}
	for _, p := range t.positions {
		if p.shard.Group == largest {
			top.at = max(top.at, p.At)
		}
	}
	t.raiseFloor(top)
	t.folded = true
}

// drop removes the positions that needless says are implied everywhere.
func (t *Token) drop(needless func(feature.Shard, hlc.Position) bool) {
	t.positions = slices.DeleteFunc(t.positions, func(p positionIn) bool { return needless(p.shard, p.Position) })
}
