package pit

import (
	"slices"
	"sort"
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
	each     int // rows that a shard has room for; more make it grow
	shards   [spineShards]spineShard
}

// spineShard is the entity rows of some of the keys.
type spineShard struct {
	sync.Mutex
	index *keyIndex
	added []spineEntry // until sealed
	// When sealed, by key, then by time:
	starts []uint32 // where each key begins; one more at the end
	times  []int64
	rows   []uint32 // their numbers in this spine
	slots  []offer  // the best of each one's gap
}

// spineEntry is one entity row on its way.
type spineEntry struct {
	time int64
	row  uint32
	key  uint32
}

// spineRowBytes is what a row takes in a spine besides its key, while it is
// sealed: entry, time, number and slot.
const spineRowBytes = 16 + 8 + 4 + 32

// newSpine makes room for about that many rows.
func newSpine(narrow bool, rows int64, v viewPlan, asServed bool) *spine {
	s := &spine{narrow: narrow, ttl: v.TTL, asServed: asServed}
	s.each = int(rows/spineShards + rows/spineShards/16 + 16)
	for i := range s.shards {
		s.shards[i].index = newKeyIndex(narrow)
		s.shards[i].added = make([]spineEntry, 0, s.each)
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
			shard.added = append(shard.added, spineEntry{times[k], rows[k], shard.index.number(keys, int(k))})
		}
		shard.Unlock()
	}
}

// seal orders the rows of one shard and makes their slots: it counts them by
// key, puts them to their keys, and sorts those of each key by time.
func (s *spineShard) seal() {
	s.starts = make([]uint32, s.index.n+2)
	for _, e := range s.added {
		s.starts[e.key+2]++
	}
	for i := 2; i < len(s.starts); i++ {
		s.starts[i] += s.starts[i-1]
	}
	s.times, s.rows = make([]int64, len(s.added)), make([]uint32, len(s.added))
	for _, e := range s.added { // starts[key+1] goes from the key's begin to its end
		at := s.starts[e.key+1]
		s.times[at], s.rows[at] = e.time, e.row
		s.starts[e.key+1]++
	}
	s.starts = s.starts[:s.index.n+1]
	s.added = nil
	for key := range s.index.n {
		byTime{s.times[s.starts[key]:s.starts[key+1]], s.rows[s.starts[key]:s.starts[key+1]]}.sort()
	}
	s.slots = make([]offer, len(s.times))
}

// byTime are the rows of one key.
type byTime struct {
	times []int64
	rows  []uint32
}

// Len, Less and Swap implement sort.Interface.
func (b byTime) Len() int           { return len(b.times) }
func (b byTime) Less(i, k int) bool { return b.times[i] < b.times[k] }
func (b byTime) Swap(i, k int) {
	b.times[i], b.times[k] = b.times[k], b.times[i]
	b.rows[i], b.rows[k] = b.rows[k], b.rows[i]
}

// fewRows are searched and sorted one after another: that is faster up to there.
const fewRows = 24

func (b byTime) sort() {
	if len(b.times) > fewRows {
		sort.Sort(b)
		return
	}
	for i := 1; i < len(b.times); i++ {
		for k := i; k > 0 && b.Less(k, k-1); k-- {
			b.Swap(k, k-1)
		}
	}
}

// matches calls found for each entity row that has a match: the best of its own
// gap and those before it, if it is young enough. Where the best is too old,
// so is every other.
func (s *spineShard) matches(ttl time.Duration, found func(row uint32, at place)) {
	for key := range s.index.n {
		var best offer
		for i := s.starts[key]; i < s.starts[key+1]; i++ {
			if best.before(&s.slots[i]) {
				best = s.slots[i]
			}
			if best.place.matched() && feature.WithinTTL(best.version.EventTime, s.times[i], ttl) {
				found(s.rows[i], best.place)
			}
		}
	}
}

// size returns the bytes that the spine holds, or will when it is sealed.
func (s *spine) size() int64 {
	var n int64
	for i := range s.shards {
		shard := &s.shards[i]
		shard.Lock()
		n += int64(len(shard.added))*spineRowBytes + shard.index.size()
		if cap(shard.added) > s.each { // one key has many rows: what they grew out of is garbage still
			n += int64(cap(shard.added)) * 16
		}
		shard.Unlock()
	}
	return n
}

// spineWeight is about what a record's rows take in the spine of a view, where
// every tenth key is a new one.
func spineWeight(v viewPlan, r arrow.Record) int64 {
	n := r.NumRows() * (spineRowBytes + keyBytes/10)
	if narrow(v.classes) {
		return n
	}
	for _, c := range v.columns {
		n += arrayBytes(r.Column(c)) / 10
	}
	return n
}
