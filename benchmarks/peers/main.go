package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() {
	// Processes end with the thread that started them, so this one stays.
	runtime.LockOSThread()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := runAll(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "peers:", err)
		os.Exit(1)
	}
}

func runAll(ctx context.Context, args []string) error {
	set := flag.NewFlagSet("peers", flag.ContinueOnError)
	var p programs
	set.StringVar(&p.redis, "redis", "redis-server", "path of redis-server")
	set.StringVar(&p.mariadb, "mariadb", "mariadbd", "path of mariadbd; its share/mysql stands beside it")
	set.StringVar(&p.featurestore, "featurestore", "featurestore", "path of featurestore")
	dir := set.String("dir", "", "folder for all data, removed part by part")
	out := set.String("json", "", "file for the figures as JSON")
	only := set.String("only", "", "contenders to run, comma-separated; by default all: "+strings.Join(names(), ", "))
	parts := set.String("parts", "lag,writes,reads", "what to measure")
	if err := set.Parse(args); err != nil {
		return err
	}
	chosen, err := choose(*only)
	if err != nil {
		return err
	}
	todo, err := defaultPlan.only(strings.Split(*parts, ","))
	if err != nil {
		return err
	}
	if *dir == "" {
		return errors.New("-dir is needed: a folder on the disk that is measured")
	}
	r := report{Started: time.Now().UTC().Format(time.RFC3339), Machine: machine(), Disk: *dir}
	var failed []error
	for _, c := range chosen {
		fmt.Fprintf(os.Stderr, "%s %s\n", time.Now().UTC().Format(time.TimeOnly), c.name)
		one, err := contest(ctx, c, p, todo, filepath.Join(*dir, c.name))
		if err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", c.name, err))
			fmt.Fprintln(os.Stderr, "peers:", failed[len(failed)-1])
			if ctx.Err() != nil {
				break
			}
			continue
		}
		r.Results = append(r.Results, one)
	}
	r.writeTables(os.Stdout)
	if *out != "" {
		failed = append(failed, writeFile(*out, r))
	}
	return errors.Join(failed...)
}

func writeFile(name string, r report) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	return errors.Join(r.writeJSON(f), f.Close())
}

func names() (all []string) {
	for _, c := range contenders {
		all = append(all, c.name)
	}
	return all
}

func choose(only string) ([]contender, error) {
	if only == "" {
		return contenders, nil
	}
	var chosen []contender
	for name := range strings.SplitSeq(only, ",") {
		i := slices.Index(names(), name)
		if i < 0 {
			return nil, fmt.Errorf("no contender is called %q; there are %s", name, strings.Join(names(), ", "))
		}
		chosen = append(chosen, contenders[i])
	}
	return chosen, nil
}

// contest starts a contender in a folder of its own, measures it, stops it and
// removes the folder.
func contest(ctx context.Context, c contender, p programs, todo plan, dir string) (r result, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	disk, err := diskSync(dir)
	if err != nil {
		return r, err
	}
	s := &site{dir: dir, programs: p}
	defer func() { err = errors.Join(err, s.stop()) }()
	running, err := c.start(ctx, s)
	if err != nil {
		return r, err
	}
	r, err = run(ctx, running, todo)
	r.Name, r.Acked, r.Sync = c.name, c.acked, disk
	return r, err
}

// diskSync times how long the disk takes to keep 4 KiB more of a file: what one
// durable write costs at least, and how busy others keep the disk.
func diskSync(dir string) (quantiles, error) {
	f, err := os.Create(filepath.Join(dir, "sync"))
	if err != nil {
		return quantiles{}, err
	}
	defer func() { _ = f.Close() }() // nothing in it is wanted
	var took []time.Duration
	for range 200 {
		begun := time.Now()
		if _, err := f.Write(make([]byte, 4096)); err != nil {
			return quantiles{}, err
		}
		if err := f.Sync(); err != nil {
			return quantiles{}, err
		}
		took = append(took, time.Since(begun))
	}
	return quantilesOf(took), nil
}

// machine says on what the figures were taken.
func machine() string {
	model := "processor unknown"
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		if _, after, ok := strings.Cut(string(text), "model name"); ok {
			model, _, _ = strings.Cut(strings.TrimLeft(after, "\t :"), "\n")
		}
	}
	return fmt.Sprintf("%d processors (%s), %s", runtime.NumCPU(), model, runtime.Version())
}

// ownProcessorTime is what this program has used so far.
func ownProcessorTime() time.Duration { return processorTime([]int{os.Getpid()}) }
