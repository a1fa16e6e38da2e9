package export

import (
	"context"

	"github.com/apache/arrow/go/v17/arrow"

	"featurestore/offline/sql"
)

// SQL returns the training set as a query over the files of history, in a dialect.
// Location is the root of the history as the engine calls it, and entityRows the Parquet
// file of entity rows, whose columns are given; "": a table of them. Errors match
// sql.ErrInexpressible where SQL cannot say it.
func (t *Training) SQL(ctx context.Context, d *sql.Dialect, location string, entity *arrow.Schema, entityRows string) (string, error) {
	return sql.Print(ctx, d, sql.Query{Request: t.request, History: t.past.in, Location: location, Entity: entity, EntityRows: entityRows})
}
