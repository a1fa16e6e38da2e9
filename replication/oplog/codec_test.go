package oplog

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"featurestore/feature"
	"featurestore/hlc"
)

// O1
func TestDecodeIsTheInverseOfAppend(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := entries.Draw(t, "entry")
		if err := e.Validate(); err != nil {
			t.Fatalf("drew an invalid entry: %v", err)
		}
		prefix := []byte("before")
		b := Append(prefix, e)
		if !bytes.HasPrefix(b, prefix) {
			t.Fatalf("Append lost what dst held: %x", b)
		}
		got, err := Decode(b[len(prefix):])
		if err != nil {
			t.Fatalf("decode %x: %v", b[len(prefix):], err)
		}
		if !equal(got, e) {
			t.Fatalf("got  %+v\nwant %+v", got, e)
		}
	})
}

func equal(a, b Entry) bool {
	if len(a.Rows) != len(b.Rows) {
		return false
	}
	for i := range a.Rows {
		if compareRows(a.Rows[i], b.Rows[i]) != 0 || !a.Rows[i].Delta.Equal(b.Rows[i].Delta) {
			return false
		}
	}
	a.Rows, b.Rows = nil, nil
	return reflect.DeepEqual(a, b)
}

// O3
func TestEveryFlippedBitLostTailAndAddedByteIsAnError(t *testing.T) {
	b := Append(nil, sample())
	for i := range b {
		for bit := range 8 {
			bad := bytes.Clone(b)
			bad[i] ^= 1 << bit
			if _, err := Decode(bad); !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrFormat) {
				t.Fatalf("byte %d, bit %d flipped: got %v, want ErrCorrupt or ErrFormat", i, bit, err)
			}
		}
		if _, err := Decode(b[:i]); !errors.Is(err, ErrCorrupt) {
			t.Fatalf("cut to %d bytes: got %v, want ErrCorrupt", i, err)
		}
	}
	if _, err := Decode(append(bytes.Clone(b), 0)); !errors.Is(err, ErrCorrupt) {
		t.Fatalf("a byte added: got %v, want ErrCorrupt", err)
	}
}

func TestUnknownFormatNamesBoth(t *testing.T) {
	b := Append(nil, sample())
	b[0] = 7
	_, err := Decode(reseal(b))
	if !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), "it is 7, this version reads 1") {
		t.Errorf("got %v, want ErrFormat naming 7 and 1", err)
	}
}

// What the checksum cannot catch: bytes that were never an entry.
func TestDecodeRefusesWhatAppendWouldNotWrite(t *testing.T) {
	good := Append(nil, sample())
	for _, tc := range []struct {
		name string
		edit func(b []byte) []byte
		want string
	}{
		{"kind zero", func(b []byte) []byte { b[1] = 0; return b }, "kind is 0, want 1 to 3"},
		{"kind unknown", func(b []byte) []byte { b[1] = 9; return b }, "kind is 9, want 1 to 3"},
		{"flags unknown", func(b []byte) []byte { b[2] = 6; return b }, "flags 0x6"},
		{"no origin", func(b []byte) []byte { clear(b[11:15]); return b }, "origin is zero"},
		{"prev after it", func(b []byte) []byte { b[15] = 0xff; return b }, "is not before it"},
		{"noop with rows", func(b []byte) []byte { b[1], b[2] = byte(Noop), flagRequest; return b }, "want none"},
		{"log only relog", func(b []byte) []byte { b[1] = byte(Relog); return b }, "log_only"},
		{"long form count", func(b []byte) []byte {
			return append(append(b[:headBytes:headBytes], b[headBytes]|0x80, 0), b[headBytes+1:]...)
		}, "shortest form"},
		{"too many deps", func(b []byte) []byte { b[headBytes] = 0x7f; return b }, "number of deps is 127"},
		{"a request of no shards", func(b []byte) []byte {
			shards := bytes.Index(b, sampleRequest()) + len(sampleRequest())
			return append(append(b[:shards:shards], 0), b[shards+2:]...)
		}, "request.shards is 0, want 1 to 65536"},
		{"bytes after", func(b []byte) []byte {
			return append(b[:len(b)-sumBytes:len(b)-sumBytes], 0, 0, 0, 0, 0)
		}, "1 bytes after the last row"},
	} {
		b := reseal(tc.edit(bytes.Clone(good)))
		if _, err := Decode(b); !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v, want ErrCorrupt with %q", tc.name, err, tc.want)
		}
	}
}

// sampleRequest is the id and digest of the sample's request.
func sampleRequest() []byte {
	r := sample().Request
	return append(r.ID[:], r.Digest[:]...)
}

// reseal writes the checksum that b's bytes have now.
func reseal(b []byte) []byte {
	body := b[:len(b)-sumBytes]
	binary.BigEndian.PutUint32(b[len(body):], crc32.Checksum(body, castagnoli))
	return b
}

// sample is the entry of the golden file: two rows, one written, one deleted.
func sample() Entry {
	at, origin := hlc.New(1787309982123, 7), hlc.Origin(3)
	trips := feature.Assignment{Feature: 1, Rule: feature.Counter, Type: feature.ScalarOf(feature.Int64), Value: feature.OfInt64(3)}
	rate := feature.Assignment{Feature: 2, Type: feature.ScalarOf(feature.Float64), Value: feature.OfFloat64(0.5)}
	event := at.Time().UnixNano()
	written, _ := feature.Change{EventTime: event, Assignments: []feature.Assignment{trips, rate}}.Delta(feature.Row{}, at, origin)
	deleted, _ := feature.Change{EventTime: event, Delete: true}.Delta(feature.Row{}, at, origin)
	return Entry{
		Kind: Delta, LogOnly: true, At: at, Origin: origin, Prev: hlc.New(1787309981000, 0),
		Deps:    []hlc.Position{{Origin: 1, At: at - 1}, {Origin: 2, At: at - 300}},
		Request: &Request{ID: [16]byte{1, 2, 3}, Digest: [16]byte{4, 5}, Shards: 300},
		Rows:    []Row{{View: 1, Key: driver(7), Delta: written}, {View: 1, Key: driver(8), Delta: deleted}},
	}
}

func driver(id int64) feature.Key {
	k, err := feature.AppendKeyValue(nil, feature.OfInt64(id))
	if err != nil {
		panic(err)
	}
	return k
}
