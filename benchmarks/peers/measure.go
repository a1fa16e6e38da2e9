package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// plan is how much is done; each part also ends after its limit. A part of
// which nothing is asked is left out.
type plan struct {
	Clients []int         // at once, in turn
	Writes  map[int]int   // by number of clients
	Limit   time.Duration // of one load
	Lags    int           // stamps whose way to the replica is timed
	Reads   map[int]int   // reads right after a write, by number of clients
}

var defaultPlan = plan{
	Clients: []int{1, 16, 64},
	Writes:  map[int]int{1: 4_000, 16: 40_000, 64: 60_000},
	Limit:   8 * time.Second,
	Lags:    500,
	Reads:   map[int]int{1: 1_000, 16: 8_000, 64: 8_000},
}

// only leaves the parts that are named.
func (p plan) only(parts []string) (plan, error) {
	q := plan{Clients: p.Clients, Limit: p.Limit}
	for _, part := range parts {
		switch part {
		case "lag":
			q.Lags = p.Lags
		case "writes":
			q.Writes = p.Writes
		case "reads":
			q.Reads = p.Reads
		default:
			return q, fmt.Errorf("no part is called %q; there are lag, writes and reads", part)
		}
	}
	return q, nil
}

// result is what was measured of a contender.
type result struct {
	Name    string         `json:"name"`
	Acked   string         `json:"acknowledged_means"`
	Version string         `json:"version"`
	Sync    quantiles      `json:"disk_sync"` // of the disk, just before
	Writes  []writesResult `json:"writes"`
	Lag     lagResult      `json:"lag"`
	Reads   []readsResult  `json:"reads_after_write"`
}

// run measures a contender that has been started.
func run(ctx context.Context, s system, p plan) (r result, err error) {
	m := &meter{system: s}
	defer m.close()
	if err := m.connect(ctx, slices.Max(p.Clients)); err != nil {
		return r, err
	}
	r.Version = s.version()
	if err := m.fill(ctx); err != nil {
		return r, fmt.Errorf("fill: %w", err)
	}
	if r.Lag, err = m.lag(ctx, p.Lags, p.Limit); err != nil {
		return r, fmt.Errorf("lag: %w", err)
	}
	for _, n := range p.Clients {
		if p.Writes[n] == 0 {
			continue
		}
		w, err := m.writes(ctx, n, p.Writes[n], p.Limit)
		if err != nil {
			return r, fmt.Errorf("writes of %d clients: %w", n, err)
		}
		r.Writes = append(r.Writes, w)
	}
	for _, session := range []bool{false, true} {
		if session && !s.sessions() {
			continue
		}
		for _, n := range p.Clients {
			if p.Reads[n] == 0 {
				continue
			}
			w, err := m.reads(ctx, n, p.Reads[n], p.Limit, session)
			if err != nil {
				return r, fmt.Errorf("reads of %d clients: %w", n, err)
			}
			r.Reads = append(r.Reads, w)
		}
	}
	return r, s.check(ctx)
}

// meter measures a system through clients of its own.
type meter struct {
	system  system
	clients []client
	stamps  atomic.Int64
}

func (m *meter) connect(ctx context.Context, n int) error {
	for len(m.clients) < n {
		c, err := m.system.client(ctx)
		if err != nil {
			return err
		}
		m.clients = append(m.clients, c)
	}
	return nil
}

func (m *meter) close() {
	for _, c := range m.clients {
		c.close()
	}
}

// each runs n operations, each client its share, until the limit. A client has
// the entities whose number leaves its own as remainder, so that nobody
// overwrites what it wrote. It returns how many were run.
func (m *meter) each(ctx context.Context, clients, n int, limit time.Duration, op func(ctx context.Context, k int, c client, id int) error) (int, time.Duration, error) {
	begun := time.Now()
	var done atomic.Int64
	errs := make([]error, clients)
	var all sync.WaitGroup
	for k := range clients {
		all.Go(func() {
			random := rand.New(rand.NewPCG(uint64(k), uint64(n)))
			for range n / clients {
				if ctx.Err() != nil || time.Since(begun) > limit {
					break
				}
				id := random.IntN(entities/clients)*clients + k
				if errs[k] = op(ctx, k, m.clients[k], id); errs[k] != nil {
					return
				}
				done.Add(1)
			}
		})
	}
	all.Wait()
	for _, err := range append(errs, ctx.Err()) {
		if err != nil {
			return 0, 0, err // the others are about the same
		}
	}
	return int(done.Load()), time.Since(begun), nil
}

