package api

// Kinds of exports.
const (
	ExportTraining = "training" // entity rows, joined with features
	ExportSnapshot = "snapshot" // the current rows of a view, at one vector
	ExportChanges  = "changes"  // the current rows of the entities that changed since a vector
	ExportRows     = "rows"     // all that was written to a view, or since a vector, as history has it
)

// ExportManifest says what an export is made of. It stands beside the file of one, as
// FILE.manifest.json.
type ExportManifest struct {
	Kind string `json:"kind"`
	// File is the file's name, Bytes its size and SHA256 of its contents; without
	// them where there was no file.
	File   string `json:"file,omitempty"`
	Rows   int64  `json:"rows"`
	Bytes  int64  `json:"bytes,omitempty"`
	SHA256 string `json:"sha256,omitempty"`

	Project string `json:"project"`
	// RegistryRevision is that of the definitions that were gone by.
	RegistryRevision uint64 `json:"registry_revision"`
	// Definition is what they say of the views that the export is made of, as YAML that
	// can be applied.
	Definition string `json:"definition,omitempty"`
	// View is what was exported, "" for a training set; Part the part of its rows, where
	// it is not all.
	View     string            `json:"view,omitempty"`
	Part     *ExportPart       `json:"part,omitempty"`
	Features []ExportedFeature `json:"features"`
	// EventTime is the entity rows' column of times.
	EventTime string `json:"event_time"`
	// KeysOf is what history was asked for entity rows, where they came from there.
	KeysOf *ExportKeysOf `json:"keys_of,omitempty"`
	// KnownAsOf is the limit that was asked for, ServedIn the region; "" for none.
	KnownAsOf string `json:"known_as_of,omitempty"`
	ServedIn  string `json:"served_in,omitempty"`
	// ServedAt is the time at which a snapshot's features were judged by the view's ttl;
	// "": none was left out.
	ServedAt string `json:"served_at,omitempty"`
	// Since is what changes and rows come after: the history of an earlier manifest.
	Since *HistoryManifest `json:"since,omitempty"`

	History HistoryManifest `json:"history"`
	// Matched counts, for each view, the entity rows that met a row of it.
	Matched map[string]int64 `json:"matched,omitempty"`
	// Differences say how what the region had differs from what was true, one for each
	// feature; none unless they were asked for.
	Differences []ExportedDifference `json:"differences,omitempty"`
}

// ExportedFeature is one column that holds a feature.
type ExportedFeature struct {
	Feature string `json:"feature"`
	Column  string `json:"column"`
	Type    string `json:"type"`
	TTL     string `json:"ttl,omitempty"`
	// Keys are the entity rows' columns for the view's join keys, where an alias names
	// them.
	Keys []string `json:"keys,omitempty"`
}

// ExportedDifference says in how many cells of a column a region had another value than
// the true one, and why.
type ExportedDifference struct {
	Column    string `json:"column"`
	Cells     int64  `json:"cells"`
	Differing int64  `json:"differing"`
	// Causes counts the differing cells, each under one: replication_lag, late_data,
	// ttl, conflict, history_only or early_data.
	Causes map[string]int64 `json:"causes"`
}

// HistoryManifest says up to where history was when it was read.
type HistoryManifest struct {
	Region string `json:"region,omitempty"`
	Commit uint64 `json:"commit"`
	// CommittedAt is when that commit was made, by the clock of its store.
	CommittedAt string `json:"committed_at,omitempty"`
	// Progress has one element for each log of a shard.
	Progress []HistoryProgress `json:"progress"`
	// Gaps are stretches of logs that history lacks.
	Gaps []string `json:"gaps,omitempty"`
}

// HistoryProgress says up to when history has an origin's log of a shard.
type HistoryProgress struct {
	Shard  string `json:"shard"` // group/partition, by number
	Origin string `json:"origin"`
	At     string `json:"at"`
	// LagMS is how old the newest entry of the log in history was when the commit was
	// made: an upper bound of what history lacked of it, for a log that is idle lacks
	// nothing.
	LagMS int64 `json:"lag_ms"`
}
