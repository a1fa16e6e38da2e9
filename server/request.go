package server

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"featurestore/api"
	"featurestore/feature"

	"github.com/labstack/echo/v4"
)

// A request is one request being answered: Echo's context, and what the edge
// knows of it. It is reused after the handler has returned; nothing may keep it.
type request struct {
	echo.Context
	server *Server
	route  *route
	id     string
	start  time.Time
	// timeout is what the request may take, from start.
	timeout time.Duration

	ctx    context.Context // made by the first call of context
	cancel context.CancelFunc

	body []byte // the buffer of readBody
	code api.Code
}

var requests = sync.Pool{New: func() any { return new(request) }}

// maxKeptBuffer is the largest body buffer that stays in the pool.
const maxKeptBuffer = 256 << 10

func (s *Server) newRequest(rt *route, c echo.Context) *request {
	r := requests.Get().(*request)
	buffer := r.body[:0]
	if n := heldOf(buffer); n > 0 {
		s.held.Add(int64(n))
	}
	*r = request{Context: c, server: s, route: rt, start: time.Now(), timeout: s.cfg.Timeout, body: buffer}
	r.id = requestID(c.Request().Header.Get(api.HeaderRequestID))
	return r
}

func (r *request) release() {
	if r.cancel != nil {
		r.cancel()
	}
	if n := heldOf(r.body); n > 0 {
		r.server.held.Add(-int64(n))
	}
	if cap(r.body) > maxKeptBuffer {
		r.body = nil
	}
	*r = request{body: r.body}
	requests.Put(r)
}

// context returns the request's context with its deadline. It is made on the
// first call, because a lookup that is answered from memory needs none.
func (r *request) context() context.Context {
	if r.ctx == nil {
		r.ctx, r.cancel = context.WithDeadline(r.Request().Context(), r.deadline())
	}
	return r.ctx
}

// deadline returns when the request's time is up.
func (r *request) deadline() time.Time { return r.start.Add(r.timeout) }

// hasTime returns nil while the request's time is not up and its client is
// there. It is context().Err() without a context.
func (r *request) hasTime() error {
	if r.elapsed() > r.timeout {
		return context.DeadlineExceeded
	}
	return r.Request().Context().Err()
}

// readTimeout takes the request's own timeout from its header.
func (r *request) readTimeout() error {
	text := r.Request().Header.Get(api.HeaderTimeout)
	if text == "" {
		return nil
	}
	d, err := time.ParseDuration(text)
	most := r.server.cfg.MaxTimeout
	if err != nil || d <= 0 || d > most {
		return api.Problemf(api.CodeInvalidHeader, api.HeaderTimeout,
			"%q is not a duration such as 250ms or 2s, more than 0 and at most %v", feature.Clip(text), most)
	}
	r.timeout = d
	return nil
}

// Request ids that the store makes up: eight random characters of this
// process, then a number.
var (
	idPrefix = sync.OnceValue(func() string {
		var b [4]byte
		_, _ = rand.Read(b[:]) // never fails
		return hex.EncodeToString(b[:]) + "-"
	})
	idCounter atomic.Uint64
)

// requestID returns the client's id when it can stand in a log line, else a
// new one.
func requestID(given string) string {
	const limit = 128
	ok := given != "" && len(given) <= limit
	for i := 0; ok && i < len(given); i++ {
		ok = given[i] > ' ' && given[i] < 0x7f && given[i] != '"' && given[i] != '\\'
	}
	if ok {
		return given
	}
	return idPrefix() + strconv.FormatUint(idCounter.Add(1), 36)
}
