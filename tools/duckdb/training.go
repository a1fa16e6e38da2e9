package main

import (
	"context"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"featurestore/feature"
	"featurestore/offline/history"
	"featurestore/offline/pit"
	offline "featurestore/offline/sql"
	"featurestore/offline/training"
)

// checkTraining makes random histories with the product, and compares three ways to a
// training set of each: the product's, the printed SQL in DuckDB, and the plain twin.
// It also compares the files, as DuckDB reads them, with what was written.
func checkTraining(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("training", flag.ExitOnError)
	seeds := flags.Uint64("seeds", 20, "random worlds")
	first := flags.Uint64("first", 1, "the first seed")
	writes := flags.Int("writes", 300, "writes of each")
	rows := flags.Int("rows", 200, "entity rows of each")
	_ = flags.Parse(args) // it exits on errors
	db, err := sql.Open("duckdb", "")
	if err != nil {
		return err
	}
	defer db.Close()
	if _, err := db.ExecContext(ctx, "SET TimeZone = 'UTC'"); err != nil {
		return err
	}
	var sum counted
	for seed := *first; seed < *first+*seeds; seed++ {
		if err := trainSeed(ctx, db, seed, *writes, *rows, &sum); err != nil {
			return fmt.Errorf("seed %d: %w", seed, err)
		}
	}
	fmt.Printf("%d random histories from seed %d, of %d writes; %d rows stood in two files\n", *seeds, *first, sum.writes, sum.twice)
	fmt.Printf("%d cells of training sets, of which %d are values: the same by the join, by DuckDB and by the plain twin\n", sum.cells, sum.values)
	fmt.Printf("%d features were not asked of SQL, which refused them\n", sum.refused)
	return nil
}

// counted is what was compared.
type counted struct{ writes, twice, cells, values, refused int }

func trainSeed(ctx context.Context, db *sql.DB, seed uint64, writes, rows int, sum *counted) (err error) {
	dir, remove, err := folder()
	if err != nil {
		return err
	}
	defer remove()
	w, err := draw(ctx, dir, seed, writes)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	in := w.past.Reader()
	defer in.Close()
	if err := w.compareFiles(ctx, db, sum); err != nil {
		return err
	}
	entity, moments := w.entityRows(rows)
	path := filepath.Join(dir, "entity.parquet")
	if err := writeParquet(path, entity, 50); err != nil {
		return err
	}
	request := w.request()
	for i := range moments {
		for m := range moments[i] {
			moments[i][m].latestKey = math.MaxInt64
			if !request.KnownAsOf.IsZero() {
				moments[i][m].latestKey = request.KnownAsOf.UnixMilli()
			}
		}
	}
	query, refused, err := w.print(ctx, in, entity.Schema(), path, &request)
	if err != nil {
		return err
	}
	sum.refused += refused
	own, err := joined(ctx, dir, in, entity, request)
	if err != nil {
		return err
	}
	theirs, err := asked(ctx, db, query, int(entity.NumCols()))
	if err != nil {
		return fmt.Errorf("%w in\n%s", err, query)
	}
	if len(theirs) != len(own) || len(own) != rows {
		return fmt.Errorf("%d entity rows: the join gives %d, DuckDB %d", rows, len(own), len(theirs))
	}
	for r := range own {
		for c, f := range request.Features {
			field, _ := f.View.Field(f.Name)
			want := meant(w.writes, f.View, field, moments[r][alias(f)])
			got := own[r][c]
			if !sameValue(got, want, field.Rule) {
				return fmt.Errorf("entity row %d, %s: the join says %v, the twin %v", r, f.As, got, want)
			}
			if !same(got, theirs[r][c], field.Rule) {
				return fmt.Errorf("entity row %d, %s: the join says %v, DuckDB %v (%T) in\n%s", r, f.As, got, theirs[r][c], theirs[r][c], query)
			}
			sum.cells++
			if !got.IsNull() {
				sum.values++
			}
		}
	}
	sum.writes += len(w.writes)
	return nil
}

// Entity rows ask for up to three entities: a driver, another, and a place.
const (
	byDriver = iota
	byOther
	byPlace
)

func alias(f training.Feature) int {
	switch {
	case f.View.Name == "places":
		return byPlace
	case f.Keys != nil:
		return byOther
	}
	return byDriver
}

