package export

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/apache/arrow/go/v17/arrow/array"

	"featurestore/api"
	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/offline/history"
	"featurestore/offline/pit"
)

// Defaults of ExportsConfig.
const (
	DefaultRunning     = 2
	DefaultStreamBytes = 256 << 20
	DefaultStreamRows  = 10_000_000
	DefaultMemory      = 256 << 20
	// recordBytes bounds one buffer of a record that comes from outside.
	recordBytes = 64 << 20
)

// ExportsConfig says what exports are made of, and what they may take together. Zero
// fields mean the default.
type ExportsConfig struct {
	// History is written by this process, and lies in Files. Both are required.
	History *history.History
	Files   history.Files
	// Registry returns the definitions in force. Required.
	Registry func() *feature.Registry
	// Heads are how far the store's own logs are, by shard, and Hurry lets that be
	// committed soon. Required.
	Heads func() map[feature.Shard]hlc.Vector
	Hurry func()
	// Running is how many exports run at once; beyond that one is refused. Default
	// DefaultRunning.
	Running int
	// Join is what each may use.
	Join pit.Config
	// Streams bound entity rows that are sent; defaults DefaultStreamBytes and
	// DefaultStreamRows.
	Streams StreamLimits
	// Began is told of each export that begins, and what it returns of its end: for who
	// makes room for its memory. Nil is for nobody.
	Began func() (ended func())
}

// ErrBusy reports that as many exports run as may.
var ErrBusy = errors.New("too many exports at once")

// ErrBehind reports that history did not come in time to where the store was.
var ErrBehind = errors.New("history is behind")

// Exports makes exports of the history that a store keeps. Its methods are safe for
// concurrent use.
type Exports struct {
	cfg   ExportsConfig
	slots chan struct{}
}

// NewExports returns the exports of a history.
func NewExports(c ExportsConfig) (*Exports, error) {
	if c.History == nil || c.Files == nil || c.Registry == nil || c.Heads == nil || c.Hurry == nil || c.Running < 0 {
		return nil, errors.New("exports configuration: History, Files, Registry, Heads and Hurry must be set, and Running not negative")
	}
	if err := c.Join.Validate(); err != nil {
		return nil, fmt.Errorf("exports configuration: %w", err)
	}
	if c.Began == nil {
		c.Began = func() func() { return func() {} }
	}
	if c.Running == 0 {
		c.Running = DefaultRunning
	}
	if c.Streams == (StreamLimits{}) {
		c.Streams = StreamLimits{Bytes: DefaultStreamBytes, Rows: DefaultStreamRows}
	}
	if c.Streams.RecordBytes == 0 {
		c.Streams.RecordBytes = recordBytes
	}
	return &Exports{cfg: c, slots: make(chan struct{}, c.Running)}, nil
}

// Begun is an export that is ready to run, with what it holds. It is closed whether it
// ran or not.
type Begun struct {
	Export
	closers []func()
}

// Close lets go of history's files, and of the place among those that run.
func (b *Begun) Close() {
	for i := len(b.closers) - 1; i >= 0; i-- {
		b.closers[i]()
	}
	b.closers = nil
}

// Begin resolves a request against the latest commit. EntityRows is an Arrow stream of
// them, nil where they come otherwise; it is read while the export runs. Fresh waits,
// until ctx ends, for a commit with all that the store has now (ErrBehind).
func (x *Exports) Begin(ctx context.Context, project string, r *api.ExportRequest, entityRows io.Reader, fresh bool) (_ *Begun, err error) {
	b := &Begun{}
	defer func() {
		if err != nil {
			b.Close()
		}
	}()
	select {
	case x.slots <- struct{}{}:
		b.closers = append(b.closers, sync.OnceFunc(func() { <-x.slots }), sync.OnceFunc(x.cfg.Began()))
	default:
		return nil, fmt.Errorf("%w: %d run, and no more may", ErrBusy, x.cfg.Running)
	}
	if fresh {
		if err := x.Await(ctx); err != nil {
			return nil, err
		}
	}
	in := x.cfg.History.Reader()
	past, err := OfRegistry(ctx, in, x.cfg.Files, x.cfg.Registry())
	if err != nil {
		in.Close()
		return nil, err
	}
	b.closers = append(b.closers, past.Close)
	var rows OpenRows
	if entityRows != nil {
		rows = func(*Training) (array.RecordReader, error) {
			stream, err := NewEntityStream(context.WithoutCancel(ctx), entityRows, x.cfg.Streams)
			if err != nil {
				return nil, err
			}
			b.closers = append(b.closers, stream.Close)
			return stream, nil
		}
	}
	b.Export, err = past.Ask(ctx, project, r, rows, x.cfg.Join)
	if c, ok := b.Export.(io.Closer); ok {
		b.closers = append(b.closers, func() { _ = c.Close() }) // it was only read
	}
	return b, err
}

// Await returns once all that the store has at the call is committed to history, or
// ErrBehind when ctx ends before.
func (x *Exports) Await(ctx context.Context) error {
	heads := x.cfg.Heads()
	for {
		committed := x.cfg.History.Committed()
		lacks := x.lacks(heads)
		if lacks == nil {
			return nil
		}
		if err := x.cfg.History.Ended(); err != nil {
			return err // as ErrNoHistory: nothing more comes
		}
		x.cfg.Hurry()
		select {
		case <-committed:
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", lacks, ctx.Err())
		}
	}
}

// lacks says what history lacks of the heads, nil for nothing.
func (x *Exports) lacks(heads map[feature.Shard]hlc.Vector) error {
	for shard, want := range heads {
		have := x.cfg.History.Progress(shard)
		for _, at := range want.Positions() {
			if !have.CoversPosition(at) {
				return fmt.Errorf("%w: of the log of %v in shard %s it has what came up to %v, and is to have %v", ErrBehind, at.Origin, shardText(shard), have[at.Origin], at.At)
			}
		}
	}
	return nil
}
