package outside

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"time"
)

// Rows are the batches of a file that a child reads. They are for one goroutine.
type Rows struct {
	request Request
	name    string
	file    *os.File
	cfg     Config
	child   *exec.Cmd
	cancel  context.CancelFunc
	in      *bufio.Reader
	errors  *tail
	silence *time.Timer
	killed  error // why it was killed, written before it was
	mu      sync.Mutex

	opened  *opened // nil before the child told
	through int64
	failed  error
	waited  bool
	waitErr error
}

// Open starts a child that reads file, from its beginning whatever its offset, until
// ctx ends. The file stays the caller's, and is shared: one child at a time reads it.
// Errors of the file itself may come from Open or from Next, and name the file.
func Open(ctx context.Context, cfg Config, file *os.File, request Request) (_ *Rows, err error) {
	if err := errors.Join(cfg.Validate(), request.validate()); err != nil {
		return nil, fmt.Errorf("read %s: %w", request.Name, err)
	}
	if cfg, err = cfg.withDefaults(); err != nil {
		return nil, err
	}
	request.MemoryBytes = cfg.MemoryBytes
	text, err := json.Marshal(request)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	r := &Rows{request: request, name: request.Name, file: file, cfg: cfg, cancel: cancel, errors: &tail{}, through: request.After}
	r.child = exec.CommandContext(ctx, cfg.Program)
	r.child.Args = cfg.Args
	r.child.Env = []string{"GOTRACEBACK=single"} // nothing of this process's secrets
	r.child.Stdin, r.child.Stderr = bytes.NewReader(text), r.errors
	r.child.ExtraFiles = []*os.File{file}
	r.child.WaitDelay = time.Second
	out, err := r.child.StdoutPipe()
	if err == nil {
		err = r.child.Start()
	}
	if err != nil {
		cancel()
		return nil, fmt.Errorf("read %s: start %s: %w", request.Name, cfg.Program, err)
	}
	r.in = bufio.NewReaderSize(out, 64<<10)
	r.silence = time.AfterFunc(cfg.Silence, func() {
		r.kill(fmt.Errorf("it said nothing for %v", cfg.Silence))
	})
	return r, nil
}

func (r *Rows) kill(why error) {
	r.mu.Lock()
	r.killed = why
	r.mu.Unlock()
	r.cancel()
}

// Next returns the next batch, or io.EOF after the last one of a file that was read to
// its end. After another error there is nothing more.
func (r *Rows) Next(ctx context.Context) (*Batch, error) {
	if r.failed != nil {
		return nil, r.failed
	}
	b, err := r.next(ctx)
	if err != nil && r.request.Probe == "" {
		err = explain(ctx, r.cfg, r.file, r.request, err)
	}
	if err != nil {
		r.failed = err
	}
	return b, err
}

func (r *Rows) next(ctx context.Context) (*Batch, error) {
	stop := context.AfterFunc(ctx, func() { r.kill(ctx.Err()) })
	defer stop()
	for {
		r.silence.Reset(r.cfg.Silence)
		kind, headers, body, err := readFrame(r.in)
		if err != nil {
			if cause := ctx.Err(); cause != nil {
				return nil, cause
			}
			return nil, r.died(err)
		}
		switch kind {
		case frameOpened:
			r.opened = &opened{}
			err = json.Unmarshal(headers, r.opened)
		case frameBatch:
			b := &Batch{}
			if err = json.Unmarshal(headers, b); err == nil {
				err = r.follows(b)
			}
			if err == nil {
				b.Body = body
				return b, nil
			}
		case frameFailed:
			var f failure
			if err = json.Unmarshal(headers, &f); err == nil {
				return nil, r.damaged(errors.New(f.Message))
			}
		case frameEnd:
			return nil, io.EOF
		default:
			err = fmt.Errorf("a frame of kind %q", kind)
		}
		if err != nil {
			return nil, fmt.Errorf("read %s: the child process that reads it answers nonsense: %w", r.name, err)
		}
	}
}

// follows checks that a batch begins where the one before has ended, and counts its
// rows right.
func (r *Rows) follows(b *Batch) error {
	if b.After != r.through || b.Through <= b.After || len(b.Body) > 0 && int64(len(b.At)) != b.Rows {
		return fmt.Errorf("a batch after %d through %d with %d rows at %d places follows %d", b.After, b.Through, b.Rows, len(b.At), r.through)
	}
	r.through = b.Through
	return nil
}

// Close ends the child, whatever it does, and waits for its end.
func (r *Rows) Close() {
	r.silence.Stop()
	r.cancel()
	_ = r.wait() // killed, or ended: either is right
}

func (r *Rows) wait() error {
	if !r.waited {
		r.waited = true
		r.waitErr = r.child.Wait()
	}
	return r.waitErr
}

// died says how the child ended, and where in the file it was.
func (r *Rows) died(read error) error {
	if read != io.EOF && read != io.ErrUnexpectedEOF {
		r.kill(nil)
	}
	ended := r.wait()
	r.mu.Lock()
	killed := r.killed
	r.mu.Unlock()
	why := killed
	switch {
	case why != nil:
	case ended != nil:
		why = fmt.Errorf("%w%s", ended, r.errors.reason())
	default:
		why = fmt.Errorf("it ended in the middle%s", r.errors.reason())
	}
	return &FileError{Name: r.name, Died: true, Columnar: IsColumnar(r.name), After: r.through, Group: r.group(), Err: why}
}

// damaged adds where the child was to an error of a file that it had begun to read.
func (r *Rows) damaged(err error) error {
	if r.opened == nil || !r.opened.Columnar || r.request.Probe != "" {
		return err // it tells the line itself, or is not about rows
	}
	return &FileError{Name: r.name, Columnar: true, After: r.through, Group: r.group(), Err: err}
}

// group is the row group, from 0, of the row after those that were handed out; -1
// where there is none.
func (r *Rows) group() int {
	if r.opened == nil {
		return -1
	}
	first := int64(0)
	for g, rows := range r.opened.Groups {
		if first += rows; r.through < first {
			return g
		}
	}
	return -1
}
