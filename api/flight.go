package api

// FlightRequest is the command of an Arrow Flight descriptor, as JSON: what POST
// …/export takes, and its project. A ticket is such a request with At and, where
// there are several, Part.
type FlightRequest struct {
	// Project is needless when there is one.
	Project string `json:"project,omitempty"`
	ExportRequest
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
