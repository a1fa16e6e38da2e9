package benchmarks

import (
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

var idleTime = flag.Duration("idle.time", 5*time.Second, "how long BenchmarkIdle looks in a round")

// BenchmarkIdle looks at three regions in which nobody reads or writes: what
// they send each other, how often threads of the process wake up, and the
// processor time that takes. The two stand beside each other: what it costs to
// be idle does not depend on what is stored.
func BenchmarkIdle(b *testing.B) {
	for _, rows := range []int{1_000, 100_000} {
		b.Run(fmt.Sprintf("rows=%d", rows), func(b *testing.B) {
			c := startCluster(b, false, "ap", "eu", "us")
			_, last := commit(b, c.stores[1], c.view(b), 0, rows, 1000, 4)
			for _, m := range c.stores {
				wait(b, m, last)
			}
			idle(b, func() (n int64) {
				for _, m := range c.stores {
					n += m.bytes.Load()
				}
				return n
			})
		})
	}
}

// BenchmarkIdleLeaders looks at the same regions, whole replicas now, when leaders
// of one partition and of many are spread over them: each is a log of its own.
func BenchmarkIdleLeaders(b *testing.B) {
	for _, partitions := range []int{1, 16, 256} {
		b.Run(fmt.Sprintf("partitions=%d", partitions), func(b *testing.B) {
			var bytes atomic.Int64
			startCountedRegions(b, &bytes, fmt.Sprintf("groups: [{name: default, preset: redis-cluster, partitions: %d, routing: forward}]\n", partitions))
			idle(b, bytes.Load)
		})
	}
}

// idle reports what it takes to do nothing, per second.
func idle(b *testing.B, sent func() int64) {
	b.Helper()
	rest(b, 3*time.Second) // until the rows lie in files
	var bytes, wakes int64
	var cpu, passed time.Duration
	for b.Loop() {
		bytes0, wakes0, cpu0, start := sent(), wakeUps(b), processorTime(b), time.Now()
		rest(b, *idleTime)
		bytes, wakes, cpu = bytes+sent()-bytes0, wakes+wakeUps(b)-wakes0, cpu+processorTime(b)-cpu0
		passed += time.Since(start)
	}
	b.ReportMetric(0, "ns/op") // a round; says nothing
	b.ReportMetric(float64(bytes)/passed.Seconds(), "B/s")
	b.ReportMetric(float64(wakes)/passed.Seconds(), "wake-ups/s")
	b.ReportMetric(100*cpu.Seconds()/passed.Seconds(), "%cpu")
}

// wakeUps is how often threads of this process have begun to wait for something:
// each time ends with a wake-up.
func wakeUps(b *testing.B) (n int64) {
	b.Helper()
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		b.Skip("wake-ups are counted on Linux only: ", err)
	}
	for _, t := range tasks {
		text, err := os.ReadFile("/proc/self/task/" + t.Name() + "/status")
		if err != nil {
			continue // it has just ended
		}
		_, rest, _ := strings.Cut(string(text), "\nvoluntary_ctxt_switches:\t")
		number, _, _ := strings.Cut(rest, "\n")
		switches, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			b.Fatal(err)
		}
		n += switches
	}
	return n
}

// processorTime is what this process has taken of the processors.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
