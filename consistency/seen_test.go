package consistency

import (
	"testing"

	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/meta"
)

func TestASessionHasSeenWhatItsTokenCovers(t *testing.T) {
	c := newCluster()
	c.change(func(m *meta.Membership) {
		m.Seals = []meta.Seal{{
			Origin: 9, Final: map[feature.Shard]hlc.Timestamp{shard: stamp(5)},
			Salvage: map[feature.Shard]meta.Salvage{shard: {As: hlc.Position{Origin: 1, At: stamp(50)}, UpTo: stamp(7)}},
		}}
	})
	coordinator := c.coordinator(t)
	at := func(origin hlc.Origin, n int64) hlc.Position { return hlc.Position{Origin: origin, At: stamp(n)} }
	elsewhere := feature.Shard{Group: shard.Group, Partition: shard.Partition + 1}
	var named, folded, sealed Token
	named.Note(shard, at(1, 20))
	folded.raiseFloor(floor{group: shard.Group, at: stamp(30)})
	sealed.Note(shard, at(9, 5))
	for _, tc := range []struct {
		name  string
		token *Token
		shard feature.Shard
		p     hlc.Position
		want  bool
	}{
		{"the position named", &named, shard, at(1, 20), true},
		{"an older one of that origin", &named, shard, at(1, 3), true},
		{"a newer one", &named, shard, at(1, 21), false},
		{"another origin's", &named, shard, at(2, 3), false},
		{"another shard's", &named, elsewhere, at(1, 3), false},
		{"below a floor, of any origin and shard", &folded, elsewhere, at(2, 30), true},
		{"above a floor", &folded, shard, at(2, 31), false},
		{"beyond a seal, where the token covers the seal", &sealed, shard, at(9, 8), true},
		{"beyond a seal, and logged again: the token would name it", &sealed, shard, at(9, 6), false},
		{"beyond a seal that the token does not cover", &named, shard, at(9, 8), false},
	} {
		if got := coordinator.Seen(tc.token)(tc.shard, tc.p); got != tc.want {
			t.Errorf("%s: got %v, want %v", tc.name, got, tc.want)
		}
	}
	if coordinator.Seen(&Token{}) != nil {
		t.Error("a new session has seen something")
	}
}
