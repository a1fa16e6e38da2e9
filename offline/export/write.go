package export

import (
	"context"
	"encoding/json"

	"github.com/apache/arrow/go/v17/arrow"

	"featurestore/api"
)

// Export is a stream of records, and what is said of it.
type Export interface {
	// Manifest returns what is known before it runs: all but counts and sums.
	Manifest() (*api.ExportManifest, error)
	// Progress returns how many rows are done, of history's that are to be read and of
	// entity rows, and how many there are, as far as is known. It may be called while
	// the export runs.
	Progress() (done, total int64)
	// Run calls yield with the records in order, all of one schema: at least one,
	// without rows where there are none (EX4). Each is yield's for the time of the call. It returns when all were taken, with a manifest that
	// lacks the file; or with the first error, of yield, of ctx or its own. It runs
	// once.
	Run(ctx context.Context, yield func(arrow.Record) error) (*api.ExportManifest, error)
}

// ManifestName returns the name of the manifest of a file.
func ManifestName(path string) string {
	name := bareName(path)
	return name + ".manifest.json" + path[len(name):]
}

// Write writes an export to a file, of this machine or, under a URL, in a bucket, in
// the format of its ending, and then its manifest beside it (EX1). What was there
// under these names is replaced.
func Write(ctx context.Context, e Export, path string) (m *api.ExportManifest, err error) {
	var out *Output
	defer func() {
		if out != nil {
			out.Abandon() // nothing, once it is committed
		}
	}()
	m, err = e.Run(ctx, func(rec arrow.Record) error {
		if out == nil {
			var err error
			if out, err = Create(ctx, path, rec.Schema()); err != nil {
				return err
			}
		}
		return out.Write(rec)
	})
	if err != nil {
		return nil, err
	}
	// A manifest beside a file that it is not of would be worse than none.
	if err := removeFile(ctx, ManifestName(path)); err != nil {
		return nil, err
	}
	w, err := out.Commit()
	if err != nil {
		return nil, err
	}
	m.File, m.Rows, m.Bytes, m.SHA256 = path, w.Rows, w.Bytes, w.SHA256
	return m, writeManifest(ctx, ManifestName(path), m)
}

func writeManifest(ctx context.Context, path string, m *api.ExportManifest) error {
	text, err := json.MarshalIndent(m, "", "  ")
	if err == nil {
		err = replaceFile(ctx, path, append(text, '\n'))
	}
	return err
}
