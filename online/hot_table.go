package online

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"runtime"
	"unsafe"
)

// hotTable is a bounded table of keys and values in two slices without pointers,
// which the garbage collector does not look into. Records lie one after the
// other in a ring; the oldest are overwritten. The index is a set-associative
// cache of positions: a key can be in one bucket only, which is one line of
// the processor's cache, so a lookup costs two misses of memory and many
// lookups can have theirs at once.
//
//	record = u16 key length | u32 value length | u16 0 | key | value | padding to 8
//	slot   = u16 tag of the hash | u48 position of the record in units of 8 bytes
//
// Positions only rise; the place in the ring is the position modulo its size.
// A slot whose record was overwritten is found by its position, so nothing is
// cleaned up. The table does not lock: the caller does.
type hotTable struct {
	slots []uint64
	ring  []byte
	// next is the position of the next record, in bytes; always a multiple of 8.
	next uint64
}

const (
	bucketSlots  = 8 // eight slots of eight bytes are one cache line
	recordHead   = 8
	positionBits = 48
	positionMask = 1<<positionBits - 1
	// A record of a row of ten features takes about this; the index is sized
	// for two slots each, at which few keys push each other out of a bucket.
	typicalRecord = 192
	minTableBytes = 1 << 16
)

// newHotTable returns a table of about so many bytes, index and ring together.
func newHotTable(total int) *hotTable {
	total = max(total, minTableBytes)
	records := total / (typicalRecord + 2*8)
	buckets := 1 << bits.Len(uint(2*records/bucketSlots-1))
	if buckets*bucketSlots*8 > total/4 {
		buckets /= 2
	}
	ring := (total - buckets*bucketSlots*8) / 8 * 8
	index := buckets * bucketSlots * 8
	memory, unmap := mapMemory(index + ring)
	t := &hotTable{
		slots: unsafe.Slice((*uint64)(unsafe.Pointer(unsafe.SliceData(memory))), buckets*bucketSlots),
		ring:  memory[index:],
		// Position 0 is what an empty slot says: no record begins there.
		next: 8,
	}
	runtime.AddCleanup(t, unmap, memory)
	return t
}

// sizeBytes is the memory the table takes.
func (t *hotTable) sizeBytes() int { return 8*len(t.slots) + len(t.ring) }

// fits reports whether a record may be stored at all: one that took much of
// the ring would push out everything else.
func (t *hotTable) fits(key, value []byte) bool {
	return len(key) < 1<<16 && recordHead+len(key)+len(value) <= min(len(t.ring)/16, 1<<30)
}

// bucket returns the slots where a key of that hash may be.
func (t *hotTable) bucket(hash uint64) []uint64 {
	i := int(hash&uint64(len(t.slots)/bucketSlots-1)) * bucketSlots
	return t.slots[i : i+bucketSlots : i+bucketSlots]
}

// tag returns the part of the hash that a slot holds, in its place.
func tag(hash uint64) uint64 { return hash &^ positionMask }

// at returns the place in the ring of the record at a slot's position, or false
// when it was overwritten or never was.
func (t *hotTable) at(slot uint64) (offset int, ok bool) {
	position := (slot & positionMask) * 8
	if position == 0 || position+uint64(len(t.ring)) < t.next {
		return 0, false
	}
	return int(position % uint64(len(t.ring))), true
}

// find returns the value under key, aliasing the ring: it is valid while the
// caller holds the table and its lock.
func (t *hotTable) find(hash uint64, key []byte) (value []byte, found bool) {
	for _, slot := range t.bucket(hash) {
		if slot&^positionMask != tag(hash) {
			continue
		}
		if offset, ok := t.at(slot); ok {
			if k, v := t.record(offset); bytes.Equal(k, key) {
				return v, true
			}
		}
	}
	return nil, false
}

// record returns the parts of the record at an offset, aliasing the ring.
func (t *hotTable) record(offset int) (key, value []byte) {
	head := binary.LittleEndian.Uint64(t.ring[offset:])
	k, v := int(uint16(head)), int(uint32(head>>16))
	body := t.ring[offset+recordHead : offset+recordHead+k+v]
	return body[:k], body[k:]
}

// put stores value under key, in place of what was there. The caller has asked
// fits.
func (t *hotTable) put(hash uint64, key, value []byte) {
	b := t.bucket(hash)
	victim, oldest := 0, uint64(1<<64-1)
	for i, slot := range b {
		offset, ok := t.at(slot)
		if !ok {
			if oldest > 0 {
				victim, oldest = i, 0
			}
			continue
		}
		if slot&^positionMask == tag(hash) {
			if k, v := t.record(offset); bytes.Equal(k, key) {
				if len(v) == len(value) {
					copy(v, value)
					return
				}
				victim = i
				break
			}
		}
		if p := slot & positionMask; p < oldest {
			victim, oldest = i, p
		}
	}
	b[victim] = tag(hash) | t.append(key, value)/8
}

// append writes a record at the end of the ring and returns its position.
func (t *hotTable) append(key, value []byte) uint64 {
	size := uint64(recordHead+len(key)+len(value)+7) &^ 7
	ring := uint64(len(t.ring))
	if left := ring - t.next%ring; left < size {
		t.next += left // a record does not go around the end
	}
	position := t.next
	offset := int(position % ring)
	binary.LittleEndian.PutUint64(t.ring[offset:], uint64(len(key))|uint64(len(value))<<16)
	n := copy(t.ring[offset+recordHead:], key)
	copy(t.ring[offset+recordHead+n:], value)
	t.next += size
	return position
}

// drop forgets key.
func (t *hotTable) drop(hash uint64, key []byte) {
	b := t.bucket(hash)
	for i, slot := range b {
		if slot&^positionMask != tag(hash) {
			continue
		}
		if offset, ok := t.at(slot); ok {
			if k, _ := t.record(offset); bytes.Equal(k, key) {
				b[i] = 0
			}
		}
	}
}

// touch loads the first lines that lookups of the hashes will need. The loads
// depend on nothing, so the processor waits for many of them at once; a lookup
// after the other would wait for each.
func (t *hotTable) touch(hashes []uint64) (sum uint64) {
	for _, h := range hashes {
		sum += t.bucket(h)[0]
	}
	for _, h := range hashes {
		for _, slot := range t.bucket(h) {
			if slot&^positionMask == tag(h) {
				if offset, ok := t.at(slot); ok {
					sum += uint64(t.ring[offset])
				}
			}
		}
	}
	return sum
}
