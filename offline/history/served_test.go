package history

import (
	"context"
	"errors"
	"io"
	"maps"
	"slices"
	"testing"

	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/offline/source"
	"featurestore/online"
)

// What history says was served at a vector is what the store served then: of
// every rule, with deletes, superseded and log-only writes, from two origins.
func TestHistoryTellsWhatWasServed(t *testing.T) {
	ctx := context.Background()
	eu, us := openStore(t, "eu-1"), openStore(t, "us-1")
	v := view(t, eu.Registry(), "driver_stats")
	type moment struct {
		at   hlc.Vector
		rows map[string]feature.Row
	}
	var moments []moment
	var keys []feature.Key
	for _, id := range []int64{0, 7, -1 << 31, 1<<31 - 1} { // those of drawKey
		k, err := feature.AppendKeyValue(nil, feature.OfInt64(id))
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, k)
	}
	for range 12 {
		eu.write(3, "driver_stats")
		us.write(2, "driver_stats")
		eu.follow(us)
		m := moment{at: eu.Progress(v.Shard(keys[0])), rows: map[string]feature.Row{}}
		var batch online.Batch
		for _, k := range keys {
			batch.Add(v.Shard(k), v.ID, k)
		}
		if err := eu.Read(ctx, &batch); err != nil {
			t.Fatal(err)
		}
		for i, k := range keys {
			if raw := batch.Row(i); raw != nil {
				row, err := feature.DecodeRow(slices.Clone(raw))
				if err != nil {
					t.Fatal(err)
				}
				m.rows[string(k)] = row
			}
		}
		moments = append(moments, m)
	}
	h := open(t, newTestDisk(t), func(c *Config) { c.CompactFiles = 2 })
	mustCatchUp(t, ingester(t, small{eu}, h, func(c *IngestConfig) { c.MaxBytes = 4 << 10 }))
	if _, err := upkeep(t, h, eu.Registry).Compact(ctx); err != nil {
		t.Fatal(err)
	}
	r := h.Reader()
	defer r.Close()
	byKey := map[string][]Row{}
	for _, f := range r.Files(v.ID, AllTime) {
		for row, err := range r.Rows(ctx, f) {
			if err != nil {
				t.Fatal(err)
			}
			byKey[string(row.Key)] = append(byKey[string(row.Key)], row)
		}
	}
	compared := 0
	for _, m := range moments {
		for k, want := range m.rows {
			if got := Served(slices.Values(byKey[k]), m.at); !got.Equal(want) {
				t.Fatalf("at %v key %x: history says %+v, served was %+v", m.at, k, got, want)
			}
			compared++
		}
		for k := range byKey {
			if _, served := m.rows[k]; !served && !Served(slices.Values(byKey[k]), m.at).IsEmpty() {
				t.Fatalf("at %v key %x: history says something, nothing was served", m.at, k)
			}
		}
	}
	if compared < 20 || len(slices.Collect(maps.Keys(byKey))) < 3 {
		t.Fatalf("only %d rows were compared", compared)
	}
}

// The files are a batch source as they lie: columns have the names and types of
// the view, and event times their usual name.
func TestFilesAreReadableAsTheyLie(t *testing.T) {
	ctx := context.Background()
	s, d := openStore(t, "eu-1"), newTestDisk(t)
	s.write(20, "driver_stats", "every_type")
	h := open(t, d)
	mustCatchUp(t, ingester(t, s, h))
	r := h.Reader()
	defer r.Close()
	for _, name := range []string{"driver_stats", "every_type"} {
		v := view(t, s.Registry(), name)
		want := []source.Want{{Name: feature.DefaultEventTimeColumn, Type: feature.ScalarOf(feature.Timestamp)}}
		for _, k := range v.Keys {
			want = append(want, source.Want{Name: k.Name, Type: k.Type})
		}
		var fields []*feature.Field
		for i := range v.Fields {
			if f := &v.Fields[i]; f.Name != ColumnAt { // a name that is ours
				fields = append(fields, f)
				want = append(want, source.Want{Name: f.Name, Type: f.Type})
			}
		}
		for _, f := range r.Files(v.ID, AllTime) {
			var rows []Row
			for row, err := range r.Rows(ctx, f) {
				if err != nil {
					t.Fatal(err)
				}
				rows = append(rows, row)
			}
			in, err := source.Open(ctx, d.path(f.Name), source.Options{Columns: want})
			if err != nil {
				t.Fatal(err)
			}
			at := 0
			for {
				b, err := in.Next(ctx)
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				if len(b.Faults) > 0 {
					t.Fatalf("%s: %v", f.Name, b.Faults[0])
				}
				for i := range b.Rows() {
					row := rows[at+i]
					if got := b.Columns[0].Values[i].Int(); got != row.Version.EventTime {
						t.Fatalf("%s row %d: event time %d, want %d", f.Name, at+i, got, row.Version.EventTime)
					}
					for j, field := range fields {
						c, _ := row.Delta.Cell(field.ID)
						if got := b.Columns[1+len(v.Keys)+j].Values[i]; !got.Equal(c.Read()) {
							t.Fatalf("%s row %d: %s is %v, want %v", f.Name, at+i, field.Name, got, c.Read())
						}
					}
				}
				at += b.Rows()
			}
			if err := in.Close(); err != nil {
				t.Fatal(err)
			}
			if at != len(rows) {
				t.Fatalf("%s: %d rows, want %d", f.Name, at, len(rows))
			}
		}
	}
}
