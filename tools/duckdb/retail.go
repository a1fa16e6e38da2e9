package main

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"featurestore/offline/history"
)

// checkRetail loads the Online Retail file into a store that keeps history, as the
// example does, makes a training set of every line, and compares each cell with SQL in
// DuckDB: with the query that export prints, over the history, and with one that was
// written by hand, over the file itself.
func checkRetail(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("retail", flag.ExitOnError)
	r := &retail{}
	flags.StringVar(&r.file, "file", os.Getenv("ONLINE_RETAIL"), "the file, CSV under gzip; default: ONLINE_RETAIL")
	flags.StringVar(&r.repo, "repo", filepath.Join("..", ".."), "the repository's root")
	flags.IntVar(&r.months, "months", 0, "only the first months; 0: all")
	flags.StringVar(&r.dir, "data", "", "folder to work in, kept; default: a temporary one")
	_ = flags.Parse(args) // it exits on errors
	if r.file == "" {
		return errors.New("the file is missing: set ONLINE_RETAIL, or -file")
	}
	if r.dir == "" {
		dir, remove, err := folder()
		if err != nil {
			return err
		}
		defer remove()
		r.dir = dir
	}
	for _, path := range []*string{&r.file, &r.repo, &r.dir} {
		var err error
		if *path, err = filepath.Abs(*path); err != nil {
			return err
		}
	}
	return r.run(ctx)
}

// retail is one run.
type retail struct {
	file, repo, dir string
	months          int
}

func (r *retail) path(name string) string { return filepath.Join(r.dir, name) }

// features of every view, as export names their columns with full names.
var retailFeatures = []string{
	"customer_stats:lines", "customer_stats:purchases", "customer_stats:cancellations", "customer_stats:spend", "customer_stats:last_seen",
	"customer_stats:countries", "customer_stats:last_country",
	"item_stats:description", "item_stats:price", "item_stats:max_price", "item_stats:min_price", "item_stats:sold", "item_stats:returned", "item_stats:adjusted",
	"customer_item:units", "customer_item:spend", "customer_item:last_price",
	"item_cancellation:invoice", "item_cancellation:units", "item_cancellation:price",
}

func (r *retail) run(ctx context.Context) error {
	build := exec.CommandContext(ctx, "go", "build", "-o", r.dir+string(filepath.Separator), "./cmd/featurestore", "./examples/online_retail/load")
	build.Dir, build.Stderr = r.repo, os.Stderr
	if err := build.Run(); err != nil {
		return fmt.Errorf("build the product: %w", err)
	}
	if err := r.load(ctx); err != nil {
		return err
	}
	db, err := sql.Open("duckdb", "")
	if err != nil {
		return err
	}
	defer db.Close()
	for _, statement := range []string{
		"SET TimeZone = 'UTC'", "SET temp_directory = '" + r.path("spill") + "'", r.lines(),
		"COPY (SELECT line, CustomerID, StockCode, InvoiceDate - INTERVAL 1 microsecond AS event_timestamp FROM lines ORDER BY line) TO '" + r.path("rows.parquet") + "' (FORMAT parquet)",
	} {
		if _, err := db.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("%w in\n%s", err, statement)
		}
	}
	asked := []string{"export", "--data", r.path("data"), "--features", strings.Join(retailFeatures, ","), "--full-feature-names", "--entity-rows", r.path("rows.parquet")}
	began := time.Now()
	printed, err := r.product(ctx, "featurestore", append(asked, "--out", r.path("train.parquet"))...)
	if err != nil {
		return err
	}
	fmt.Printf("%s(%.1f s)\n", printed, time.Since(began).Seconds())
	query, err := r.product(ctx, "featurestore", append(asked, "--emit", "duckdb-sql")...)
	if err != nil {
		return err
	}
	return r.compare(ctx, db, query)
}

func (r *retail) product(ctx context.Context, name string, args ...string) (string, error) {
	c := exec.CommandContext(ctx, r.path(name), args...)
	c.Dir, c.Stderr = r.repo, os.Stderr
	out, err := c.Output()
	if err != nil {
		err = fmt.Errorf("%s %s: %w", name, args[0], err)
	}
	return string(out), err
}

// load runs a store, loads the file, and ends the store when its history has come to
// rest.
func (r *retail) load(ctx context.Context) (err error) {
	serve := exec.CommandContext(ctx, r.path("featurestore"), "serve", "--region", "eu", "--store", "eu-1", "--data", r.path("data"),
		"--listen", "127.0.0.1:0", "--definitions", "examples/online_retail/definitions", "--history", "--history-every", "1s", "--log-level", "error")
	serve.Dir, serve.Stderr = r.repo, os.Stderr
	out, err := serve.StdoutPipe()
	if err != nil {
		return err
	}
	if err := serve.Start(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, serve.Process.Signal(os.Interrupt), serve.Wait()) }()
	url, err := urlOf(out)
	if err != nil {
		return err
	}
	printed, err := r.product(ctx, "load", "-url", url, "-months", strconv.Itoa(r.months), r.file)
	if err != nil {
		return err
	}
	fmt.Print(printed)
	return r.settle(ctx)
}

// urlOf reads what a store prints until it is ready: store NAME at URL, data in DIR.
func urlOf(out io.Reader) (url string, err error) {
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if _, rest, ok := strings.Cut(lines.Text(), " at "); ok {
			url, _, _ = strings.Cut(rest, ",")
		}
		if lines.Text() == "ready" {
			return url, nil
		}
	}
	return "", errors.Join(errors.New("the store ended before it was ready"), lines.Err())
}

// settle waits until the history has grown no more for five of its commits. Should it
// lack rows all the same, the comparison says so.
func (r *retail) settle(ctx context.Context) error {
	look := time.NewTicker(time.Second)
	defer look.Stop()
	for last, still := int64(-1), 0; still < 5; {
		select {
		case <-look.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		in, err := history.NewReader(ctx, history.NewDisk(r.path("data/history")))
		if err != nil {
			return err
		}
		rows := int64(0)
		for _, v := range in.Views() {
			for _, f := range in.Files(v, history.AllTime) {
				rows += f.Rows
			}
		}
		in.Close()
		if still++; rows != last {
			last, still = rows, 0
		}
	}
	return nil
}
