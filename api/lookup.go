package api

import "encoding/json"

// LookupRequest is the body of POST /v1/projects/{project}/lookup. Exactly one
// of Service and Features is given.
type LookupRequest struct {
	Service  string   `json:"service,omitempty"`
	Features []string `json:"features,omitempty"`
	// Entities maps each join key to its column; all columns have one length.
	Entities map[string][]json.RawMessage `json:"entities"`
	// Request maps each request value of on-demand features to its column.
	Request map[string][]json.RawMessage `json:"request,omitempty"`
	// Consistency lists alternatives in order of preference; empty: the header,
	// then the views' defaults.
	Consistency []Consistency `json:"consistency,omitempty"`
	// FullFeatureNames names results view__feature instead of view:feature.
	FullFeatureNames bool `json:"full_feature_names,omitempty"`
}

// Consistency is one acceptable read level and its latency budget.
type Consistency struct {
	Level        string `json:"level"`
	MaxStaleness string `json:"max_staleness,omitempty"`
	// Members is how many members level quorum reads; 0 is a majority. Repair is
	// "blocking" or "none".
	Members int    `json:"members,omitempty"`
	Repair  string `json:"repair,omitempty"`
	Within  string `json:"within,omitempty"`
}

// LookupResponse answers a LookupRequest: one row an entity, in request order;
// within a row, one element a feature, in the order of Features.
type LookupResponse struct {
	Features    []string       `json:"features"`
	Rows        []LookupRow    `json:"rows"`
	Consistency ConsistencyMet `json:"consistency"`
	Session     string         `json:"session"`
}

// LookupRow holds the features of one entity.
type LookupRow struct {
	Entity   map[string]json.RawMessage `json:"entity"`
	Values   []json.RawMessage          `json:"values"`
	Statuses []Status                   `json:"statuses"`
	// EventTimes are RFC 3339 in UTC, null where there is no value.
	EventTimes []*string `json:"event_times"`
	// Conflicts are, under the rule siblings, how many values stand beside the one
	// served; nil where there are none.
	Conflicts []int `json:"conflicts,omitempty"`
}

// ConsistencyMet tells what a read was asked for and what it got.
type ConsistencyMet struct {
	Asked     string `json:"asked"`
	Met       string `json:"met"`
	Degraded  bool   `json:"degraded,omitempty"`
	Region    string `json:"region"`
	Store     string `json:"store"`
	Forwarded bool   `json:"forwarded"`
	// Members is how many members a read at level quorum was joined of.
	Members  *MembersRead `json:"members,omitempty"`
	WaitedMs int64        `json:"waited_ms"`
	// StalenessMs bounds, for each other region, how far this answer may lag it:
	// everything accepted there longer ago is in it. UnknownStalenessMs says that
	// nothing was ever heard of that region.
	StalenessMs map[string]int64 `json:"staleness_ms"`
}

// MembersRead is how many of a group's active members were read: of several
// groups, in the one with the fewest.
type MembersRead struct {
	Read int `json:"read"`
	Of   int `json:"of"`
}

// UnknownStalenessMs is the bound where there is none: the largest whole number
// that every reader of JSON keeps exactly.
const UnknownStalenessMs = 1<<53 - 1

// Status says what a served value is.
type Status string

// The statuses, in Feast's words.
const (
	StatusPresent       Status = "PRESENT"         // a value within its ttl
	StatusNull          Status = "NULL_VALUE"      // a null was stored
	StatusNotFound      Status = "NOT_FOUND"       // never written, or deleted
	StatusOutsideMaxAge Status = "OUTSIDE_MAX_AGE" // older than the view's ttl
)
