package api

// ExportTraining is the kind of an export: entity rows, joined with features.
const ExportTraining = "training"

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
	RegistryRevision uint64            `json:"registry_revision"`
	Features         []ExportedFeature `json:"features"`
	// EventTime is the entity rows' column of times.
	EventTime string `json:"event_time"`
	// KeysOf is what history was asked for entity rows, where they came from there.
	KeysOf *ExportKeysOf `json:"keys_of,omitempty"`
	// KnownAsOf is the limit that was asked for, ServedIn the region; "" for none.
	KnownAsOf string `json:"known_as_of,omitempty"`
	ServedIn  string `json:"served_in,omitempty"`

	History HistoryManifest `json:"history"`
	// Matched counts, for each view, the entity rows that met a row of it.
	Matched map[string]int64 `json:"matched"`
	// Differences say how what the region had differs from what was true, one for each
	// feature; none unless they were asked for.
	Differences []ExportedDifference `json:"differences,omitempty"`
}

// ExportedFeature is one column that was added to the entity rows.
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
}
