package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"featurestore/api"
)

// The pauses between tries of a batch, how long it is tried unless --retry-for
// says otherwise, and how often the same reason is reported.
const (
	firstPause      = 100 * time.Millisecond
	maxPause        = 3 * time.Second
	defaultRetryFor = 10 * time.Second
	reportEvery     = 10 * time.Second
)

// retries tries batches again for as long as --retry-for, and reports that, and
// why: else the command would seem to hang.
type retries struct {
	lasting time.Duration
	report  io.Writer

	mu struct {
		sync.Mutex
		told map[string]time.Time // by reason
	}
}

// do tries until that succeeds, is of no use, or was done for long enough; it
// returns the last error.
func (r *retries) do(ctx context.Context, try func() error) error {
	until := time.Now().Add(r.lasting)
	for pause := firstPause; ; pause = min(2*pause, maxPause) {
		err := try()
		if err == nil || !worthRetrying(err) || time.Now().Add(pause).After(until) {
			return err
		}
		r.tell(err)
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
	}
}

func worthRetrying(err error) bool {
	var none *unreachableError
	var refused *refusedError
	switch {
	case errors.As(err, &none):
		return true
	case errors.As(err, &refused):
		return refused.Code == api.CodeConcernTimeout || refused.Status == http.StatusServiceUnavailable || refused.Status == http.StatusTooManyRequests
	}
	return false
}

// tell reports why a batch is tried again, of each reason once in a while.
func (r *retries) tell(err error) {
	reason := "no answer"
	var refused *refusedError
	if errors.As(err, &refused) {
		reason = string(refused.Code)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if at, told := r.mu.told[reason]; told && time.Since(at) < reportEvery {
		return
	}
	if r.mu.told == nil {
		r.mu.told = map[string]time.Time{}
	}
	r.mu.told[reason] = time.Now()
	fmt.Fprintf(r.report, "trying again, for at most %v (--retry-for): %v\n", r.lasting, err)
}
