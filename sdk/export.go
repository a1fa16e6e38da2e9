package sdk

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	mathrand "math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"featurestore/api"
)

// ExportRequest asks for an export: see api.ExportRequest.
type ExportRequest = api.ExportRequest

// EntityStream is an Arrow IPC stream of entity rows. Open begins it, once for each try:
// entity rows that can be read once alone return an error the second time, and then the
// export is not tried again.
type EntityStream func() (io.Reader, error)

// ExportStream is an export on its way: an Arrow IPC stream, and at its end what there is
// to say of it. It is for one goroutine. Package sdk/training hands out its records.
type ExportStream struct {
	url    string
	resp   *http.Response
	cancel context.CancelFunc
	sum    hash.Hash
	end    *ExportEnd
	err    error
}

// ExportEnd is what is known at the end of an export.
type ExportEnd struct {
	Rows int64
	// SHA256 is the sum of the stream's bytes, in hex.
	SHA256 string
	// Matched counts, for each view of a training set, the entity rows that met a row of
	// it; nil for other exports, and where there are too many views to say.
	Matched map[string]int64
}

// Export begins an export. Entity rows come with the request, or as a stream; nil for
// none. It is tried again, as a read, until an answer begins, and no more then. Ctx bounds
// the whole stream; the client's Timeout does not, for history may be large. The caller
// closes the stream.
func (c *Client) Export(ctx context.Context, r ExportRequest, entityRows EntityStream) (*ExportStream, error) {
	query, body := "", []byte(nil)
	if entityRows != nil {
		query = exportQuery(r)
	} else {
		var err error
		if body, err = json.Marshal(r); err != nil {
			return nil, err
		}
	}
	failure := &Error{Op: "export"}
	var tried []*remote
	for {
		failure.Tries++
		at, _ := c.stores.pick(time.Now(), false, tried)
		tried = append(tried, at)
		failure.URL = at.url
		stream, o, err := c.exportFrom(ctx, at.url+c.path("export")+query, body, entityRows, failure)
		if err == nil {
			c.metrics.tried(ctx, "export", o, failure.Tries)
			return stream, nil
		}
		c.stores.asked(at, o.sign(true), o.took, time.Now())
		var once *onceError
		if errors.As(err, &once) {
			return nil, once.err
		}
		next, _ := c.stores.pick(time.Now(), false, tried)
		isAsked := slices.Contains(tried, next)
		v := o.judge(true, false)
		if o.code == api.CodeNoHistory && isAsked { // none of them keeps any
			v.retry = false
		}
		if !v.retry || failure.Tries >= c.cfg.Retry.Tries || (isAsked || !v.elsewhere) &&
			!pauseFor(ctx, c.cfg.Retry.pause(failure.Tries, o.after, mathrand.Float64())) {
			return nil, failure.ended(ctx)
		}
	}
}

// onceError is what entity rows that cannot be sent end with.
type onceError struct{ err error }

// Error is that of the rows.
func (e *onceError) Error() string { return e.err.Error() }

// exportFrom asks one store. What went wrong is in failure.
func (c *Client) exportFrom(ctx context.Context, to string, body []byte, entityRows EntityStream, failure *Error) (*ExportStream, outcome, error) {
	ctx, cancel := context.WithCancel(ctx)
	stream, o, err := c.askExport(ctx, cancel, to, body, entityRows, failure)
	if err != nil {
		cancel()
	}
	return stream, o, err
}

