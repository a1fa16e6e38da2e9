package sdk

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"featurestore/api"
)

// outcome is what one try came to, as far as repeating it is concerned.
type outcome struct {
	// sent is false when the request certainly never reached a store.
	sent bool
	// status and code of the answer; 0 without one.
	status int
	code   api.Code
	// after is how long the server asked to wait, 0 if it did not.
	after time.Duration
	// took is the time to the first of the answer, less what the store waited for
	// a read level; 0 without an answer.
	took time.Duration
	// cut says what ended the try before an answer.
	cut cut
}

// cut is why a try ended without an answer, as far as the client ended it.
type cut uint8

const (
	notCut      cut = iota
	cutByTry        // its own time was up
	cutByTime       // the caller's time was up
	cutByCaller     // the caller went away, or has another answer
)

// cutBy tells what ended a try under try, whose caller's context is caller.
func cutBy(caller, try context.Context) cut {
	switch {
	case errors.Is(caller.Err(), context.DeadlineExceeded):
		return cutByTime
	case caller.Err() != nil:
		return cutByCaller
	case try.Err() != nil:
		return cutByTry
	}
	return notCut
}

// verdict says how to go on after a try.
type verdict struct {
	retry bool
	// elsewhere allows the next store: the one asked holds nothing of the
	// request.
	elsewhere bool
}

// judge decides whether a request is tried again. read says that it changes
// nothing, keyed that it is a write under an idempotency key.
func (o outcome) judge(read, keyed bool) verdict {
	switch {
	case o.status == 0 && !o.sent:
		return verdict{retry: true, elsewhere: true}
	case o.status == 0:
		// A write without an answer may be stored: repeating it elsewhere could
		// store it twice, for idempotency keys are known to one store.
		return verdict{retry: read || keyed, elsewhere: read}
	}
	switch o.code {
	case api.CodeNotEnoughLive, api.CodeNoLeader, api.CodeNotLeader, api.CodeBehind,
		api.CodeDependencyUnavailable, api.CodeClockFenced, api.CodeDraining, api.CodeReadOnly,
		api.CodeNotActive, api.CodeNotHeld, api.CodeHomeUnreachable, api.CodeNoHistory:
		return verdict{retry: true, elsewhere: true} // refused before anything was done
	case api.CodeOverloaded, api.CodeLeaderUnreachable:
		return verdict{retry: read || keyed, elsewhere: read}
	case api.CodeConcernTimeout, api.CodeDeadlineExceeded:
		return verdict{retry: keyed}
	}
	switch o.status {
	case http.StatusTooManyRequests:
		return verdict{retry: read || keyed}
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		if o.code == "" { // a proxy's answer; who knows what the store did
			return verdict{retry: read || keyed, elsewhere: read}
		}
	}
	return verdict{}
}

// unknown reports whether a write with this outcome may have been stored.
func (o outcome) unknown() bool {
	switch {
	case o.status == 0:
		return o.sent
	case o.code == api.CodeDeadlineExceeded, o.code == api.CodeCanceled, o.code == api.CodeInternal,
		o.code == api.CodeLeaderUnreachable: // it was sent on to there
		return true
	case o.code == "":
		return o.status >= http.StatusInternalServerError || o.status < http.StatusMultipleChoices
	}
	return false
}

// pause returns how long to wait before try n+1, n counting from 1. random is
// in [0, 1).
func (r Retry) pause(n int, after time.Duration, random float64) time.Duration {
	d := r.MaxBackoff
	if shift := n - 1; shift < 30 {
		d = min(d, r.Backoff<<shift)
	}
	d = d/2 + time.Duration(random*float64(d/2))
	return max(d, min(after, r.MaxBackoff))
}

// retryAfter reads the header's seconds; dates are not used here.
func retryAfter(h http.Header) time.Duration {
	n, err := strconv.Atoi(h.Get("Retry-After"))
	if err != nil || n < 0 {
		return 0
	}
	return time.Duration(min(n, 3600)) * time.Second
}
