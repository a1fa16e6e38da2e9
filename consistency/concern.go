package consistency

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"featurestore/feature"
	"featurestore/meta"
)

// ConcernKind is the rule of a write concern.
type ConcernKind uint8

// The write concerns. Zero means none was asked. Each acknowledgement means
// applied and synced there.
const (
	ConcernUnset ConcernKind = iota
	Local                    // the origin
	Any                      // k other members
	Regions                  // a member in each of k other regions
	RegionQuorum             // a majority in the origin's region
	MemberQuorum             // a majority of all members
	EachRegion               // a majority in every region
	All                      // every member
)

var concernNames = [...]string{"", "local", "any", "regions", "region_quorum", "quorum", "each_region", "all"}

// Concern is a write concern: who must have a write before it is acknowledged.
type Concern struct {
	Kind ConcernKind
	// K counts members of Any and regions of Regions, zero otherwise.
	K int
}

// maxConcernK bounds k: no deployment has more members of a shard.
const maxConcernK = 64

// String returns the concern as headers and definitions write it, such as
// "any:1".
func (c Concern) String() string {
	if int(c.Kind) >= len(concernNames) {
		return "unknown"
	}
	name := concernNames[c.Kind]
	if c.Kind == Any || c.Kind == Regions {
		name += ":" + strconv.Itoa(c.K)
	}
	return name
}

// ParseConcern is the inverse of Concern.String.
func ParseConcern(s string) (Concern, error) {
	word, count, counted := strings.Cut(s, ":")
	for kind := Local; kind <= All; kind++ {
		if concernNames[kind] != word {
			continue
		}
		if takesK := kind == Any || kind == Regions; takesK != counted {
			break
		}
		c := Concern{Kind: kind}
		if counted {
			k, err := strconv.Atoi(count)
			if err != nil || k < 1 || k > maxConcernK || strconv.Itoa(k) != count {
				return Concern{}, fmt.Errorf("write concern %q: k is a number from 1 to %d, as in %s:1", s, maxConcernK, word)
			}
			c.K = k
		}
		return c, nil
	}
	return Concern{}, fmt.Errorf("write concern %q is not known; use local, any:k, regions:k, region_quorum, quorum, each_region or all", s)
}

// Acks are the members known to have applied and synced a write.
type Acks struct {
	Stores  int
	Regions []meta.Region
}

// Count applies the rule: who among the active members has the write, given
// by acked, and whether that meets the concern for a write accepted by origin.
// It is a pure function.
func (c Concern) Count(members meta.Members, origin meta.Member, acked func(meta.StoreID) bool) (Acks, bool) {
	active := members.Active()
	have := slices.DeleteFunc(slices.Clone(active), func(m meta.Member) bool { return !acked(m.Store) })
	return Acks{Stores: len(have), Regions: have.Regions()}, c.holds(active, have, origin)
}

func (c Concern) holds(active, have meta.Members, origin meta.Member) bool {
	majority := func(of func(meta.Member) bool) bool {
		return 2*count(have, of) > count(active, of)
	}
	anyMember := func(meta.Member) bool { return true }
	inRegion := func(r meta.Region) func(meta.Member) bool {
		return func(m meta.Member) bool { return m.Region == r }
	}
	isOrigin := func(m meta.Member) bool { return m.Store == origin.Store }
	switch c.Kind {
	case Local:
		return count(have, isOrigin) == 1
	case Any:
		return count(have, func(m meta.Member) bool { return !isOrigin(m) }) >= c.K
	case Regions:
		return len(slices.DeleteFunc(have.Regions(), func(r meta.Region) bool { return r == origin.Region })) >= c.K
	case RegionQuorum:
		return majority(inRegion(origin.Region))
	case MemberQuorum:
		return majority(anyMember)
	case EachRegion:
		return !slices.ContainsFunc(active.Regions(), func(r meta.Region) bool { return !majority(inRegion(r)) })
	case All:
		return len(have) == len(active)
	}
	return false
}

func count(in meta.Members, keep func(meta.Member) bool) (n int) {
	for _, m := range in {
		if keep(m) {
			n++
		}
	}
	return n
}

// Possible reports whether the concern could be met if every active member
// acknowledged. A write that asks for more is refused before it is made.
func (c Concern) Possible(members meta.Members, origin meta.Member) bool {
	_, ok := c.Count(members, origin, func(meta.StoreID) bool { return true })
	return ok
}

// Durability is the concern whose acknowledgements a group's failover must keep.
// One that is not set is that of the concern with which the group writes.
func Durability(g *feature.Group) Concern {
	c, err := ParseConcern(cmp.Or(g.Durability, g.Write.Concern))
	if err != nil {
		return Concern{Kind: Local}
	}
	return c
}

// Distinct is how many members an acknowledgement at a group's durability names,
// out of those that hold its shards: whatever was acknowledged at it is at as
// many, wherever it was accepted.
func Distinct(g *feature.Group, members meta.Members) int {
	c := Durability(g)
	active := members.Active()
	least := 1
	switch c.Kind {
	case Any, Regions:
		least = c.K + 1
	case MemberQuorum:
		least = len(active)/2 + 1
	case All:
		least = len(active)
	case RegionQuorum, EachRegion:
		each := 0
		smallest := len(active)
		for _, r := range active.Regions() {
			majority := len(active.In(r))/2 + 1
			each += majority
			smallest = min(smallest, majority)
		}
		least = each
		if c.Kind == RegionQuorum {
			least = smallest
		}
	}
	return max(1, min(least, len(active)))
}
