package pit

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/apache/arrow/go/v17/arrow"

	"featurestore/feature"
)

// spineShards divide a spine by the hash of keys: a batch of feature rows
// takes each lock once, and works on what fits a processor's cache meanwhile.
const (
	shardBits   = 6
	spineShards = 1 << shardBits
)

// shardOf takes bits of the hash that neither the table of keys nor
// partitions use.
func shardOf(hash uint64) int { return int(hash >> 26 & (spineShards - 1)) }

// spine holds entity rows by key and time, with one slot each. First rows are
// added, then it is sealed, then feature rows are offered, then the matches are
// read. Adding and offering may be done by many goroutines.
type spine struct {
	narrow   bool
	ttl      time.Duration
	asServed bool
	shards   [spineShards]spineShard
}

// spineShard is the entity rows of some of the keys.
type spineShard struct {
	sync.Mutex
	index   *keyIndex
	entries []spineEntry // when sealed: by key, then by time
	starts  []uint32     // where in entries each key begins; one more at the end
	slots   []offer      // of each entry: the best of its gap
}

// spineEntry is one entity row.
type spineEntry struct {
	time int64
	row  uint32 // its number in this spine
	key  uint32
}

// spineRowBytes is what a row takes in a spine: entry, slot, a narrow key of its
// own in a table that is at least a quarter full, and what slices grow ahead.
const spineRowBytes = 16 + 32 + 8 + 32 + 8

// newSpine makes room for about that many rows.
func newSpine(narrow bool, rows int64, v viewPlan, asServed bool) *spine {
	s := &spine{narrow: narrow, ttl: v.TTL, asServed: asServed}
	each := int(rows/spineShards + rows/spineShards/16 + 16)
	for i := range s.shards {
		s.shards[i].index = newKeyIndex(narrow)
		s.shards[i].entries = make([]spineEntry, 0, each)
	}
	return s
}

// byShard lists the rows of a batch that are of each shard.
type byShard struct {
	rows   []uint32
	starts [spineShards + 1]uint32
}

func (s *byShard) sort(b *keyBatch) {
	var count [spineShards]uint32
	for i, hash := range b.hash {
		if !b.null[i] {
			count[shardOf(hash)]++
		}
	}
	s.starts[0] = 0
	for i, n := range count {
		s.starts[i+1] = s.starts[i] + n
	}
	next := s.starts
	s.rows = slices.Grow(s.rows[:0], b.len())[:s.starts[spineShards]]
	for i, hash := range b.hash {
		if !b.null[i] {
			shard := shardOf(hash)
			s.rows[next[shard]] = uint32(i)
			next[shard]++
		}
	}
}

// of returns the rows of one shard.
func (s *byShard) of(shard int) []uint32 { return s.rows[s.starts[shard]:s.starts[shard+1]] }

// add adds entity rows. Those whose key has a null are left out.
func (s *spine) add(keys *keyBatch, times []int64, rows []uint32, sorted *byShard) {
	sorted.sort(keys)
	for i := range s.shards {
		of := sorted.of(i)
		if len(of) == 0 {
			continue
		}
		shard := &s.shards[i]
		shard.Lock()
		for _, k := range of {
			shard.entries = append(shard.entries, spineEntry{times[k], rows[k], shard.index.number(keys, int(k))})
		}
		shard.Unlock()
	}
}

// seal orders the rows of one shard and makes their slots.
func (s *spineShard) seal() {
	slices.SortFunc(s.entries, func(a, b spineEntry) int {
		if a.key != b.key {
			return cmp.Compare(a.key, b.key)
		}
		return cmp.Compare(a.time, b.time)
	})
	s.starts = make([]uint32, s.index.n+1)
	for i := range s.entries {
		s.starts[s.entries[i].key+1] = uint32(i + 1)
	}
	s.slots = make([]offer, len(s.entries))
}

// offers are feature rows on their way to the spine.
type offers struct {
	keys keyBatch
	rows []offer
	// from is the time from which on entity rows may see the row.
	from []int64
}

func (o *offers) len() int { return len(o.rows) }

func (o *offers) reset(narrow bool) {
	o.keys.reset(narrow)
	o.rows, o.from = o.rows[:0], o.from[:0]
}

// offer puts feature rows to the gaps that they are in. first is the shard to
// begin with: workers that begin at different ones seldom meet.
func (s *spine) offer(o *offers, first int, sorted *byShard) {
	sorted.sort(&o.keys)
	for i := range s.shards {
		at := (first + i) % spineShards
		of := sorted.of(at)
		if len(of) == 0 {
			continue
		}
		shard := &s.shards[at]
		if shard.index.n == 0 {
			continue
		}
		shard.Lock()
		for _, k := range of {
			if key, ok := shard.index.find(&o.keys, int(k)); ok {
				shard.offer(key, o.from[k], &o.rows[k], s.ttl)
			}
		}
		shard.Unlock()
	}
}

func (s *spineShard) offer(key uint32, from int64, row *offer, ttl time.Duration) {
	low, high := s.starts[key], s.starts[key+1]
	end := high
	for low < high { // the first entry that may see the row
		middle := (low + high) / 2
		if s.entries[middle].time < from {
			low = middle + 1
		} else {
			high = middle
		}
	}
	// Later entries are later still: what is too old for this one is for all.
	if low == end || !feature.WithinTTL(row.version.EventTime, s.entries[low].time, ttl) {
		return
	}
	if s.slots[low].before(*row) {
		s.slots[low] = *row
	}
}

// matches calls found for each entity row that has a match: the best of its own
// gap and those before it, if it is young enough. Where the best is too old,
// so is every other.
func (s *spineShard) matches(ttl time.Duration, found func(row uint32, at place)) {
	for key := range s.index.n {
		var best offer
		for i := s.starts[key]; i < s.starts[key+1]; i++ {
			if best.before(s.slots[i]) {
				best = s.slots[i]
			}
			if best.place.matched() && feature.WithinTTL(best.version.EventTime, s.entries[i].time, ttl) {
				found(s.entries[i].row, best.place)
			}
		}
	}
}

// size returns about the bytes that the spine holds, slots included.
func (s *spine) size() int64 {
	var n int64
	for i := range s.shards {
		n += int64(cap(s.shards[i].entries))*16 + int64(len(s.shards[i].entries))*32 + s.shards[i].index.size()
	}
	return n
}

// spineWeight is about what a record's rows take in the spine of a view.
func spineWeight(v viewPlan, r arrow.Record) int64 {
	n := r.NumRows() * spineRowBytes
	if narrow(v.classes) {
		return n
	}
	for _, c := range v.columns {
		n += arrayBytes(r.Column(c)) + 8*r.NumRows()
	}
	return n
}
