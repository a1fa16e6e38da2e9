package bucket

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
)

// patience says how long a request is waited for, and how often it is tried.
type patience struct {
	tries int
	// first is the wait after the first failure; it doubles up to most, and half of
	// it is random.
	first, most time.Duration
	// base is how long a request without contents may take, and perMiB what each
	// MiB adds to that.
	base, perMiB time.Duration
}

// defaultPatience tries for a few seconds where the server answers with errors, and
// for some minutes where it does not answer at all. Who follows a log tries again
// after that.
var defaultPatience = patience{tries: 5, first: 100 * time.Millisecond, most: 3 * time.Second, base: 20 * time.Second, perMiB: 4 * time.Second}

// limit is how long one try may take that moves so many bytes.
func (p patience) limit(sizeBytes int64) time.Duration {
	return p.base + time.Duration(sizeBytes>>10)*p.perMiB>>10
}

// errSlow is why a try ended that took too long.
var errSlow = errors.New("it took too long")

// try does a request until it succeeds, fails for good, or was tried often enough.
func (b *Bucket) try(ctx context.Context, op operation, sizeBytes int64, do func(context.Context) error) error {
	p := b.patience
	wait := p.first
	for try := 1; ; try++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		err := b.once(ctx, op, sizeBytes, do)
		if err == nil || ctx.Err() != nil || try == p.tries || !isPassing(err) {
			return err
		}
		pause := time.NewTimer(wait/2 + rand.N(wait/2+1))
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return errors.Join(ctx.Err(), err)
		}
		wait = min(2*wait, p.most)
	}
}

// once does a request, in the time that its size allows.
func (b *Bucket) once(ctx context.Context, op operation, sizeBytes int64, do func(context.Context) error) error {
	limit := b.patience.limit(sizeBytes)
	some, cancel := context.WithTimeoutCause(ctx, limit, errSlow)
	defer cancel()
	began := time.Now()
	err := do(some)
	b.metrics.request(ctx, op, time.Since(began), sizeBytes, err)
	if err != nil && ctx.Err() == nil && errors.Is(context.Cause(some), errSlow) {
		return &shortened{fmt.Sprintf("%v: more than %v", errSlow, limit), errors.Join(errSlow, err)}
	}
	return err
}

// passing are the errors after which the same request may succeed: those of the
// SDK, and those of two conditional requests for one name at once.
var passing = retry.IsErrorRetryables(append(append([]retry.IsErrorRetryable{}, retry.DefaultRetryables...),
	retry.RetryableErrorCode{Codes: map[string]struct{}{"ConditionalRequestConflict": {}, "OperationAborted": {}, "InternalError": {}, "ServiceUnavailable": {}}}))

func isPassing(err error) bool {
	return errors.Is(err, errSlow) || errors.Is(err, errCut) || passing.IsErrorRetryable(err) == aws.TrueTernary
}
