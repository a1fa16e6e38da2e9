package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"

	"featurestore/api"
	"featurestore/feature"
	"featurestore/offline/source"
)

// pushBatch stores one batch. Rows without a feature say nothing, and are passed
// over. Rows that the store refuses are named; when they are to be skipped, the
// others are sent again.
func (l *loader) pushBatch(ctx context.Context, b *source.Batch) error {
	parts := l.parts(b)
	rows := make([]int, 0, b.Rows())
	for i := range b.Rows() {
		if slices.ContainsFunc(parts, func(p part) bool { return p.feature && !p.absent(i) }) {
			rows = append(rows, i)
		}
	}
	l.mu.Lock()
	l.mu.result.empty += b.Rows() - len(rows)
	l.mu.Unlock()
	for len(rows) > 0 {
		body := l.encode(parts, rows)
		answer, err := l.send(ctx, body, b.At[rows[0]])
		var refused *refusedError
		if errors.As(err, &refused) && refused.Code == api.CodeInvalidRows && len(refused.Rows) > 0 {
			faults, bad := l.refusedRows(b, rows, refused.Rows)
			if err := l.leaveOut(faults); err != nil {
				return err
			}
			rows = slices.DeleteFunc(rows, func(i int) bool { return slices.Contains(bad, i) })
			continue
		}
		if err != nil {
			return fmt.Errorf("%s: rows at %d to %d: %w", l.path, b.At[rows[0]], b.At[rows[len(rows)-1]], err)
		}
		l.mu.Lock()
		l.mu.result.add(len(rows), answer)
		l.mu.Unlock()
		return nil
	}
	return nil
}

// refusedRows translates what the store says of a request's rows into places
// of the file, and returns the indexes in the batch.
func (l *loader) refusedRows(b *source.Batch, rows []int, problems []api.RowProblem) (faults []*source.RowError, bad []int) {
	for _, p := range problems {
		if p.Row < 0 || p.Row >= len(rows) {
			continue
		}
		i := rows[p.Row]
		column := p.Field
		for _, f := range l.fields {
			if f.name == p.Field {
				column = f.column
			}
		}
		if p.Field == api.EventTimeField {
			column = l.timeColumnOf(b, i)
		}
		if !slices.Contains(bad, i) {
			bad = append(bad, i)
			faults = append(faults, &source.RowError{Path: l.path, At: b.At[i], Columnar: l.columnar(), Column: column, Err: errors.New(p.Message)})
		}
	}
	return faults, bad
}

// timeColumnOf is the column that row i has its event time from.
func (l *loader) timeColumnOf(b *source.Batch, i int) string {
	for _, name := range l.timeColumns() {
		for _, c := range b.Columns {
			if c.Name == name && !c.Values[i].IsNull() {
				return name
			}
		}
	}
	return api.EventTimeField
}

// columnar reports whether the file counts rows, not lines.
func (l *loader) columnar() bool {
	return slices.Contains([]string{".parquet", ".arrow", ".ipc", ".feather"}, filepath.Ext(l.path))
}

// parts are the columns of a batch as a request names them.
func (l *loader) parts(b *source.Batch) []part {
	columns := map[string]*source.Column{}
	for i := range b.Columns {
		columns[b.Columns[i].Name] = &b.Columns[i]
	}
	var parts []part
	for _, f := range l.fields {
		parts = append(parts, part{name: f.name, in: columns[f.column], feature: !f.key, skipNull: !f.key && (f.merges || l.empty == "absent")})
	}
	parts = append(parts, part{name: api.EventTimeField, in: l.mergedTimes(b, columns), skipNull: true})
	return slices.DeleteFunc(parts, func(p part) bool { return p.in == nil })
}

// encode writes a request of the given rows.
func (l *loader) encode(parts []part, rows []int) []byte {
	columns := make([]api.PushColumn, len(parts))
	for i, p := range parts {
		columns[i] = api.PushColumn{Name: p.name, Values: p.in.Values, Absent: p.absent}
	}
	body := append(api.AppendString([]byte(`{"view":`), l.viewName), ',')
	return append(api.AppendPushRows(body, columns, rows), '}')
}

// part is one named column of a request.
type part struct {
	name     string
	in       *source.Column
	feature  bool // no join key, and no event time
	skipNull bool
}

func (p part) absent(i int) bool {
	return p.in.Absent != nil && p.in.Absent[i] || p.skipNull && p.in.Values[i].IsNull()
}

// mergedTimes is the column of event times: of each row, the first that it has.
func (l *loader) mergedTimes(b *source.Batch, columns map[string]*source.Column) *source.Column {
	merged := &source.Column{Values: make([]feature.Value, b.Rows())}
	for _, name := range l.timeColumns() {
		c := columns[name]
		if c == nil {
			continue
		}
		for i, v := range c.Values {
			if merged.Values[i].IsNull() {
				merged.Values[i] = v
			}
		}
	}
	return merged
}

// send posts one request under an idempotency key, again and again while that
// may help. at is the place of its first row.
func (l *loader) send(ctx context.Context, body []byte, at int64) (answer api.PushResponse, err error) {
	key := l.idempotencyKey(body, at)
	err = l.retries.do(ctx, func() error {
		answer = api.PushResponse{}
		header := http.Header{api.HeaderIdempotency: {key}}
		if l.concern != "" {
			header.Set(api.HeaderWriteConcern, l.concern)
		}
		sent := l.session.send(header)
		err := l.client.post(ctx, l.client.path("push"), header, body, &answer)
		l.session.answered(sent, answer.Session)
		return l.session.explain(err)
	})
	return answer, err
}

// idempotencyKey names a batch by where it is from and what it holds, so that
// a file that was mended elsewhere is recognized up to there. With --again, a run
// recognizes only itself.
func (l *loader) idempotencyKey(body []byte, at int64) string {
	h := sha256.New()
	fmt.Fprintf(h, "%s\x00%s\x00%s\x00%d\x00%s", l.client.project, l.viewName, filepath.Base(l.path), at, l.nonce)
	h.Write(body)
	return hex.EncodeToString(h.Sum(nil)[:16])
}
