package main

import (
	"errors"
	"reflect"
	"testing"

	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/online"
)

func TestProgressIsAVectorAShard(t *testing.T) {
	progress := func(partition uint16, origin hlc.Origin, ms int64) online.Record {
		return online.Record{Progress: &online.ProgressRecord{
			Shard: feature.Shard{Group: 1, Partition: partition}, Position: hlc.Position{Origin: origin, At: hlc.New(ms, 0)},
		}}
	}
	var v vectors
	var got []map[string]any
	for _, r := range []online.Record{
		{Store: &online.StoreRecord{}},
		progress(0, 10, 1), progress(0, 11, 2),
		{Err: errors.New("damaged")},
		progress(0, 12, 3), progress(1, 10, 4),
		{Row: &online.RowRecord{}},
		{Row: &online.RowRecord{}},
	} {
		if line := v.add(r); line != nil {
			got = append(got, line)
		}
	}
	line := func(shard string, positions map[string]any) map[string]any {
		return map[string]any{"kind": "vector", "shard": shard, "positions": positions}
	}
	at := func(ms int64) any { return hlc.New(ms, 0).String() }
	a, b, c := hlc.Origin(10).String(), hlc.Origin(11).String(), hlc.Origin(12).String()
	want := []map[string]any{
		line("1/0", map[string]any{a: at(1), b: at(2)}),
		line("1/0", map[string]any{c: at(3)}), // what came after the damage
		line("1/1", map[string]any{a: at(4)}),
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	if line := v.end(); line != nil {
		t.Errorf("got %v after the last shard, want none", line)
	}
}

func TestLinesAreChosenByOrigin(t *testing.T) {
	for _, c := range []struct {
		line map[string]any
		want bool
	}{
		{map[string]any{"kind": "entry", "origin": "a"}, true},
		{map[string]any{"kind": "entry", "origin": "b"}, false},
		{map[string]any{"kind": "progress", "origin": "b"}, false},
		{map[string]any{"kind": "vector", "positions": map[string]any{"a": "1", "b": "2"}}, true},
		{map[string]any{"kind": "vector", "positions": map[string]any{"b": "2"}}, false},
		{map[string]any{"kind": "row"}, true},
		{map[string]any{"kind": "corrupt"}, true},
	} {
		if got := ofOrigin(c.line, "a"); got != c.want {
			t.Errorf("%v: got %v, want %v", c.line, got, c.want)
		}
	}
}
