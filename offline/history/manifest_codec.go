package history

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"

	"featurestore/feature"
	"featurestore/hlc"
)

// Encoding of a manifest; integers are uvarints, or zigzag varints where they may
// be negative:
//
//	u8 format | u8 whole | number | prev 32 | writer 16 | at millis
//	| n x { group | partition | n x { origin | at } }     progress, in order
//	| n x file | n x removal | n x step file | n x gap
//	| sha256 of all before
const manifestFormat = 1

// minItemBytes is the least that an item of any list takes, so that a count
// cannot claim more than the bytes that follow it hold.
const minItemBytes = 2

func encodeManifest(m *Manifest) []byte {
	whole := byte(0)
	if m.Whole {
		whole = 1
	}
	b := encoder{manifestFormat, whole}
	b.uint(m.Number)
	b = append(b, m.Prev[:]...)
	b = append(b, m.Writer[:]...)
	b.int(m.AtMillis)
	b.uint(uint64(len(m.Progress)))
	for _, shard := range slices.SortedFunc(maps.Keys(m.Progress), feature.Shard.Compare) {
		positions := m.Progress[shard].Positions()
		b.shard(shard)
		b.uint(uint64(len(positions)))
		for _, p := range positions {
			b.uint(uint64(p.Origin))
			b.uint(uint64(p.At))
		}
	}
	b.uint(uint64(len(m.Added)))
	for i := range m.Added {
		b.dataFile(&m.Added[i])
	}
	b.uint(uint64(len(m.Removed)))
	for _, r := range m.Removed {
		b.text(r.Name)
		b.uint(r.Number)
		b.int(r.AtMillis)
	}
	b.uint(uint64(len(m.Steps)))
	for _, s := range m.Steps {
		b.text(s.Name)
		b.int(s.SizeBytes)
		b = append(b, s.Sum[:]...)
	}
	b.uint(uint64(len(m.Gaps)))
	for _, g := range m.Gaps {
		b.shard(g.Shard)
		b.uint(uint64(g.Origin))
		b.uint(uint64(g.After))
		b.uint(uint64(g.Through))
	}
	sum := sha256.Sum256(b)
	return append(b, sum[:]...)
}

// decodeManifest is the inverse of encodeManifest. What it would write
// differently is an error that matches ErrCorrupt.
func decodeManifest(data []byte) (*Manifest, error) {
	body := len(data) - len(Sum{})
	if body < 2 {
		return nil, fmt.Errorf("%w: %d bytes are no manifest", ErrCorrupt, len(data))
	}
	if sum := sha256.Sum256(data[:body]); !bytes.Equal(sum[:], data[body:]) {
		return nil, fmt.Errorf("%w: its contents are not those of its sum", ErrCorrupt)
	}
	if data[0] != manifestFormat || data[1] > 1 {
		return nil, fmt.Errorf("%w: manifest format %d, this version reads %d", ErrCorrupt, data[0], manifestFormat)
	}
	d := decoder{rest: data[2:body]}
	m := &Manifest{Whole: data[1] == 1, Number: d.uint(), Progress: map[feature.Shard]hlc.Vector{}}
	d.raw(m.Prev[:])
	d.raw(m.Writer[:])
	m.AtMillis = d.int()
	for range d.count() {
		shard, v := d.shard(), hlc.Vector{}
		for range d.count() {
			origin := d.uint()
			v[hlc.Origin(origin)] = hlc.Timestamp(d.uint())
		}
		m.Progress[shard] = v
	}
	for range d.count() {
		m.Added = append(m.Added, d.dataFile())
	}
	for range d.count() {
		m.Removed = append(m.Removed, Removal{Name: d.text(), Number: d.uint(), AtMillis: d.int()})
	}
	for range d.count() {
		s := StepFile{Name: d.text(), SizeBytes: d.int()}
		d.raw(s.Sum[:])
		m.Steps = append(m.Steps, s)
	}
	for range d.count() {
		m.Gaps = append(m.Gaps, Gap{Shard: d.shard(), Origin: hlc.Origin(d.uint()), After: hlc.Timestamp(d.uint()), Through: hlc.Timestamp(d.uint())})
	}
	if d.failed || len(d.rest) > 0 || !bytes.Equal(encodeManifest(m), data) {
		return nil, fmt.Errorf("%w: it is no manifest that this version writes", ErrCorrupt)
	}
	return m, nil
}

// encoder appends to itself.
type encoder []byte

func (b *encoder) uint(n uint64) { *b = binary.AppendUvarint(*b, n) }
func (b *encoder) int(n int64)   { *b = binary.AppendVarint(*b, n) }
func (b *encoder) text(s string) {
	b.uint(uint64(len(s)))
	*b = append(*b, s...)
}
func (b *encoder) shard(s feature.Shard) {
	b.uint(uint64(s.Group))
	b.uint(uint64(s.Partition))
}
func (b *encoder) dataFile(f *DataFile) {
	b.text(f.Name)
	b.uint(uint64(f.View))
	b.int(int64(f.Day))
	b.int(f.SizeBytes)
	*b = append(*b, f.Sum[:]...)
	b.int(f.Rows)
	b.int(f.MinEvent)
	b.int(f.MaxEvent)
	b.uint(uint64(f.MinAt))
	b.uint(uint64(f.MaxAt))
}

// decoder takes from rest; after a failure it gives zeros.
type decoder struct {
	rest   []byte
	failed bool
}

func (d *decoder) fail() { d.rest, d.failed = nil, true }

func (d *decoder) uint() uint64 {
	n, read := binary.Uvarint(d.rest)
	if read <= 0 {
		d.fail()
		return 0
	}
	d.rest = d.rest[read:]
	return n
}

func (d *decoder) int() int64 {
	n, read := binary.Varint(d.rest)
	if read <= 0 {
		d.fail()
		return 0
	}
	d.rest = d.rest[read:]
	return n
}

// count reads how many items follow.
func (d *decoder) count() int {
	n := d.uint()
	if n > uint64(len(d.rest)/minItemBytes) {
		d.fail()
		return 0
	}
	return int(n)
}

func (d *decoder) raw(dst []byte) {
	if len(d.rest) < len(dst) {
		d.fail()
		return
	}
	copy(dst, d.rest)
	d.rest = d.rest[len(dst):]
}

func (d *decoder) text() string {
	n := d.uint()
	if n > uint64(len(d.rest)) {
		d.fail()
		return ""
	}
	s := string(d.rest[:n])
	d.rest = d.rest[n:]
	return s
}

func (d *decoder) shard() feature.Shard {
	group := d.uint()
	return feature.Shard{Group: feature.GroupID(group), Partition: uint16(d.uint())}
}

func (d *decoder) dataFile() DataFile {
	f := DataFile{Name: d.text(), View: feature.ViewID(d.uint()), Day: Day(d.int()), SizeBytes: d.int()}
	d.raw(f.Sum[:])
	f.Rows, f.MinEvent, f.MaxEvent = d.int(), d.int(), d.int()
	f.MinAt, f.MaxAt = hlc.Timestamp(d.uint()), hlc.Timestamp(d.uint())
	return f
}
