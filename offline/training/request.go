package training

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/apache/arrow/go/v17/arrow"

	"featurestore/feature"
	"featurestore/offline/history"
)

// Request says what a training set has.
type Request struct {
	// EventTime is the entity rows' column of times: an Arrow timestamp of any
	// unit. One without a zone is in UTC.
	EventTime string
	// Features are the columns to add, in this order.
	Features []Feature
	// KnownAsOf leaves out what was accepted later. The zero Time is no limit.
	KnownAsOf time.Time
	// ServedIn makes each entity row see what a region had at its time: that of
	// these steps. Nil: what was true at its time.
	ServedIn *history.Steps
	// Differences has it compared with what was true, cell by cell: Report.Differences.
	// It needs ServedIn.
	Differences bool
	// Catalog resolves the inputs of on-demand features; nil without any.
	Catalog *feature.Catalog
}

// Feature is one column of the training set: of a view, or computed on demand, with
// request values from the entity rows' columns of their names.
type Feature struct {
	View     *feature.ResolvedView
	OnDemand *feature.OnDemand
	Name     string
	// As is the column's name; "": Name.
	As string
	// Keys are the entity rows' columns for the view's join keys, in the order of
	// View.Keys; nil: those of the same names. One view may be joined several
	// times under other keys: as origin and destination.
	Keys []string
}

func (f Feature) output() string {
	if f.As != "" {
		return f.As
	}
	return f.Name
}

// keys are the entity rows' columns for the view's join keys.
func (f Feature) keys() []string {
	if f.Keys != nil {
		return f.Keys
	}
	out := make([]string, len(f.View.Keys))
	for i, k := range f.View.Keys {
		out[i] = k.Name
	}
	return out
}

// ErrRequest reports a request that does not fit its views or columns. Nothing was
// read.
var ErrRequest = errors.New("the training set cannot be made")

// Validate reports every fault that shows without the entity rows.
func (r Request) Validate() error {
	var errs []error
	fault := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("%w: %s", ErrRequest, fmt.Sprintf(format, args...)))
	}
	if r.EventTime == "" {
		fault("EventTime is empty: it must name the entity rows' column of times")
	}
	if r.Differences && r.ServedIn == nil {
		fault("Differences are those of what a region had: ServedIn must say of which")
	}
	if len(r.Features) == 0 {
		fault("Features is empty: name at least one")
	}
	for i, f := range r.Features {
		switch {
		case f.OnDemand != nil && f.View == nil && f.Keys == nil:
			continue
		case f.View == nil:
			fault("Features[%d] %s has no view", i, f.Name)
			continue
		case len(f.keys()) != len(f.View.Keys):
			fault("Features[%d] %s: view %s has %d join keys, and %d columns are given for them", i, f.Name, f.View.Name, len(f.View.Keys), len(f.keys()))
		}
		if _, ok := f.View.Field(f.Name); !ok {
			fault("Features[%d]: view %s has no feature %q", i, f.View.Name, f.Name)
		}
	}
	return errors.Join(errs...)
}

// latestKnown is the last moment at which a row may have been accepted, in
// milliseconds since the Unix epoch.
func (r Request) latestKnown() int64 {
	if r.KnownAsOf.IsZero() {
		return math.MaxInt64
	}
	return r.KnownAsOf.UnixMilli()
}

// joined is one view under one choice of keys, and what is wanted of it.
type joined struct {
	view *feature.ResolvedView
	keys []string
	// wanted are the features, each once; columns of the states' file.
	wanted []*feature.Field
	// compared says that both sides of each state are in it: Request.Differences.
	compared bool
}

// ages reports whether it has to be known of each feature when it was written: for its
// ttl, or for a default where it was not.
func (j *joined) ages() bool {
	return j.compared || j.view.TTL > 0 || slices.ContainsFunc(j.wanted, func(f *feature.Field) bool { return !f.Default.IsNull() })
}

// Names of the states' columns beside the join keys. Features and their event times
// are numbered: a feature may have any name.
const (
	colFrom  = "from time"
	colShows = "cause shows"
)

func colFeature(i int) string { return fmt.Sprint("feature ", i) }
func colAge(i int) string     { return fmt.Sprint("event time ", i) }

// Those of the other side, where states are compared.
func colTruth(i int) string    { return fmt.Sprint("true feature ", i) }
func colTruthAge(i int) string { return fmt.Sprint("true event time ", i) }
func colCause(i int) string    { return fmt.Sprint("cause ", i) }

// schema is that of the states' file.
func (j *joined) schema() *arrow.Schema {
	var fields []arrow.Field
	for _, k := range j.view.Keys {
		fields = append(fields, arrow.Field{Name: k.Name, Type: history.ArrowKeyType(k)})
	}
	fields = append(fields, arrow.Field{Name: colFrom, Type: arrow.PrimitiveTypes.Int64})
	side := func(value, age func(int) string) {
		for i, f := range j.wanted {
			fields = append(fields, arrow.Field{Name: value(i), Type: history.ArrowType(f.Type), Nullable: true})
		}
		if j.ages() {
			for i := range j.wanted {
				fields = append(fields, arrow.Field{Name: age(i), Type: arrow.PrimitiveTypes.Int64, Nullable: true})
			}
		}
	}
	side(colFeature, colAge)
	if j.compared {
		side(colTruth, colTruthAge)
		for i := range j.wanted {
			fields = append(fields, arrow.Field{Name: colCause(i), Type: arrow.PrimitiveTypes.Int32, Nullable: true})
		}
		fields = append(fields, arrow.Field{Name: colShows, Type: arrow.FixedWidthTypes.Boolean, Nullable: true})
	}
	return arrow.NewSchema(fields, nil)
}
