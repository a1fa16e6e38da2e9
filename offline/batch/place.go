package batch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"featurestore/api"
	"featurestore/feature"
)

// place is how far a file is written.
type place struct {
	view *feature.ResolvedView
	file File
	// note is what to remember of it; nil for a window, of which nothing is remembered.
	note *note
	// after is up to where every shard has it, cuts are where some have it up to.
	after int64
	cuts  []int64
	// through is the last place that was read.
	through int64
}

// find returns how far a file is written, nil where all of it is. It notes a file that
// is new, so that it is known when it grows.
func (w *work) find(ctx context.Context, v *feature.ResolvedView, f File, file *os.File) (*place, error) {
	known, err := w.m.noteOf(ctx, v, f.Name)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Name, err)
	}
	if known != nil && known.Whole && known.isOf(f) {
		return nil, nil
	}
	first := int64(0)
	if known != nil && growing(f.Name) && known.SizeBytes < f.SizeBytes {
		first = known.SizeBytes
	}
	sum, part, err := sums(ctx, file, first)
	if err != nil {
		return nil, err
	}
	at := &place{view: v, file: f, note: &note{SizeBytes: f.SizeBytes, Modified: f.Modified.UnixNano(), Tag: f.Tag, Sum: sum}}
	switch {
	case known != nil && bytes.Equal(sum, known.Sum): // only its time is another
		at.note.ID, at.note.Whole, at.note.Through = known.ID, known.Whole, known.Through
		if known.Whole {
			return nil, w.keepNote(ctx, at)
		}
	case first > 0 && bytes.Equal(part, known.Sum):
		whole, err := endsLine(file, first)
		if err == nil && !whole {
			err = fmt.Errorf("%s grew within its last line, after byte %d, and what was read of that line may not be what it is now: a file grows by whole lines; write what is new into a file of its own",
				f.Name, first)
		}
		if err != nil {
			return nil, err
		}
		at.note.ID, at.note.Through = known.ID, known.Through
	default: // new, or replaced
		at.note.ID = markID(v.ID, "file", sum)
	}
	if err := w.keepNote(ctx, at); err != nil {
		return nil, err
	}
	if at.after, at.cuts, err = w.m.marks(ctx, v, at.note.ID); err != nil {
		return nil, err
	}
	// Shards that no row went to have no mark.
	at.after = max(at.after, at.note.Through)
	at.cuts = slices.DeleteFunc(at.cuts, func(cut int64) bool { return cut <= at.after })
	at.through = at.after
	return at, nil
}

// wrote notes that all of a file is written.
func (w *work) wrote(ctx context.Context, at *place) error {
	if at.note == nil {
		return nil
	}
	at.note.Whole, at.note.Through = true, at.through
	return w.keepNote(ctx, at)
}

// noteBytes bounds what is read of a note.
const noteBytes = 1 << 20

func noteID(v *feature.ResolvedView, name string) feature.MarkID {
	return markID(v.ID, "note", []byte(name))
}

// noteOf returns what is remembered of a file, nil for nothing.
func (m *Materializer) noteOf(ctx context.Context, v *feature.ResolvedView, name string) (*note, error) {
	id := noteID(v, name)
	rows, err := m.cfg.Rows.ReadRows(ctx, []feature.RowKey{{Shard: v.Shard(id.Key()), View: feature.MarkView, Key: id.Key()}}, noteBytes)
	if err != nil {
		return nil, err
	}
	mark, err := feature.DecodeMark(rows[0])
	if err != nil {
		return nil, err
	}
	return decodeNote(mark.Note)
}

// keepNote remembers a file, in a push without rows.
func (w *work) keepNote(ctx context.Context, at *place) error {
	text, err := at.note.encode()
	if err != nil {
		return err
	}
	body := append(api.AppendString([]byte(`{"view":`), at.view.Name), `,"rows":[]}`...)
	id := noteID(at.view, at.file.Name)
	_, err = w.push(ctx, body, &api.Source{NoteID: id.String(), Note: text}, "")
	return err
}

// marks returns up to where every shard of a view has a source, and, rising, up to
// where some have it.
func (m *Materializer) marks(ctx context.Context, v *feature.ResolvedView, id feature.MarkID) (after int64, cuts []int64, err error) {
	var keys []feature.RowKey
	for n := range max(v.Group.Partitions, 1) {
		keys = append(keys, feature.RowKey{Shard: feature.Shard{Group: v.Group.ID, Partition: n}, View: feature.MarkView, Key: id.Key()})
	}
	for len(keys) > 0 {
		rows, err := m.cfg.Rows.ReadRows(ctx, keys, noteBytes)
		if err != nil {
			return 0, nil, err
		}
		if len(rows) == 0 {
			return 0, nil, errors.New("no marks were read")
		}
		for _, row := range rows {
			mark, err := feature.DecodeMark(row)
			if err != nil {
				return 0, nil, err
			}
			cuts = append(cuts, mark.Through)
		}
		keys = keys[len(rows):]
	}
	slices.Sort(cuts)
	return cuts[0], slices.Compact(cuts), nil
}