// fill writes every entity once, and waits for the replica.
func (m *meter) fill(ctx context.Context) error {
	const clients = 16
	var next atomic.Int64
	n, _, err := m.each(ctx, clients, entities, 2*time.Minute, func(ctx context.Context, _ int, c client, _ int) error {
		return c.write(ctx, rowOf(int(next.Add(1)-1), m.stamps.Add(1)))
	})
	if err == nil && n != entities {
		err = fmt.Errorf("%d rows of %d were written in time", n, entities)
	}
	if err != nil {
		return err
	}
	_, err = m.settle(ctx)
	return err
}

// settle writes a row and returns how long the replica took to show it, all
// before it included.
func (m *meter) settle(ctx context.Context) (time.Duration, error) {
	const id = 0
	stamp := m.stamps.Add(1)
	begun := time.Now()
	if err := m.clients[0].write(ctx, rowOf(id, stamp)); err != nil {
		return 0, err
	}
	seen, err := m.seen(ctx, m.clients[0], id, stamp)
	return seen.Sub(begun), err
}

// seen polls the replica until it shows a stamp and returns when that was. It
// pauses between polls: without, on a busy machine, the polls took the
// processors that the write needed, and writes took a hundred times as long.
func (m *meter) seen(ctx context.Context, c client, id int, stamp int64) (time.Time, error) {
	const (
		patience = 2 * time.Minute
		pause    = 200 * time.Microsecond // time.Sleep knows no less than a millisecond
	)
	begun := time.Now()
	for {
		got, _, err := c.read(ctx, id, false)
		now := time.Now()
		switch {
		case err != nil:
			return now, err
		case got >= stamp:
			return now, nil
		case ctx.Err() != nil:
			return now, ctx.Err()
		case now.Sub(begun) > patience:
			return now, fmt.Errorf("the replica shows no write after %v", patience)
		}
		_ = syscall.Nanosleep(&syscall.Timespec{Nsec: pause.Nanoseconds()}, nil) // cut short is as good
	}
}

// writesResult is what a load of writes got.
type writesResult struct {
	Clients   int       `json:"clients"`
	Acked     int       `json:"acknowledged"`
	Seconds   float64   `json:"seconds"`
	PerSecond float64   `json:"per_second"`
	Ack       quantiles `json:"acknowledged_after"`
	// Processor is what the processes of the system used for a write, all
	// replicas together, and ClientProcessor what this program used.
	Processor       micros `json:"processor_per_write_us"`
	ClientProcessor micros `json:"client_processor_per_write_us"`
	// Others is how many processors all else on the machine used meanwhile.
	Others float64 `json:"processors_of_others"`
	// Behind is how long after the load the replica showed a further write.
	Behind millis `json:"behind_at_the_end_ms"`
}

func (m *meter) writes(ctx context.Context, clients, n int, limit time.Duration) (r writesResult, err error) {
	took := make([][]time.Duration, clients)
	pids := m.system.pids()
	used, own, busy := processorTime(pids), ownProcessorTime(), busyTime()
	acked, elapsed, err := m.each(ctx, clients, n, limit, func(ctx context.Context, k int, c client, id int) error {
		begun := time.Now()
		err := c.write(ctx, rowOf(id, m.stamps.Add(1)))
		took[k] = append(took[k], time.Since(begun))
		return err
	})
	if err != nil || acked == 0 {
		return r, errors.Join(err, ctx.Err())
	}
	used, own, busy = processorTime(pids)-used, ownProcessorTime()-own, busyTime()-busy
	behind, err := m.settle(ctx)
	each := time.Duration(acked)
	return writesResult{
		Clients: clients, Acked: acked, Seconds: elapsed.Seconds(), PerSecond: float64(acked) / elapsed.Seconds(),
		Ack: quantilesOf(took...), Processor: micros(used / each), ClientProcessor: micros(own / each),
		Others: round(max(0, busy-used-own).Seconds() / elapsed.Seconds()), Behind: millis(behind),
	}, err
}

