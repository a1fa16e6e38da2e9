package benchmarks

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// startRedis starts Debian's redis-server on loopback without persistence, fills
// it with the drivers, and stops it with the benchmark. It returns "" where it
// is not installed.
func startRedis(b *testing.B) (address string) {
	b.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		return ""
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	address = listener.Addr().String()
	port := listener.Addr().(*net.TCPAddr).Port
	if err := listener.Close(); err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command(path, "--port", strconv.Itoa(port), "--bind", "127.0.0.1",
		"--save", "", "--appendonly", "no", "--dir", b.TempDir())
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // killed on purpose
	})
	client := redis.NewClient(&redis.Options{Addr: address})
	defer func() { _ = client.Close() }()
	for range 100 {
		if client.Ping(b.Context()).Err() == nil {
			fillRedis(b, client, lookupRows)
			return address
		}
		<-time.After(20 * time.Millisecond)
	}
	b.Fatal("redis-server did not answer within 2 s")
	return ""
}

// fillRedis stores the rows as hashes, one a driver.
func fillRedis(b *testing.B, client *redis.Client, rows int) {
	b.Helper()
	const batch = 1000
	for from := 0; from < rows; from += batch {
		pipe := client.Pipeline()
		for id := from; id < min(from+batch, rows); id++ {
			pipe.HSet(b.Context(), redisKey(id), redisFields(id)...)
		}
		if _, err := pipe.Exec(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

func redisKey(id int) string { return "driver_stats:" + strconv.Itoa(id) }

func redisFields(id int) []any {
	out := make([]any, 0, 2*benchFeatures)
	for i, v := range benchRow(id) {
		out = append(out, featureName(i), strconv.FormatFloat(v, 'g', -1, 64))
	}
	return out
}

// redisWorker looks the same rows up with a plain Go client: one pipeline of
// HMGET a request, as a service that keeps its features in Redis would.
func redisWorker(order loadOrder, requests int, random *rand.Rand) (w workerReport) {
	ctx := context.Background()
	client := redis.NewClient(&redis.Options{Addr: order.Address, PoolSize: 1})
	defer func() { _ = client.Close() }()
	fields := make([]string, benchFeatures)
	for i := range fields {
		fields[i] = featureName(i)
	}
	for range requests {
		start := time.Now()
		pipe := client.Pipeline()
		answers := make([]*redis.SliceCmd, order.Entities)
		for i := range answers {
			answers[i] = pipe.HMGet(ctx, redisKey(random.IntN(order.Keys)), fields...)
		}
		if _, err := pipe.Exec(ctx); err != nil {
			return workerReport{err: err}
		}
		for _, a := range answers {
			if len(a.Val()) != benchFeatures || a.Val()[0] == nil {
				return workerReport{err: fmt.Errorf("a row is missing: %v", a.Val())}
			}
		}
		w.took = append(w.took, time.Since(start))
	}
	return w
}
