package server

import (
	"context"
	"slices"

	"featurestore/api"
	"featurestore/feature"
	"featurestore/online"
)

// A push of a batch source's rows says which rows of which source they are. Beside the
// rows of each shard goes a mark, in the same log entry, of how far the source is
// written there (feature.MarkView). So a store that has rows of a source knows that it
// has them, for as long as it has the rows, whoever wrote them and whoever leads: they
// are written once, however often they are sent.

// mark adds what a push says of its source to what it writes.
func (rs *rows) mark(view *feature.ResolvedView, source *api.Source, now int64) error {
	if source.Again {
		return nil
	}
	if source.NoteID != "" {
		if rs.n > 0 {
			return api.Problemf(api.CodeInvalidHeader, api.HeaderSource, "a push with a note has no rows; this one has %d", rs.n)
		}
		id, err := feature.ParseMarkID(source.NoteID)
		rs.add(view.Shard(id.Key()), id.Note(source.Note, now))
		return err
	}
	id, err := feature.ParseMarkID(source.ID)
	if err != nil {
		return err
	}
	var shards []feature.Shard
	for i := range rs.changes {
		if shard := rs.changes[i].Shard; !slices.Contains(shards, shard) {
			shards = append(shards, shard)
		}
	}
	for _, shard := range shards {
		rs.add(shard, id.Through(source.Through, now))
	}
	return nil
}

// add adds a change that is of no row of the request.
func (rs *rows) add(shard feature.Shard, change feature.Change) {
	rs.changes = append(rs.changes, online.Placed{Shard: shard, Change: change})
	rs.of = append(rs.of, rs.n)
}

// marksBytes bounds what is read of marks at once: a shard has one, of a few bytes.
const marksBytes = 1 << 20

// unwritten is the part of a write that its source has not been written yet. A write
// that begins where nothing was written and ends where something was, or the other way
// about, is refused: batches of one source do not overlap.
func (s *Server) unwritten(ctx context.Context, w write) (write, error) {
	if w.source == nil || w.source.ID == "" {
		return w, nil
	}
	id, err := feature.ParseMarkID(w.source.ID)
	if err != nil {
		return w, err
	}
	var done []feature.Shard
	for _, target := range w.targets() {
		encoded, err := s.cfg.Online.ReadRows(ctx, []feature.RowKey{{Shard: target.Shard, View: feature.MarkView, Key: id.Key()}}, marksBytes)
		if err != nil {
			return w, err
		}
		mark, err := feature.DecodeMark(encoded[0])
		switch {
		case err != nil:
			return w, err
		case mark.Through >= w.source.Through:
			done = append(done, target.Shard)
		case mark.Through > w.source.After:
			return w, api.Problemf(api.CodeBatchSource, "", "rows of the source up to %d are written in shard %d/%d already, and these are the rows after %d up to %d: run it again, and it goes on from there",
				mark.Through, target.Shard.Group, target.Shard.Partition, w.source.After, w.source.Through)
		}
	}
	if len(done) == 0 {
		return w, nil
	}
	rows := *w.rows
	rows.changes, rows.of = nil, nil
	for i := range w.rows.changes {
		if !slices.Contains(done, w.rows.changes[i].Shard) {
			rows.changes, rows.of = append(rows.changes, w.rows.changes[i]), append(rows.of, w.rows.of[i])
		}
	}
	w.rows = &rows
	return w, nil
}

// stored are the changes that are written together, with their rows: all of them, but
// for marks of rows that are logged alone, which would be logged alone as well.
func (w *write) stored() ([]online.Placed, []int) {
	if !w.logOnly || w.source == nil || w.source.ID == "" {
		return w.rows.changes, w.rows.of
	}
	for i, of := range w.rows.of {
		if of == w.rows.n {
			return w.rows.changes[:i], w.rows.of[:i]
		}
	}
	return w.rows.changes, w.rows.of
}

// markLogOnly writes the marks that stored has left out. A store that ends between the
// two repeats the rows, which are told by their idempotency key for a day; after that
// they are in history twice.
func (s *Server) markLogOnly(ctx context.Context, w *write) error {
	changes, _ := w.stored()
	marks := w.rows.changes[len(changes):]
	if len(marks) == 0 {
		return nil
	}
	_, err := onceDue(ctx, func(ctx context.Context) (online.Receipt, error) {
		return s.cfg.Online.Append(ctx, online.Write{Changes: marks})
	})
	return err
}
