package sdk

import (
	"time"

	"featurestore/api"
)

// Status says what a served value is.
type Status = api.Status

// The statuses.
const (
	Present       = api.StatusPresent       // a value within its ttl
	NullValue     = api.StatusNull          // a null was stored
	NotFound      = api.StatusNotFound      // never written, or deleted
	OutsideMaxAge = api.StatusOutsideMaxAge // older than the view's ttl
)

// Optional is a feature that may have no value. The zero Optional is absent:
// a push leaves the feature alone.
type Optional[T any] struct {
	// Value is meaningful when Valid.
	Value T
	// Valid says that there is a value: stored, or the feature's default.
	Valid bool
	// Status of a value that was looked up; NullValue pushes a null.
	Status Status
	// EventTime of a value that was looked up, zero where there is none. A push
	// ignores it.
	EventTime time.Time
}

// Some returns an Optional that pushes v.
func Some[T any](v T) Optional[T] { return Optional[T]{Value: v, Valid: true, Status: Present} }

// NullOf returns an Optional that pushes a null.
func NullOf[T any]() Optional[T] { return Optional[T]{Status: NullValue} }

// Get returns the value and whether there is one.
func (o Optional[T]) Get() (T, bool) { return o.Value, o.Valid }

// Or returns the value, or otherwise where there is none.
func (o Optional[T]) Or(otherwise T) T {
	if o.Valid {
		return o.Value
	}
	return otherwise
}

func (Optional[T]) wrapper() mode { return modeOptional }

// Decimal is an exact decimal number as text, such as "-12.50"; "" is none. It
// is kept as it was written: "1.50" stays apart from "1.5".
type Decimal string

// Counter is a feature under the counter rule: lookups fill Total, pushes add
// By. The zero Counter pushes nothing, so a row that was looked up can be
// pushed again without counting twice. Pushes take no plain number for such a
// feature, lookups do.
type Counter[N int64 | float64 | Decimal] struct {
	// Total is the sum that was looked up; where there is none, 0, or "" of a
	// Decimal.
	Total N
	// By is what a push adds; 0, or "" of a Decimal, is nothing. A Decimal "0"
	// is pushed: where nothing was, there is a total then.
	By N
	// Status and EventTime of what was looked up.
	Status    Status
	EventTime time.Time
}

// Increment returns a Counter that pushes an increment of n, which may be
// negative.
func Increment[N int64 | float64 | Decimal](n N) Counter[N] { return Counter[N]{By: n} }

func (Counter[N]) wrapper() mode { return modeCounter }

// Set is a feature under the set rule: lookups fill Elements, pushes add and
// remove. The zero Set pushes nothing.
type Set[E any] struct {
	// Elements that were looked up.
	Elements []E
	// Add and Remove are what a push does; an element in both is removed.
	Add, Remove []E
	// Status and EventTime of what was looked up.
	Status    Status
	EventTime time.Time
}

// Add returns a Set that pushes elements to add.
func Add[E any](elements ...E) Set[E] { return Set[E]{Add: elements} }

// Remove returns a Set that pushes elements to remove.
func Remove[E any](elements ...E) Set[E] { return Set[E]{Remove: elements} }

func (Set[E]) wrapper() mode { return modeSet }

// mode is how a struct field holds its feature.
type mode uint8

const (
	modePlain    mode = iota // T: always pushed, but for nil slices and the like
	modePointer              // *T: nil is absent
	modeOptional             // Optional[T]
	modeCounter              // Counter[N]
	modeSet                  // Set[E]
)

// wrapped is implemented by Optional, Counter and Set.
type wrapped interface{ wrapper() mode }
