package bucket

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// markName is the metadata that says which call made an object (BK2).
const markName = "featurestore-mark"

// maxCreateBytes is the most that S3 takes in one put.
const maxCreateBytes = 5 << 30

// Create makes an object of these contents, and returns when it is durable. With
// fs.ErrExist another one has made it, and it is durable. After another error it is
// there whole, or not at all, or comes later (BK2).
func (b *Bucket) Create(ctx context.Context, name string, contents []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	key, err := b.key(name)
	if err == nil && len(contents) > maxCreateBytes {
		err = fmt.Errorf("it has %d bytes: one object may be created with %d", len(contents), int64(maxCreateBytes))
	}
	if err != nil {
		return b.failed("create", name, err)
	}
	mark := rand.Text()
	err = b.try(ctx, creating, int64(len(contents)), func(ctx context.Context) error {
		_, err := b.client.PutObject(ctx, &s3.PutObjectInput{
			Bucket: aws.String(b.at.Bucket), Key: aws.String(key), IfNoneMatch: aws.String("*"),
			Body: bytes.NewReader(contents), ContentLength: aws.Int64(int64(len(contents))),
			Metadata: map[string]string{markName: mark},
		})
		return err
	})
	if statusOf(err) == http.StatusPreconditionFailed {
		err = b.whose(ctx, key, mark)
	}
	return b.failed("create", name, err)
}

// whose returns nil when the object is the one of this mark, fs.ErrExist when it is
// another's.
func (b *Bucket) whose(ctx context.Context, key, mark string) error {
	found, err := b.markOf(ctx, key)
	switch {
	case errors.Is(b.explain(err), fs.ErrNotExist):
		return fmt.Errorf("%w: and was removed since", fs.ErrExist)
	case err != nil:
		return fmt.Errorf("it is there, but not whose it is: %w", err)
	case found != mark:
		return fs.ErrExist
	}
	return nil
}

func (b *Bucket) markOf(ctx context.Context, key string) (mark string, err error) {
	err = b.try(ctx, looking, 0, func(ctx context.Context) error {
		head, err := b.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: aws.String(b.at.Bucket), Key: aws.String(key)})
		if err == nil {
			mark = head.Metadata[markName]
		}
		return err
	})
	return mark, err
}

// onceName is an object that stays: each check wants it not to be made again.
const onceName = "_create_once"

// CheckCreate returns ErrNotConditional when the server makes an object twice: Create
// cannot be relied on there (BK1). It leaves an empty object.
func (b *Bucket) CheckCreate(ctx context.Context) error {
	err := b.Create(ctx, onceName, nil)
	if err == nil { // it is new, or was replaced
		err = b.Create(ctx, onceName, nil)
	}
	switch {
	case err == nil:
		return fmt.Errorf("%s: %w: it replaced an object that it was to create; two stores could write there at once, so keep the history elsewhere", b, ErrNotConditional)
	case errors.Is(err, fs.ErrExist):
		return nil
	}
	return err
}
