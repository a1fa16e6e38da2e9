package api

// FeastFaults is the body of a 422 on Feast's paths.
type FeastFaults struct {
	Detail []FeastFault `json:"detail"`
}

// FeastFault is one thing that is wrong with a request, and where.
type FeastFault struct {
	// Loc leads there from "body", "query" or "header": names, and indexes of
	// rows.
	Loc []any  `json:"loc"`
	Msg string `json:"msg"`
	// Type is a Code.
	Type Code `json:"type"`
}
