package consistency

import (
	"testing"

	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/meta"
)

// eu reads a row that the ended origin 9 wrote beyond its seal. Whoever has what
// eu has answers the session then; who has less does not.
func TestARowFromBeyondASealIsAnchoredInWhatIsHere(t *testing.T) {
	c := newCluster()
	c.change(func(m *meta.Membership) {
		m.Seals = []meta.Seal{{Origin: 9, Final: map[feature.Shard]hlc.Timestamp{shard: stamp(5)}}}
	})
	here := hlc.Vector{1: stamp(30), 2: stamp(20), 9: stamp(7)}
	c.tell("eu-1", here)
	coordinator := c.coordinator(t)
	beyond, within := hlc.Position{Origin: 9, At: stamp(6)}, hlc.Position{Origin: 9, At: stamp(4)}

	var read, brought Token
	read.Note(shard, beyond)
	coordinator.Anchor(&read, &brought)
	want := hlc.Vector{1: stamp(30), 2: stamp(20), 9: stamp(5)}
	if got := read.Dependencies(shard, 0); !got.Covers(want) || !want.Covers(got) {
		t.Errorf("a row from beyond the seal: got %v, want %v", got, want)
	}

	read.Reset()
	read.Note(shard, within)
	coordinator.Anchor(&read, &brought)
	if got := read.Dependencies(shard, 0); len(got) != 1 || got[9] != within.At {
		t.Errorf("a row from within: got %v, want its position alone", got)
	}

	read.Reset()
	read.Note(shard, beyond)
	brought.Note(shard, beyond)
	coordinator.Anchor(&read, &brought)
	if got := read.Dependencies(shard, 0); len(got) != 1 || got[9] != beyond.At {
		t.Errorf("what the session brought: got %v, want that it stays lost", got)
	}
}

// While a shard is copied, its rows hold what no log here names yet: the last
// entries here would stand for too little.
func TestARowFromBeyondASealStaysUnnamedWhileItIsCopied(t *testing.T) {
	c := newCluster()
	c.change(func(m *meta.Membership) {
		m.Seals = []meta.Seal{{Origin: 9, Final: map[feature.Shard]hlc.Timestamp{shard: stamp(5)}}}
	})
	c.tell("eu-1", hlc.Vector{1: stamp(30), 9: stamp(7)})
	c.copying = true
	beyond := hlc.Position{Origin: 9, At: stamp(6)}
	var read, brought Token
	read.Note(shard, beyond)
	c.coordinator(t).Anchor(&read, &brought)
	if got := read.Dependencies(shard, 0); len(got) != 1 || got[9] != beyond.At {
		t.Errorf("got %v, want the version alone, which is lost for now", got)
	}
}

// closedAhead has logs that are known to be complete beyond their last entries.
type closedAhead struct{ *cluster }

func (c closedAhead) Heads(feature.Shard) hlc.Vector { return hlc.Vector{1: stamp(10), 2: stamp(20)} }

// An origin that ends is sealed at its last entry: a token that named a time up to
// which its log was complete would be told that something was lost.
func TestAnchorsNameEntries(t *testing.T) {
	c := newCluster()
	c.change(func(m *meta.Membership) {
		m.Seals = []meta.Seal{{Origin: 9, Final: map[feature.Shard]hlc.Timestamp{shard: stamp(5)}}}
	})
	c.tell("eu-1", hlc.Vector{1: stamp(30), 2: stamp(30), 9: stamp(7)})
	coordinator, err := NewCoordinator(Config{Store: closedAhead{c}, Self: euStore, Peers: c, Group: c.group, Now: c.now})
	if err != nil {
		t.Fatal(err)
	}
	var read, brought Token
	read.Note(shard, hlc.Position{Origin: 9, At: stamp(6)})
	coordinator.Anchor(&read, &brought)
	want := hlc.Vector{1: stamp(10), 2: stamp(20)}
	if got := read.Dependencies(shard, 0); !got.Covers(want) || !want.Covers(got) {
		t.Errorf("got %v, want the last entries %v", got, want)
	}
}
