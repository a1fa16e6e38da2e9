package sdk

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"featurestore/api"

	"go.opentelemetry.io/otel/propagation"
)

// newTransport keeps connections open: a lookup's answer is small, and a new
// connection would cost more than it. Answers are not compressed; compressing
// costs more than a local network saves.
func newTransport(connections int) *http.Transport {
	dialer := &net.Dialer{Timeout: 2 * time.Second, KeepAlive: 15 * time.Second}
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           dialer.DialContext,
		MaxIdleConns:          0,
		MaxIdleConnsPerHost:   connections,
		IdleConnTimeout:       90 * time.Second,
		TLSHandshakeTimeout:   5 * time.Second,
		ExpectContinueTimeout: time.Second,
		DisableCompression:    true,
		WriteBufferSize:       64 << 10,
		ReadBufferSize:        64 << 10,
		ForceAttemptHTTP2:     true,
	}
}

// request is one operation to be carried out, in one or several tries.
type request struct {
	op          string // "lookup"
	method      string
	path        string
	body        []byte // nil for none
	contentType string // "" is JSON
	// read says that it changes nothing and may be repeated anywhere.
	read bool
	// key is the idempotency key of a write, "" for none.
	key         string
	consistency string
	onUnmet     OnUnmet
	concern     string
	retry       Retry
	session     *session // nil for none
	// store is the URL that a write is bound to, "" for none.
	store string
	// hedge is how long a read waits before it asks a second store; 0: for ever.
	hedge time.Duration
}

// answer is a successful answer. Its body is valid until free.
type answer struct {
	url    string
	header http.Header
	buffer *bytes.Buffer
	// hedged says that the store was asked second, and lone that no other one was
	// asked beside it: nobody reads the request's body any more.
	hedged, lone bool
}

func (a *answer) body() []byte { return a.buffer.Bytes() }

var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// maxKeptBuffer is the largest buffer that stays in the pool.
const maxKeptBuffer = 1 << 20

// free gives the body back; a nil answer has none.
func (a *answer) free() {
	if a == nil {
		return
	}
	if a.buffer != nil && a.buffer.Cap() <= maxKeptBuffer {
		buffers.Put(a.buffer)
	}
	a.buffer = nil
}

// maxServerTimeout is the longest timeout that servers take by default.
const maxServerTimeout = time.Minute

// try asks the store at url once, and once the leader that it names instead.
// Exactly one of answer, problem and error is the result; the outcome says whether
// to try again.
func (c *Client) try(caller context.Context, url string, r *request, tokens []string) (*answer, *api.Problem, outcome, error) {
	a, p, o, err := c.ask(caller, url, r, tokens)
	if o.code != api.CodeNotLeader || p.Leader == nil || p.Leader.URL == "" || caller.Err() != nil {
		return a, p, o, err
	}
	leader := strings.TrimSuffix(p.Leader.URL, "/")
	if leader == url {
		return a, p, o, err
	}
	a2, p2, o2, err2 := c.ask(caller, leader, r, tokens)
	if !o2.sent { // out of reach from here: the first answer says who leads
		return a, p, o, err
	}
	return a2, p2, o2, err2
}

// ask is a try at one store.
func (c *Client) ask(caller context.Context, url string, r *request, tokens []string) (*answer, *api.Problem, outcome, error) {
	ctx, cancel := context.WithTimeout(caller, r.retry.TryTimeout)
	defer cancel()
	var body io.Reader
	if r.body != nil {
		body = bytes.NewReader(r.body)
	}
	req, err := http.NewRequestWithContext(ctx, r.method, url+r.path, body)
	if err != nil {
		return nil, nil, outcome{}, err
	}
	r.setHeaders(ctx, req.Header, tokens)
	start := time.Now()
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, nil, outcome{sent: !dialFailed(err), cut: cutBy(caller, ctx)}, unwrapURL(err)
	}
	defer resp.Body.Close()
	took := max(time.Nanosecond, time.Since(start)-waited(resp.Header))
	a := &answer{url: url, header: resp.Header, buffer: buffers.Get().(*bytes.Buffer), lone: true}
	a.buffer.Reset()
	n, err := a.buffer.ReadFrom(io.LimitReader(resp.Body, c.cfg.ResponseBytes+1))
	switch {
	case err != nil:
		a.free()
		return nil, nil, outcome{sent: true, cut: cutBy(caller, ctx)}, fmt.Errorf("read the answer: %w", err)
	case n > c.cfg.ResponseBytes:
		a.free()
		return nil, nil, outcome{sent: true, status: resp.StatusCode}, fmt.Errorf("%w: it is larger than ResponseBytes, %d", ErrBadAnswer, c.cfg.ResponseBytes)
	case resp.StatusCode/100 == 2:
		return a, nil, outcome{sent: true, status: resp.StatusCode, took: took}, nil
	}
	p, err := problemOf(resp, a.body())
	a.free()
	o := outcome{sent: true, status: resp.StatusCode, after: retryAfter(resp.Header), took: took}
	if p != nil {
		o.code = p.Code
		if p.Session == "" {
			p.Session = resp.Header.Get(api.HeaderSession)
		}
	}
	return nil, p, o, err
}

// problemOf decodes an error's body, or says that it is none of ours.
func problemOf(resp *http.Response, body []byte) (*api.Problem, error) {
	p := new(api.Problem)
	if err := json.Unmarshal(body, p); err == nil && p.Code != "" {
		return p, nil
	}
	text := strings.Join(strings.Fields(string(body[:min(len(body), 200)])), " ")
	return nil, fmt.Errorf("%w: HTTP status %s without a feature store's error: %q", ErrBadAnswer, resp.Status, text)
}

func (r *request) setHeaders(ctx context.Context, h http.Header, tokens []string) {
	if r.body != nil {
		kind := r.contentType
		if kind == "" {
			kind = api.MediaJSON
		}
		h["Content-Type"] = []string{kind}
	}
	set := func(name, value string) {
		if value != "" {
			h[name] = []string{value}
		}
	}
	set(api.HeaderSession, strings.Join(tokens, ","))
	set(api.HeaderConsistency, r.consistency)
	set(api.HeaderOnUnmet, string(r.onUnmet))
	set(api.HeaderWriteConcern, r.concern)
	set(api.HeaderIdempotency, r.key)
	if deadline, ok := ctx.Deadline(); ok {
		set(api.HeaderTimeout, serverTimeout(time.Until(deadline)))
	}
	propagation.TraceContext{}.Inject(ctx, propagation.HeaderCarrier(h))
}

// serverTimeout is the time a store gets of the time left: a little less, so
// that its answer, be it an error, is still waited for.
func serverTimeout(left time.Duration) string {
	left -= min(left/20, 50*time.Millisecond)
	left = min(left, maxServerTimeout).Round(time.Microsecond)
	if left <= 0 {
		return "" // the context's own end is quicker
	}
	return left.String()
}

// waited is how long the store waited for a read level: no part of its distance.
func waited(h http.Header) time.Duration {
	n, err := strconv.Atoi(h.Get(api.HeaderWaited))
	if err != nil || n < 0 {
		return 0
	}
	return time.Duration(n) * time.Millisecond
}

// dialFailed reports that no connection was made, so nothing was sent.
func dialFailed(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

// unwrapURL drops net/http's prefix of method and address, which Error says.
func unwrapURL(err error) error {
	if inner := errors.Unwrap(err); inner != nil {
		return inner
	}
	return err
}
