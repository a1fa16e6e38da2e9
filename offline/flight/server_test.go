package flight

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/flight"
	"google.golang.org/grpc/codes"

	"featurestore/api"
	"featurestore/offline/export"
)

// A handler that panics fails its caller, and nobody else.
func TestAPanicIsOneCallersError(t *testing.T) {
	h := open(t)
	h.write(500)
	bad := &panicking{Source: h.source()}
	client := h.serve(func(c *Config) { c.Source = bad })
	d := command(t, api.ExportRequest{Rows: "driver_stats"})
	bad.panics.Store(true)
	_, err := client.GetFlightInfo(t.Context(), d)
	wantStatus(t, "a call", err, codes.Internal, "its log says more")
	_, err = get(t.Context(), client, &flight.Ticket{Ticket: d.Cmd})
	wantStatus(t, "a stream", err, codes.Internal, "its log says more")
	bad.panics.Store(false)
	if got, err := get(t.Context(), client, &flight.Ticket{Ticket: d.Cmd}); err != nil || got.manifest == nil {
		t.Errorf("afterwards: %v", err)
	}
	synctest.Test(t, func(t *testing.T) {
		s := testServer(t)
		func() {
			defer func() { _ = recover() }()
			_ = s.send(&pipe{ctx: t.Context(), take: make(chan struct{})}, api.FlightRequest{}, exportFunc(func(context.Context, func(arrow.Record) error) (*api.ExportManifest, error) {
				panic("boom")
			}))
		}()
		s.sending.Wait()
	})
}

// panicking is a source that panics when it is told to.
type panicking struct {
	export.Source
	panics atomic.Bool
}

func (p *panicking) Now(ctx context.Context) (*export.Past, error) {
	if p.panics.Load() {
		panic("boom")
	}
	return p.Source.Now(ctx)
}

// FL5: a client that leaves half-way leaves nothing behind; goleak looks for goroutines.
func TestACancelledStreamLeavesNothing(t *testing.T) {
	h := open(t)
	h.write(5000)
	spill := t.TempDir()
	client, stop := h.server(func(c *Config) { c.Join.SpillDir = spill })
	_, rec := entityRecords(20_000)
	for i := range 20 {
		ctx, cancel := context.WithCancel(t.Context())
		info, err := client.GetFlightInfo(ctx, command(t, []api.ExportRequest{{Rows: "driver_stats"}, {Snapshot: "driver_stats"}}[i%2]))
		if err != nil {
			t.Fatal(err)
		}
		stream, err := client.DoGet(ctx, info.Endpoint[0].Ticket)
		if err != nil {
			t.Fatal(err)
		}
		if i%4 > 1 {
			if _, err := stream.Recv(); err != nil {
				t.Fatal(err)
			}
		}
		exchanged, err := client.DoExchange(ctx)
		if err != nil {
			t.Fatal(err)
		}
		cancel()
		for err == nil {
			_, err = stream.Recv()
		}
		for err = nil; err == nil; {
			_, err = exchanged.Recv()
		}
	}
	// One that leaves while its training set is being made.
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := exchange(cancelAfter{ctx, cancel}, client, command(t, api.ExportRequest{Service: "driver_v1"}), rec, 4); err == nil {
		t.Error("a cancelled exchange ended well")
	}
	stop()
	if left, err := os.ReadDir(spill); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	h.write(10)
	r := h.history.Reader()
	defer r.Close()
}

// cancelAfter is a context that ends when its Deadline was asked for often: in the
// middle of an exchange.
type cancelAfter struct {
	context.Context
	cancel context.CancelFunc
}

func (c cancelAfter) Deadline() (time.Time, bool) {
	c.cancel()
	return c.Context.Deadline()
}

