package online

import (
	"encoding/binary"
	"fmt"

	"featurestore/feature"
	"featurestore/hlc"
)

// keyKind is the first byte of every key. The numbers are stored: never
// renumber. 7 is kept for dead letters.
type keyKind byte

const (
	kindStore      keyKind = 0
	kindShard      keyKind = 1
	kindProgress   keyKind = 2
	kindRow        keyKind = 3
	kindEntry      keyKind = 4
	kindRequest    keyKind = 5
	kindMembership keyKind = 6
	kindRegistry   keyKind = 8
	kindFloor      keyKind = 9
)

// RequestID identifies a request across its repetitions; the client chooses it
// at random.
type RequestID [16]byte

// storedKey is a key of this store, taken apart. Fields that its kind does not
// have are zero.
type storedKey struct {
	kind     keyKind
	shard    feature.Shard
	view     feature.ViewID
	entity   feature.Key
	origin   hlc.Origin
	at       hlc.Timestamp
	request  RequestID
	revision uint64
	part     uint16
}

func appendShard(dst []byte, kind keyKind, s feature.Shard) []byte {
	dst = append(dst, byte(kind))
	dst = binary.BigEndian.AppendUint16(dst, uint16(s.Group))
	return binary.BigEndian.AppendUint16(dst, s.Partition)
}

func appendRowPrefix(dst []byte, s feature.Shard, v feature.ViewID) []byte {
	return binary.BigEndian.AppendUint32(appendShard(dst, kindRow, s), uint32(v))
}

func appendRowKey(dst []byte, s feature.Shard, v feature.ViewID, k feature.Key) []byte {
	return append(appendRowPrefix(dst, s, v), k...)
}

func appendProgressKey(dst []byte, s feature.Shard, o hlc.Origin) []byte {
	return binary.BigEndian.AppendUint32(appendShard(dst, kindProgress, s), uint32(o))
}

func appendEntryPrefix(dst []byte, s feature.Shard, o hlc.Origin) []byte {
	return binary.BigEndian.AppendUint32(appendShard(dst, kindEntry, s), uint32(o))
}

func appendEntryKey(dst []byte, s feature.Shard, o hlc.Origin, at hlc.Timestamp) []byte {
	return binary.BigEndian.AppendUint64(appendEntryPrefix(dst, s, o), uint64(at))
}

func appendRequestKey(dst []byte, id RequestID) []byte {
	return append(append(dst, byte(kindRequest)), id[:]...)
}

func appendRegistryKey(dst []byte, revision uint64, part uint16) []byte {
	dst = binary.BigEndian.AppendUint64(append(dst, byte(kindRegistry)), revision)
	return binary.BigEndian.AppendUint16(dst, part)
}

// keySizes is the length of the keys of a kind; of a row's, the least.
var keySizes = map[keyKind]int{
	kindStore: 1, kindShard: 5, kindProgress: 9, kindRow: 10, kindEntry: 17, kindRequest: 17,
	kindMembership: 1, kindRegistry: 11, kindFloor: 9,
}

// decodeKey takes a key apart. The entity key aliases b.
func decodeKey(b []byte) (storedKey, error) {
	if len(b) == 0 {
		return storedKey{}, fmt.Errorf("empty key")
	}
	k := storedKey{kind: keyKind(b[0])}
	size, known := keySizes[k.kind]
	switch {
	case !known:
		return storedKey{}, fmt.Errorf("key %x: kind %d is not known", b, b[0])
	case len(b) < size, len(b) > size && k.kind != kindRow, len(b) > size-1+feature.MaxKeyBytes && k.kind == kindRow:
		return storedKey{}, fmt.Errorf("key %x: %d bytes do not fit kind %d", b, len(b), b[0])
	}
	switch k.kind {
	case kindRequest:
		k.request = RequestID(b[1:])
	case kindRegistry:
		k.revision, k.part = binary.BigEndian.Uint64(b[1:]), binary.BigEndian.Uint16(b[9:])
	case kindShard, kindProgress, kindRow, kindEntry, kindFloor:
		k.shard.Group = feature.GroupID(binary.BigEndian.Uint16(b[1:]))
		k.shard.Partition = binary.BigEndian.Uint16(b[3:])
	}
	switch k.kind {
	case kindRow:
		k.view, k.entity = feature.ViewID(binary.BigEndian.Uint32(b[5:])), feature.Key(b[9:])
	case kindEntry:
		k.at = hlc.Timestamp(binary.BigEndian.Uint64(b[9:]))
		fallthrough
	case kindProgress, kindFloor:
		k.origin = hlc.Origin(binary.BigEndian.Uint32(b[5:]))
	}
	return k, nil
}
