package sdk

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"reflect"
	"slices"
	"time"
	"unsafe"

	"golang.org/x/sync/errgroup"
)

// Query says which features a lookup reads, and how fresh.
type Query struct {
	// Service whose features are read; "" reads the features that the struct's
	// tags name.
	Service string
	// Names are features as view:feature that are read instead, for a program that
	// knows no struct for them: the result tells their statuses and event times,
	// and no values.
	Names []string
	// Request holds the values that on-demand features take from the request,
	// one an entity.
	Request Columns
	Read    ReadOptions
}

// Service queries the features of a feature service. Those that no tag names
// are not decoded; a tag that the service has no feature for is ErrMismatch.
func Service(name string) Query { return Query{Service: name} }

// Features queries the features that the struct's tags name.
func Features() Query { return Query{} }

// At returns the query with read options.
func (q Query) At(read ReadOptions) Query {
	q.Read = read
	return q
}

// With returns the query with request values.
func (q Query) With(request Columns) Query {
	q.Request = request
	return q
}

// Result is what a lookup got: one row an entity, in the order asked.
type Result[T any] struct {
	Rows []T
	// Features that were read, as view:feature, in the order of Statuses.
	Features []string
	// Met is what holds for all rows; Parts, for each part of a split lookup.
	Met   Met
	Parts []Met

	statuses []Status
	times    []int64 // nanoseconds since the Unix epoch; noTime for none
	// conflicts are those of each part of partRows rows; nil where there are none.
	conflicts [][]int
	partRows  int
}

const noTime = math.MinInt64

// Statuses returns what the values of a row are, in the order of Features. The
// slice is the result's.
func (r *Result[T]) Statuses(row int) []Status {
	n := len(r.Features)
	return r.statuses[row*n : (row+1)*n : (row+1)*n]
}

// Status returns what the value of one feature is; "" for a feature that was
// not read. Feature is view:feature.
func (r *Result[T]) Status(row int, feature string) Status {
	if i := slices.Index(r.Features, feature); i >= 0 {
		return r.Statuses(row)[i]
	}
	return ""
}

// EventTime returns when the value of one feature became true, zero where
// there is no value or the feature was not read.
func (r *Result[T]) EventTime(row int, feature string) time.Time {
	i := slices.Index(r.Features, feature)
	if i < 0 {
		return time.Time{}
	}
	ns := r.times[row*len(r.Features)+i]
	if ns == noTime {
		return time.Time{}
	}
	return time.Unix(0, ns).UTC()
}

// Lookup reads the features of entities into structs of type T. Fields without
// a value stay zero; Optional tells why. It returns ErrMismatch when a tag does
// not fit, and otherwise an *Error.
//
// A lookup of more entities than Config.LookupEntities is split into parts that
// run side by side; each part is consistent in itself.
func Lookup[T any](ctx context.Context, c *Client, q Query, entities Entities) (*Result[T], error) {
	ctx, cancel := c.withDeadline(ctx)
	defer cancel()
	shape, err := shapeOf(reflect.TypeFor[T]())
	if err != nil {
		return nil, fmt.Errorf("lookup: %w", err)
	}
	keys, n, err := entities.columns()
	if err != nil {
		return nil, fmt.Errorf("lookup: entities: %w", err)
	}
	request, m, err := q.Request.columns()
	if err != nil {
		return nil, fmt.Errorf("lookup: request: %w", err)
	}
	if len(request) > 0 && m != n {
		return nil, fmt.Errorf("lookup: request: column %s has %d values for %d entities; want one an entity", request[0].name, m, n)
	}
	l := &lookup{client: c, query: q, shape: shape, keys: keys, request: request, rows: n, size: shape.typ.Size()}
	result := &Result[T]{Rows: make([]T, n)}
	for again := false; ; again = true {
		if l.binding, err = c.bindQuery(ctx, shape, q, again); err != nil {
			return nil, fmt.Errorf("lookup: %w", err)
		}
		if err = l.run(ctx, unsafe.Pointer(unsafe.SliceData(result.Rows))); err == nil {
			break
		}
		if !errors.Is(err, errRebind) || again {
			return nil, l.failure(err)
		}
		clear(result.Rows)
	}
	result.Features, result.Parts = l.binding.features, l.parts
	result.statuses, result.times = l.statuses, l.times
	result.conflicts, result.partRows = l.conflicts, c.cfg.LookupEntities
	for i, part := range l.parts {
		if i == 0 {
			result.Met = part
		} else {
			result.Met = result.Met.and(part)
		}
	}
	return result, nil
}

// lookup is one Lookup without its type parameter.
type lookup struct {
	client   *Client
	query    Query
	shape    *shape
	binding  *binding
	keys     []column
	request  []column
	rows     int
	size     uintptr
	statuses []Status
	times    []int64
	parts    []Met
	// conflicts has, for each part, those that its answer told of.
	conflicts [][]int
}

// run asks for all parts. first is the first row.
func (l *lookup) run(ctx context.Context, first unsafe.Pointer) error {
	consistency, err := l.query.Read.header()
	if err != nil {
		return err
	}
	width := len(l.binding.features)
	l.statuses, l.times = make([]Status, l.rows*width), make([]int64, l.rows*width)
	size := l.client.cfg.LookupEntities
	l.parts = make([]Met, max(1, (l.rows+size-1)/size))
	l.conflicts = make([][]int, len(l.parts))
	part := func(ctx context.Context, i int) error {
		from, to := i*size, min((i+1)*size, l.rows)
		return l.part(ctx, consistency, &partial{
			binding: l.binding, first: unsafe.Add(first, uintptr(from)*l.size), size: l.size, rows: to - from,
			statuses: l.statuses[from*width : to*width], times: l.times[from*width : to*width], met: &l.parts[i],
			conflicts: &l.conflicts[i],
		}, from, to)
	}
	if len(l.parts) == 1 {
		return part(ctx, 0)
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(l.client.cfg.LookupParts)
	for i := range l.parts {
		group.Go(func() error { return part(ctx, i) })
	}
	return group.Wait()
}

// part asks for rows [from, to) and decodes them.
func (l *lookup) part(ctx context.Context, consistency string, into *partial, from, to int) error {
	buffer := requestBuffers.Get().(*[]byte)
	body := append((*buffer)[:0], l.binding.head...)
	body, err := appendColumns(append(body, `,"entities":`...), l.keys, from, to)
	if err == nil && len(l.request) > 0 {
		body, err = appendColumns(append(body, `,"request":`...), l.request, from, to)
	}
	*buffer = append(body, '}')
	if err != nil {
		return fmt.Errorf("entities: %w", err)
	}
	a, err := l.client.do(ctx, &request{
		op: "lookup", method: http.MethodPost, path: l.client.path("lookup"), body: *buffer, read: true,
		consistency: consistency, onUnmet: l.query.Read.OnUnmet,
		hedge: l.query.Read.Hedge,
	})
	if err != nil {
		return err
	}
	defer a.free()
	// Only now: net/http may still be reading the body of a request that failed,
	// or was given up for another store's answer.
	if a.lone {
		requestBuffers.Put(buffer)
	}
	err = into.decode(a.body())
	into.met.Hedged = a.hedged
	return err
}

// failure words the error of a lookup that failed.
func (l *lookup) failure(err error) error {
	if errors.Is(err, errRebind) {
		return fmt.Errorf("lookup: %w", ErrChanged)
	}
	if e, ok := err.(*Error); ok {
		return e
	}
	return fmt.Errorf("lookup: %w", err)
}