// lagResult tells how long a write takes to the replica while nothing else is
// written: from its sending, and from its acknowledgement, which may come later.
type lagResult struct {
	Samples   int       `json:"samples"`
	Ack       quantiles `json:"acknowledged_after"`
	FromSent  quantiles `json:"shown_after_sending"`
	FromAcked quantiles `json:"shown_after_acknowledgement"`
	Poll      quantiles `json:"one_poll"` // how fine the figures are
}

// lag writes stamps one by one, while another client polls the replica. The
// time of a poll is told without the pause between two.
func (m *meter) lag(ctx context.Context, n int, limit time.Duration) (r lagResult, err error) {
	const pause = 2 * time.Millisecond // lets a stamp find everything at rest
	writer, reader := m.clients[0], m.clients[1]
	var ack, sent, acked, poll []time.Duration
	begun := time.Now()
	for i := 0; i < n && time.Since(begun) < limit; i++ {
		id := i % entities
		stamp := m.stamps.Add(1)
		before := time.Now()
		if _, _, err := reader.read(ctx, id, false); err != nil {
			return r, err
		}
		poll = append(poll, time.Since(before))
		type sight struct {
			at  time.Time
			err error
		}
		sights := make(chan sight, 1)
		polling, stop := context.WithCancel(ctx)
		from := time.Now()
		go func() {
			at, err := m.seen(polling, reader, id, stamp)
			sights <- sight{at, err}
		}()
		err := writer.write(ctx, rowOf(id, stamp))
		answered := time.Now()
		if err != nil {
			stop()
		}
		s := <-sights
		stop()
		if err := errors.Join(err, s.err); err != nil {
			return r, err
		}
		ack = append(ack, answered.Sub(from))
		sent = append(sent, s.at.Sub(from))
		acked = append(acked, max(0, s.at.Sub(answered)))
		select {
		case <-ctx.Done():
			return r, ctx.Err()
		case <-time.After(pause):
		}
	}
	return lagResult{Samples: len(sent), Ack: quantilesOf(ack), FromSent: quantilesOf(sent), FromAcked: quantilesOf(acked), Poll: quantilesOf(poll)}, nil
}

// readsResult is what clients saw that wrote and then read at the replica.
type readsResult struct {
	Clients int       `json:"clients"`
	Session bool      `json:"session"`
	Reads   int       `json:"reads"`
	Stale   int       `json:"stale"`
	Read    quantiles `json:"read_took"`
	// Waited counts reads of which the replica says that they waited, and Longest
	// is the longest of them, in whole milliseconds rounded up.
	Waited  int    `json:"waited"`
	Longest millis `json:"longest_wait_ms"`
}

func (r readsResult) share() float64 { return float64(r.Stale) / float64(max(1, r.Reads)) }

// reads lets each client write a row and read it at the replica at once.
func (m *meter) reads(ctx context.Context, clients, n int, limit time.Duration, session bool) (r readsResult, err error) {
	took := make([][]time.Duration, clients)
	var stale, waited, longest atomic.Int64
	done, _, err := m.each(ctx, clients, n, limit, func(ctx context.Context, k int, c client, id int) error {
		stamp := m.stamps.Add(1)
		if err := c.write(ctx, rowOf(id, stamp)); err != nil {
			return err
		}
		begun := time.Now()
		got, wait, err := c.read(ctx, id, session)
		took[k] = append(took[k], time.Since(begun))
		if got != stamp {
			stale.Add(1)
		}
		if wait > 0 {
			waited.Add(1)
		}
		for l := longest.Load(); int64(wait) > l && !longest.CompareAndSwap(l, int64(wait)); l = longest.Load() {
		}
		return err
	})
	if err != nil {
		return r, err
	}
	if _, err := m.settle(ctx); err != nil {
		return r, err
	}
	return readsResult{
		Clients: clients, Session: session, Reads: done, Stale: int(stale.Load()), Read: quantilesOf(took...),
		Waited: int(waited.Load()), Longest: millis(longest.Load()),
	}, nil
}
