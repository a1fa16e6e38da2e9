package api

import "encoding/json"

// ConflictsRequest is the body of POST /v1/projects/{project}/conflicts.
type ConflictsRequest struct {
	View string `json:"view"`
	// Entities maps each join key to its column; all columns have one length.
	// Without it, all rows of the view are gone through.
	Entities map[string][]json.RawMessage `json:"entities,omitempty"`
	// Limit is how many rows to answer with at most; 0 is DefaultConflictRows.
	Limit int `json:"limit,omitempty"`
	// After is the Next of the answer before, to go on from there.
	After string `json:"after,omitempty"`
}

// How many rows with conflicts one answer has.
const (
	DefaultConflictRows = 100
	MaxConflictRows     = 1000
)

// ConflictsResponse answers a ConflictsRequest: rows with a feature of which
// more than one value is kept.
type ConflictsResponse struct {
	View string        `json:"view"`
	Rows []ConflictRow `json:"rows"`
	// Looked counts the rows that were looked at.
	Looked int `json:"looked"`
	// Next is where to go on; "" at the end.
	Next string `json:"next,omitempty"`
	// Counts are what writes met at this store since it was started, by rule.
	Counts []ConflictCount `json:"counts"`
	// Session has seen all values of the rows: a write with it replaces them.
	Session string `json:"session"`
}

// ConflictRow is an entity with its features that have siblings.
type ConflictRow struct {
	Entity map[string]json.RawMessage `json:"entity"`
	// Features maps each such feature to its values, the one that is served
	// first, then by falling time of acceptance.
	Features map[string][]Sibling `json:"features"`
}

// Sibling is one of several values of a feature.
type Sibling struct {
	Value     json.RawMessage `json:"value"`
	EventTime string          `json:"event_time"`
	// Origin and At name the write that brought it.
	Origin string `json:"origin"`
	At     string `json:"at"`
}

// ConflictCount tells what cells of one conflict rule met.
type ConflictCount struct {
	Rule string `json:"rule"`
	// Superseded counts cells of which nothing was left.
	Superseded int64 `json:"superseded"`
	// Concurrent counts cells that met a value of another origin which their
	// session had not seen.
	Concurrent int64 `json:"concurrent"`
	// Dropped counts siblings that went unseen because they were too many.
	Dropped int64 `json:"dropped"`
}
