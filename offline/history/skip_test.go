package history

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"testing"

	"featurestore/feature"
	"featurestore/hlc"
)

// Row groups that are skipped have none of the keys, and those that have some are read.
func TestRowGroupsWithoutAKeyAreSkipped(t *testing.T) {
	c := columnsOf(view(t, registry(t, rides()), "driver_stats"))
	key := func(n int64) feature.Key {
		k, err := feature.AppendKeyValue(nil, feature.OfInt64(n))
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	w, err := newFileWriter(c)
	if err != nil {
		t.Fatal(err)
	}
	groups := [][]int64{{math.MinInt64, -5}, {-3, 0, 3}, {9, math.MaxInt64}}
	for _, group := range groups {
		for _, n := range group {
			if err := w.add(&Row{Key: key(n), Version: feature.Version{At: hlc.New(1, 0), Origin: 1}, Log: hlc.Position{At: hlc.New(1, 0), Origin: 1}}); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.flush(); err != nil {
			t.Fatal(err)
		}
		w.file.NewBufferedRowGroup()
	}
	_, data, err := w.end()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		claim string
		keys  []feature.Key
		want  int // rows that are read
	}{
		{"between two groups", []feature.Key{key(-4)}, 0},
		{"the least of all", []feature.Key{key(math.MinInt64)}, 2},
		{"the greatest of all", []feature.Key{key(math.MaxInt64)}, 2},
		{"the last of a group", []feature.Key{key(3)}, 3},
		{"within a group, and not there", []feature.Key{key(1)}, 3},
		{"of two groups, and between", []feature.Key{key(-5), key(9), key(5)}, 4},
		{"no key of the view", []feature.Key{feature.Key("k"), append(key(3), key(3)...)}, 0},
	} {
		r, err := newFileReader("test", bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		r.skip = r.without(newKeySet(c.keys))
		got := 0
		for {
			if _, err = r.next(context.Background()); err != nil {
				break
			}
			got++
		}
		if !errors.Is(err, io.EOF) || got != c.want {
			t.Errorf("%s: %d rows are read, then %v, want %d", c.claim, got, err, c.want)
		}
		r.close()
	}
	if got := len(read(t, data)); got != 7 {
		t.Errorf("of all keys %d rows are read, want 7", got)
	}
}
