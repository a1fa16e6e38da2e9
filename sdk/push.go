package sdk

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unsafe"

	"featurestore/api"
)

// Target says where rows go and what must hold before they count as written.
type Target struct {
	// View to write, or the PushSource whose views are written. One of them.
	View       string
	PushSource string
	// To is "online", "offline" or "online_and_offline"; "" is the view's own.
	To string
	// Concern is the write concern, such as "local" or "region_quorum"; "" is
	// the view's own.
	Concern string
	// Generation overrides event time for forced rewrites; normally 0.
	Generation uint16
	// IdempotencyKey of one Push or Delete, for a caller that repeats it after a
	// restart; "" makes one up. A Writer makes its own: see Writer.
	IdempotencyKey string
	// Store is the URL of the only store that is asked, "" for the client's
	// choice. A write that ended as ErrOutcomeUnknown is repeated at Error.URL
	// under Error.IdempotencyKey: no other store knows the key.
	Store string
}

// View targets a feature view.
func View(name string) Target { return Target{View: name} }

// PushSource targets the views that a push source feeds.
func PushSource(name string) Target { return Target{PushSource: name} }

func (t Target) check() error {
	switch {
	case (t.View == "") == (t.PushSource == ""):
		return fmt.Errorf("target has View %q and PushSource %q; want one of them", t.View, t.PushSource)
	case t.To != "" && t.To != "online" && t.To != "offline" && t.To != "online_and_offline":
		return fmt.Errorf("target has To %q; use online, offline or online_and_offline", t.To)
	case t.Store != "" && !isStoreURL(t.Store):
		return fmt.Errorf("target has Store %q; want a URL such as http://127.0.0.1:8080, or none", t.Store)
	}
	return nil
}

func (t Target) name() string {
	if t.View != "" {
		return "view " + t.View
	}
	return "push source " + t.PushSource
}

// store is the URL without the slash that a Config's may not have either.
func (t Target) store() string { return strings.TrimRight(t.Store, "/") }

// head begins the body of a push, up to its rows or columns.
func (t Target) head() []byte {
	b := []byte{'{'}
	add := func(name, value string) {
		if value != "" {
			b = api.AppendString(appendName(b, name), value)
		}
	}
	add("view", t.View)
	add("push_source", t.PushSource)
	add("to", t.To)
	if t.Generation > 0 {
		b = strconv.AppendUint(appendName(b, "generation"), uint64(t.Generation), 10)
	}
	return b
}

// PushResult is what came of a push or a delete.
type PushResult struct {
	// Accepted counts the rows, those superseded included.
	Accepted int
	// Superseded counts rows whose every cell lost to a newer event, and
	// SupersededRows are their indexes, at most 1000 of them.
	Superseded     int
	SupersededRows []int
	// Repeated says that the idempotency key was known, and nothing was written
	// again.
	Repeated bool
	// Region and At say where the write stands in its origin's log.
	Region, At string
	// Concern that was asked and who has the write.
	Concern api.ConcernMet
	// Session is the write's token, for who reads next.
	Session string
}

// Push writes rows in one request, all or none: bad rows are ErrInvalidRows,
// whose Problem names them. Struct fields that are absent (an Optional without
// value, a nil pointer or slice, a zero value under omitzero) leave their
// feature alone. Counters take a Counter, whose total is not added again; a
// plain slice adds to a set, as Set makes plain to see. The request is repeated
// where that is safe (K3). It returns ErrMismatch when a tag does not fit, and
// otherwise an *Error.
//
// A row for a push source is written to those of its views that it has a
// feature of, and needs their join keys only. So a key field may be absent too,
// as features are: a line without a customer has neither the customer's key nor
// a customer's feature. A row with a feature of a view whose key is absent is
// refused, and nothing of it is stored.
//
// T is a struct with tags, or RawRow.
func Push[T any](ctx context.Context, c *Client, to Target, rows ...T) (PushResult, error) {
	ctx, cancel := c.withDeadline(ctx)
	defer cancel()
	b, err := c.bindPush(ctx, reflect.TypeFor[T](), to)
	if err != nil {
		return PushResult{}, fmt.Errorf("push: %w", err)
	}
	body := append(to.head(), `,"rows":[`...)
	for i := range rows {
		if i > 0 {
			body = append(body, ',')
		}
		if body, err = b.append(body, unsafe.Pointer(&rows[i])); err != nil {
			return PushResult{}, fmt.Errorf("push: row %d: %w", i, err)
		}
	}
	return c.write(ctx, "push", append(body, "]}"...), to)
}

// PushColumns writes rows given as columns: the join keys, the features, and
// "event_time" if it is not to be the store's clock.
func (c *Client) PushColumns(ctx context.Context, to Target, columns Columns) (PushResult, error) {
	if err := to.check(); err != nil {
		return PushResult{}, fmt.Errorf("push: %w", err)
	}
	cols, n, err := columns.columns()
	if err != nil {
		return PushResult{}, fmt.Errorf("push: %w", err)
	}
	body, err := appendColumns(append(to.head(), `,"columns":`...), cols, 0, n)
	if err != nil {
		return PushResult{}, fmt.Errorf("push: %w", err)
	}
	return c.write(ctx, "push", append(body, '}'), to)
}

// Delete leaves tombstones for the entities in a view, at the event time given;
// the zero time is the store's clock. What is newer stays.
func (c *Client) Delete(ctx context.Context, from Target, entities Entities, at time.Time) (PushResult, error) {
	if from.View == "" || from.PushSource != "" {
		return PushResult{}, fmt.Errorf("delete: target is %s; want a view", from.name())
	}
	if err := from.check(); err != nil {
		return PushResult{}, fmt.Errorf("delete: %w", err)
	}
	cols, n, err := entities.columns()
	if err != nil {
		return PushResult{}, fmt.Errorf("delete: %w", err)
	}
	body, err := appendColumns(append(View(from.View).head(), `,"entities":`...), cols, 0, n)
	if err == nil && !at.IsZero() {
		body, err = timeCodec(timeType).write(appendName(body, "event_time"), unsafe.Pointer(&at))
	}
	if err != nil {
		return PushResult{}, fmt.Errorf("delete: %w", err)
	}
	return c.write(ctx, "delete", append(body, '}'), from)
}

// write sends a write under its idempotency key.
func (c *Client) write(ctx context.Context, op string, body []byte, to Target) (PushResult, error) {
	key := to.IdempotencyKey
	if key == "" {
		key = newKey()
	}
	a, err := c.do(ctx, &request{op: op, method: http.MethodPost, path: c.path(op), body: body, key: key, concern: to.Concern, store: to.store()})
	if err != nil {
		return PushResult{}, err
	}
	defer a.free()
	return pushResult(a)
}

func pushResult(a *answer) (PushResult, error) {
	var r api.PushResponse
	if err := json.Unmarshal(a.body(), &r); err != nil {
		err = fmt.Errorf("%w: %w", ErrBadAnswer, err)
		return PushResult{}, &Error{Op: "push", URL: a.url, Tries: 1, Err: err, OutcomeUnknown: true}
	}
	return PushResult{
		Accepted: r.Accepted, Superseded: r.Superseded, SupersededRows: r.SupersededRows, Repeated: r.Repeated,
		Region: r.Position.Region, At: r.Position.At, Concern: r.Concern, Session: r.Session,
	}, nil
}