func (c *Client) askExport(ctx context.Context, cancel context.CancelFunc, to string, body []byte, entityRows EntityStream, failure *Error) (*ExportStream, outcome, error) {
	failure.Problem, failure.Err = nil, nil
	media, in := api.MediaJSON, io.Reader(bytes.NewReader(body))
	if entityRows != nil {
		media = api.MediaArrowStream
		var err error
		if in, err = entityRows(); err != nil {
			return nil, outcome{}, &onceError{fmt.Errorf("export: entity rows: %w", err)}
		}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to, in)
	if err != nil {
		return nil, outcome{}, &onceError{err}
	}
	r := &request{op: "export", body: []byte{}, contentType: media}
	session := sessionOf(ctx)
	var tokens []string
	if session != nil {
		if tokens = session.snapshot(); len(tokens) > MaxTokens {
			return nil, outcome{}, &onceError{fmt.Errorf("export: %w: %d; look something up first, which merges them", ErrTooManyTokens, len(tokens))}
		}
	}
	// The deadline is for all of the stream: the store is not told of it.
	r.setHeaders(context.WithoutCancel(ctx), req.Header, tokens)
	resp, err := c.http.Do(req)
	if err != nil {
		failure.Err = unwrapURL(err)
		return nil, outcome{sent: !dialFailed(err), cut: cutBy(ctx, ctx)}, failure
	}
	if resp.StatusCode == http.StatusOK {
		if session != nil {
			session.answered(tokens, resp.Header.Get(api.HeaderSession))
		}
		return &ExportStream{url: to, resp: resp, cancel: cancel, sum: sha256.New()}, outcome{sent: true, status: resp.StatusCode}, nil
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	o := outcome{sent: true, status: resp.StatusCode, after: retryAfter(resp.Header)}
	if err != nil {
		failure.Err = fmt.Errorf("read the answer: %w", err)
		return nil, o, failure
	}
	if failure.Problem, failure.Err = problemOf(resp, text); failure.Problem != nil {
		o.code = failure.Problem.Code
	}
	return nil, o, failure
}

// exportQuery is a request as parameters of a query.
func exportQuery(r ExportRequest) string {
	q := url.Values{}
	for name, value := range map[string]string{
		"service": r.Service, "features": strings.Join(r.Features, ","), "event_time": r.EventTime, "known_as_of": r.KnownAsOf, "as_served_in": r.AsServedIn,
	} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if r.FullNames {
		q.Set("full_feature_names", "true")
	}
	return "?" + q.Encode()
}

// Read reads the Arrow stream. It returns io.EOF when all of it came and its sum is right;
// an error that matches ErrIncomplete when it broke off.
func (s *ExportStream) Read(b []byte) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	n, err := s.resp.Body.Read(b)
	s.sum.Write(b[:n])
	switch {
	case err == io.EOF:
		if s.err = s.check(); s.err == nil {
			s.err = io.EOF
		}
	case err != nil:
		s.err = fmt.Errorf("export from %s: %w: %w", s.url, ErrIncomplete, err)
	}
	return n, s.err
}

// check compares the end of the stream with what the store says of it.
func (s *ExportStream) check() error {
	sum, rows := s.resp.Trailer.Get(api.TrailerExportSHA256), s.resp.Trailer.Get(api.TrailerExportRows)
	n, err := strconv.ParseInt(rows, 10, 64)
	if sum == "" || err != nil {
		return fmt.Errorf("export from %s: %w: its end does not say that it is", s.url, ErrIncomplete)
	}
	if got := hex.EncodeToString(s.sum.Sum(nil)); got != sum {
		return fmt.Errorf("export from %s: %w: its sum is %s, the store says %s", s.url, ErrIncomplete, got, sum)
	}
	end := &ExportEnd{Rows: n, SHA256: sum}
	if matched := s.resp.Trailer.Get(api.TrailerExportMatched); matched != "" {
		if err := json.Unmarshal([]byte(matched), &end.Matched); err != nil {
			return fmt.Errorf("export from %s: %w: %s is %q", s.url, ErrBadAnswer, api.TrailerExportMatched, matched)
		}
	}
	s.end = end
	return nil
}

// End returns what is known at the end; false until Read has returned io.EOF.
func (s *ExportStream) End() (ExportEnd, bool) {
	if s.end == nil {
		return ExportEnd{}, false
	}
	return *s.end, true
}

// Close ends the export, at the store as well when it was not read to its end.
func (s *ExportStream) Close() error {
	s.cancel()
	return s.resp.Body.Close()
}
