package sdk

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"reflect"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"
)

// WriterConfig says how a Writer batches and how much it holds. Zero fields
// mean the default.
type WriterConfig struct {
	// MaxBatchRows and MaxBatchBytes close a batch; 500 rows and 1 MiB. At most
	// 1000 rows, so that an answer names every superseded one.
	MaxBatchRows  int
	MaxBatchBytes int
	// MaxDelay closes a batch this long after its first row, or when those before
	// it are sent, if that is later; 5 ms.
	MaxDelay time.Duration
	// MaxInFlight batches are on their way at once, each with rows of other
	// entities (K7); 4. It is 1 in effect for a push source over views that have
	// no join key in common.
	MaxInFlight int
	// MaxBuffered rows, of MaxBufferedBytes together, may wait for their verdict
	// before Push blocks; 10,000 rows and 64 MiB.
	MaxBuffered      int
	MaxBufferedBytes int
	// Retry of one batch; 10 tries, 10 s each, 50 ms to 5 s between them.
	Retry Retry
	// RetryFor bounds all tries of one batch together; 1 min.
	RetryFor time.Duration
	// DrainTimeout is how long Run goes on sending after its context ended; 10 s.
	DrainTimeout time.Duration
}

func (c WriterConfig) withDefaults() WriterConfig {
	orDefault(&c.MaxBatchRows, 500)
	orDefault(&c.MaxBatchBytes, 1<<20)
	orDefault(&c.MaxDelay, 5*time.Millisecond)
	orDefault(&c.MaxInFlight, 4)
	orDefault(&c.MaxBuffered, 10_000)
	orDefault(&c.MaxBufferedBytes, 64<<20)
	orDefault(&c.RetryFor, time.Minute)
	orDefault(&c.DrainTimeout, 10*time.Second)
	c.Retry = c.Retry.withDefaults(Retry{Tries: 10, TryTimeout: 10 * time.Second, Backoff: 50 * time.Millisecond, MaxBackoff: 5 * time.Second})
	return c
}

// Validate returns every fault of c joined, nil for none.
func (c WriterConfig) Validate() error {
	d := c.withDefaults()
	var f faults
	f.when(d.MaxBatchRows < 1 || d.MaxBatchRows > 1000, "MaxBatchRows is %d; want 1 to 1000, or 0 for the default", c.MaxBatchRows)
	f.when(d.MaxBatchBytes < 1, "MaxBatchBytes is %d; want a positive number, or 0 for the default", c.MaxBatchBytes)
	f.when(d.MaxDelay < 0, "MaxDelay is %v; want a positive duration, or 0 for the default", c.MaxDelay)
	f.when(d.MaxInFlight < 1 || d.MaxInFlight > MaxTokens, "MaxInFlight is %d; want 1 to %d, or 0 for the default", c.MaxInFlight, MaxTokens)
	f.when(d.MaxBuffered < 1, "MaxBuffered is %d; want a positive number, or 0 for the default", c.MaxBuffered)
	f.when(d.MaxBufferedBytes < d.MaxBatchBytes, "MaxBufferedBytes is %d; want at least MaxBatchBytes, %d", d.MaxBufferedBytes, d.MaxBatchBytes)
	f.when(d.RetryFor < 0, "RetryFor is %v; want a positive duration, or 0 for the default", c.RetryFor)
	f.when(d.DrainTimeout < 0, "DrainTimeout is %v; want a positive duration, or 0 for the default", c.DrainTimeout)
	c.Retry.check(&f)
	return f.joined()
}

// Writer pushes rows in batches. Push is safe for concurrent use; Run sends.
//
// The zero WriterConfig batches for 5 ms. A row costs its encoding and a copy;
// rows wait in memory only, so a row without a verdict is lost with the
// process: keep it until Wait says what became of it.
//
// A row is stored once however often its batch is sent, by one Writer. Another
// Writer, or the same program run again, cuts its batches elsewhere, by time,
// and stores rows again that it is given again. Where that is wrong, as it is
// for counters, call Push with rows cut at the same places in every run, under
// a Target.IdempotencyKey made of the place.
type Writer[T any] struct {
	core *writer
	typ  reflect.Type
}

// writer is a Writer without its type parameter.
type writer struct {
	client  *Client
	target  Target
	cfg     WriterConfig
	head    []byte
	seed    maphash.Seed
	lanes   []*lane
	budget  *budget
	session *session
	// ownSession says that session was made by run.
	ownSession bool

	closing chan struct{} // closed when no more rows are taken
	ended   chan struct{} // closed when every row has its verdict
	close   sync.Once
	started atomic.Bool
	binding atomic.Pointer[pushBinding]
	notSent atomic.Int64
}

