package flight

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/flight"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"featurestore/api"
	"featurestore/offline/export"
)

// plain is an export of which nothing is known beforehand.
type plain struct{}

func (plain) Manifest() (*api.ExportManifest, error) { return &api.ExportManifest{}, nil }
func (plain) Progress() (done, total int64)          { return 0, 0 }

// endless is an export that ends with its context.
type endless struct {
	plain
	rec    arrow.Record
	yields int
	ended  bool
}

func (e *endless) Run(ctx context.Context, yield func(arrow.Record) error) (*api.ExportManifest, error) {
	defer func() { e.ended = true }()
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		e.yields++
		if err := yield(e.rec); err != nil {
			return nil, err
		}
	}
}

// pipe is a stream whose client takes a message when it likes.
type pipe struct {
	ctx  context.Context
	sent int
	take chan struct{}
}

func (p *pipe) Context() context.Context { return p.ctx }

func (p *pipe) SendMsg(any) error {
	select {
	case <-p.take:
		p.sent++
		return nil
	case <-p.ctx.Done():
		return p.ctx.Err()
	}
}

// numbers is a record of so many rows of one integer.
func numbers(rows int) arrow.Record {
	b := array.NewRecordBuilder(memory.NewGoAllocator(), arrow.NewSchema([]arrow.Field{{Name: "n", Type: arrow.PrimitiveTypes.Int64}}, nil))
	defer b.Release()
	for i := range rows {
		b.Field(0).(*array.Int64Builder).Append(int64(i))
	}
	return b.NewRecord()
}

func testServer(t *testing.T) *Server {
	t.Helper()
	s := &Server{cfg: Config{}.withDefaults()}
	var err error
	if s.instruments, err = newInstruments(s.cfg.Meter); err != nil {
		t.Fatal(err)
	}
	return s
}

// FL3: the export is never more than a record ahead of the messages that the client and
// the stream have in hand.
func TestASlowClientHoldsTheExport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, leave := context.WithCancel(t.Context())
		to := &pipe{ctx: ctx, take: make(chan struct{})}
		e := &endless{rec: numbers(10)}
		s := testServer(t)
		ended := make(chan error, 1)
		go func() { ended <- s.send(to, api.FlightRequest{}, e) }()
		for taken := range 20 {
			synctest.Wait()
			// One more message is with the sender, one waits for it: the first is the schema.
			if e.yields > taken+1 || to.sent != taken {
				t.Fatalf("%d messages were taken, %d sent, and %d records made", taken, to.sent, e.yields)
			}
			to.take <- struct{}{}
		}
		leave()
		if err := <-ended; !errors.Is(err, context.Canceled) || !e.ended {
			t.Errorf("the stream ended with %v, the export %v", err, e.ended)
		}
		s.sending.Wait()
	})
}

// A client that takes nothing is let go of, and time that the export needs is not his.
func TestAClientThatStallsIsLetGoOf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, leave := context.WithCancel(t.Context())
		to := &pipe{ctx: ctx, take: make(chan struct{})}
		s := testServer(t)
		wait := make(chan struct{})
		e := exportFunc(func(ctx context.Context, yield func(arrow.Record) error) (*api.ExportManifest, error) {
			<-wait // longer than a client may
			for {
				if err := yield(numbers(1)); err != nil {
					return nil, err
				}
			}
		})
		ended := make(chan error, 1)
		go func() { ended <- s.send(to, api.FlightRequest{}, e) }()
		time.Sleep(5 * DefaultStall)
		close(wait)
		for range 3 {
			time.Sleep(DefaultStall - time.Second)
			to.take <- struct{}{}
		}
		synctest.Wait()
		began := time.Now()
		err := <-ended
		if took := time.Since(began); !errors.Is(err, errStalled) || took != DefaultStall {
			t.Errorf("after %v: %v, want %v after %v", took, err, errStalled, DefaultStall)
		}
		leave() // as gRPC does when the handler has returned
		s.sending.Wait()
	})
}

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

// Nor is one waited for that sends nothing: the place is another's.
func TestAClientThatSendsNothingIsLetGoOf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &messageReader{ctx: t.Context(), stall: DefaultStall, came: make(chan *flight.FlightData)}
		go func() {
			time.Sleep(DefaultStall - time.Second)
			r.came <- &flight.FlightData{DataHeader: []byte("header"), DataBody: []byte("body")}
		}()
		began := time.Now()
		all, err := io.ReadAll(r)
		if want := "\xff\xff\xff\xff\x06\x00\x00\x00headerbody"; string(all) != want || !errors.Is(err, errStalled) {
			t.Errorf("got %q, %v, want %q, %v", all, err, want, errStalled)
		}
		if took := time.Since(began); took != 2*DefaultStall-time.Second {
			t.Errorf("it was let go of after %v", took)
		}
	})
}

