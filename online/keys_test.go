package online

import (
	"bytes"
	"errors"
	"reflect"
	"slices"
	"testing"

	"featurestore/feature"
	"featurestore/hlc"
)

func sampleKeys() []storedKey {
	s := feature.Shard{Group: 0x0102, Partition: 0x0304}
	return []storedKey{
		{kind: kindStore},
		{kind: kindProgress, shard: s, origin: 5},
		{kind: kindRow, shard: s, view: 6, entity: entity(1001)},
		{kind: kindEntry, shard: s, origin: 5, at: hlc.New(1787309982123, 7)},
		{kind: kindRequest, request: RequestID{1, 2, 3}},
		{kind: kindRegistry, revision: 9, part: 1},
		{kind: kindFloor, shard: s, origin: 5},
	}
}

// otherKeys are those of kinds that came later, in order.
func otherKeys() []storedKey {
	s := feature.Shard{Group: 0x0102, Partition: 0x0304}
	return []storedKey{{kind: kindShard, shard: s}, {kind: kindMembership}}
}

func TestKeysComeBackAndOrderAsDrawn(t *testing.T) {
	var last []byte
	for _, k := range slices.Concat(sampleKeys(), otherKeys()) {
		if k.kind == kindShard {
			last = nil
		}
		b := k.append(nil)
		got, err := decodeKey(b)
		if err != nil || !reflect.DeepEqual(got, k) {
			t.Errorf("decodeKey(%x) = %+v, %v, want %+v", b, got, err, k)
		}
		if bytes.Compare(last, b) >= 0 {
			t.Errorf("key %x does not follow %x", b, last)
		}
		last = b
		if b[0] != 3 { // a row's key may have any length
			if _, err := decodeKey(append(b, 0)); err == nil {
				t.Errorf("key %x with a byte more is accepted", b)
			}
		}
		if _, err := decodeKey(b[:len(b)-1]); err == nil && b[0] != 3 {
			t.Errorf("key %x with a byte less is accepted", b)
		}
	}
}

func TestKeysAreDrawnInTheDocument(t *testing.T) {
	for _, tc := range []struct {
		key  storedKey
		want string
	}{
		{sampleKeys()[1], "\x02\x01\x02\x03\x04\x00\x00\x00\x05"},
		{sampleKeys()[2], "\x03\x01\x02\x03\x04\x00\x00\x00\x06" + string(entity(1001))},
		{sampleKeys()[6], "\x09\x01\x02\x03\x04\x00\x00\x00\x05"},
		{otherKeys()[0], "\x01\x01\x02\x03\x04"},
		{otherKeys()[1], "\x06"},
		{sampleKeys()[5], "\x08\x00\x00\x00\x00\x00\x00\x00\x09\x00\x01"},
	} {
		if got := tc.key.append(nil); string(got) != tc.want {
			t.Errorf("%+v is stored under %x, want %x", tc.key, got, tc.want)
		}
	}
}

func TestErrorsNameKeysInWords(t *testing.T) {
	want := []string{
		"store record", "progress of o5 in shard 258/772", "row of view 6, key [1001] in shard 258/772",
		"log entry o5 at 2026-08-21T10:59:42.123Z+7 in shard 258/772", "request 01020300000000000000000000000000",
		"registry revision 9, part 1", "floor of the log of o5 in shard 258/772", "record of shard 258/772", "membership",
	}
	for i, k := range slices.Concat(sampleKeys(), otherKeys()) {
		if got := describeKey(k.append(nil)); got != want[i] {
			t.Errorf("got %q, want %q", got, want[i])
		}
	}
}

func FuzzDecodeStoreKey(f *testing.F) {
	for _, k := range sampleKeys() {
		f.Add(k.append(nil))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		_ = describeKey(b)
		k, err := decodeKey(b)
		if err != nil {
			return
		}
		if got := k.append(nil); !bytes.Equal(got, b) {
			t.Errorf("%x decodes to %+v, which is %x", b, k, got)
		}
	})
}

func sampleRecord() storeRecord {
	return storeRecord{
		Identity: Identity{Deployment: "d", Store: "eu-1", Region: "eu", Incarnation: 2, Origin: 77},
		limit:    hlc.New(1787309982123, 7), clean: true,
	}
}

func TestStoreRecordComesBackAndFlippedBitsShow(t *testing.T) {
	b := appendStoreRecord(nil, sampleRecord())
	if got, err := decodeStoreRecord(b); err != nil || got != sampleRecord() {
		t.Errorf("got %+v, %v, want %+v", got, err, sampleRecord())
	}
	for i := range 8 * len(b) {
		bad := bytes.Clone(b)
		bad[i/8] ^= 1 << (i % 8)
		if _, err := decodeStoreRecord(bad); !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrFormat) {
			t.Fatalf("bit %d flipped: %v", i, err)
		}
	}
}

// resealed replaces the checksum of b, so that a fuzzer gets past it.
func resealed(key, b []byte) []byte {
	if len(b) < sumBytes {
		return b
	}
	return seal(bytes.Clone(b[:len(b)-sumBytes]), 0, key)
}

func FuzzDecodeStoreRecord(f *testing.F) {
	f.Add(appendStoreRecord(nil, sampleRecord()))
	f.Fuzz(func(t *testing.T, b []byte) {
		b = resealed(storeKey(), b)
		r, err := decodeStoreRecord(b)
		if err != nil {
			return
		}
		if got := appendStoreRecord(nil, r); !bytes.Equal(got, b) {
			t.Errorf("%x decodes to %+v, which is %x", b, r, got)
		}
	})
}