// NewWriter returns a writer of rows of type T, a struct with tags or RawRow,
// or every fault of cfg. Nothing is sent until Run is called.
func NewWriter[T any](c *Client, to Target, cfg WriterConfig) (*Writer[T], error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if err := to.check(); err != nil {
		return nil, fmt.Errorf("writer: %w", err)
	}
	if to.IdempotencyKey != "" {
		return nil, errors.New("writer: target has an IdempotencyKey, but a writer makes one a batch; use Push for rows that are stored once however often the program runs")
	}
	typ := reflect.TypeFor[T]()
	if typ != rawRowType {
		if _, err := shapeOf(typ); err != nil {
			return nil, fmt.Errorf("writer: %w", err)
		}
	}
	cfg = cfg.withDefaults()
	w := &writer{
		client: c, target: to, cfg: cfg, head: to.head(), seed: maphash.MakeSeed(),
		closing: make(chan struct{}), ended: make(chan struct{}),
	}
	w.budget = newBudget(cfg.MaxBuffered, cfg.MaxBufferedBytes, w.closing)
	for range cfg.MaxInFlight {
		w.lanes = append(w.lanes, &lane{wake: make(chan struct{}, 1)})
	}
	return &Writer[T]{core: w, typ: typ}, nil
}

// Push takes a row and returns the future of its verdict. It blocks while the
// writer holds as much as it may, until there is room or ctx ends. The error
// says that the row was not taken: the context's, ErrClosed, ErrMismatch, or
// that it cannot be encoded.
func (w *Writer[T]) Push(ctx context.Context, row T) (*Future, error) {
	b, err := w.core.bind(ctx, w.typ)
	if err != nil {
		return nil, fmt.Errorf("push: %w", err)
	}
	buffer := requestBuffers.Get().(*[]byte)
	defer requestBuffers.Put(buffer)
	encoded, err := b.append((*buffer)[:0], unsafe.Pointer(&row))
	if err != nil {
		return nil, fmt.Errorf("push: %w", err)
	}
	*buffer = b.appendOrder(encoded, encoded)
	f, err := w.core.add(ctx, encoded, maphash.Bytes(w.core.seed, (*buffer)[len(encoded):]))
	if err != nil {
		return nil, fmt.Errorf("push: %w", err)
	}
	return f, nil
}

// Flush sends what was pushed before without waiting for batches to fill, and
// waits until every such row has its verdict or ctx ends. Verdicts are the
// futures' to tell.
func (w *Writer[T]) Flush(ctx context.Context) error { return w.core.flush(ctx) }

// Close takes no more rows, sends what is left, and waits until every row has
// its verdict and Run has returned. When ctx ends first it returns the
// context's error; Run goes on, and rows that Run was never called for are
// ErrNotSent.
func (w *Writer[T]) Close(ctx context.Context) error { return w.core.closeAndWait(ctx) }

// Run sends batches until Close was called or ctx ends, and then until nothing
// is left, at most DrainTimeout after ctx ended. It returns nil when every row
// had its answer, ErrNotSent with the number of rows that had not. It is called
// once.
//
// The writes belong to the session that ctx carries, or to one of their own.
func (w *Writer[T]) Run(ctx context.Context) error { return w.core.run(ctx) }

// bind binds the row type to the target's features, once.
func (w *writer) bind(ctx context.Context, typ reflect.Type) (*pushBinding, error) {
	if b := w.binding.Load(); b != nil {
		return b, nil
	}
	b, err := w.client.bindPush(ctx, typ, w.target)
	if err == nil {
		w.binding.Store(b)
	}
	return b, err
}

func (w *writer) add(ctx context.Context, row []byte, hash uint64) (*Future, error) {
	if len(row) > w.cfg.MaxBatchBytes {
		return nil, fmt.Errorf("row has %d bytes; at most MaxBatchBytes, %d", len(row), w.cfg.MaxBatchBytes)
	}
	if err := w.budget.take(ctx, len(row), w.urge); err != nil {
		if err == ErrClosed {
			return nil, err
		}
		return nil, fmt.Errorf("writer holds %d rows, its most: %w", w.cfg.MaxBuffered, err)
	}
	f, err := w.lanes[hash%uint64(len(w.lanes))].add(row, w.cfg)
	if err != nil {
		w.budget.give(1, len(row))
		return nil, err
	}
	w.client.metrics.took(ctx, w.target.name(), 1)
	return f, nil
}

// urge sends what waits for its batch to fill: there is no room to fill it.
func (w *writer) urge() {
	for _, l := range w.lanes {
		l.urge()
	}
}

func (w *writer) flush(ctx context.Context) error {
	for _, l := range w.lanes {
		last := l.seal()
		if last == nil {
			continue
		}
		select {
		case <-last.done:
		case <-ctx.Done():
			return fmt.Errorf("flush: %w", context.Cause(ctx))
		}
	}
	return nil
}

// shut takes no more rows. What is taken will get a verdict.
func (w *writer) shut() {
	w.close.Do(func() {
		close(w.closing)
		for _, l := range w.lanes {
			l.shut()
		}
	})
}

func (w *writer) closeAndWait(ctx context.Context) error {
	w.shut()
	select {
	case <-w.ended:
		return nil
	case <-ctx.Done():
	}
	if w.started.CompareAndSwap(false, true) { // nobody will run it any more
		for _, l := range w.lanes {
			for b := l.next(); b != nil; b = l.next() {
				w.abandon(ctx, b)
			}
		}
		close(w.ended)
	}
	return fmt.Errorf("close writer: %w", context.Cause(ctx))
}
