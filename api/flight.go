package api

// FlightRequest is the command of an Arrow Flight descriptor: what is exported, as
// JSON. Of kind "training" it says what is added to entity rows, of the others which view
// is read. A ticket is a request with At and, where there are several, Part.
type FlightRequest struct {
	// Kind is that of the export; "" is ExportRows with a view, else ExportTraining.
	Kind string `json:"kind,omitempty"`
	// Project is needless when there is one.
	Project string `json:"project,omitempty"`
	// View is the one that is read.
	View string `json:"view,omitempty"`
	// ServedAt makes a snapshot what a store serves at this time, by the view's ttl.
	ServedAt string `json:"served_at,omitempty"`
	// Since is the history of an earlier manifest, after which changes and rows came.
	Since *HistoryManifest `json:"since,omitempty"`
	// Service or Features, as view:feature, are what is added to entity rows.
	Service  string   `json:"service,omitempty"`
	Features []string `json:"features,omitempty"`
	// EventTime is the entity rows' column of times; "" is "event_timestamp".
	EventTime string `json:"event_time,omitempty"`
	// KnownAsOf leaves out what was accepted later, ServedIn takes what this region
	// had at each row's time.
	KnownAsOf string `json:"known_as_of,omitempty"`
	ServedIn  string `json:"as_served_in,omitempty"`
	// FullNames calls columns view__feature.
	FullNames bool `json:"full_feature_names,omitempty"`

	// At is the commit that is read; without it, the latest.
	At *ExportMoment `json:"at,omitempty"`
	// Part is the part of rows that is read; without it, all.
	Part *ExportPart `json:"part,omitempty"`
}

// ExportMoment names a commit of a history, and the definitions that it is read by.
type ExportMoment struct {
	Commit   uint64 `json:"commit"`
	Manifest string `json:"manifest"` // its sum, in hex
	Epoch    uint64 `json:"epoch"`    // of the definitions, as Revision
	Revision uint64 `json:"revision"`
}

// ExportPart says which part of an export: Number from 0 to Of-1.
type ExportPart struct {
	Number int `json:"number"`
	Of     int `json:"of"`
}
