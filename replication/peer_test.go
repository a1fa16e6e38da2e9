package replication

import (
	"testing"

	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/meta"
)

// nothing is a Local that holds nothing, with definitions of a revision.
type nothing struct{ registry uint64 }

func (nothing) Shards(meta.Region) []feature.Shard   { return nil }
func (nothing) Progress(feature.Shard) hlc.Vector    { return nil }
func (nothing) Heads(feature.Shard) hlc.Vector       { return nil }
func (nothing) Groups() []*feature.Group             { return nil }
func (nothing) Group(feature.GroupID) *feature.Group { return nil }
func (n nothing) RegistryVersion() feature.RegistryVersion {
	return feature.RegistryVersion{Line: feature.Line{Epoch: 2, Home: "eu-1"}, Revision: n.registry}
}
func member(id meta.StoreID, o hlc.Origin, s meta.State) meta.Member {
	return meta.Member{Store: id, Region: meta.Region(id[:2]), Origin: o, State: s}
}

// A home that was taken over from and evicted does not bring its definitions
// back, however many revisions it made unseen.
func TestDefinitionsAreTakenFromThoseWhoTakePart(t *testing.T) {
	line := func(epoch, revision uint64) feature.RegistryVersion {
		return feature.RegistryVersion{Line: feature.Line{Epoch: epoch, Home: "eu-1"}, Revision: revision}
	}
	versions := map[uint64]feature.RegistryVersion{3: line(3, 3), 7: line(2, 7), 8: line(2, 8), 9: line(1, 9)}
	for _, c := range []struct {
		claim string
		as    meta.State
		life  hlc.Origin // that the peer says it is
		at    uint64
		want  bool
	}{
		{"newer ones of a member", meta.Active, 10, 8, true},
		{"those that are here", meta.Active, 10, 7, false},
		{"fewer revisions of a later home", meta.Active, 10, 3, true},
		{"more revisions of an earlier home", meta.Active, 10, 9, false},
		{"of one that leaves", meta.Leaving, 10, 8, true},
		{"of one that is being evicted", meta.Fenced, 10, 8, false},
		{"of one that was evicted", meta.Removed, 10, 8, false},
		{"of another life of a member", meta.Active, 11, 8, false},
	} {
		self := member("us-1", 20, meta.Active)
		core := NewCore(CoreConfig{Self: self, Local: nothing{registry: 7}, Membership: &meta.Membership{
			Epoch: 2, Revision: 5, Home: "us-1", Members: meta.Members{member("eu-1", 10, c.as), self},
		}})
		core.Step(Instant{}, Opened{Hello: Hello{Member: member("eu-1", c.life, meta.Active)}, Serving: true})
		got := false
		for _, o := range core.Step(Instant{}, Received{From: "eu-1", Message: RegistryNews{Version: versions[c.at]}}) {
			_, adopts := o.(AdoptRegistry)
			got = got || adopts
		}
		if got != c.want {
			t.Errorf("%s: taken %v, want %v", c.claim, got, c.want)
		}
	}
}
