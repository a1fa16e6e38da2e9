package export

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/ipc"

	"featurestore/api"
)

// streamBytes is about how large a message of a stream may be: what a reader and the
// network hold of it at a time.
const streamBytes = 2 << 20

// Stream writes an export as an Arrow IPC stream. Its schema has, under
// api.MetadataExport, the manifest as far as it is known before the first row; the rest
// is in what Stream returns. Flush, nil for none, is called after each message. After an
// error the stream lacks its end, and must not be taken for whole.
func Stream(ctx context.Context, e Export, w io.Writer, flush func() error) (m *api.ExportManifest, err error) {
	defer caught(&err)
	before, err := e.Manifest()
	if err != nil {
		return nil, err
	}
	known, err := json.Marshal(before)
	if err != nil {
		return nil, err
	}
	out := newSummed(w)
	defer out.sum() // its goroutine ends, whatever happens
	var stream *ipc.Writer
	write := func(rec arrow.Record) error {
		if err := stream.Write(rec); err != nil {
			return fmt.Errorf("write an Arrow stream: %w", err)
		}
		if flush == nil {
			return nil
		}
		return flush()
	}
	m, err = e.Run(ctx, func(rec arrow.Record) error {
		described := withManifest(rec, string(known))
		defer described.Release()
		if stream == nil {
			stream = ipc.NewWriter(out, ipc.WithSchema(described.Schema()))
		}
		rows := rowsWithin(rec, streamBytes)
		for from := int64(0); from < rec.NumRows(); from += rows {
			part := described.NewSlice(from, min(from+rows, rec.NumRows()))
			err := write(part)
			part.Release()
			if err != nil {
				return err
			}
		}
		if rec.NumRows() == 0 {
			return write(described)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if err := stream.Close(); err != nil {
		return nil, fmt.Errorf("write an Arrow stream: %w", err)
	}
	m.Bytes, m.SHA256 = out.bytes, out.sum()
	return m, nil
}

// withManifest adds a manifest to a record's schema. The caller releases the record.
func withManifest(rec arrow.Record, manifest string) arrow.Record {
	meta := rec.Schema().Metadata()
	meta = arrow.NewMetadata(append(meta.Keys(), api.MetadataExport), append(meta.Values(), manifest))
	return array.NewRecord(arrow.NewSchema(rec.Schema().Fields(), &meta), rec.Columns(), rec.NumRows())
}

// rowsWithin is how many rows of a record take about so many bytes, at least one.
func rowsWithin(rec arrow.Record, most int64) int64 {
	var all int64
	for _, c := range rec.Columns() {
		all += int64(c.Data().SizeInBytes())
	}
	if all <= most || rec.NumRows() == 0 {
		return max(1, rec.NumRows())
	}
	return max(1, rec.NumRows()*most/all)
}