// FL6: whoever has not said what he wants takes no place of those who have.
func TestSilentExchangesTakeNoPlace(t *testing.T) {
	h := open(t)
	h.write(100)
	client := h.serve(func(c *Config) { c.Streams, c.Trainings = 2, 2 })
	var silent []flight.FlightService_DoExchangeClient
	for range 2 {
		s, err := client.DoExchange(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		silent = append(silent, s)
	}
	for range 20 { // each call is a turn of the server
		if _, err := client.GetFlightInfo(t.Context(), command(t, api.ExportRequest{Rows: "driver_stats"})); err != nil {
			t.Fatal(err)
		}
	}
	_, rec := entityRecords(10)
	if got, err := exchange(t.Context(), client, command(t, api.ExportRequest{Service: "driver_v1"}), rec, 1); err != nil || len(got.rows) != 10 {
		t.Errorf("a third one beside two that are silent: %v", err)
	}
	for _, s := range silent {
		if err := s.CloseSend(); err != nil {
			t.Fatal(err)
		}
		_, err := s.Recv()
		wantStatus(t, "silence", err, codes.InvalidArgument, "descriptor")
	}
}

// FL6: more streams than may are refused at once, and taken again when one has ended.
func TestStreamsAreBounded(t *testing.T) {
	h := open(t)
	h.write(500)
	var began, ended atomic.Int64
	client := h.serve(func(c *Config) {
		c.Streams, c.Trainings = 3, 1
		c.Began = func() func() {
			began.Add(1)
			return func() { ended.Add(1) }
		}
	})
	_, rec := entityRecords(10)
	d := command(t, api.ExportRequest{Service: "driver_v1"})
	held := h.hold(client, rec)
	for range 3 {
		_, err := exchange(t.Context(), client, d, rec, 1)
		wantStatus(t, "a second training set", err, codes.ResourceExhausted, "try again")
		_, err = get(t.Context(), client, &flight.Ticket{Ticket: command(t, api.ExportRequest{Snapshot: "driver_stats"}).Cmd})
		wantStatus(t, "a snapshot beside it", err, codes.ResourceExhausted, "try again")
	}
	info, err := client.GetFlightInfo(t.Context(), command(t, api.ExportRequest{Rows: "driver_stats"}))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := get(t.Context(), client, info.Endpoint[0].Ticket); err != nil {
		t.Errorf("rows while a training set is made: %v", err)
	}
	if err := held.CloseSend(); err != nil {
		t.Fatal(err)
	}
	if got, err := readAll(held); err != nil || len(got.rows) != 10 {
		t.Errorf("the one that was held: %v", err)
	}
	if _, err := exchange(t.Context(), client, d, rec, 1); err != nil {
		t.Errorf("after the one that was held: %v", err)
	}
	if began.Load() != 2 || ended.Load() != 2 {
		t.Errorf("%d joins were told to begin and %d to end, want the two that ran", began.Load(), ended.Load())
	}
}

// FL1: a damaged file is an error that names it, and no end.
func TestADamagedFileBreaksTheStream(t *testing.T) {
	h := open(t)
	h.write(5000)
	client := h.serve()
	info, err := client.GetFlightInfo(t.Context(), command(t, api.ExportRequest{Rows: "driver_stats"}))
	if err != nil {
		t.Fatal(err)
	}
	all, err := filepath.Glob(filepath.Join(h.folder, "rides", "driver_stats", "*", "*.parquet"))
	if err != nil || len(all) < 2 {
		t.Fatalf("files %v, %v", all, err)
	}
	last := all[len(all)-1]
	data, err := os.ReadFile(last)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)/2] ^= 0x40
	if err := os.Chmod(last, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(last, data, 0o600); err != nil {
		t.Fatal(err)
	}
	whole := command(t, api.ExportRequest{Rows: "driver_stats"})
	got, err := get(t.Context(), client, &flight.Ticket{Ticket: whole.Cmd})
	wantStatus(t, "all rows", err, codes.DataLoss, filepath.Base(last))
	if got == nil || len(got.rows) == 0 || got.manifest != nil {
		t.Errorf("got %+v: want the rows before, and no manifest", got)
	}
	broken := 0
	for _, e := range info.Endpoint {
		if _, err := get(t.Context(), client, e.Ticket); err != nil {
			broken++
		}
	}
	if broken != 1 {
		t.Errorf("%d parts are broken of %d, want the one with the file", broken, len(info.Endpoint))
	}
	_, rec := entityRecords(100)
	_, err = exchange(t.Context(), client, command(t, api.ExportRequest{Service: "driver_v1"}), rec, 1)
	wantStatus(t, "a training set", err, codes.DataLoss, filepath.Base(last))
	if err := os.Remove(last); err != nil {
		t.Fatal(err)
	}
	_, err = get(t.Context(), client, info.Endpoint[len(info.Endpoint)-1].Ticket)
	wantStatus(t, "a file that is not there", err, codes.NotFound, "ask for the flight again")
}

// A stop lets streams end, and cuts off what does not.
func TestAStopDrains(t *testing.T) {
	for _, cut := range []bool{false, true} {
		t.Run(fmt.Sprint("cut=", cut), func(t *testing.T) {
			h := open(t)
			h.write(500)
			drain := time.Minute
			if cut {
				drain = time.Millisecond
			}
			client, stop := h.server(func(c *Config) { c.Drain = drain })
			_, rec := entityRecords(10)
			held := h.hold(client, rec)
			stopped := make(chan struct{})
			go func() {
				defer close(stopped)
				stop()
			}()
			if cut {
				if _, err := readAll(held); err == nil {
					t.Error("a stream that was cut off ended well")
				}
				<-stopped
				return
			}
			if err := held.CloseSend(); err != nil {
				t.Fatal(err)
			}
			if got, err := readAll(held); err != nil || len(got.rows) != 10 || got.manifest == nil {
				t.Errorf("the stream that was drained: %v", err)
			}
			<-stopped
			_, err := client.GetFlightInfo(t.Context(), command(t, api.ExportRequest{Rows: "driver_stats"}))
			wantStatus(t, "a stopped server", err, codes.Unavailable, "")
		})
	}
}
