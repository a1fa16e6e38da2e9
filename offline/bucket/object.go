package bucket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// File is a file to read, from one goroutine. It is history.File.
type File = interface {
	io.ReaderAt
	io.ReadSeeker
	io.Closer
}

const (
	// blockBytes are asked for at once where reading jumps about. An object that is
	// no larger is in memory, and costs one request.
	blockBytes = 1 << 20
	// aheadBytes are asked for at most where it goes on.
	aheadBytes = 64 << 20
)

// object is a File. What was read once lies in a temporary file, so that an object
// whose sum is verified and which is then read column by column comes once.
type object struct {
	bucket *Bucket
	ctx    context.Context
	name   string
	key    string
	etag   string
	size   int64
	at     int64 // of Read and Seek

	blocks *spool
	ahead  int64 // how much was asked for last
	last   int64 // the block after it
}

// Open returns an object, or fs.ErrNotExist. Its reads end with ctx. Close removes
// what lies on disk of it: at most its size.
func (b *Bucket) Open(ctx context.Context, name string) (File, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	key, err := b.key(name)
	if err != nil {
		return nil, b.failed("open", name, err)
	}
	o := newObject(ctx, b, name, key)
	head, err := o.first()
	if err == nil {
		o.blocks, err = newSpool(b.spoolDir, o.size, head)
	}
	if err != nil {
		return nil, b.failed("open", name, err)
	}
	return o, nil
}

func newObject(ctx context.Context, b *Bucket, name, key string) *object {
	return &object{bucket: b, ctx: ctx, name: name, key: key, ahead: blockBytes, last: 1}
}

// first reads the first block, and learns how large the object is and which one.
func (o *object) first() (head []byte, err error) {
	err = o.bucket.try(o.ctx, reading, blockBytes, func(ctx context.Context) error {
		answer, err := o.get(ctx, 0, blockBytes)
		if statusOf(err) == http.StatusRequestedRangeNotSatisfiable {
			// Only an empty object has no first byte.
			answer, err = o.get(ctx, -1, 0)
		}
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		o.etag = aws.ToString(answer.ETag)
		if o.size, err = sizeOf(answer); err != nil {
			return err
		}
		head = make([]byte, min(blockBytes, o.size))
		return readBody(o.received(answer.Body), head)
	})
	return head, err
}

// get asks for a range; from -1 for all of it.
func (o *object) get(ctx context.Context, from, length int64) (*s3.GetObjectOutput, error) {
	in := &s3.GetObjectInput{Bucket: aws.String(o.bucket.at.Bucket), Key: aws.String(o.key)}
	if from >= 0 {
		in.Range = aws.String(fmt.Sprintf("bytes=%d-%d", from, from+length-1))
	}
	if o.etag != "" {
		in.IfMatch = aws.String(o.etag)
	}
	answer, err := o.bucket.client.GetObject(ctx, in)
	if statusOf(err) == http.StatusPreconditionFailed {
		return nil, ErrChanged
	}
	return answer, err
}

// received counts what is read.
func (o *object) received(body io.Reader) io.Reader {
	return io.TeeReader(body, counter(func(n int) { o.bucket.metrics.received.Add(o.ctx, int64(n)) }))
}

// counter is an io.Writer that counts.
type counter func(n int)

func (c counter) Write(p []byte) (int, error) {
	c(len(p))
	return len(p), nil
}

// sizeOf is how large the whole object is.
func sizeOf(answer *s3.GetObjectOutput) (int64, error) {
	if answer.ContentRange == nil {
		return aws.ToInt64(answer.ContentLength), nil
	}
	_, whole, _ := strings.Cut(*answer.ContentRange, "/")
	size, err := strconv.ParseInt(whole, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("the server says the range %q: it must end in the size", *answer.ContentRange)
	}
	return size, nil
}

// errCut reports an answer that ended before its contents did.
var errCut = errors.New("the answer ended early")

// readBody fills p.
func readBody(body io.Reader, p []byte) error {
	if n, err := io.ReadFull(body, p); err != nil {
		return cutAfter(int64(n), int64(len(p)), err)
	}
	return nil
}

func cutAfter(n, of int64, err error) error {
	return fmt.Errorf("%w, after %d of %d bytes: %w", errCut, n, of, err)
}

// ReadAt reads what it does not have yet from the bucket.
func (o *object) ReadAt(p []byte, off int64) (n int, err error) {
	if off < 0 {
		return 0, o.bucket.failed("read", o.name, fmt.Errorf("there is nothing at %d", off))
	}
	if off >= o.size {
		return 0, io.EOF
	}
	n = int(min(int64(len(p)), o.size-off))
	if err := o.fetch(off/blockBytes, (off+int64(n)+blockBytes-1)/blockBytes); err != nil {
		return 0, o.bucket.failed("read", o.name, err)
	}
	if m, err := o.blocks.readAt(p[:n], off); err != nil {
		return m, o.bucket.failed("read", o.name, err)
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// fetch gets the blocks of a range that are not there.
func (o *object) fetch(from, to int64) error {
	for ; from < to; from++ {
		if o.blocks.has(from) {
			continue
		}
		// Who goes on where he was gets twice as much each time.
		if from == o.last {
			o.ahead = min(2*o.ahead, aheadBytes)
		} else {
			o.ahead = blockBytes
		}
		end := from + 1
		for end < o.blocks.count() && (end < to || end-from < o.ahead/blockBytes) && !o.blocks.has(end) {
			end++
		}
		if err := o.fetchAll(from, end); err != nil {
			return err
		}
		o.last = end
	}
	return nil
}

// fetchAll gets blocks of which none is there, and goes on where an answer ended
// early.
func (o *object) fetchAll(from, end int64) error {
	for next := from; next < end; {
		bytes := min(end*blockBytes, o.size) - next*blockBytes
		begun := next
		err := o.bucket.once(o.ctx, reading, bytes, func(ctx context.Context) error {
			answer, err := o.get(ctx, next*blockBytes, bytes)
			if err != nil {
				return err
			}
			defer answer.Body.Close()
			for ; next < end; next++ {
				if err := o.blocks.fill(next, o.received(answer.Body)); err != nil {
					return err
				}
			}
			return nil
		})
		if err == nil {
			return nil
		}
		if !isPassing(err) || o.ctx.Err() != nil {
			return err
		}
		if next == begun { // nothing came: be patient
			err = o.bucket.try(o.ctx, reading, blockBytes, func(ctx context.Context) error {
				length := o.blocks.length(next)
				answer, err := o.get(ctx, next*blockBytes, length)
				if err != nil {
					return err
				}
				defer answer.Body.Close()
				return o.blocks.fill(next, o.received(answer.Body))
			})
			if err != nil {
				return err
			}
			next++
		}
	}
	return nil
}

// Read reads on.
func (o *object) Read(p []byte) (int, error) {
	n, err := o.ReadAt(p, o.at)
	o.at += int64(n)
	if n > 0 && err == io.EOF {
		err = nil
	}
	return n, err
}

// Seek says where Read goes on.
func (o *object) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += o.at
	case io.SeekEnd:
		offset += o.size
	}
	if offset < 0 {
		return o.at, o.bucket.failed("read", o.name, fmt.Errorf("there is nothing at %d", offset))
	}
	o.at = offset
	return offset, nil
}

// Close lets go of what was read.
func (o *object) Close() error { return o.blocks.close() }
