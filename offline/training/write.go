package training

import (
	"context"
	"errors"

	"github.com/apache/arrow/go/v17/arrow"

	"featurestore/offline/history"
	"featurestore/offline/pit"
)

// Write makes the training set of a file of entity rows, and writes it to a file, in
// the format of its ending. The file appears under its name when it is complete, and
// not before; one that was there is replaced.
func Write(ctx context.Context, c pit.Config, in *history.Reader, entityRows *EntityRows, r Request, path string) (w Written, report *Report, err error) {
	var out *Output
	defer func() {
		if out != nil {
			out.Abandon() // nothing, once it is committed
		}
	}()
	report, err = Join(ctx, c, in, entityRows, r, func(rec arrow.Record) error {
		if out == nil {
			var err error
			if out, err = Create(path, rec.Schema()); err != nil {
				return err
			}
		}
		return out.Write(rec)
	})
	if err != nil {
		return Written{}, nil, err
	}
	if out == nil {
		return Written{}, nil, errors.New("there are no entity rows")
	}
	w, err = out.Commit()
	return w, report, err
}
