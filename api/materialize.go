package api

import "encoding/json"

// MaterializeRequest is the body of POST /v1/projects/{project}/materialize.
type MaterializeRequest struct {
	// Views are names; none is every view that has a batch source.
	Views []string `json:"views,omitempty"`
	// From and To select rows by event time, From included and To not, and write them
	// whether they were written before or not: RFC 3339, both or neither. Without them
	// every row is written that was not yet.
	From json.RawMessage `json:"from,omitempty"`
	To   json.RawMessage `json:"to,omitempty"`
	// Again allows a window over views that have counters, which count again.
	Again bool `json:"again,omitempty"`
	// SkipBadRows leaves out rows that cannot be read; else they fail the job.
	SkipBadRows bool `json:"skip_bad_rows,omitempty"`
}

// KindMaterialize is the kind of a job that materializes.
const KindMaterialize = "materialize"

// MaterializeDetail is the detail of such a job.
type MaterializeDetail struct {
	Views []string `json:"views"`
	// Files is how many there are, FilesDone how many of them were looked through, and
	// FilesUnchanged how many of those had nothing new.
	Files          int `json:"files"`
	FilesDone      int `json:"files_done"`
	FilesUnchanged int `json:"files_unchanged"`
	// File is the one at hand, "" at the end.
	File string `json:"file,omitempty"`
	// Rows were pushed, and Superseded counts those of them that lost to newer ones.
	Rows       int64 `json:"rows"`
	Superseded int64 `json:"superseded"`
	// EmptyRows have no feature, BesideRows are outside the window, BadRows were left out.
	EmptyRows  int64 `json:"empty_rows"`
	BesideRows int64 `json:"beside_rows"`
	BadRows    int64 `json:"bad_rows"`
	// Faults name some of the bad rows.
	Faults []string `json:"faults,omitempty"`
}
