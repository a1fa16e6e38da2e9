package online

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"

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
	lock manyReaders // guards table and last
	// table has what fits; see hot_table.go.
	table *hotTable
	// last is, by stripe of keys, the timestamp of the last commit that touched it.
	last [stripes]uint64
	// unchecked drops the check; tests show by it that the check matters.
	unchecked bool

	hits, misses atomic.Int64
}

// stripes is many more than there are goroutines that fill at one time, and
// few enough that a commit seldom stops an unrelated fill.
const stripes = 1 << 12

// maxSetRows bounds how many rows are set under one lock, so that readers do
// not wait for a whole commit.
const maxSetRows = 128

// newHotTier returns a tier of about so many bytes, nil when negative.
func newHotTier(bytes int64) *hotTier {
	if bytes < 0 {
		return nil
	}
	return &hotTier{table: newHotTable(int(bytes))}
}

// get appends the row under key to dst. Found with nothing appended means that
// there is certainly no row.
func (h *hotTier) get(dst, key []byte) (out []byte, found bool) {
	if h == nil {
		return dst, false
	}
	l := h.lock.reader()
	l.RLock()
	defer l.RUnlock()
	row, found := h.table.find(xxh3.Hash(key), key)
	return append(dst, row...), found
}

// read puts into b the rows it finds and notes the others as missed.
func (h *hotTier) read(b *Batch) {
	if h == nil {
		for i := range b.ends {
			b.spans = append(b.spans, span{})
			b.missed = append(b.missed, i)
		}
		return
	}
	b.hashes = b.hashes[:0]
	for i := range b.ends {
		b.hashes = append(b.hashes, xxh3.Hash(b.key(i)))
	}
	l := h.lock.reader()
	l.RLock()
	b.touched = h.table.touch(b.hashes)
	for i := range b.ends {
		if b.isFull() {
			break // ReadMissed says so
		}
		from := len(b.rows)
		row, found := h.table.find(b.hashes[i], b.key(i))
		b.rows = append(b.rows, row...)
		b.spans = append(b.spans, span{})
		if found {
			b.put(i, from)
		} else {
			b.missed = append(b.missed, i)
		}
	}
	l.RUnlock()
	h.hits.Add(int64(len(b.ends) - len(b.missed)))
	h.misses.Add(int64(len(b.missed)))
}

// hotRow is a row to keep.
type hotRow struct{ key, row []byte }

// set stores the rows that the commit at a timestamp wrote. The committer calls
// it after that commit and before publishing it.
func (h *hotTier) set(rows []hotRow, at uint64) {
	if h == nil {
		return
	}
	for len(rows) > 0 {
		some := rows[:min(len(rows), maxSetRows)]
		rows = rows[len(some):]
		h.lock.Lock()
		for _, r := range some {
			hash := xxh3.Hash(r.key)
			h.last[hash%stripes] = at
			h.store(hash, r.key, r.row)
		}
		h.lock.Unlock()
	}
}

// fill stores the rows that a reader found in the snapshot at a timestamp,
// except where a later commit touched the stripe.
func (h *hotTier) fill(rows []hotRow, at uint64) {
	if h == nil || len(rows) == 0 {
		return
	}
	h.lock.Lock()
	defer h.lock.Unlock()
	for _, r := range rows {
		hash := xxh3.Hash(r.key)
		if h.last[hash%stripes] <= at || h.unchecked {
			h.store(hash, r.key, r.row)
		}
	}
}

// store replaces what is under key. What does not fit must go all the same, or
// its predecessor would stay.
func (h *hotTier) store(hash uint64, key, row []byte) {
	if h.table.fits(key, row) {
		h.table.put(hash, key, row)
	} else {
		h.table.drop(hash, key)
	}
}

// bytes returns the memory of the tier.
func (h *hotTier) bytes() int64 {
	if h == nil {
		return 0
	}
	return int64(h.table.sizeBytes())
}

// manyReaders is a lock for many readers and few writers. A reader takes one of
// several locks, so that processors do not hand one counter around; a writer
// takes all.
type manyReaders struct {
	locks [8]struct {
		sync.RWMutex
		_ [40]byte // a cache line each
	}
}

// reader returns one of the locks, to be taken for reading.
func (m *manyReaders) reader() *sync.RWMutex {
	return &m.locks[rand.IntN(len(m.locks))].RWMutex
}

// Lock locks for writing.
func (m *manyReaders) Lock() {
	for i := range m.locks {
		m.locks[i].Lock()
	}
}

// Unlock undoes Lock.
func (m *manyReaders) Unlock() {
	for i := range m.locks {
		m.locks[i].Unlock()
	}
}
