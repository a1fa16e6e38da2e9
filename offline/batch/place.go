package batch

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
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
	// prefix is how many of its bytes are to be written first, as what the file was before
	// it grew; zero: all there are.
	prefix int64
	// after is up to where every shard has it, cuts are where some have it up to.
	after int64
	cuts  []int64
	// through is the last place that was read.
	through int64
}

// find returns how far a file is written, nil where all of it is. It notes a file that
// is new, so that it is known when it grows.
func (w *work) find(ctx context.Context, v *feature.ResolvedView, f File, file *os.File) (*place, error) {
	known, err := w.m.noteOf(ctx, v, nameID(v, f.Name))
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
	same := known // whose contents are these
	if known == nil || !bytes.Equal(sum, known.Sum) {
		if same, err = w.m.noteOf(ctx, v, contentsID(v, sum)); err != nil {
			return nil, fmt.Errorf("%s: %w", f.Name, err)
		}
	}
	switch grew := first > 0 && bytes.Equal(part, known.Sum); {
	case same != nil:
		at.note.ID, at.note.Whole, at.note.Through = same.ID, same.Whole, same.Through
	case grew && !known.Whole:
		at.note, at.prefix = known, first
	case grew:
		if err := w.grow(ctx, at, known, file); err != nil {
			return nil, err
		}
	default: // new, or replaced
		at.note.ID = markID(v.ID, "file", sum)
	}
	if err := w.keepNote(ctx, v, nameID(v, f.Name), at.note); err != nil || at.note.Whole {
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

// grow has a file go on after what it was before. What it has more is a source of its own:
// another file that began alike may go on otherwise. It is noted under the contents that
// there are now, so that a copy goes on with it.
func (w *work) grow(ctx context.Context, at *place, before *note, file *os.File) error {
	whole, err := endsLine(file, before.SizeBytes)
	if err == nil && !whole {
		err = fmt.Errorf("%s grew within its last line, after byte %d, and what was read of that line may not be what it is now: a file grows by whole lines; write what is new into a file of its own",
			at.file.Name, before.SizeBytes)
	}
	if err != nil {
		return err
	}
	at.note.ID = markID(at.view.ID, "growth", slices.Concat(before.Sum, at.note.Sum))
	at.note.Through = before.Through
	return w.keepNote(ctx, at.view, contentsID(at.view, at.note.Sum), at.note)
}

// prefixOf copies the first bytes of a file, which have a sum, to a file that has no
// name and goes when it is closed.
func prefixOf(file *os.File, n int64, sum []byte) (_ *os.File, err error) {
	prefix, err := os.CreateTemp("", "featurestore-source-*")
	if err != nil {
		return nil, err
	}
	h := sha256.New()
	_, err = io.Copy(io.MultiWriter(prefix, h), io.NewSectionReader(file, 0, n))
	if err == nil && !bytes.Equal(sumOf(h), sum) {
		err = errors.New("it changed while it was read; run it again")
	}
	if _, seeked := prefix.Seek(0, io.SeekStart); err == nil {
		err = seeked
	}
	if err = errors.Join(err, os.Remove(prefix.Name())); err != nil {
		return nil, errors.Join(err, prefix.Close())
	}
	return prefix, nil
}

// wrote notes that all of a file is written: under its name, and under its contents,
// which another name may have.
func (w *work) wrote(ctx context.Context, at *place) error {
	if at.note == nil {
		return nil
	}
	at.note.Whole, at.note.Through = true, at.through
	if err := w.keepNote(ctx, at.view, contentsID(at.view, at.note.Sum), at.note); err != nil {
		return err
	}
	return w.keepNote(ctx, at.view, nameID(at.view, at.file.Name), at.note)
}

// noteBytes bounds what is read of a note.
const noteBytes = 1 << 20

// nameID is that of the note of a file's name, contentsID of contents.
func nameID(v *feature.ResolvedView, name string) feature.MarkID {
	return markID(v.ID, "note", []byte(name))
}

func contentsID(v *feature.ResolvedView, sum []byte) feature.MarkID {
	return markID(v.ID, "contents", sum)
}

// noteOf returns what is remembered under an id, nil for nothing.
func (m *Materializer) noteOf(ctx context.Context, v *feature.ResolvedView, id feature.MarkID) (*note, error) {
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

// keepNote remembers something, in a push without rows.
func (w *work) keepNote(ctx context.Context, v *feature.ResolvedView, id feature.MarkID, n *note) error {
	text, err := n.encode()
	if err != nil {
		return err
	}
	body := append(api.AppendString([]byte(`{"view":`), v.Name), `,"rows":[]}`...)
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
