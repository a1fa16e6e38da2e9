package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"featurestore/api"
)

const defaultURL = "http://127.0.0.1:8080"

// client speaks the REST contract to one store.
type client struct {
	url     string
	project string
	timeout time.Duration
}

// register adds the flags that every client's command has. The environment
// gives their defaults.
func (c *client) register(a *app, cmd *cobra.Command) {
	base := a.variable("FEATURESTORE_URL")
	if base == "" {
		base = defaultURL
	}
	cmd.Flags().StringVar(&c.url, "url", base, "store to talk to; FEATURESTORE_URL")
	cmd.Flags().DurationVar(&c.timeout, "timeout", 30*time.Second, "time for each request")
}

// registerProject adds --project, for commands whose project is not told by
// definitions.
func (c *client) registerProject(a *app, cmd *cobra.Command) {
	cmd.Flags().StringVar(&c.project, "project", a.variable("FEATURESTORE_PROJECT"), "project; FEATURESTORE_PROJECT; needless when the store has one")
}

// path returns the path of an operation of the project.
func (c *client) path(operation ...string) string {
	p := "/v1/projects/" + url.PathEscape(c.project)
	for _, o := range operation {
		p += "/" + url.PathEscape(o)
	}
	return p
}

// resolveProject asks the store for its projects when none is named.
func (c *client) resolveProject(ctx context.Context) error {
	if c.project != "" {
		return nil
	}
	var list api.Projects
	if err := c.get(ctx, "/v1/projects", &list); err != nil {
		return err
	}
	names := make([]string, len(list.Projects))
	for i, p := range list.Projects {
		names[i] = p.Name
	}
	switch len(names) {
	case 0:
		return errors.New("the store has no project; apply definitions first: featurestore apply DEFINITIONS")
	case 1:
		c.project = names[0]
		return nil
	}
	return fmt.Errorf("the store has the projects %s; choose one by --project", strings.Join(names, ", "))
}

func (c *client) get(ctx context.Context, path string, into any) error {
	_, err := c.call(ctx, http.MethodGet, path, nil, nil, into)
	return err
}

// post sends JSON and reads the answer into into.
func (c *client) post(ctx context.Context, path string, header http.Header, body []byte, into any) error {
	if header == nil {
		header = http.Header{}
	}
	header.Set("Content-Type", api.MediaJSON)
	_, err := c.call(ctx, http.MethodPost, path, header, body, into)
	return err
}

// maxAnswer bounds what is read of one answer.
const maxAnswer = 64 << 20

// call makes one request. An answer that is no success is a *refusedError;
// no answer at all is an *unreachableError.
func (c *client) call(ctx context.Context, method, path string, header http.Header, body []byte, into any) (http.Header, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	base, err := baseURL(c.url)
	if err != nil {
		return nil, err
	}
	target := base + path
	r, err := http.NewRequestWithContext(ctx, method, target, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	for name, values := range header {
		r.Header[name] = values
	}
	if header.Get(api.HeaderTimeout) == "" {
		r.Header.Set(api.HeaderTimeout, c.timeout.String())
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		if cause := context.Cause(ctx); errors.Is(cause, context.Canceled) {
			return nil, cause
		}
		return nil, &unreachableError{url: c.url, timeout: c.timeout, err: err}
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil {
		return nil, &unreachableError{url: c.url, timeout: c.timeout, err: err}
	}
	if answer.StatusCode >= 300 {
		return nil, problemOf(target, answer, text)
	}
	if into != nil {
		if err := json.Unmarshal(text, into); err != nil {
			return nil, fmt.Errorf("%s answered %s with a body that is not its JSON: %w", target, answer.Status, err)
		}
	}
	return answer.Header, nil
}

// baseURL is what --url means: without a scheme, http.
func baseURL(text string) (string, error) {
	whole := text
	if !strings.Contains(whole, "://") {
		whole = "http://" + whole
	}
	u, err := url.Parse(whole)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return "", fmt.Errorf("--url is %q: write it as %s", text, defaultURL)
	}
	return strings.TrimRight(whole, "/"), nil
}

// problemOf reads an error of the store, or says that it was none of ours.
func problemOf(target string, answer *http.Response, text []byte) error {
	media, _, _ := mime.ParseMediaType(answer.Header.Get("Content-Type"))
	var p api.Problem
	if media == api.MediaProblem && json.Unmarshal(text, &p) == nil && p.Code != "" {
		return &refusedError{&p}
	}
	return fmt.Errorf("%s answered %s; is a feature store listening there?", target, answer.Status)
}

// refusedError is an error that the store answered with.
type refusedError struct{ *api.Problem }

// parts are the faults of refused definitions, or what changed unseen.
func (e *refusedError) parts() []string { return append(slices.Clone(e.Problems), e.Difference...) }

// Unwrap returns the problem, which matches its code.
func (e *refusedError) Unwrap() error { return e.Problem }

// unreachableError reports that no answer came. A write may have happened.
type unreachableError struct {
	url     string
	timeout time.Duration
	err     error
}

// Error names the store and what to try.
func (e *unreachableError) Error() string {
	cause := e.err
	var wrapped *url.Error
	if errors.As(cause, &wrapped) {
		cause = wrapped.Err
	}
	if errors.Is(cause, context.DeadlineExceeded) {
		return fmt.Sprintf("no answer from %s within %v, the --timeout: give it more time, or ask another store by --url", e.url, e.timeout)
	}
	return fmt.Sprintf("no answer from %s: %v; is the store running there? --url names another", e.url, cause)
}

// Unwrap returns the cause.
func (e *unreachableError) Unwrap() error { return e.err }