// entityRows draws entity rows, at times beside those of the writes and of the ends of
// their ttl, and says what each asks.
func (w *world) entityRows(n int) (arrow.Record, [][3]moment) {
	b := array.NewRecordBuilder(memory.DefaultAllocator, arrow.NewSchema([]arrow.Field{
		{Name: "row", Type: arrow.PrimitiveTypes.Int64},
		{Name: "driver_id", Type: arrow.PrimitiveTypes.Int64, Nullable: true},
		{Name: "other's id", Type: arrow.PrimitiveTypes.Int32, Nullable: true},
		{Name: "city", Type: arrow.BinaryTypes.String, Nullable: true},
		{Name: "zone", Type: arrow.PrimitiveTypes.Int32},
		{Name: "at", Type: &arrow.TimestampType{Unit: arrow.Nanosecond}},
	}, nil))
	defer b.Release()
	driver, _ := w.catalog().View("stats")
	place, _ := w.catalog().View("places")
	var moments [][3]moment
	for i := range n {
		b.Field(0).(*array.Int64Builder).Append(int64(i))
		var m [3]moment
		for a := range m {
			v := driver
			if a == byPlace {
				v = place
			}
			if m[a].key = w.key(v); w.rng.IntN(15) == 0 {
				m[a].key = nil
			}
		}
		if m[byDriver].key == nil {
			b.Field(1).AppendNull()
		} else {
			b.Field(1).(*array.Int64Builder).Append(m[byDriver].key[0].Int())
		}
		if m[byOther].key == nil {
			b.Field(2).AppendNull()
		} else {
			b.Field(2).(*array.Int32Builder).Append(int32(m[byOther].key[0].Int()))
		}
		if m[byPlace].key == nil {
			b.Field(3).AppendNull()
			b.Field(4).(*array.Int32Builder).Append(0)
		} else {
			b.Field(3).(*array.StringBuilder).Append(m[byPlace].key[0].Text())
			b.Field(4).(*array.Int32Builder).Append(int32(m[byPlace].key[1].Int()))
		}
		at := w.event() + w.rng.Int64N(3) - 1
		if w.rng.IntN(2) == 0 && len(w.writes) > 0 {
			at = w.writes[w.rng.IntN(len(w.writes))].change.EventTime + []int64{0, -1, 50 * micro, 50*micro + 1, micro}[w.rng.IntN(5)]
		}
		b.Field(5).(*array.TimestampBuilder).Append(arrow.Timestamp(at))
		for a := range m {
			m[a].at = at
		}
		moments = append(moments, m)
	}
	return b.NewRecord(), moments
}

// request asks for every feature, those of drivers for both of them.
func (w *world) request() training.Request {
	r := training.Request{EventTime: "at", Catalog: w.catalog()}
	for _, name := range []string{"stats", "places"} {
		v, _ := w.catalog().View(name)
		for _, f := range v.Fields {
			r.Features = append(r.Features, training.Feature{View: v, Name: f.Name, As: name + "__" + f.Name})
			if name == "stats" {
				r.Features = append(r.Features, training.Feature{View: v, Name: f.Name, As: "other__" + f.Name, Keys: []string{"other's id"}})
			}
		}
	}
	if w.rng.IntN(2) == 0 {
		r.KnownAsOf = time.UnixMilli(w.writes[w.rng.IntN(len(w.writes))].version.At.Millis())
	}
	return r
}

// print prints the query. What SQL refuses is taken out of the request, for all ways.
func (w *world) print(ctx context.Context, in *history.Reader, entity *arrow.Schema, path string, r *training.Request) (query string, refused int, err error) {
	q := offline.Query{Request: *r, History: in, Location: w.root, Entity: entity, EntityRows: path}
	if query, err = offline.Print(ctx, offline.DuckDB, q); !errors.Is(err, offline.ErrInexpressible) {
		return query, 0, err
	}
	reasons := err.Error()
	r.Features = slices.DeleteFunc(slices.Clone(r.Features), func(f training.Feature) bool {
		if !strings.Contains(reasons, fmt.Sprintf("view %s: feature %s ", f.View.Name, f.Name)) {
			return false
		}
		refused++
		return true
	})
	q.Request = *r
	query, err = offline.Print(ctx, offline.DuckDB, q)
	return query, refused, err
}

// joined makes the training set with the product.
func joined(ctx context.Context, dir string, in *history.Reader, entity arrow.Record, r training.Request) (cells [][]feature.Value, err error) {
	rows, err := array.NewRecordReader(entity.Schema(), []arrow.Record{entity})
	if err != nil {
		return nil, err
	}
	defer rows.Release()
	_, err = training.Join(ctx, pit.Config{SpillDir: dir}, in, rows, r, func(rec arrow.Record) error {
		for i := range int(rec.NumRows()) {
			var row []feature.Value
			for c, f := range r.Features {
				field, _ := f.View.Field(f.Name)
				v, err := history.ArrowValue(rec.Column(int(entity.NumCols())+c), i, field.Type)
				if err != nil {
					return err
				}
				row = append(row, v)
			}
			cells = append(cells, row)
		}
		return nil
	})
	return cells, err
}

// asked runs a query, whose first column numbers the rows, and returns the cells
// behind so many.
func asked(ctx context.Context, db *sql.DB, query string, own int) ([][]any, error) {
	rows, err := db.QueryContext(ctx, "SELECT * FROM ("+strings.TrimSuffix(strings.TrimSpace(query), ";")+`) ORDER BY "row"`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	var all [][]any
	for rows.Next() {
		cells, to := make([]any, len(names)), make([]any, len(names))
		for i := range cells {
			to[i] = &cells[i]
		}
		if err := rows.Scan(to...); err != nil {
			return nil, err
		}
		all = append(all, cells[own:])
	}
	return all, rows.Err()
}
