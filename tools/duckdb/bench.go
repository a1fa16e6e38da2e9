package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"
)

// bench lets the sides take turns and prints the median of each.
func bench(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("bench", flag.ExitOnError)
	var s shape
	s.flags(flags)
	data := flags.String("data", "", "folder for the files, kept and used again; default: a temporary one")
	rounds := flags.Int("rounds", 3, "rounds")
	threads := flags.Int("threads", 2, "threads")
	ordered := flags.Bool("ordered", false, "let DuckDB keep the order of its input")
	_ = flags.Parse(args) // it exits on errors

	dir := *data
	if dir == "" {
		var err error
		if dir, err = os.MkdirTemp("", "pit-bench-"); err != nil {
			return err
		}
		defer os.RemoveAll(dir)
	}
	if _, err := os.Stat(filepath.Join(dir, "entity.parquet")); err != nil {
		// In a process of its own: the peak of a process counts from its parent's.
		_, err := measure(ctx, []string{
			"generate", "-data", dir, "-features", strconv.Itoa(s.features), "-entities", strconv.Itoa(s.entities),
			"-rows", strconv.Itoa(s.rows), "-files", strconv.Itoa(s.files),
		})
		if err != nil {
			return err
		}
	}
	sides := []struct {
		name string
		args []string
	}{
		{"pit", []string{"pit"}},
		{"pit, 256 MiB", []string{"pit", "-memory", "256"}},
		{"duckdb", []string{"asof", "-ordered=" + strconv.FormatBool(*ordered)}},
	}
	measured := make([][]usage, len(sides))
	for range *rounds {
		for i, side := range sides {
			out := filepath.Join(dir, "out.parquet")
			u, err := measure(ctx, append(side.args, "-data", dir, "-out", out, "-threads", strconv.Itoa(*threads)))
			if err != nil {
				return fmt.Errorf("%s: %w", side.name, err)
			}
			measured[i] = append(measured[i], u)
			if err := os.Remove(out); err != nil {
				return err
			}
		}
	}
	fmt.Printf("%-14s %8s %8s %9s   of duckdb: wall, peak\n", "", "wall s", "CPU s", "peak MiB")
	last := median(measured[len(sides)-1])
	for i, side := range sides {
		m := median(measured[i])
		fmt.Printf("%-14s %8.2f %8.2f %9d   %.2f %.2f\n", side.name, m.wall.Seconds(), m.cpu.Seconds(), m.peak>>20,
			m.wall.Seconds()/last.wall.Seconds(), float64(m.peak)/float64(last.peak))
	}
	return nil
}

// usage is what one process took.
type usage struct {
	wall, cpu time.Duration
	peak      int64 // bytes resident
}

func measure(ctx context.Context, args []string) (usage, error) {
	self, err := os.Executable()
	if err != nil {
		return usage{}, err
	}
	c := exec.CommandContext(ctx, self, args...)
	c.Stdout, c.Stderr = os.Stderr, os.Stderr
	start := time.Now()
	err = c.Run()
	u := usage{wall: time.Since(start)}
	if c.ProcessState != nil {
		u.cpu = c.ProcessState.UserTime() + c.ProcessState.SystemTime()
		u.peak = c.ProcessState.SysUsage().(*syscall.Rusage).Maxrss << 10
	}
	return u, err
}

// median is taken of each figure by itself.
func median(us []usage) usage {
	var wall, cpu []time.Duration
	var peak []int64
	for _, u := range us {
		wall, cpu, peak = append(wall, u.wall), append(cpu, u.cpu), append(peak, u.peak)
	}
	slices.Sort(wall)
	slices.Sort(cpu)
	slices.Sort(peak)
	return usage{wall[len(wall)/2], cpu[len(cpu)/2], peak[len(peak)/2]}
}
