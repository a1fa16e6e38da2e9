package history

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"featurestore/feature"
	"featurestore/hlc"
)

var update = flag.Bool("update", false, "rewrite recorded output")

// sample is a manifest with something in every field.
func sample() *Manifest {
	return &Manifest{
		Number: 7, Prev: Sum{1, 2}, Writer: WriterID{3}, AtMillis: 1_787_309_982_123, Whole: true,
		Progress: map[feature.Shard]hlc.Vector{
			{Group: 1}:               {4: 1 << 60, 9: 5},
			{Group: 2, Partition: 3}: {4: 77},
		},
		Added: []DataFile{{
			Name: "rides/driver_stats/event_date=1969-12-31/000000000007-0000000000000000.parquet", View: 3, Day: -1,
			SizeBytes: 4096, Sum: Sum{5},
			Bounds: Bounds{Rows: 2, MinEvent: -86400e9, MaxEvent: -1, MinAt: 5, MaxAt: 1 << 60},
		}},
		Removed: []Removal{{Name: "rides/driver_stats/x.parquet", Number: 6, AtMillis: 1_787_309_000_000}},
		Steps:   []StepFile{{Name: "_steps/000000000007-0000000000000000.steps", SizeBytes: 12, Sum: Sum{6}}},
		Gaps:    []Gap{{Shard: feature.Shard{Group: 1}, Origin: 4, After: 2, Through: 3}},
	}
}

func TestManifestsAreReadAsTheyWereWritten(t *testing.T) {
	for _, m := range []*Manifest{sample(), {Number: 1, Progress: map[feature.Shard]hlc.Vector{}}} {
		got, err := decodeManifest(encodeManifest(m))
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, m) {
			t.Errorf("got %+v, want %+v", got, m)
		}
	}
}

// What this version writes is on disks: a change of it is another format.
func TestManifestGolden(t *testing.T) {
	golden := filepath.Join("testdata", "manifest.golden")
	got := []byte(hex.EncodeToString(encodeManifest(sample())) + "\n")
	if *update {
		if err := os.WriteFile(golden, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("got %s, want %s: a new layout takes a new format byte", got, want)
	}
}

func TestDamagedManifestsAreErrors(t *testing.T) {
	data := encodeManifest(sample())
	for i := range data {
		bad := bytes.Clone(data)
		bad[i] ^= 1 << (i % 8)
		if _, err := decodeManifest(bad); !errors.Is(err, ErrCorrupt) {
			t.Fatalf("bit flipped in byte %d: got %v, want ErrCorrupt", i, err)
		}
		if _, err := decodeManifest(data[:i]); !errors.Is(err, ErrCorrupt) {
			t.Fatalf("cut after byte %d: got %v, want ErrCorrupt", i, err)
		}
	}
}

// FuzzDecodeManifest puts the sum right, so that what stands before it is read.
func FuzzDecodeManifest(f *testing.F) {
	f.Add(encodeManifest(sample()))
	f.Add(encodeManifest(&Manifest{Number: 1}))
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 32 {
			data = data[:len(data)-32]
		}
		sum := sha256.Sum256(data)
		data = append(bytes.Clone(data), sum[:]...)
		m, err := decodeManifest(data)
		if err == nil && !bytes.Equal(encodeManifest(m), data) {
			t.Fatalf("what was accepted is printed differently: %x", data)
		}
		if err != nil && !errors.Is(err, ErrCorrupt) {
			t.Fatalf("got %v, want ErrCorrupt", err)
		}
	})
}
