package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"featurestore/api"
	"featurestore/consistency"
	"featurestore/meta"
)

// What is asked of other stores: at most so many of them for one lookup, and
// answers of at most so many times Limits.AnswerBytes, for JSON is longer than
// what it says.
const (
	maxCandidates = 3
	answerGrowth  = 4
)

// defaultForward keeps connections to the few stores there are.
func defaultForward() http.RoundTripper {
	return &http.Transport{
		DialContext:         (&net.Dialer{Timeout: 2 * time.Second}).DialContext,
		MaxIdleConnsPerHost: 64, IdleConnTimeout: 90 * time.Second, ForceAttemptHTTP2: true,
	}
}

// isForwarded reports whether another store sent the request here. It is never
// sent on then: one hop is enough for who knows what others have, and a second
// could go round in circles.
func (r *request) isForwarded() bool { return r.Request().Header.Get(api.HeaderForwarded) != "" }

// forwardLookup asks the stores that meet a lookup, the nearest first, and
// relays the first answer. It reports false, and what was tried, when nobody
// answered.
func (s *Server) forwardLookup(r *request, f *consistency.ForwardError) (bool, error) {
	var tried []string
	candidates := f.To[:min(len(f.To), maxCandidates)]
	for i, to := range candidates {
		// One that is silent must leave time for the others.
		share := time.Until(r.deadline()) / time.Duration(len(candidates)-i)
		done, err := s.relayFrom(r, to, share)
		if done {
			s.metrics.forwarded(r.Request().Context(), string(to.Region), true)
			return true, err
		}
		s.metrics.forwarded(r.Request().Context(), string(to.Region), false)
		tried = append(tried, fmt.Sprintf("%s/%s: %v", to.Region, to.Store, err))
	}
	return false, errors.New("asked " + strings.Join(tried, "; "))
}

// relayFrom asks one store, and relays its answer unless another may do better.
// It reports false when nothing was written.
func (s *Server) relayFrom(r *request, to meta.Member, limit time.Duration) (bool, error) {
	ctx, cancel := context.WithTimeout(r.context(), limit)
	defer cancel()
	// The other store neither sends it on nor answers with less: who asked it
	// decides about that.
	answer, err := s.ask(ctx, r, to, api.HeaderOnUnmet, "fail")
	if err != nil {
		return false, err
	}
	defer answer.Body.Close()
	switch code := answer.StatusCode; {
	case code >= 500, code == http.StatusNotFound, code == http.StatusPreconditionFailed, code == http.StatusMisdirectedRequest:
		// It lacks the definitions, or what it told it has, or it is going away.
		return false, fmt.Errorf("answered %d", code)
	}
	if answer.ContentLength > s.relayLimit() {
		return false, fmt.Errorf("its answer of %d bytes is too large", answer.ContentLength)
	}
	return true, s.relay(r, answer)
}

func (s *Server) relayLimit() int64 { return int64(answerGrowth * s.cfg.Limits.AnswerBytes) }

// Headers that go on to another store, and those that come back from it.
var (
	handedOn = []string{
		"Content-Type", "Accept", "If-Match", "If-None-Match", "Authorization", "Baggage", "Traceparent", "Tracestate",
		api.HeaderSession, api.HeaderConsistency, api.HeaderWriteConcern, api.HeaderIdempotency, api.HeaderSource,
	}
	handedBack = []string{
		"Content-Type", "Content-Length", "ETag", "Retry-After",
		api.HeaderSession, api.HeaderConsistency, api.HeaderServedBy, api.HeaderStaleness, api.HeaderWaited,
	}
)

// ask sends the request on to another store, with the body that was read of it
// and the time it has left. The caller closes the answer's body. Further
// headers are name, value pairs.
func (s *Server) ask(ctx context.Context, r *request, to meta.Member, headers ...string) (*http.Response, error) {
	if to.URL == "" {
		return nil, errors.New("it has not told its URL")
	}
	in := r.Request()
	out, err := http.NewRequestWithContext(ctx, in.Method, strings.TrimSuffix(to.URL, "/")+in.URL.RequestURI(), bytes.NewReader(r.body))
	if err != nil {
		return nil, err
	}
	for _, name := range handedOn {
		if v := in.Header.Values(name); len(v) > 0 {
			out.Header[http.CanonicalHeaderKey(name)] = v
		}
	}
	for i := 0; i+1 < len(headers); i += 2 {
		out.Header.Set(headers[i], headers[i+1])
	}
	deadline, _ := ctx.Deadline()
	out.Header.Set(api.HeaderTimeout, max(time.Millisecond, min(time.Until(deadline), s.cfg.MaxTimeout)).String())
	out.Header.Set(api.HeaderForwarded, s.servedBy[0])
	out.Header.Set(api.HeaderRequestID, r.id)
	return s.forward.RoundTrip(out)
}

// relay answers with what another store answered.
func (s *Server) relay(r *request, answer *http.Response) error {
	h := r.Response().Header()
	for _, name := range handedBack {
		if v := answer.Header.Values(name); len(v) > 0 {
			h[http.CanonicalHeaderKey(name)] = v
		}
	}
	r.Response().WriteHeader(answer.StatusCode)
	limit := s.relayLimit()
	n, err := io.Copy(r.Response(), io.LimitReader(answer.Body, limit+1))
	if err == nil && n > limit {
		err = fmt.Errorf("the other store's answer is larger than %d bytes", limit)
	}
	return err
}
