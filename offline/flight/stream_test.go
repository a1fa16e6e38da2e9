package flight

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/flight"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"featurestore/api"
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
