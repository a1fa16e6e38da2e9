package api

// Members is the answer of GET and POST /v1/members: who takes part.
type Members struct {
	MembershipVersion
	Members []Member `json:"members"`
	// Ended are the logs of stores that were removed or evicted.
	Ended []EndedLog `json:"ended,omitempty"`
}

// Member is one store of the deployment.
type Member struct {
	Store  string `json:"store"`
	Region string `json:"region"`
	State  string `json:"state"` // joining, active, leaving, fenced or removed
	// Origin is the log it writes, "" until it was seen.
	Origin  string `json:"origin,omitempty"`
	Address string `json:"address,omitempty"` // where peers reach it
	URL     string `json:"url,omitempty"`     // where clients do
	// Since is the revision at which it came to its state.
	Since uint64 `json:"since"`
}

// EndedLog names an origin of which nothing counts any more but what its seal
// says.
type EndedLog struct {
	Origin string `json:"origin"`
	Store  string `json:"store"`
}

// MemberChange is the body of POST /v1/members.
type MemberChange struct {
	// Action is "add", "remove" (drained, nothing is lost), "evict" (a store that
	// is away: what nobody else has of it does not count) or "take_home" (the
	// store asked, which Store names, becomes the home in place of one that is
	// gone for good).
	Action string `json:"action"`
	Store  string `json:"store"`
	// Region and Address, where peers will reach it, belong to "add".
	Region  string `json:"region,omitempty"`
	Address string `json:"address,omitempty"`
	// Abandon gives up, with "evict", the rows of groups that the store alone holds.
	Abandon bool `json:"abandon,omitempty"`
}

// Link is one direction of a link between two regions of featurestore dev: the
// body and the answer of /v1/links/{from}/{to}.
type Link struct {
	// Delay is a Go duration such as "80ms", "" for none.
	Delay string `json:"delay"`
	// Loss is the part of connections' data that is lost, 0 to 1.
	Loss float64 `json:"loss"`
	// Cut lets nothing through.
	Cut bool `json:"cut"`
}
