package main

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	"featurestore/feature"
	"featurestore/offline/history"
)

// compareFiles reads the folder of each view as it lies, by a glob and the folders'
// names, and compares every row with the write that it is of. Features of one name
// before and after are read under both.
func (w *world) compareFiles(ctx context.Context, db *sql.DB, sum *counted) error {
	for _, name := range []string{"stats", "places"} {
		v, _ := w.catalog().View(name)
		if err := w.compareView(ctx, db, v, sum); err != nil {
			return fmt.Errorf("files of view %s: %w", name, err)
		}
	}
	return nil
}

func (w *world) compareView(ctx context.Context, db *sql.DB, v *feature.ResolvedView, sum *counted) error {
	glob := fmt.Sprintf("%s/%s/%s/*/*.parquet", w.root, w.project, v.Name)
	read := "read_parquet('" + strings.ReplaceAll(glob, "'", "''") + "', hive_partitioning = true, union_by_name = true)"
	rows, err := db.QueryContext(ctx, "SELECT * FROM "+read)
	if err != nil {
		return err
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		return err
	}
	expect := map[[2]int64]wrote{}
	for _, wr := range w.writes {
		if wr.view.ID == v.ID {
			expect[[2]int64{int64(wr.version.At), int64(wr.version.Origin)}] = wr
		}
	}
	met := map[[2]int64]bool{}
	for rows.Next() {
		cells, to := make([]any, len(names)), make([]any, len(names))
		for i := range cells {
			to[i] = &cells[i]
		}
		if err := rows.Scan(to...); err != nil {
			return err
		}
		row := map[string]any{}
		for i, name := range names {
			row[name] = cells[i]
		}
		id := [2]int64{row[history.ColumnAt].(int64), row[history.ColumnOrigin].(int64)}
		wr, ok := expect[id]
		if !ok {
			return fmt.Errorf("a row of version %v was never written", id)
		}
		if met[id] {
			sum.twice++
		}
		met[id] = true
		if fault := w.differs(wr, row); fault != "" {
			return fmt.Errorf("the row of version %v %s: %v", id, fault, row)
		}
	}
	if len(met) != len(expect) {
		return fmt.Errorf("%d rows are there, %d were written", len(met), len(expect))
	}
	return rows.Err()
}

// differs says how a row of the files is not what was written, "" for not at all. Of
// counters the files have totals, which another check is for.
func (w *world) differs(wr wrote, row map[string]any) string {
	event := time.Unix(0, wr.change.EventTime).UTC()
	if at, ok := row[history.ColumnEvent].(time.Time); !ok || !at.Equal(event) {
		return fmt.Sprintf("is not of %v", event)
	}
	if date, ok := row["event_date"].(time.Time); !ok || date.Format(time.DateOnly) != event.Format(time.DateOnly) {
		return "lies in another day's folder"
	}
	if row[history.ColumnDeleted] != wr.change.Delete || row[history.ColumnGeneration] != int32(wr.change.Generation) || row[history.ColumnLogOnly] != wr.logOnly {
		return "is a delete or none, of a generation or log-only against what was written"
	}
	for i, k := range wr.view.Keys {
		if !same(wr.key[i], row[k.Name], feature.EventTime) {
			return "has another " + k.Name
		}
	}
	var nulls []any
	view, _ := w.catalog().View(wr.view.Name)
	for i := range view.Fields {
		f := &view.Fields[i]
		value, isSet := sets(wr, f)
		got := row[f.Name]
		if f.Name == "remark" && got == nil {
			got = row["note"]
		}
		switch {
		case f.Rule == feature.Set && isSet && value.IsNull():
			value, _ = feature.OfList(f.Type.Kind) // it adds nothing
		case isSet && value.IsNull():
			nulls = append(nulls, int64(f.ID))
		case f.Rule == feature.Counter && isSet && got != nil:
			continue
		}
		if f.Rule == feature.Set { // files have no element twice
			list, ok := got.([]any)
			if ok != isSet || ok && !sameElements(value, list) {
				return "has another " + f.Name
			}
			continue
		}
		if !same(value, got, f.Rule) {
			return "has another " + f.Name
		}
	}
	got, _ := row[history.ColumnNulls].([]any)
	if !slices.Equal(got, nulls) {
		return fmt.Sprintf("has other nulls than %v", nulls)
	}
	return ""
}

func sameElements(v feature.Value, got []any) bool {
	var theirs []string
	for _, e := range got {
		theirs = append(theirs, fmt.Sprint(e))
	}
	slices.Sort(theirs)
	return slices.Equal(slices.Compact(texts(v)), append([]string{}, theirs...))
}
