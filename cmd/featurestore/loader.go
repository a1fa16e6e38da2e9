package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"featurestore/api"
	"featurestore/feature"
	"featurestore/offline/source"
)

// loader pushes the rows of one file.
type loader struct {
	client    client
	viewName  string
	path      string
	columns   map[string]string // feature or join key -> column of the file
	eventTime string
	empty     string
	options   source.Options
	parallel  int
	skipBad   bool
	concern   string // --write-concern
	retries   retries
	session   session
	again     bool      // do not recognize what an earlier run stored
	report    io.Writer // progress, and rows that are left out

	nonce   string // sets the batches of this run apart; empty unless again
	view    api.View
	fields  []loadField
	ignored []string

	mu struct {
		sync.Mutex
		result loadResult
	}
}

// loadField is a join key or a feature, and the file's column it is in.
type loadField struct {
	name   string
	column string
	typ    feature.Type
	key    bool
	// merges says that the value is merged into what is stored, where null has
	// no place.
	merges bool
}

func (l *loader) run(ctx context.Context) (_ *loadResult, err error) {
	if err := l.check(); err != nil {
		return nil, err
	}
	if err := l.session.open(); err != nil {
		return nil, err
	}
	if err := l.client.resolveProject(ctx); err != nil {
		return nil, err
	}
	if err := l.client.get(ctx, l.client.path("views", l.viewName), &l.view); err != nil {
		return nil, err
	}
	if err := l.chooseFields(); err != nil {
		return nil, err
	}
	if l.again {
		l.nonce = rand.Text()
	}
	in, err := source.Open(ctx, l.path, l.options)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	if err := l.checkColumns(in.Columns()); err != nil {
		return nil, err
	}
	start := time.Now()
	bar := newProgress(ctx, l, in)
	err = l.pushAll(ctx, in, bar)
	bar.stop(err == nil)
	result := &l.mu.result
	result.took = time.Since(start)
	result.ignored = l.ignored
	// What was stored before an error is in the session too.
	token, sessionErr := l.session.close(context.WithoutCancel(ctx), &l.client)
	if err = errors.Join(err, sessionErr); err != nil {
		return nil, l.explain(err)
	}
	result.session = token
	return result, nil
}

// explain says what is true after a load that ended early.
func (l *loader) explain(err error) error {
	return &notedError{err, whatIsStored(err, l.mu.result.rows, l.again)}
}

// whatIsStored says it after an error, when rows were acknowledged before.
func whatIsStored(err error, before int, again bool) string {
	var note []string
	if before > 0 {
		note = append(note, counted(before, "row")+map[bool]string{true: " was", false: " were"}[before == 1]+" stored before")
	}
	var silent *unreachableError
	switch {
	case errors.Is(err, api.CodeConcernTimeout):
		note = append(note, "the last batch is stored, if not everywhere yet, and goes on replicating")
	case errors.As(err, &silent):
		note = append(note, "the last batch may be stored")
	case before == 0:
		return "no row was stored"
	}
	if again {
		return strings.Join(note, "; ") + "; running the command again stores them another time"
	}
	return strings.Join(note, "; ") + "; running the command again stores them once"
}

// pushAll reads the next batch while those before it are on their way.
func (l *loader) pushAll(ctx context.Context, in *source.Reader, bar *progress) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(l.parallel)
	err := func() error {
		for {
			b, err := in.Next(ctx)
			if err == io.EOF {
				return nil
			}
			if err != nil {
				return err
			}
			if err := l.leaveOut(b.Faults); err != nil {
				return err
			}
			if b.Rows() > 0 {
				group.Go(func() error { return l.pushBatch(ctx, b) })
			}
			bar.at(in.Progress())
		}
	}()
	// A push that failed ended the reading by its context: its error counts.
	return firstCause(group.Wait(), err)
}

func firstCause(pushed, read error) error {
	if pushed != nil {
		return pushed
	}
	return read
}

// maxNamed bounds how many bad rows are named.
const maxNamed = 20

// leaveOut names bad rows. Unless they are to be skipped it returns an error
// that lists them.
func (l *loader) leaveOut(faults []*source.RowError) error {
	if len(faults) == 0 {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	var list []string
	for _, f := range faults {
		l.mu.result.bad++
		switch {
		case l.mu.result.bad <= maxNamed:
			list = append(list, f.Error())
		case l.mu.result.bad == maxNamed+1:
			list = append(list, "more rows are bad and not named")
		}
	}
	if !l.skipBad {
		return errors.New(strings.Join(list, "\n"))
	}
	for _, line := range list {
		fmt.Fprintf(l.report, "left out: %s\n", line)
	}
	return nil
}
