package meta

import (
	"testing"

	"featurestore/feature"
	"featurestore/hlc"
)

// M6.
func TestASealIsLoweredToWhatIsLeftOfTheLog(t *testing.T) {
	shardB, local := feature.Shard{Group: 1, Partition: 1}, feature.Shard{Group: 2}
	ended := Seal{
		Origin: 9, Store: "sa-1",
		Final:   map[feature.Shard]hlc.Timestamp{shardA: 100, shardB: 60, local: 7},
		Salvage: map[feature.Shard]Salvage{shardA: {UpTo: 130, As: hlc.Position{Origin: 1, At: 200}}, shardB: {UpTo: 80, As: hlc.Position{Origin: 1, At: 200}}},
	}
	fenced := three(t)
	fenced.Seals = []Seal{ended}
	fenced, err := fenced.Evict("ap-1", nil)
	if err != nil {
		t.Fatal(err)
	}
	holds := func(x Member) []feature.Shard {
		if x.Region == "ap" {
			return []feature.Shard{shardA, shardB, local}
		}
		return []feature.Shard{shardA, shardB}
	}
	told := func(heads hlc.Vector) Heard {
		return Heard{
			Version: fenced.Version(),
			Head:    func(_ feature.Shard, o hlc.Origin) hlc.Timestamp { return heads[o] },
			Covers:  func(_ feature.Shard, p hlc.Position) bool { return heads.CoversPosition(p) },
		}
	}
	for _, c := range []struct {
		claim               string
		eu, us              hlc.Timestamp // how far they have the ended log, in both shards
		a, b                hlc.Timestamp // the seal then
		salvagesA, salvageB bool
	}{
		{"somebody has all of it", 100, 0, 100, 60, true, true},
		{"who has most counts", 50, 70, 70, 60, false, true},
		{"nobody has any", 0, 0, 0, 0, false, false},
	} {
		next := fenced.Advance(world{"eu-1": told(hlc.Vector{9: c.eu}), "us-1": told(hlc.Vector{9: c.us})}.heard, holds)
		if _, gone := next.Sealed(ap.Origin); !gone {
			t.Fatalf("%s: ap-1 was not sealed", c.claim)
		}
		s, _ := next.Sealed(9)
		if s.Final[shardA] != c.a || s.Final[shardB] != c.b || s.Final[local] != 0 {
			t.Errorf("%s: the log ends at %v, want %v, %v and 0 in the shard that nobody holds", c.claim, s.Final, c.a, c.b)
		}
		if s.Salvage[shardA].Has(130) != c.salvagesA || s.Salvage[shardB].Has(80) != c.salvageB {
			t.Errorf("%s: what was logged again stands for the tail where there is a hole before it: %v", c.claim, s.Salvage)
		}
		safe := next.SafeTime(shardA, hlc.Vector{1: 500, 2: 500, 9: c.a}, func(Member) bool { return true })
		if safe != 500 {
			t.Errorf("%s: with all that is left of the log, the safe time is %v, want 500", c.claim, safe)
		}
	}
	if s, _ := fenced.Sealed(9); s.Final[shardA] != 100 || !s.Salvage[shardA].Has(130) {
		t.Error("the document before has changed")
	}
	if next := fenced.Advance(world{"eu-1": told(nil)}.heard, holds); next != fenced {
		t.Error("it was lowered before us had told what it has")
	}
}
