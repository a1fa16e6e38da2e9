package bucket

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
)

const (
	// partBytes are one part of an upload; two are in memory.
	partBytes = 16 << 20
	// maxParts is S3's limit.
	maxParts = 10_000
	// abortWithin is how long it is tried to remove the parts of an upload that is
	// given up.
	abortWithin = 10 * time.Second
)

// Upload is an object on its way, an io.Writer for one goroutine. One that fits one
// part is put at once; of larger ones the parts go while they are written.
type Upload struct {
	bucket *Bucket
	ctx    context.Context // ends with the upload
	cancel context.CancelFunc
	name   string
	key    string
	mark   string

	part    []byte // what is not sent
	id      *string
	parts   []types.CompletedPart
	sending chan sent // of the part that is on its way; nil for none
	err     error     // it failed, or ended
}

// sent is how a part was sent.
type sent struct {
	part   types.CompletedPart
	buffer []byte
	err    error
}

// errEnded reports a use after Commit or Abandon.
var errEnded = errors.New("the upload has ended")

// Begin begins an object, which replaces one that is there. The caller commits or
// abandons it. ctx is that of all its requests.
func (b *Bucket) Begin(ctx context.Context, name string) (*Upload, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	key, err := b.key(name)
	if err != nil {
		return nil, b.failed("upload", name, err)
	}
	u := &Upload{bucket: b, name: name, key: key, mark: rand.Text()}
	u.ctx, u.cancel = context.WithCancel(ctx)
	return u, nil
}

// Write takes more of the contents. After an error the upload is to be abandoned.
func (u *Upload) Write(p []byte) (n int, err error) {
	for u.err == nil && len(p) > 0 {
		if u.part == nil {
			u.part = make([]byte, 0, partBytes)
		}
		m := min(len(p), partBytes-len(u.part))
		u.part = append(u.part, p[:m]...)
		n, p = n+m, p[m:]
		if len(u.part) == partBytes && len(p) > 0 { // the last one is Commit's
			u.err = u.send()
		}
	}
	return n, u.bucket.failed("upload", u.name, u.err)
}

// send has the part sent while the next one is written.
func (u *Upload) send() error {
	if u.id == nil {
		if err := u.create(); err != nil {
			return err
		}
	}
	spare, err := u.wait()
	if err != nil {
		return err
	}
	number := int32(len(u.parts) + 1)
	if number > maxParts {
		return fmt.Errorf("it has more than %d bytes: that is the most of one object here; export in parts", int64(maxParts)*partBytes)
	}
	contents, id := u.part, u.id
	u.part, u.sending = spare[:0], make(chan sent, 1)
	to := u.sending
	go func() {
		part, err := u.put(id, number, contents)
		to <- sent{part, contents, err}
	}()
	return nil
}

// wait waits for the part that is on its way, and returns its memory.
func (u *Upload) wait() (buffer []byte, err error) {
	if u.sending == nil {
		return nil, nil
	}
	s := <-u.sending
	u.sending = nil
	if s.err != nil {
		return nil, s.err
	}
	u.parts = append(u.parts, s.part)
	return s.buffer, nil
}

func (u *Upload) create() error {
	b := u.bucket
	return b.try(u.ctx, uploading, 0, func(ctx context.Context) error {
		in := &s3.CreateMultipartUploadInput{
			Bucket: aws.String(b.at.Bucket), Key: aws.String(u.key), Metadata: map[string]string{markName: u.mark},
		}
		if b.checksums { // else the parts' are not those of the whole
			in.ChecksumAlgorithm = types.ChecksumAlgorithmCrc32
		}
		answer, err := b.client.CreateMultipartUpload(ctx, in)
		if err == nil {
			u.id = answer.UploadId
		}
		return err
	})
}

func (u *Upload) put(id *string, number int32, contents []byte) (part types.CompletedPart, err error) {
	b := u.bucket
	err = b.try(u.ctx, uploading, int64(len(contents)), func(ctx context.Context) error {
		answer, err := b.client.UploadPart(ctx, &s3.UploadPartInput{
			Bucket: aws.String(b.at.Bucket), Key: aws.String(u.key), UploadId: id, PartNumber: aws.Int32(number),
			Body: bytes.NewReader(contents), ContentLength: aws.Int64(int64(len(contents))),
		})
		if err == nil {
			part = types.CompletedPart{PartNumber: aws.Int32(number), ETag: answer.ETag}
			if b.checksums {
				part.ChecksumCRC32 = answer.ChecksumCRC32
			}
		}
		return err
	})
	return part, err
}

// Commit makes the object, and returns when it is durable. After an error it is
// not there; or, where that says ErrUnreachable, perhaps.
func (u *Upload) Commit() error {
	if u.err == nil {
		if u.id == nil {
			u.err = u.whole()
		} else {
			u.err = u.complete()
		}
	}
	err := u.bucket.failed("upload", u.name, u.err)
	if err != nil {
		u.Abandon()
	}
	u.err, u.part = errEnded, nil
	u.cancel()
	return err
}

// whole puts contents of one part.
func (u *Upload) whole() error {
	b := u.bucket
	return b.try(u.ctx, uploading, int64(len(u.part)), func(ctx context.Context) error {
		_, err := b.client.PutObject(ctx, &s3.PutObjectInput{
			Bucket: aws.String(b.at.Bucket), Key: aws.String(u.key), Metadata: map[string]string{markName: u.mark},
			Body: bytes.NewReader(u.part), ContentLength: aws.Int64(int64(len(u.part))),
		})
		return err
	})
}

// complete makes the parts one object.
func (u *Upload) complete() error {
	if err := u.send(); err != nil {
		return err
	}
	if _, err := u.wait(); err != nil {
		return err
	}
	b := u.bucket
	err := b.try(u.ctx, uploading, 0, func(ctx context.Context) error {
		_, err := b.client.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
			Bucket: aws.String(b.at.Bucket), Key: aws.String(u.key), UploadId: u.id,
			MultipartUpload: &types.CompletedMultipartUpload{Parts: u.parts},
		})
		return err
	})
	var api smithy.APIError
	if errors.As(err, &api) && api.ErrorCode() == "NoSuchUpload" {
		// An earlier try may have done it, whose answer was lost.
		if mark, e := b.markOf(u.ctx, u.key); e == nil && mark == u.mark {
			err = nil
		}
	}
	if err == nil {
		u.id = nil
	}
	return err
}

// Abandon gives up what was not committed, and removes its parts; where that fails,
// the bucket's rule for incomplete uploads must. Nothing, after Commit.
func (u *Upload) Abandon() {
	u.cancel()
	if u.sending != nil {
		<-u.sending
		u.sending = nil
	}
	if u.id != nil {
		b := u.bucket
		ctx, cancel := context.WithTimeout(context.WithoutCancel(u.ctx), abortWithin)
		defer cancel()
		_ = b.try(ctx, uploading, 0, func(ctx context.Context) error { // nobody could do more
			_, err := b.client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{
				Bucket: aws.String(b.at.Bucket), Key: aws.String(u.key), UploadId: u.id,
			})
			return err
		})
		u.id = nil
	}
	if u.err == nil {
		u.err = errEnded
	}
	u.part = nil
}
