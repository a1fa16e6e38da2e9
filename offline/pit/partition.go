package pit

import (
	"encoding/binary"
	"sync"

	"featurestore/feature"
	"featurestore/hlc"
)

// partitions hold entity rows or feature rows on disk, divided by the hash of
// their keys: what can match is in partitions of one number.
type partitions struct {
	narrow bool
	bits   int
	buffer int // bytes of one partition that one worker collects
	file   *spillFile
	mu     struct {
		sync.Mutex
		segments [][]segment
	}
}

func newPartitions(dir *spillDir, narrow bool, bits, buffer int) (*partitions, error) {
	file, err := dir.create()
	if err != nil {
		return nil, err
	}
	p := &partitions{narrow: narrow, bits: bits, buffer: buffer, file: file}
	p.mu.segments = make([][]segment, 1<<bits)
	return p, nil
}

// of takes the upper bits of the hash; tables use the lower ones.
func (p *partitions) of(hash uint64) int { return int(hash >> (64 - p.bits)) }

// segments of one partition, when all is written.
func (p *partitions) segments(i int) []segment { return p.mu.segments[i] }

// partitionWriter is one worker's.
type partitionWriter struct {
	to      *partitions
	buffers [][]byte
}

func (p *partitions) writer() *partitionWriter {
	return &partitionWriter{p, make([][]byte, 1<<p.bits)}
}

// begin returns the buffer that the next row of a partition is appended to.
func (w *partitionWriter) begin(i int) ([]byte, error) {
	if len(w.buffers[i]) >= w.to.buffer {
		if err := w.flush(i); err != nil {
			return nil, err
		}
	}
	return w.buffers[i], nil
}

// end sets the buffer, with the key appended to what begin returned and more.
func (w *partitionWriter) end(i int, b []byte, keys *keyBatch, key int) {
	if keys.narrow {
		b = binary.LittleEndian.AppendUint64(b, keys.words[key])
	} else {
		k := keys.at(key)
		b = binary.LittleEndian.AppendUint64(b, uint64(len(k)))
		b = append(b, k...)
	}
	w.buffers[i] = b
}

func (w *partitionWriter) flush(i int) error {
	if len(w.buffers[i]) == 0 {
		return nil
	}
	s, err := w.to.file.append(w.buffers[i])
	if err != nil {
		return err
	}
	w.buffers[i] = w.buffers[i][:0]
	w.to.mu.Lock()
	defer w.to.mu.Unlock()
	w.to.mu.segments[i] = append(w.to.mu.segments[i], s)
	return nil
}

func (w *partitionWriter) close() error {
	for i := range w.buffers {
		if err := w.flush(i); err != nil {
			return err
		}
		w.buffers[i] = nil
	}
	return nil
}

// addOffers writes feature rows.
//
//	i64 event time | u64 at | u32 origin | u16 generation | u64 place | i64 from | key
func (w *partitionWriter) addOffers(o *offers) error {
	for i, row := range o.rows {
		if o.keys.null[i] {
			continue
		}
		p := w.to.of(o.keys.hash[i])
		b, err := w.begin(p)
		if err != nil {
			return err
		}
		b = binary.LittleEndian.AppendUint64(b, uint64(row.version.EventTime))
		b = binary.LittleEndian.AppendUint64(b, uint64(row.version.At))
		b = binary.LittleEndian.AppendUint32(b, uint32(row.version.Origin))
		b = binary.LittleEndian.AppendUint16(b, row.version.Generation)
		b = binary.LittleEndian.AppendUint64(b, uint64(row.place))
		b = binary.LittleEndian.AppendUint64(b, uint64(o.from[i]))
		w.end(p, b, &o.keys, i)
	}
	return nil
}

// readOffers sets o to the rows of a segment that addOffers wrote.
func (p *partitions) readOffers(o *offers, b []byte) {
	o.reset(p.narrow)
	for len(b) > 0 {
		o.rows = append(o.rows, offer{
			version: feature.Version{
				EventTime:  int64(binary.LittleEndian.Uint64(b)),
				At:         hlc.Timestamp(binary.LittleEndian.Uint64(b[8:])),
				Origin:     hlc.Origin(binary.LittleEndian.Uint32(b[16:])),
				Generation: binary.LittleEndian.Uint16(b[20:]),
			},
			place: place(binary.LittleEndian.Uint64(b[22:])),
		})
		o.from = append(o.from, int64(binary.LittleEndian.Uint64(b[30:])))
		b = p.readKey(&o.keys, b[38:])
	}
}

// entityBatch is entity rows on their way to a spine.
type entityBatch struct {
	keys  keyBatch
	times []int64
	rows  []int64 // their numbers
}

// addEntities writes entity rows: i64 number | i64 time | key.
func (w *partitionWriter) addEntities(e *entityBatch) error {
	for i, row := range e.rows {
		if e.keys.null[i] {
			continue
		}
		p := w.to.of(e.keys.hash[i])
		b, err := w.begin(p)
		if err != nil {
			return err
		}
		b = binary.LittleEndian.AppendUint64(b, uint64(row))
		b = binary.LittleEndian.AppendUint64(b, uint64(e.times[i]))
		w.end(p, b, &e.keys, i)
	}
	return nil
}

// readEntities sets e to the rows of a segment that addEntities wrote.
func (p *partitions) readEntities(e *entityBatch, b []byte) {
	e.keys.reset(p.narrow)
	e.rows, e.times = e.rows[:0], e.times[:0]
	for len(b) > 0 {
		e.rows = append(e.rows, int64(binary.LittleEndian.Uint64(b)))
		e.times = append(e.times, int64(binary.LittleEndian.Uint64(b[8:])))
		b = p.readKey(&e.keys, b[16:])
	}
}

func (p *partitions) readKey(keys *keyBatch, b []byte) (rest []byte) {
	if p.narrow {
		keys.addWord(binary.LittleEndian.Uint64(b), false)
		return b[8:]
	}
	n := binary.LittleEndian.Uint64(b)
	keys.addBytes(b[8:8+n], false)
	return b[8+n:]
}
