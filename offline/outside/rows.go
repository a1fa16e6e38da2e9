package outside

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"featurestore/feature"
	"featurestore/offline/source"
)

// serveRows reads a file from front to back and writes its batches.
func serveRows(ctx context.Context, request *Request, file *os.File, w *frames) error {
	reader, err := source.OpenFile(ctx, file, request.Name, request.options())
	if err != nil {
		return err
	}
	defer func() { _ = reader.Close() }() // it was only read
	columnar := IsColumnar(request.Name)
	if request.Probe != "" {
		return probe(ctx, reader)
	}
	if err := request.checkColumns(reader.Columns()); err != nil {
		return err
	}
	w.write(frameOpened, opened{Groups: reader.Groups(), Columnar: columnar}, nil)
	r := &rower{request: request, columnar: columnar, through: request.After, w: w}
	if request.Check && request.Created != "" {
		r.order = newOrder()
	}
	for {
		if err := w.flush(); err != nil {
			return err
		}
		batch, err := reader.Next(ctx)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		done, _ := reader.Progress()
		if err := r.batch(batch, done); err != nil {
			return err
		}
	}
}

// probe reads all there is.
func probe(ctx context.Context, reader *source.Reader) error {
	for {
		if _, err := reader.Next(ctx); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
	}
}

func (r *Request) options() source.Options {
	o := source.Options{BatchRows: r.BatchRows, BatchBytes: r.BatchBytes}
	if r.Probe != "" {
		o.Columns = []source.Want{{Name: r.Probe}}
		return o
	}
	seen := map[string]bool{}
	want := func(name string, t feature.Type) {
		if !seen[name] {
			o.Columns = append(o.Columns, source.Want{Name: name, Type: t})
			seen[name] = true
		}
	}
	for _, c := range r.Columns {
		t, _ := feature.ParseType(c.Type) // validate has looked
		want(c.Column, t)
	}
	want(r.EventTime, feature.ScalarOf(feature.Timestamp))
	if r.Created != "" {
		want(r.Created, feature.ScalarOf(feature.Timestamp))
	}
	return o
}

// IsColumnar reports whether a format counts rows, not lines.
func IsColumnar(name string) bool {
	name = strings.ToLower(name)
	return slices.ContainsFunc([]string{".parquet", ".arrow", ".ipc", ".feather"}, func(ending string) bool {
		return strings.HasSuffix(name, ending)
	})
}

// checkColumns compares what is needed with what the file has; nil says that the
// file has no list of its columns.
func (r *Request) checkColumns(have []string) error {
	if have == nil {
		return nil
	}
	it := fmt.Sprintf("it has %s", strings.Join(have, ", "))
	var faults []error
	features := 0
	for _, c := range r.Columns {
		switch there := slices.Contains(have, c.Column); {
		case there && !c.Key:
			features++
		case there:
		case c.Key:
			faults = append(faults, fmt.Errorf("%s has no column %s for join key %s; %s; columns of batch_source names another", r.Name, c.Column, c.Name, it))
		case c.Named:
			faults = append(faults, fmt.Errorf("%s has no column %s, which batch_source names for feature %s; %s", r.Name, c.Column, c.Name, it))
		}
	}
	for _, named := range []struct{ column, is string }{{r.EventTime, "event times; event_time"}, {r.Created, "times of creation; created"}} {
		if named.column != "" && !slices.Contains(have, named.column) {
			faults = append(faults, fmt.Errorf("%s has no column %s of %s of batch_source names another; %s", r.Name, named.column, named.is, it))
		}
	}
	if len(faults) == 0 && features == 0 {
		faults = append(faults, fmt.Errorf("%s has no column of a feature of the view; %s", r.Name, it))
	}
	return errors.Join(faults...)
}
