package pit

import (
	"slices"
	"time"

	"featurestore/feature"
)

// offers are feature rows on their way to the spine.
type offers struct {
	keys keyBatch
	rows []offer
	// from is the time from which on entity rows may see the row.
	from []int64
}

func (o *offers) reset(narrow bool) {
	o.keys.reset(narrow)
	o.rows, o.from = o.rows[:0], o.from[:0]
}

// offering is what a worker needs to offer rows, kept from batch to batch.
type offering struct {
	first  int // shard to begin with: workers that begin at different ones seldom meet
	sorted byShard
	found  []uint32 // numbers of keys, then of slots
}

// offer puts feature rows to the gaps that they are in.
func (s *spine) offer(o *offers, with *offering) {
	with.sorted.sort(&o.keys)
	for i := range s.shards {
		at := (with.first + i) % spineShards
		of := with.sorted.of(at)
		shard := &s.shards[at]
		if len(of) == 0 || len(shard.slots) == 0 {
			continue
		}
		// Three loops, without dependencies between their rounds: the processor
		// waits for the memory of several rows at once.
		with.found = shard.index.findAll(with.found[:0], &o.keys, of)
		for n, k := range of {
			if key := with.found[n]; key != notFound {
				with.found[n] = shard.gap(key, o.from[k], o.rows[k].version.EventTime, s.ttl)
			}
		}
		shard.Lock()
		for n, k := range of {
			if gap := with.found[n]; gap != notFound {
				if slot := &shard.slots[gap]; slot.before(&o.rows[k]) {
					*slot = o.rows[k]
				}
			}
		}
		shard.Unlock()
	}
}

// gap returns the slot of the gap that a feature row is in: that of the first
// entity row of the key that may see it; notFound when it is too old for it.
// What is too old for the first is so for all, which are later still.
func (s *spineShard) gap(key uint32, from, eventTime int64, ttl time.Duration) uint32 {
	times := s.times[s.starts[key]:s.starts[key+1]]
	low := 0
	if len(times) <= fewRows {
		for _, t := range times {
			if t < from { // compiled without a branch
				low++
			}
		}
	} else {
		low, _ = slices.BinarySearch(times, from)
	}
	if low == len(times) || !feature.WithinTTL(eventTime, times[low], ttl) {
		return notFound
	}
	return s.starts[key] + uint32(low)
}
