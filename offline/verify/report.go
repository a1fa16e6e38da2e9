package verify

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"featurestore/feature"
	"featurestore/offline/served"
	"featurestore/offline/training"
)

// Report says what came of it.
type Report struct {
	// Logged is how many lookups of the time are in the served log, Lookups how many of
	// them were verified.
	Logged, Lookups int64
	// Features are those of the sample, by project, view and name.
	Features []Feature
	// Defects are the first ones; Features count all.
	Defects []Defect
}

// Feature is what came of the cells of one feature. Every cell is compared, or in Untold.
type Feature struct {
	Project, View, Feature string
	// Cells is how many were served, Compared of how many history tells, Defects how
	// many of these were not as they must be.
	Cells, Compared, Defects int64
	// Untold counts the cells that could not be compared, by reason.
	Untold map[Reason]int64
	// Causes counts those that were served as they must be and not as it was true.
	Causes map[training.Cause]int64
}

// Reason says why history does not tell of a cell.
type Reason string

// The reasons.
const (
	// NotYet: history has not come to the vector at which it was read.
	NotYet Reason = "not_in_history_yet"
	// InGap: the log had lost some of what the vector covers before history read it.
	InGap Reason = "in_a_gap"
	// Retained: retention has taken the events away that it may be made of.
	Retained Reason = "retained"
	// Several: it was read from several stores, and so of no one vector.
	Several Reason = "several_stores"
	// NotKept: the view is not for history, or was not.
	NotKept Reason = "not_for_history"
	// Undefined: the definitions of its time are not beside the history.
	Undefined Reason = "no_definitions"
	// Unsettled: too much came while it was read to try all that it may have seen.
	Unsettled Reason = "unsettled"
)

// Reasons returns all of them, in the order in which reports show them.
func Reasons() []Reason {
	return []Reason{NotYet, InGap, Retained, Several, NotKept, Undefined, Unsettled}
}

// Defect is one cell that is not as a store must have served it.
type Defect struct {
	Request                string
	At                     time.Time
	Region, Store          string
	Project, View, Feature string
	// Key is the entity's, its values by comma; "" for what is computed.
	Key string
	// Served and Recomputed are what the log says, and what history says.
	Served, Recomputed Shown
}

// Shown is a cell as an answer shows it.
type Shown struct {
	Value     feature.Value
	Status    served.Status
	EventTime int64
	Timed     bool
}

// String prints it as: 0.5 PRESENT of 2026-08-21T12:00:00Z.
func (s Shown) String() string {
	text := fmt.Sprintf("%s %s", s.Value, s.Status)
	if s.Timed {
		text += " of " + time.Unix(0, s.EventTime).UTC().Format(time.RFC3339Nano)
	}
	return text
}

// DefectCells is how many cells are defects, Compared how many were compared.
func (r *Report) DefectCells() (n int64) {
	for i := range r.Features {
		n += r.Features[i].Defects
	}
	return n
}

// Compared is how many cells history tells of.
func (r *Report) Compared() (n int64) {
	for i := range r.Features {
		n += r.Features[i].Compared
	}
	return n
}

// tally gathers a report.
type tally struct {
	features map[[3]string]*Feature
	defects  []Defect
}

func (t *tally) feature(project, view, name string) *Feature {
	key := [3]string{project, view, name}
	f := t.features[key]
	if f == nil {
		f = &Feature{Project: project, View: view, Feature: name, Untold: map[Reason]int64{}, Causes: map[training.Cause]int64{}}
		t.features[key] = f
	}
	return f
}

func (t *tally) report() (r Report) {
	for _, f := range t.features {
		r.Features = append(r.Features, *f)
	}
	slices.SortFunc(r.Features, func(a, b Feature) int {
		return cmp.Or(cmp.Compare(a.Project, b.Project), cmp.Compare(a.View, b.View), cmp.Compare(a.Feature, b.Feature))
	})
	slices.SortFunc(t.defects, func(a, b Defect) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Request, b.Request), cmp.Compare(a.View, b.View), cmp.Compare(a.Feature, b.Feature), cmp.Compare(a.Key, b.Key))
	})
	r.Defects = t.defects
	return r
}
