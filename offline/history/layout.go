package history

import (
	"context"

	"featurestore/feature"
)

// Layout says how to read a file of rows by column, without building Rows: which
// columns hold the parts of the entity key and the features, under the names that
// they had when the file was written.
type Layout struct {
	// Keys are the columns of the join keys in their order; none where the view was
	// not known, and ColumnKey holds the encoded key.
	Keys []string
	// Features are the columns of features by number. One that has none is in
	// ColumnDelta, if it was written at all.
	Features map[feature.FeatureID]string
	// Plain says that no row has anything in ColumnDelta: the columns say all of
	// every row.
	Plain bool
}

// Layout reads the footer of a file, whose contents are verified first.
func (r *Reader) Layout(ctx context.Context, f DataFile) (Layout, error) {
	in, err := openRows(ctx, r.opener, f)
	if err != nil {
		return Layout{}, err
	}
	defer in.close()
	out := Layout{Features: map[feature.FeatureID]string{}}
	for _, k := range in.columns.keys {
		out.Keys = append(out.Keys, k.name)
	}
	for _, c := range in.columns.features {
		out.Features[c.id] = c.name
	}
	out.Plain, err = in.isPlain()
	return out, err
}

// isPlain asks the statistics of the row groups.
func (r *fileReader) isPlain() (plain bool, err error) {
	defer caught(&err)
	meta := r.in.ParquetReader().MetaData()
	last := meta.Schema.NumColumns() - 1 // ColumnDelta
	for g := range r.in.ParquetReader().NumRowGroups() {
		group := meta.RowGroup(g)
		chunk, err := group.ColumnChunk(last)
		if err != nil {
			return false, err
		}
		stats, err := chunk.Statistics()
		if err != nil {
			return false, err
		}
		if stats == nil || !stats.HasNullCount() || stats.NullCount() != group.NumRows() {
			return false, nil
		}
	}
	return true, nil
}
