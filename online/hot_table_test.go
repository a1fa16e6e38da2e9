package online

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/VictoriaMetrics/fastcache"
	"github.com/zeebo/xxh3"
	"pgregory.net/rapid"
)

// Whatever is put and dropped in whatever order, the table holds the last value
// of a key or nothing: never an older one, never another key's.
func TestHotTableHoldsTheLastValueOrNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		table, last := newHotTable(minTableBytes), map[string][]byte{}
		keys := rapid.IntRange(1, 300).Draw(t, "keys")
		for range rapid.IntRange(1, 1500).Draw(t, "steps") {
			key := fmt.Appendf(nil, "key-%d", rapid.IntRange(1, keys).Draw(t, "key"))
			hash := xxh3.Hash(key) & rapid.SampledFrom([]uint64{1<<64 - 1, 0xff}).Draw(t, "mask") // some collide
			switch rapid.IntRange(0, 5).Draw(t, "step") {
			case 0:
				table.drop(xxh3.Hash(key), key)
				table.drop(xxh3.Hash(key)&0xff, key)
				delete(last, string(key))
			default:
				table.drop(xxh3.Hash(key), key)
				table.drop(xxh3.Hash(key)&0xff, key)
				value := bytes.Repeat([]byte{byte(rapid.Int().Draw(t, "byte"))}, rapid.SampledFrom([]int{0, 1, 100, 100, 3000}).Draw(t, "size"))
				if table.fits(key, value) {
					table.put(hash, key, value)
					last[string(key)] = value
				}
				if got, found := table.find(hash, key); !found || !bytes.Equal(got, value) {
					t.Fatalf("%s was just put and is %v, %v", key, got, found)
				}
			}
			for text, want := range last {
				for _, h := range []uint64{xxh3.HashString(text), xxh3.HashString(text) & 0xff} {
					if got, found := table.find(h, []byte(text)); found && !bytes.Equal(got, want) {
						t.Fatalf("%s is %v, want %v or nothing", text, got, want)
					}
				}
			}
		}
	})
}

func TestHotTableReplacesInPlace(t *testing.T) {
	table := newHotTable(minTableBytes)
	key := []byte("key")
	for i := range 10_000 {
		table.put(7, key, binary.LittleEndian.AppendUint64(nil, uint64(i)))
	}
	if table.next > 64 {
		t.Errorf("values of one size took %d bytes of the ring, want one record", table.next)
	}
}

func TestHotTableStaysWithinItsBytes(t *testing.T) {
	for _, total := range []int{0, minTableBytes, 1 << 20, 100 << 20} {
		if got := newHotTable(total).sizeBytes(); got > max(total, minTableBytes) {
			t.Errorf("asked for %d bytes, took %d", total, got)
		}
	}
}

// A million rows looked up a hundred at a time, as a lookup does: ours beside
// the library that it took the place of. See ADR 5.
func BenchmarkHotTable(b *testing.B) {
	const keys, batch = 1_000_000, 100
	key := func(dst []byte, i int) []byte {
		return binary.BigEndian.AppendUint64(append(dst, "\x03\x00\x01\x00\x00\x00\x00\x00\x01\x04"...), uint64(i)^1<<63)
	}
	row := make([]byte, 145)
	random := rand.New(rand.NewPCG(1, 2))
	var k, out []byte
	b.Run("by=table", func(b *testing.B) {
		table := newHotTable(512 << 20)
		for i := range keys {
			k = key(k[:0], i)
			table.put(xxh3.Hash(k), k, row)
		}
		var hashes [batch]uint64
		var ks [batch][]byte
		missed, looked := 0, 0
		for b.Loop() {
			for i := range batch {
				ks[i] = key(ks[i][:0], random.IntN(keys))
				hashes[i] = xxh3.Hash(ks[i])
			}
			table.touch(hashes[:])
			out = out[:0]
			for i := range batch {
				value, found := table.find(hashes[i], ks[i])
				if !found {
					missed++
				}
				out = append(out, value...)
			}
			looked += batch
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(looked), "ns/row")
		b.ReportMetric(100*float64(missed)/float64(looked), "%missed")
	})
	b.Run("by=fastcache", func(b *testing.B) {
		cache := fastcache.New(512 << 20)
		defer cache.Reset()
		for i := range keys {
			k = key(k[:0], i)
			cache.Set(k, row)
		}
		missed, looked := 0, 0
		for b.Loop() {
			out = out[:0]
			for range batch {
				k = key(k[:0], random.IntN(keys))
				before := len(out)
				if out = cache.Get(out, k); len(out) == before {
					missed++
				}
			}
			looked += batch
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(looked), "ns/row")
		b.ReportMetric(100*float64(missed)/float64(looked), "%missed")
	})
}
