package batch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"featurestore/api"
	"featurestore/feature"
	"featurestore/offline/outside"
)

// What became of a file, for metrics.
const (
	written   = "written"
	unchanged = "unchanged"
	failed    = "failed"
)

// file materializes one file, or as much of it as was not, and returns what became of
// it.
func (w *work) file(ctx context.Context, v *feature.ResolvedView, f File) (outcome string, err error) {
	file, err := w.m.cfg.Files.Open(ctx, f)
	if err != nil {
		return failed, err
	}
	defer file.Close()
	if w.plan.Window {
		return w.all(ctx, &place{view: v, file: f}, file)
	}
	outcome = unchanged
	for {
		at, err := w.find(ctx, v, f, file)
		switch {
		case err != nil:
			return failed, err
		case at == nil && outcome == unchanged:
			w.detail.FilesUnchanged++
			return unchanged, nil
		case at == nil:
			return outcome, nil
		case at.prefix == 0:
			return w.all(ctx, at, file)
		}
		// What the file was before it grew is not all written yet.
		prefix, err := prefixOf(file, at.prefix, at.note.Sum)
		if err != nil {
			return failed, fmt.Errorf("%s: %w", f.Name, err)
		}
		outcome, err = w.all(ctx, at, prefix)
		if err = errors.Join(err, prefix.Close()); err != nil {
			return failed, err
		}
	}
}

// all writes what is left of a file.
func (w *work) all(ctx context.Context, at *place, file *os.File) (outcome string, err error) {
	request := w.request(at.view, at.file)
	request.After, request.Cuts = at.after, at.cuts
	if !w.plan.Window { // else all files were, before any was written
		if err := w.look(ctx, file, request); err != nil {
			return failed, err
		}
	}
	if err := w.write(ctx, at, file, request); err != nil {
		return failed, err
	}
	if at.prefix == 0 {
		if err := unmoved(file, at.file); err != nil {
			return failed, err
		}
	}
	return written, w.wrote(ctx, at)
}

// request is what there is to read of a view's files.
func (w *work) request(v *feature.ResolvedView, f File) outside.Request {
	b := v.BatchSource
	r := outside.Request{
		Name: f.Name, EventTime: b.EventTime, Created: b.Created,
		BatchRows: w.m.cfg.BatchRows, BatchBytes: w.m.cfg.BatchBytes,
	}
	if r.EventTime == "" {
		r.EventTime = "event_timestamp"
	}
	add := func(c outside.Column) {
		c.Column = c.Name
		if column, ok := b.Columns[c.Name]; ok {
			c.Column, c.Named = column, true
		}
		r.Columns = append(r.Columns, c)
	}
	for _, k := range v.Keys {
		add(outside.Column{Name: k.Name, Type: k.Type.String(), Key: true})
	}
	for _, field := range v.Fields {
		merges := slices.Contains([]feature.Rule{feature.Counter, feature.Set, feature.Max, feature.Min}, field.Rule)
		add(outside.Column{Name: field.Name, Type: field.Type.String(), SkipNull: merges})
	}
	if w.plan.Window {
		r.Window, r.From, r.To = true, w.plan.From.UnixNano(), w.plan.To.UnixNano()
	}
	return r
}

// open has a child read a file.
func (w *work) open(ctx context.Context, file *os.File, r outside.Request) (*outside.Rows, error) {
	return outside.Open(ctx, w.m.cfg.Outside, file, r)
}

// lookAt reads all of a file through.
func (w *work) lookAt(ctx context.Context, v *feature.ResolvedView, f File) error {
	file, err := w.m.cfg.Files.Open(ctx, f)
	if err != nil {
		return err
	}
	defer file.Close()
	return w.look(ctx, file, w.request(v, f))
}

// look reads a file through without writing any of it, so that what is wrong with it
// is found before (BA3).
func (w *work) look(ctx context.Context, file *os.File, r outside.Request) error {
	r.Check = true
	rows, err := w.open(ctx, file, r)
	if err != nil {
		return err
	}
	defer rows.Close()
	var bad int64
	var faults []string
	for {
		b, err := rows.Next(ctx)
		if err == io.EOF {
			break
		}
		if err != nil {
			return w.died(ctx, err)
		}
		bad += b.BadRows
		faults = appendFaults(faults, r.Name, b.Faults)
		w.tell(b.Done)
	}
	if bad > 0 && !w.plan.SkipBadRows {
		return badRows(bad, faults, "no row of the file was stored by this job")
	}
	return nil
}

// died counts the deaths of children.
func (w *work) died(ctx context.Context, err error) error {
	var fault *outside.FileError
	if errors.As(err, &fault) && fault.Died {
		w.m.metrics.deaths.Add(ctx, 1, labels(w.plan.Project, w.view))
	}
	return err
}

// maxFaults is how many bad rows an error names.
const maxFaults = outside.MaxFaults

func appendFaults(dst []string, name string, faults []outside.Fault) []string {
	for _, f := range faults {
		if len(dst) == maxFaults {
			break
		}
		dst = append(dst, f.Place(name)+": "+f.Message)
	}
	return dst
}

// badRows is the problem of rows that cannot be read.
func badRows(n int64, faults []string, note string) error {
	what := "1 row is bad"
	if n != 1 {
		what = fmt.Sprintf("%d rows are bad", n)
	}
	p := api.Problemf(api.CodeBatchSource, "", "%s, and %s; skip_bad_rows leaves them out: %s", what, note, strings.Join(faults, "; "))
	p.Problems, p.BadRows = faults, int(n)
	return p
}

// unmoved reports a file that changed while it was read: what was read of it may be
// neither what it was nor what it is (BA6).
func unmoved(file *os.File, f File) error {
	info, err := file.Stat()
	if err == nil && f.Tag == "" && (info.Size() != f.SizeBytes || !info.ModTime().Equal(f.Modified)) {
		err = fmt.Errorf("%s changed while it was read: it had %d bytes of %v, and has %d of %v; run it again",
			f.Name, f.SizeBytes, f.Modified.UTC(), info.Size(), info.ModTime().UTC())
	}
	return err
}
