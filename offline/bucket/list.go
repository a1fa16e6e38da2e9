package bucket

import (
	"context"
	"iter"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// List yields the names with a prefix, in the order of their bytes. It ends after an
// error. Objects that come or go meanwhile may be in it or not.
func (b *Bucket) List(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
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
				yield("", b.failed("list", prefix, err))
				return
			}
			for _, o := range page.Contents {
				key := aws.ToString(o.Key)
				if page.EncodingType == types.EncodingTypeUrl {
					if key, err = url.QueryUnescape(key); err != nil {
						yield("", b.failed("list", prefix, err))
						return
					}
				}
				name := strings.TrimPrefix(key, b.at.Prefix)
				if checkName(name) != nil {
					continue // a marker of a folder, say: it is not ours
				}
				if !yield(name, nil) {
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
