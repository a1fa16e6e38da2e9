package bucket

import (
	"context"
	"iter"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// Object is what a list says of one.
type Object struct {
	Name      string
	SizeBytes int64
	// Modified is when it was made; Tag is another one for other contents.
	Modified time.Time
	Tag      string
}

// List yields the names with a prefix, in the order of their bytes. It ends after an
// error. Objects that come or go meanwhile may be in it or not.
func (b *Bucket) List(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for o, err := range b.Objects(ctx, prefix) {
			if !yield(o.Name, err) {
				return
			}
		}
	}
}

// Objects is List, with what is said of each.
func (b *Bucket) Objects(ctx context.Context, prefix string) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		in := &s3.ListObjectsV2Input{
			Bucket: aws.String(b.at.Bucket), Prefix: aws.String(b.at.Prefix + prefix), EncodingType: types.EncodingTypeUrl,
		}
		for {
			var page *s3.ListObjectsV2Output
			err := b.try(ctx, listing, 0, func(ctx context.Context) (err error) {
				page, err = b.client.ListObjectsV2(ctx, in)
				return err
			})
			if err != nil {
				yield(Object{}, b.failed("list", prefix, err))
				return
			}
			for i := range page.Contents {
				o, err := b.listed(&page.Contents[i], page.EncodingType)
				if err != nil {
					yield(Object{}, b.failed("list", prefix, err))
					return
				}
				// What is no path is a marker of a folder, say: it is not ours.
				if checkName(o.Name) == nil && !yield(o, nil) {
					return
				}
			}
			if !aws.ToBool(page.IsTruncated) || page.NextContinuationToken == nil {
				return
			}
			in.ContinuationToken = page.NextContinuationToken
		}
	}
}

func (b *Bucket) listed(o *types.Object, encoding types.EncodingType) (Object, error) {
	key := aws.ToString(o.Key)
	if encoding == types.EncodingTypeUrl {
		var err error
		if key, err = url.QueryUnescape(key); err != nil {
			return Object{}, err
		}
	}
	return Object{
		Name: strings.TrimPrefix(key, b.at.Prefix), SizeBytes: aws.ToInt64(o.Size), Modified: aws.ToTime(o.LastModified), Tag: aws.ToString(o.ETag),
	}, nil
}

// Remove removes an object; one that is not there is no error.
func (b *Bucket) Remove(ctx context.Context, name string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	key, err := b.key(name)
	if err == nil {
		err = b.try(ctx, removing, 0, func(ctx context.Context) error {
			_, err := b.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: aws.String(b.at.Bucket), Key: aws.String(key)})
			return err
		})
	}
	return b.failed("remove", name, err)
}