type exportFunc func(context.Context, func(arrow.Record) error) (*api.ExportManifest, error)

func (f exportFunc) Manifest() (*api.ExportManifest, error) { return plain{}.Manifest() }
func (f exportFunc) Progress() (done, total int64)          { return 0, 0 }

func (f exportFunc) Run(ctx context.Context, yield func(arrow.Record) error) (*api.ExportManifest, error) {
	return f(ctx, yield)
}

// An export that fails, at whatever point, is a failure of the stream.
func TestAnExportThatFailsFailsTheStream(t *testing.T) {
	boom := errors.New("boom")
	for records := range 3 {
		synctest.Test(t, func(t *testing.T) {
			to := &pipe{ctx: t.Context(), take: make(chan struct{}, 100)}
			for range 100 {
				to.take <- struct{}{}
			}
			s := testServer(t)
			err := s.send(to, api.FlightRequest{}, exportFunc(func(_ context.Context, yield func(arrow.Record) error) (*api.ExportManifest, error) {
				for range records {
					if err := yield(numbers(5)); err != nil {
						return nil, err
					}
				}
				return nil, boom
			}))
			if !errors.Is(err, boom) {
				t.Errorf("after %d records: %v, want %v", records, err, boom)
			}
			s.sending.Wait()
		})
	}
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

// FL4, and the codec: what is sent is FlightData, and its bodies are those of the
// library's own writer.
func TestMessagesAreFlightData(t *testing.T) {
	wide := func(rows, text int) arrow.Record {
		b := array.NewRecordBuilder(memory.NewGoAllocator(), arrow.NewSchema([]arrow.Field{
			{Name: "n", Type: arrow.PrimitiveTypes.Int64, Nullable: true}, {Name: "text", Type: arrow.BinaryTypes.String, Nullable: true},
			{Name: "list", Type: arrow.ListOf(arrow.PrimitiveTypes.Float32), Nullable: true},
		}, nil))
		defer b.Release()
		for i := range rows {
			if i%5 == 0 {
				b.Field(0).AppendNull()
				b.Field(1).AppendNull()
				b.Field(2).AppendNull()
				continue
			}
			b.Field(0).(*array.Int64Builder).Append(int64(i))
			b.Field(1).(*array.StringBuilder).Append(strings.Repeat("x", i*text/rows))
			b.Field(2).(*array.ListBuilder).Append(true)
			b.Field(2).(*array.ListBuilder).ValueBuilder().(*array.Float32Builder).AppendValues(make([]float32, i%9), nil)
		}
		return b.NewRecord()
	}
	for _, rec := range []arrow.Record{wide(1, 10), wide(7, 0), wide(40_000, 300), wide(9, 5<<20)} {
		var stream queue
		c := newCodec()
		out := newEncoder(rec.Schema(), []byte("first"), func(m *message) error {
			encoded, err := c.Marshal(m)
			if err != nil {
				return err
			}
			var data flight.FlightData
			if err := proto.Unmarshal(encoded.Materialize(), &data); err != nil {
				return err
			}
			stream = append(stream, &data)
			return nil
		})
		if err := errors.Join(out.record(rec), out.end([]byte(`{"rows": 1}`))); err != nil {
			t.Fatal(err)
		}
		if string(stream[0].AppMetadata) != "first" || len(stream[0].DataBody) != 0 {
			t.Errorf("the first message: %v", stream[0])
		}
		for _, m := range stream {
			if len(m.DataBody) > 2*messageBytes && len(stream) < 9 {
				t.Errorf("a message of %d bytes", len(m.DataBody))
			}
		}
		want := &table{}
		want.add(rec)
		got, err := readAll(&stream)
		if err != nil || strings.Join(got.rows, "\n") != strings.Join(want.rows, "\n") || got.manifest == nil || got.manifest.Rows != 1 {
			t.Errorf("%d rows came back as %d, %v", len(want.rows), len(got.rows), err)
		}
	}
}

// queue is a stream of messages that are there.
type queue []*flight.FlightData

func (q *queue) Recv() (*flight.FlightData, error) {
	if len(*q) == 0 {
		return nil, io.EOF
	}
	m := (*q)[0]
	*q = (*q)[1:]
	return m, nil
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
