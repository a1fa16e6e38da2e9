package feature

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// ResolvedView is an applied view with what it refers to. It is shared and
// must not be modified.
type ResolvedView struct {
	View
	// Keys are the union of its entities' join keys, ordered by name: the
	// parts of an entity key.
	Keys []JoinKey
	// Group holds the view's rows; never nil.
	Group  *Group
	byName map[string]*Field
	byID   map[FeatureID]*Field
}

func resolveView(v View, keys []JoinKey, g *Group) *ResolvedView {
	r := &ResolvedView{
		View: v, Keys: keys, Group: g,
		byName: make(map[string]*Field, len(v.Fields)),
		byID:   make(map[FeatureID]*Field, len(v.Fields)),
	}
	for i := range r.Fields {
		f := &r.Fields[i]
		r.byName[f.Name] = f
		r.byID[f.ID] = f
	}
	return r
}

// Field returns the feature of that name.
func (v *ResolvedView) Field(name string) (*Field, bool) {
	f, ok := v.byName[name]
	return f, ok
}

// FieldByID returns the feature of that id; false for dropped ones.
func (v *ResolvedView) FieldByID(id FeatureID) (*Field, bool) {
	f, ok := v.byID[id]
	return f, ok
}

// Shard returns where the rows of an entity key live.
func (v *ResolvedView) Shard(k Key) Shard {
	return Shard{Group: v.Group.ID, Partition: PartitionOf(k, v.Group.Partitions)}
}

// Errors of CheckEventTime.
var (
	ErrEventInFuture = errors.New("event time too far in the future")
	ErrEventTooOld   = errors.New("event time too old")
)

// EventTimeError is the detail of ErrEventInFuture and ErrEventTooOld.
type EventTimeError struct {
	View string
	// Event and Now are nanoseconds since the Unix epoch.
	Event, Now int64
	// Limit is the view's max_future or max_lateness.
	Limit  time.Duration
	future bool
}

// Error names the event time, the store's clock and the view's limit.
func (e *EventTimeError) Error() string {
	side, limit := "before", "max_lateness"
	if e.future {
		side, limit = "after", "max_future"
	}
	at := func(ns int64) string { return time.Unix(0, ns).UTC().Format(time.RFC3339Nano) }
	return fmt.Sprintf("event time %s is more than %s %v %s the store's clock %s (view %s)",
		at(e.Event), limit, e.Limit, side, at(e.Now), e.View)
}

// Is matches the sentinel of its side.
func (e *EventTimeError) Is(target error) bool {
	return e.future && target == ErrEventInFuture || !e.future && target == ErrEventTooOld
}

// CheckEventTime returns an *EventTimeError when a push at now may not carry
// event: later than now + MaxFuture (0: DefaultMaxFuture) or earlier than now -
// MaxLateness (0: no bound). Both limits are inclusive. Times are nanoseconds
// since the Unix epoch. Only the origin asks: replicas apply what it accepted.
func (v *ResolvedView) CheckEventTime(event, now int64) error {
	future := v.MaxFuture
	if future == 0 {
		future = DefaultMaxFuture
	}
	if latest := now + int64(future); latest >= now && event > latest {
		return &EventTimeError{View: v.Name, Event: event, Now: now, Limit: future, future: true}
	}
	oldest := int64(math.MinInt64)
	if v.MaxLateness > 0 && now-int64(v.MaxLateness) <= now {
		oldest = now - int64(v.MaxLateness)
	}
	if event < oldest {
		return &EventTimeError{View: v.Name, Event: event, Now: now, Limit: v.MaxLateness}
	}
	return nil
}
