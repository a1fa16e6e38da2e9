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

// FeastAccepted answers a request to materialize that goes on after it.
type FeastAccepted struct {
	Status string   `json:"status"`
	Views  []string `json:"feature_views"`
}

// FeastBusy answers one for views that are materializing already.
type FeastBusy struct {
	Error string   `json:"error"`
	Views []string `json:"feature_views"`
}
