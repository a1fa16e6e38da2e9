package main

import (
	"context"
	"database/sql"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"strings"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/apache/arrow/go/v17/parquet/file"
	"github.com/apache/arrow/go/v17/parquet/pqarrow"
	_ "github.com/duckdb/duckdb-go/v2"

	"featurestore/offline/pit"
)

// side is the flags of one measured process.
type side struct {
	data, out string
	threads   int
	memory    int64
	ordered   bool
	profile   string
}

func (s *side) parse(name string, args []string) {
	flags := flag.NewFlagSet(name, flag.ExitOnError)
	flags.StringVar(&s.data, "data", "", "folder with the files that bench made")
	flags.StringVar(&s.out, "out", "", "Parquet file to write")
	flags.IntVar(&s.threads, "threads", 2, "threads")
	flags.Int64Var(&s.memory, "memory", 0, "memory limit in MiB; 0: none")
	flags.BoolVar(&s.ordered, "ordered", false, "DuckDB: keep the order of the input")
	flags.StringVar(&s.profile, "profile", "", "pit: write a CPU profile there")
	_ = flags.Parse(args) // it exits on errors
}

// runPit joins with featurestore/offline/pit.
func runPit(ctx context.Context, args []string) error {
	var s side
	s.parse("pit", args)
	runtime.GOMAXPROCS(s.threads)
	if s.profile != "" {
		f, err := os.Create(s.profile)
		if err != nil {
			return err
		}
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	paths, err := filepath.Glob(filepath.Join(s.data, "features-*.parquet"))
	if err != nil {
		return err
	}
	table, err := pit.OpenParquet(ctx, pit.Columns{Keys: []string{"driver_id"}, EventTime: "event_timestamp"}, nil, paths...)
	if err != nil {
		return err
	}
	f, err := os.Open(filepath.Join(s.data, "entity.parquet"))
	if err != nil {
		return err
	}
	defer f.Close()
	raw, err := file.NewParquetReader(f)
	if err != nil {
		return err
	}
	in, err := pqarrow.NewFileReader(raw, pqarrow.ArrowReadProperties{BatchSize: 64 << 10}, memory.DefaultAllocator)
	if err != nil {
		return err
	}
	entity, err := in.GetRecordReader(ctx, nil, nil)
	if err != nil {
		return err
	}
	request := pit.Request{
		EventTime: "event_timestamp",
		Views:     []pit.View{{Name: "stats", Table: table, Keys: []string{"driver_id"}, TTL: 7 * 24 * time.Hour}},
	}
	for c := range width {
		request.Features = append(request.Features, pit.Feature{View: "stats", Name: fmt.Sprintf("f%d", c)})
	}
	var out *pqarrow.FileWriter
	report, err := pit.Join(ctx, pit.Config{Threads: s.threads, MemoryLimit: s.memory << 20, SpillDir: filepath.Dir(s.out)}, entity, request, func(r arrow.Record) error {
		if out == nil {
			if out, err = parquetWriter(s.out, r.Schema(), groupLen); err != nil {
				return err
			}
		}
		return out.WriteBuffered(r)
	})
	if err != nil {
		return err
	}
	if out != nil {
		err = out.Close()
	}
	fmt.Printf("%+v\n", *report)
	return err
}

// runASOF joins with DuckDB.
func runASOF(ctx context.Context, args []string) error {
	var s side
	s.parse("asof", args)
	db, err := sql.Open("duckdb", "")
	if err != nil {
		return err
	}
	defer db.Close()
	settings := fmt.Sprintf("SET threads = %d; SET temp_directory = '%s'", s.threads, filepath.Dir(s.out))
	if s.memory > 0 {
		settings += fmt.Sprintf("; SET memory_limit = '%d MiB'", s.memory)
	}
	if _, err := db.ExecContext(ctx, settings); err != nil {
		return err
	}
	var features []string
	for c := range width {
		features = append(features, fmt.Sprintf("CASE WHEN f.event_timestamp >= e.event_timestamp - INTERVAL 7 DAY THEN f.f%d END AS f%d", c, c))
	}
	query := fmt.Sprintf(`SELECT e.driver_id, e.event_timestamp, e.label, %s
		FROM read_parquet('%s') e ASOF LEFT JOIN read_parquet('%s') f
		ON e.driver_id = f.driver_id AND e.event_timestamp >= f.event_timestamp`,
		strings.Join(features, ", "), filepath.Join(s.data, "entity.parquet"), filepath.Join(s.data, "features-*.parquet"))
	if s.ordered {
		query = strings.Replace(query, "read_parquet('"+filepath.Join(s.data, "entity.parquet")+"') e", "read_parquet('"+filepath.Join(s.data, "entity.parquet")+"', file_row_number = true) e", 1) + " ORDER BY e.file_row_number"
	}
	_, err = db.ExecContext(ctx, fmt.Sprintf("COPY (%s) TO '%s' (FORMAT parquet, COMPRESSION snappy)", query, s.out))
	return err
}
