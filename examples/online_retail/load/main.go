package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"time"

	"featurestore/sdk"
)

func main() {
	url := flag.String("url", cmp.Or(os.Getenv("FEATURESTORE_URL"), "http://127.0.0.1:8080"), "address of the `store`; FEATURESTORE_URL")
	months := flag.Int("months", 0, "only the first `N` calendar months; 0 is all")
	rows := flag.String("entity-rows", "", "load nothing: write a CSV `file` with a row for each line, to make a training set for")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: load [flags] [FILE]   FILE: $ONLINE_RETAIL, else ../shared/data/online_retail.csv.gz")
		flag.PrintDefaults()
	}
	flag.Parse()
	path := cmp.Or(flag.Arg(0), os.Getenv("ONLINE_RETAIL"), "../shared/data/online_retail.csv.gz")
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	do := func() error { return load(ctx, *url, path, *months) }
	if *rows != "" {
		do = func() error { return entityRows(path, *rows, *months) }
	}
	if err := do(); err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		stop()
		os.Exit(1)
	}
}

// load loads a file and says how fast.
func load(ctx context.Context, url, path string, months int) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	name, err := contentOf(f)
	if err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	lines, err := newLineReader(f, months)
	if err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	client, err := sdk.New(sdk.Config{URLs: []string{url}, Project: "online_retail", Timeout: time.Minute})
	if err != nil {
		return err
	}
	defer client.Close()
	ld := &loader{client: client, file: name}
	begin := time.Now()
	stop := report(ld, begin)
	err = ld.run(ctx, lines)
	stop()
	if err != nil {
		return fmt.Errorf("%w\n%d lines are stored; run it again, and it goes on from there", err, ld.lines.Load())
	}
	took := time.Since(begin)
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	fmt.Printf("%d lines, %d rows in %.1f s: %.0f rows/s; %d rows were there already; %d MiB of memory\n",
		ld.lines.Load(), ld.rows.Load(), took.Seconds(), float64(ld.rows.Load())/took.Seconds(), ld.repeated.Load(), mem.Sys>>20)
	return nil
}

// contentOf names a file by what it holds, and goes back to its start.
func contentOf(f *os.File) (string, error) {
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)[:8]), nil
}

// report prints the progress every second, on a terminal, until the function
// it returns is called.
func report(ld *loader, begin time.Time) (stop func()) {
	if info, err := os.Stderr.Stat(); err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return func() {}
	}
	ended, printed := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(printed)
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case <-ended:
				fmt.Fprintln(os.Stderr)
				return
			case <-tick.C:
				rows := ld.rows.Load()
				fmt.Fprintf(os.Stderr, "\r%8d lines %9d rows %8.0f rows/s", ld.lines.Load(), rows, float64(rows)/time.Since(begin).Seconds())
			}
		}
	}()
	return func() { close(ended); <-printed }
}
