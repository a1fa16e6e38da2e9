package history

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"sync"
)

// opener opens files and compares their contents with their sums, once for each
// file: they never change, and a bit that turns later is the disk's to notice.
type opener struct {
	files Files
	mu    struct {
		sync.Mutex
		verified map[string]bool
	}
}

func newOpener(files Files) *opener {
	o := &opener{files: files}
	o.mu.verified = map[string]bool{}
	return o
}

// open returns a file whose contents are those of its sum. The caller closes it.
func (o *opener) open(ctx context.Context, name string, sizeBytes int64, sum Sum) (_ File, err error) {
	f, err := o.files.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close())
		}
	}()
	if o.isVerified(name) {
		return f, nil
	}
	h := sha256.New()
	n, err := io.Copy(h, contextReader{ctx, f})
	switch {
	case err != nil:
		return nil, fmt.Errorf("verify %s: %w", name, err)
	case n != sizeBytes:
		return nil, fmt.Errorf("%w: %s has %d bytes, its manifest says %d", ErrCorrupt, name, n, sizeBytes)
	case Sum(h.Sum(nil)) != sum:
		return nil, fmt.Errorf("%w: the contents of %s are not those of its sum %v", ErrCorrupt, name, sum)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, fmt.Errorf("verify %s: %w", name, err)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.mu.verified[name] = true
	return f, nil
}

func (o *opener) isVerified(name string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.mu.verified[name]
}

// forget drops a file that is gone.
func (o *opener) forget(name string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.mu.verified, name)
}

// contextReader ends with ctx.
type contextReader struct {
	ctx context.Context
	io.Reader
}

// Read reads until ctx ends.
func (r contextReader) Read(b []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(b)
}
