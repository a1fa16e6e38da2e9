package api

import "encoding/json"

// ServedReport is what featurestore verify found: what a sample of the served log says, and
// what history says of it.
type ServedReport struct {
	// Logged is how many lookups of the time were logged, Lookups how many of them were
	// verified.
	Logged  int64 `json:"logged"`
	Lookups int64 `json:"lookups"`
	// Compared is how many cells history tells of, Defects how many of these were not
	// served as they must be.
	Compared int64           `json:"compared"`
	Defects  int64           `json:"defects"`
	Features []ServedFeature `json:"features"`
	// Examples are the first defects.
	Examples []ServedDefect `json:"examples"`
}

// ServedFeature is what was found of one feature.
type ServedFeature struct {
	Project  string `json:"project"`
	Feature  string `json:"feature"` // view:feature
	Cells    int64  `json:"cells"`
	Compared int64  `json:"compared"`
	Defects  int64  `json:"defects"`
	// Causes counts the cells that were served as they must be and not as it was true,
	// each under one of the causes of ExportedDifference.
	Causes map[string]int64 `json:"causes"`
	// Untold counts the cells that could not be compared: not_in_history_yet, in_a_gap,
	// retained, several_stores, not_for_history, no_definitions, unsettled.
	Untold map[string]int64 `json:"untold"`
}

// ServedDefect is one cell that was not served as it must be.
type ServedDefect struct {
	RequestID string `json:"request_id"`
	ServedAt  string `json:"served_at"`
	Region    string `json:"region"`
	Store     string `json:"store"`
	Project   string `json:"project"`
	Feature   string `json:"feature"`
	// Entity is the entity key, "" for what is computed on demand.
	Entity     string     `json:"entity,omitempty"`
	Served     ServedCell `json:"served"`
	Recomputed ServedCell `json:"recomputed"`
}

// ServedCell is a cell as a lookup answers it.
type ServedCell struct {
	Value     json.RawMessage `json:"value"`
	Status    string          `json:"status"`
	EventTime *string         `json:"event_time"`
}
