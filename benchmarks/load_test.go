package benchmarks

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"featurestore/offline/outside"
)

// TestMain turns this binary into the load generator when asked: a closed loop
// must run in a second process, or it shares the server's scheduler and garbage
// collector.
func TestMain(m *testing.M) {
	if order := os.Getenv(loadOrderVariable); order != "" {
		if err := generate(order, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, "load:", err)
			os.Exit(1)
		}
		return
	}
	if len(os.Args) == 2 && os.Args[1] == outside.Command { // a child of a store that reads a file
		if err := outside.Serve(context.Background(), os.Stdin, os.NewFile(3, "file"), os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

const loadOrderVariable = "FEATURESTORE_LOAD_ORDER"

// loadOrder is what a load generator is to do.
type loadOrder struct {
	Kind        string // "http" or "redis"
	Address     string
	Path        string
	Headers     string // lines of the request besides those every one has
	Connections int
	Requests    int
	// Entities in each request, drawn uniformly from [0, Keys).
	Entities int
	Keys     int
}

// loadReport is what it did.
type loadReport struct {
	Requests int
	Bytes    int64
	Elapsed  time.Duration
	P50, P99 time.Duration
}

// load runs the order in a second process. The time that counts is the one the
// generator measured: starting a process is not part of it.
func load(b *testing.B, order loadOrder) loadReport {
	b.Helper()
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	text, err := json.Marshal(order)
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.CommandContext(b.Context(), self)
	cmd.Env = append(os.Environ(), loadOrderVariable+"="+string(text))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		b.Fatal(err)
	}
	var r loadReport
	if err := json.Unmarshal(out, &r); err != nil {
		b.Fatal(err)
	}
	return r
}

// side is one server of a comparison.
type side struct {
	name  string
	order loadOrder
}

// compare lets the sides take turns, a slice of requests each, until b is done,
// so that whatever else the machine does falls on all of them. It reports the
// requests a second of each, the latencies of the first, and what part of the
// other sides' rates the first reaches.
func compare(b *testing.B, requests int, sides []side) {
	b.Helper()
	totals := make([]loadReport, len(sides))
	var p50, p99 []time.Duration
	for i := range sides {
		sides[i].order.Requests = requests
		load(b, sides[i].order) // warm connections and caches
	}
	for b.Loop() {
		for i, s := range sides {
			r := load(b, s.order)
			totals[i].Requests += r.Requests
			totals[i].Bytes += r.Bytes
			totals[i].Elapsed += r.Elapsed
			if i == 0 {
				p50, p99 = append(p50, r.P50), append(p99, r.P99)
			}
		}
	}
	slices.Sort(p50)
	slices.Sort(p99)
	rate := func(r loadReport) float64 { return float64(r.Requests) / r.Elapsed.Seconds() }
	b.ReportMetric(0, "ns/op") // a round of turns; says nothing
	b.ReportMetric(float64(p50[len(p50)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(p99[len(p99)/2].Microseconds()), "p99-µs")
	b.ReportMetric(float64(totals[0].Bytes)/float64(totals[0].Requests), "B/req")
	for i, s := range sides {
		b.ReportMetric(rate(totals[i]), s.name+"-req/s")
		if i > 0 {
			b.ReportMetric(rate(totals[0])/rate(totals[i]), "of-"+s.name)
		}
	}
}

func generate(text string, out io.Writer) error {
	var order loadOrder
	if err := json.Unmarshal([]byte(text), &order); err != nil {
		return err
	}
	worker := httpWorker
	if order.Kind == "redis" {
		worker = redisWorker
	}
	var wg sync.WaitGroup
	reports := make([]workerReport, order.Connections)
	start := time.Now()
	for i := range reports {
		wg.Go(func() {
			share := order.Requests / order.Connections
			if i < order.Requests%order.Connections {
				share++
			}
			reports[i] = worker(order, share, rand.New(rand.NewPCG(uint64(i), uint64(order.Requests))))
		})
	}
	wg.Wait()
	elapsed := time.Since(start)
	r := loadReport{Elapsed: elapsed}
	var took []time.Duration
	for _, w := range reports {
		if w.err != nil {
			return w.err
		}
		r.Requests += len(w.took)
		r.Bytes += w.bytes
		took = append(took, w.took...)
	}
	slices.Sort(took)
	r.P50, r.P99 = took[len(took)/2], took[len(took)*99/100]
	return json.NewEncoder(out).Encode(r)
}

type workerReport struct {
	took  []time.Duration
	bytes int64
	err   error
}

// httpWorker sends requests over one keep-alive connection. It speaks HTTP/1.1
// by hand: a client that cost as much as the server would hide the server's
// share.
func httpWorker(order loadOrder, requests int, random *rand.Rand) (w workerReport) {
	conn, err := net.Dial("tcp", order.Address)
	if err != nil {
		return workerReport{err: err}
	}
	defer func() { _ = conn.Close() }()
	in := bufio.NewReaderSize(conn, 256<<10)
	w.took = make([]time.Duration, 0, requests)
	var body, request []byte
	for range requests {
		body = appendLookup(body[:0], order, random)
		request = append(request[:0], "POST "...)
		request = append(request, order.Path...)
		request = append(request, " HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n"...)
		request = append(append(request, order.Headers...), "Content-Length: "...)
		request = strconv.AppendInt(request, int64(len(body)), 10)
		request = append(append(request, "\r\n\r\n"...), body...)
		start := time.Now()
		if _, w.err = conn.Write(request); w.err != nil {
			return w
		}
		var n int
		if n, w.err = readResponse(in); w.err != nil {
			return w
		}
		w.took = append(w.took, time.Since(start))
		w.bytes += int64(n)
	}
	return w
}

func appendLookup(b []byte, order loadOrder, random *rand.Rand) []byte {
	b = append(b, `{"service":"bench","entities":{"driver_id":[`...)
	for i := range order.Entities {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, int64(random.IntN(order.Keys)), 10)
	}
	return append(b, "]}}"...)
}

// readResponse reads one answer of known length and returns its size.
func readResponse(in *bufio.Reader) (int, error) {
	length, first := -1, true
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return 0, err
		}
		const name = "Content-Length: "
		switch {
		case first && string(line[9:12]) != "200":
			rest, _ := io.ReadAll(io.LimitReader(in, 500))
			return 0, fmt.Errorf("answer %s%s", line, rest)
		case len(line) > len(name) && string(line[:len(name)]) == name:
			if length, err = strconv.Atoi(string(line[len(name) : len(line)-2])); err != nil {
				return 0, err
			}
		case len(line) == 2:
			_, err := in.Discard(length)
			return length, err
		}
		first = false
	}
}
