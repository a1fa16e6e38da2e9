package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
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
	report    io.Writer // progress, and rows that are left out

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

func (l *loader) run(ctx context.Context) (*loadResult, error) {
	if err := l.check(); err != nil {
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
	in, err := source.Open(ctx, l.path, l.options)
	if err != nil {
		return nil, err
	}
	defer in.Close()
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
	if err != nil {
		return nil, l.explain(err)
	}
	return result, nil
}

// explain says what is true after a load that ended early.
func (l *loader) explain(err error) error {
	note := "no row was stored"
	if n := l.mu.result.rows; n > 0 {
		note = fmt.Sprintf("%d rows were stored before; running the command again stores them once", n)
	}
	return &notedError{err, note}
}

// chooseFields reads the view's schema and says which columns to read.
func (l *loader) chooseFields() error {
	var names []string
	add := func(name, typ, conflict string, key bool) error {
		t, err := feature.ParseType(typ)
		if err != nil {
			return fmt.Errorf("the store names a type that this command does not know; is it of another version? %w", err)
		}
		column := name
		if c, ok := l.columns[name]; ok {
			column = c
		}
		names = append(names, name)
		l.fields = append(l.fields, loadField{
			name: name, column: column, typ: t, key: key,
			merges: slices.Contains([]string{feature.Counter.String(), feature.Set.String(), feature.Max.String(), feature.Min.String()}, conflict),
		})
		return nil
	}
	for _, k := range l.view.JoinKeys {
		if err := add(k.Name, k.Type, "", true); err != nil {
			return err
		}
	}
	for _, f := range l.view.Features {
		if err := add(f.Name, f.Type, f.Conflict, false); err != nil {
			return err
		}
	}
	for name := range l.columns {
		if !slices.Contains(names, name) {
			hint := "it has " + strings.Join(names, ", ")
			if near := feature.Nearest(name, names); near != "" {
				hint = "did you mean " + near + "?"
			}
			return fmt.Errorf("--map: view %s has no %s; %s", l.viewName, name, hint)
		}
	}
	l.options.Columns = nil
	wanted := map[string]feature.Type{}
	for _, f := range l.fields {
		if was, twice := wanted[f.column]; twice {
			if was != f.typ {
				return fmt.Errorf("--map: column %s cannot be both %s and %s", f.column, was, f.typ)
			}
			continue
		}
		wanted[f.column] = f.typ
		l.options.Columns = append(l.options.Columns, source.Want{Name: f.column, Type: f.typ})
	}
	for _, name := range l.timeColumns() {
		if _, twice := wanted[name]; !twice {
			l.options.Columns = append(l.options.Columns, source.Want{Name: name, Type: feature.ScalarOf(feature.Timestamp)})
		}
	}
	return nil
}

// timeColumns are the columns that may hold the event time, the first that a
// row has winning.
func (l *loader) timeColumns() []string {
	if l.eventTime != "" {
		return []string{l.eventTime}
	}
	return []string{"event_timestamp", api.EventTimeField}
}

// checkColumns compares what is needed with what the file has; nil means that
// the file has no list of its columns.
func (l *loader) checkColumns(have []string) error {
	if have == nil {
		return nil
	}
	var errs []error
	features := 0
	used := l.timeColumns()
	for _, f := range l.fields {
		used = append(used, f.column)
		switch there := slices.Contains(have, f.column); {
		case f.key && !there:
			errs = append(errs, fmt.Errorf("%s has no column %s for join key %s; it has %s; --map %s=COLUMN names another", l.path, f.column, f.name, strings.Join(have, ", "), f.name))
		case !f.key && there:
			features++
		case !there && l.columns[f.name] != "":
			errs = append(errs, fmt.Errorf("%s has no column %s, which --map names; it has %s", l.path, f.column, strings.Join(have, ", ")))
		}
	}
	if l.eventTime != "" && !slices.Contains(have, l.eventTime) {
		errs = append(errs, fmt.Errorf("%s has no column %s, which --event-time names; it has %s", l.path, l.eventTime, strings.Join(have, ", ")))
	}
	if len(errs) == 0 && features == 0 {
		errs = append(errs, fmt.Errorf("%s has no column of a feature of view %s; it has %s", l.path, l.viewName, strings.Join(have, ", ")))
	}
	for _, name := range have {
		if name != "" && !slices.Contains(used, name) {
			l.ignored = append(l.ignored, name)
		}
	}
	return errors.Join(errs...)
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
