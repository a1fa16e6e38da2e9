package batch

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"time"

	"featurestore/api"
	"featurestore/feature"
	"featurestore/offline/outside"
)

// write pushes what there is of a file, batch by batch.
func (w *work) write(ctx context.Context, at *place, file *os.File, r outside.Request) error {
	for {
		refused, err := w.writeFrom(ctx, at, file, r)
		if err != nil || len(refused) == 0 {
			return err
		}
		// From the batch with the rows that the store refused on, without them.
		r.After = at.through
		r.LeaveOut = append(r.LeaveOut, refused...)
		slices.Sort(r.LeaveOut)
	}
}

// writeFrom pushes a file from a place on. It returns rows that the store refused,
// where they are to be left out: nothing of their batch was written then.
func (w *work) writeFrom(ctx context.Context, at *place, file *os.File, r outside.Request) (refused []int64, err error) {
	rows, err := w.open(ctx, file, r)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	at.through = r.After
	for {
		b, err := rows.Next(ctx)
		if err == io.EOF {
			return nil, nil
		}
		if err != nil {
			return nil, w.died(ctx, err)
		}
		if b.BadRows > 0 && !w.plan.SkipBadRows { // it changed since it was looked through
			return nil, badRows(b.BadRows, appendFaults(nil, r.Name, b.Faults), w.storedUpTo(at, r))
		}
		if b.Rows > 0 {
			if refused, err = w.batch(ctx, at, b, r); err != nil || len(refused) > 0 {
				return refused, err
			}
		}
		at.through = b.Through
		w.detail.EmptyRows += b.Empty
		w.detail.BesideRows += b.Beside
		w.bad(ctx, at.view, b.BadRows, appendFaults(nil, r.Name, b.Faults))
		w.tell(w.fileBytes + b.Done)
	}
}

// bad counts rows that are left out, and names the first.
func (w *work) bad(ctx context.Context, v *feature.ResolvedView, n int64, faults []string) {
	if n == 0 {
		return
	}
	w.m.metrics.bad.Add(ctx, n, labels(w.plan.Project, v.Name))
	w.detail.BadRows += n
	room := maxFaults - len(w.detail.Faults)
	w.detail.Faults = append(slices.Clip(w.detail.Faults), faults[:max(0, min(room, len(faults)))]...)
}

func (w *work) storedUpTo(at *place, r outside.Request) string {
	if at.through <= 0 {
		return "no row of the file was stored by this job"
	}
	return fmt.Sprintf("the rows of %s up to %d are stored", r.Name, at.through)
}

// batch pushes one batch. It returns the rows that the store refused where they are to
// be left out.
func (w *work) batch(ctx context.Context, at *place, b *outside.Batch, r outside.Request) (refused []int64, err error) {
	if err := w.m.cfg.May(); err != nil {
		return nil, err
	}
	body := append(api.AppendString([]byte(`{"view":`), at.view.Name), ',')
	body = append(append(body, b.Body...), '}')
	source := &api.Source{Again: true}
	if at.note != nil {
		source = &api.Source{ID: at.note.ID.String(), After: b.After, Through: b.Through}
	}
	answer, err := w.push(ctx, body, source, fmt.Sprintf("%s %d", r.Name, b.After))
	var p *api.Problem
	if errors.As(err, &p) && p.Code == api.CodeInvalidRows && len(p.Rows) > 0 {
		return w.refusedRows(ctx, at, b, r, p)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: rows after %d up to %d: %w", r.Name, b.After, b.Through, err)
	}
	w.detail.Rows += b.Rows
	w.detail.Superseded += int64(answer.Superseded)
	w.m.metrics.rows.Add(ctx, b.Rows, labels(w.plan.Project, at.view.Name))
	return nil, nil
}

// refusedRows names rows that the store refused by their places in the file.
func (w *work) refusedRows(ctx context.Context, at *place, b *outside.Batch, r outside.Request, p *api.Problem) (refused []int64, err error) {
	columnar := outside.IsColumnar(r.Name)
	var faults []outside.Fault
	for _, row := range p.Rows {
		if row.Row < 0 || row.Row >= len(b.At) {
			continue
		}
		place := b.At[row.Row]
		if !slices.Contains(refused, place) {
			refused = append(refused, place)
			faults = append(faults, outside.Fault{At: place, Columnar: columnar, Column: columnOf(r, row.Field), Message: row.Message})
		}
	}
	if len(refused) == 0 {
		return nil, fmt.Errorf("%s: rows after %d up to %d: %w", r.Name, b.After, b.Through, p)
	}
	told := appendFaults(nil, r.Name, faults)
	if !w.plan.SkipBadRows {
		return nil, badRows(int64(max(p.BadRows, len(refused))), told, w.storedUpTo(at, r))
	}
	w.bad(ctx, at.view, int64(len(refused)), told)
	return refused, nil
}

// columnOf is the column of a file that a field of a push is from.
func columnOf(r outside.Request, field string) string {
	if field == api.EventTimeField {
		return r.EventTime
	}
	for _, c := range r.Columns {
		if c.Name == field {
			return c.Column
		}
	}
	return field
}

// The pauses between tries of a batch.
const (
	firstPause = 50 * time.Millisecond
	mostPause  = 2 * time.Second
)

// push sends a batch until it is taken, refused for good, or was tried for RetryFor.
func (w *work) push(ctx context.Context, body []byte, source *api.Source, where string) (*api.PushResponse, error) {
	header := map[string]string{"Content-Type": api.MediaJSON, api.HeaderTimeout: w.m.cfg.PushTimeout.String()}
	text, err := json.Marshal(source)
	if err != nil {
		return nil, err
	}
	header[api.HeaderSource] = string(text)
	seed := string(text) // whoever sends it: two stores that send the same are one
	if source.Again {
		seed = w.nonce + "\x00" + where
	}
	if source.NoteID == "" { // a note may go back to what it was
		sum := sha256.Sum256(append([]byte(seed+"\x00"), body...))
		header[api.HeaderIdempotency] = "source-" + hex.EncodeToString(sum[:16])
	}
	until := time.Now().Add(w.m.cfg.RetryFor)
	for pause := firstPause; ; pause = min(2*pause, mostPause) {
		answer, err := w.m.cfg.Edge.Push(ctx, w.plan.Project, header, body)
		if err == nil || ctx.Err() != nil || !passes(err) || time.Now().Add(pause).After(until) {
			return answer, errors.Join(ctx.Err(), err)
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// passes reports whether a refusal may pass by itself.
func passes(err error) bool {
	var p *api.Problem
	if !errors.As(err, &p) || p.Code == api.CodeDraining {
		return false
	}
	return p.Status == http.StatusServiceUnavailable || p.Status == http.StatusTooManyRequests || p.Status == http.StatusGatewayTimeout ||
		p.Code == api.CodeNotLeader
}
