package api

import "encoding/json"

// PushRequest is the body of POST /v1/projects/{project}/push. Exactly one of
// View and PushSource, and exactly one of Rows and Columns, is given.
type PushRequest struct {
	View string `json:"view,omitempty"`
	// PushSource writes every view that the source feeds.
	PushSource string `json:"push_source,omitempty"`
	// Rows map join keys, features and "event_time" to values. An absent feature
	// is left alone, a null is stored. A counter takes a number or {"increment":
	// n}; a set takes a list to add or {"add": […], "remove": […]}.
	Rows []map[string]json.RawMessage `json:"rows,omitempty"`
	// Columns are the same by column, all of one length.
	Columns map[string][]json.RawMessage `json:"columns,omitempty"`
	// To is "online", "offline" or "online_and_offline"; "" is the view's own.
	To string `json:"to,omitempty"`
	// Generation overrides event time for forced rewrites; normally 0.
	Generation uint16 `json:"generation,omitempty"`
}

// Where a push goes.
const (
	ToOnline  = "online"
	ToOffline = "offline"
	ToBoth    = "online_and_offline"
)

// EventTimeField is the name of a row's event time in rows and columns.
const EventTimeField = "event_time"

// PushResponse answers pushes and deletes.
type PushResponse struct {
	Accepted int `json:"accepted"`
	// Superseded counts rows whose every cell lost to a newer event.
	Superseded int `json:"superseded"`
	// SupersededRows are the indexes of those rows, at most 1000 of them.
	SupersededRows []int `json:"superseded_rows,omitempty"`
	// Repeated says that the idempotency key was known: nothing was written
	// again and this is the first answer.
	Repeated bool       `json:"repeated,omitempty"`
	Position Position   `json:"position"`
	Concern  ConcernMet `json:"concern"`
	Session  string     `json:"session"`
}

// MaxSupersededRows is how many superseded rows a PushResponse names.
const MaxSupersededRows = 1000

// Position is where a write stands in its origin's log.
type Position struct {
	Region string `json:"region"`
	At     string `json:"at"`
}

// ConcernMet tells which write concern was asked for and who has the write.
type ConcernMet struct {
	Asked string `json:"asked"`
	Met   bool   `json:"met"`
	Acked Acked  `json:"acked"`
}

// Acked counts the stores that have applied and synced a write.
type Acked struct {
	Stores  int      `json:"stores"`
	Regions []string `json:"regions"`
}

// DeleteRequest is the body of POST /v1/projects/{project}/delete.
type DeleteRequest struct {
	View     string                       `json:"view"`
	Entities map[string][]json.RawMessage `json:"entities"`
	// EventTime of the deletes, RFC 3339; "" is the store's clock.
	EventTime string `json:"event_time,omitempty"`
}
