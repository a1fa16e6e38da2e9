package online

import (
	"sync"
	"sync/atomic"

	"github.com/VictoriaMetrics/fastcache"
	"github.com/zeebo/xxh3"
)

// hotTier keeps packed rows in memory that the garbage collector does not look
// into. It remembers absence as well, as an empty row.
//
// Its correctness is S6. A fill races with commits: a reader that found nothing
// here reads Badger, and by the time it brings the row the committer may have
// set a newer one, or set it and lost it again to eviction. So each stripe of
// keys knows the last commit that touched it, and a fill from a snapshot before
// that commit is dropped: it may be old, and is certainly not needed.
type hotTier struct {
	cache   *fastcache.Cache
	stripes [stripes]stripe
	// unchecked drops the check; tests show by it that the check matters.
	unchecked bool

	hits, misses atomic.Int64
}

// stripes is many more than there are goroutines that fill at one time, and
// few enough that a commit seldom stops an unrelated fill.
const stripes = 1 << 12

type stripe struct {
	sync.Mutex
	last uint64 // timestamp of the last commit that touched it
}

// maxHotBytes is what fastcache stores of key and value together.
const maxHotBytes = 64<<10 - 5

// newHotTier returns a tier of about so many bytes, nil when negative.
func newHotTier(bytes int64) *hotTier {
	if bytes < 0 {
		return nil
	}
	return &hotTier{cache: fastcache.New(int(bytes))}
}

func (h *hotTier) release() {
	if h != nil {
		h.cache.Reset()
	}
}

// get appends the row under key to dst. Found with nothing appended means that
// there is certainly no row.
func (h *hotTier) get(dst, key []byte) (out []byte, found bool) {
	if h == nil {
		return dst, false
	}
	return h.cache.HasGet(dst, key)
}

// count adds to the figures that are measured: once per lookup, not per row.
func (h *hotTier) count(hits, misses int) {
	if h == nil {
		return
	}
	if hits > 0 {
		h.hits.Add(int64(hits))
	}
	if misses > 0 {
		h.misses.Add(int64(misses))
	}
}

// set stores the row that the commit at a timestamp wrote. The committer calls
// it after that commit and before publishing it.
func (h *hotTier) set(key, row []byte, at uint64) {
	if h == nil {
		return
	}
	s := h.stripe(key)
	s.Lock()
	defer s.Unlock()
	s.last = at
	h.store(key, row)
}

// fill stores the row that a reader found in the snapshot at a timestamp,
// unless a later commit touched its stripe.
func (h *hotTier) fill(key, row []byte, at uint64) {
	if h == nil {
		return
	}
	s := h.stripe(key)
	s.Lock()
	defer s.Unlock()
	if s.last <= at || h.unchecked {
		h.store(key, row)
	}
}

// store replaces what is under key. What does not fit must go all the same, or
// its predecessor would stay.
func (h *hotTier) store(key, row []byte) {
	if len(key)+len(row) > maxHotBytes {
		h.cache.Del(key)
		return
	}
	h.cache.Set(key, row)
}

func (h *hotTier) stripe(key []byte) *stripe {
	return &h.stripes[xxh3.Hash(key)%stripes]
}

// bytes returns what the tier holds now.
func (h *hotTier) bytes() int64 {
	if h == nil {
		return 0
	}
	var stats fastcache.Stats
	h.cache.UpdateStats(&stats)
	return int64(stats.BytesSize)
}