func sampleRequest() requestRecord {
	return requestRecord{
		digest: [16]byte{9}, shards: 3,
		positions: []ShardPosition{
			{Shard: shardB, Position: hlc.Position{Origin: 5, At: 600}},
			{Shard: shardA, Position: hlc.Position{Origin: 5, At: 601}},
		},
		superseded: []int{0, 3, 400},
	}
}

func TestRequestRecordComesBackAndFlippedBitsShow(t *testing.T) {
	key := appendRequestKey(nil, RequestID{1})
	for _, want := range []requestRecord{sampleRequest(), {digest: [16]byte{1}, shards: 300}} {
		b := appendRequestRecord(nil, key, want)
		got, err := decodeRequestRecord(key, b)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, %v, want %+v", got, err, want)
		}
		for i := range 8 * len(b) {
			bad := bytes.Clone(b)
			bad[i/8] ^= 1 << (i % 8)
			if _, err := decodeRequestRecord(key, bad); !errors.Is(err, ErrCorrupt) {
				t.Fatalf("bit %d flipped: %v", i, err)
			}
		}
		if _, err := decodeRequestRecord(appendRequestKey(nil, RequestID{2}), b); !errors.Is(err, ErrCorrupt) {
			t.Errorf("under another key: %v, want %v", err, ErrCorrupt)
		}
	}
}

// Each value of replication's comes back, and a flipped bit in it shows.
func TestReplicationRecordsComeBackAndFlippedBitsShow(t *testing.T) {
	progress := appendProgressKey(nil, shardA, 5)
	shard, floor, members := appendShardKey(nil, shardA), appendFloorKey(nil, shardA, 5), membershipKey()
	for name, tc := range map[string]struct {
		value  []byte
		decode func([]byte) (any, error)
		want   any
	}{
		"progress at an entry": {
			appendProgress(nil, progress, 7, 7),
			func(b []byte) (any, error) {
				_, at, entry, err := decodeProgress(progress, b)
				return []hlc.Timestamp{at, entry}, err
			},
			[]hlc.Timestamp{7, 7},
		},
		"progress past an entry": {
			appendProgress(nil, progress, 7, 3),
			func(b []byte) (any, error) {
				_, at, entry, err := decodeProgress(progress, b)
				return []hlc.Timestamp{at, entry}, err
			},
			[]hlc.Timestamp{7, 3},
		},
		"shard": {
			appendShardRecord(nil, shard, shardRecord{horizon: 9, note: []byte("n")}),
			func(b []byte) (any, error) { return decodeShardRecord(shard, b) },
			shardRecord{horizon: 9, note: []byte("n")},
		},
		"shard without a note": {
			appendShardRecord(nil, shard, shardRecord{horizon: 9}),
			func(b []byte) (any, error) { return decodeShardRecord(shard, b) },
			shardRecord{horizon: 9},
		},
		"floor": {
			appendFloor(nil, floor, 8),
			func(b []byte) (any, error) { return decodeFloor(floor, b) },
			hlc.Timestamp(8),
		},
		"membership": {
			seal(append([]byte{membershipFormat}, "m"...), 0, members),
			func(b []byte) (any, error) { return decodeMembership(members, b) },
			[]byte("m"),
		},
	} {
		if got, err := tc.decode(tc.value); err != nil || !reflect.DeepEqual(got, tc.want) {
			t.Errorf("%s: got %+v, %v, want %+v", name, got, err, tc.want)
		}
		for i := range 8 * len(tc.value) {
			bad := bytes.Clone(tc.value)
			bad[i/8] ^= 1 << (i % 8)
			if _, err := tc.decode(bad); !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrFormat) {
				t.Fatalf("%s: bit %d flipped: %v", name, i, err)
			}
		}
	}
}

func FuzzDecodeRequestRecord(f *testing.F) {
	key := appendRequestKey(nil, RequestID{1})
	f.Add(appendRequestRecord(nil, key, sampleRequest()))
	f.Fuzz(func(t *testing.T, b []byte) {
		b = resealed(key, b)
		r, err := decodeRequestRecord(key, b)
		if err != nil {
			return
		}
		if got := appendRequestRecord(nil, key, r); !bytes.Equal(got, b) {
			t.Errorf("%x decodes to %+v, which is %x", b, r, got)
		}
	})
}

func FuzzDecodeRecord(f *testing.F) {
	key := sampleKeys()[2].append(nil)
	f.Add(key, seal(feature.AppendRow(nil, feature.Row{}), 0, key))
	f.Add(sampleKeys()[5].append(nil), []byte{registryFormat, 1, 0})
	f.Fuzz(func(t *testing.T, key, value []byte) {
		var registry []byte
		for _, v := range [][]byte{value, resealed(key, value)} {
			if r := decodeRecord(key, v, &registry); r.Err == nil && describeKey(r.Key) == "" {
				t.Errorf("key %x has no description", key)
			}
		}
	})
}

// append is the inverse of decodeKey.
func (k storedKey) append(dst []byte) []byte {
	switch k.kind {
	case kindShard:
		return appendShardKey(dst, k.shard)
	case kindFloor:
		return appendFloorKey(dst, k.shard, k.origin)
	case kindProgress:
		return appendProgressKey(dst, k.shard, k.origin)
	case kindRow:
		return appendRowKey(dst, k.shard, k.view, k.entity)
	case kindEntry:
		return appendEntryKey(dst, k.shard, k.origin, k.at)
	case kindRequest:
		return appendRequestKey(dst, k.request)
	case kindRegistry:
		return appendRegistryKey(dst, k.revision, k.part)
	}
	return append(dst, byte(k.kind))
}
