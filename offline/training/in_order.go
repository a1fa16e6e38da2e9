package training

import (
	"context"
	"iter"

	"featurestore/offline/history"
)

// InOrder yields the rows of files of history in order of key, event time and version,
// as history.Reader.Merged does, in bounded memory: of at most fanIn files some
// rows are read at a time, and where there are more, runs of rows go through files in
// dir, which the caller removes. It ends after an error, and when ctx does.
func InOrder(ctx context.Context, in *history.Reader, files []history.DataFile, dir string) iter.Seq2[history.Row, error] {
	return inOrder(ctx, in, files, dir, fanIn)
}
