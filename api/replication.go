package api

// Replication is the answer of GET /v1/replication: what this store has of
// every origin, shard by shard, and what it knows of the others.
type Replication struct {
	Region string `json:"region"`
	Store  string `json:"store"`
	// Origin is the one that this store writes under.
	Origin string             `json:"origin"`
	Shards []ShardReplication `json:"shards"`
	// Peers are the stores that this one exchanges logs with.
	Peers []PeerReplication `json:"peers"`
	// Membership is the document in force here, RegistryRevision that of the
	// definitions.
	Membership       MembershipVersion `json:"membership"`
	RegistryRevision uint64            `json:"registry_revision"`
}

// MembershipVersion names a membership document.
type MembershipVersion struct {
	Epoch    uint64 `json:"epoch"`
	Revision uint64 `json:"revision"`
	// Home is the store that changes it, "" where it was not told.
	Home string `json:"home,omitempty"`
}

// ShardReplication is the state of one shard in a store.
type ShardReplication struct {
	Group     string `json:"group"`
	GroupID   uint16 `json:"group_id"`
	Partition uint16 `json:"partition"`
	// LogBytes is about what the shard's logs take here, absent when not known.
	LogBytes int64 `json:"log_bytes,omitempty"`
	// SafeTime is up to when nothing of any store is missing here, "" while one
	// was never heard of; SafeLagMs is how long ago that is. Floors of tokens wait
	// for it.
	SafeTime  string `json:"safe_time"`
	SafeLagMs int64  `json:"safe_lag_ms"`
	// Leader leads the shard; absent where the group's placement is another.
	Leader *ShardLeader `json:"leader,omitempty"`
	// Origins leave out logs that have ended and are wholly here.
	Origins []OriginReplication `json:"origins"`
}

// OriginReplication is how far a store has come in one origin's log.
type OriginReplication struct {
	Origin string `json:"origin"`
	// Store and Region write it, or did; absent when not known.
	Store  string `json:"store,omitempty"`
	Region string `json:"region,omitempty"`
	Self   bool   `json:"self"`
	// Term says that it is the log of a leader's term, not of a store.
	Term bool `json:"term,omitempty"`
	// Applied is the position up to which everything is durable and readable
	// here, "" for nothing yet.
	Applied string `json:"applied"`
	// Closed is up to when no more entries can follow, at least Applied.
	Closed string `json:"closed"`
	// LagMs is how long ago Closed is.
	LagMs int64 `json:"lag_ms"`
}

// PeerReplication is what is known of another store.
type PeerReplication struct {
	Store  string `json:"store"`
	Region string `json:"region"`
	State  string `json:"state"`
	URL    string `json:"url,omitempty"`
	// Live says that it was heard of lately; Heard is when, RFC 3339, absent for
	// never.
	Live  bool   `json:"live"`
	Heard string `json:"heard,omitempty"`
	// RoundTripMs is how long a question and its answer take; ClockOffsetMs is its
	// clock minus the one here.
	RoundTripMs   float64 `json:"round_trip_ms"`
	ClockOffsetMs float64 `json:"clock_offset_ms"`
	// Membership and RegistryRevision are what it holds.
	Membership       MembershipVersion `json:"membership"`
	RegistryRevision uint64            `json:"registry_revision"`
	// Following are the origins whose logs this store reads there.
	Following []string `json:"following"`
	// Acked is what it has on disk, as it told.
	Acked []ShardAcked `json:"acked"`
}

// ShardAcked is how far a store is in one shard, by origin.
type ShardAcked struct {
	Group     string            `json:"group"`
	Partition uint16            `json:"partition"`
	Origins   map[string]string `json:"origins"`
}

// Regions is the answer of GET /v1/regions.
type Regions struct {
	// Region and Store answered.
	Region  string       `json:"region"`
	Store   string       `json:"store"`
	Regions []RegionInfo `json:"regions"`
}

// RegionInfo is one store of the deployment as this one knows it.
type RegionInfo struct {
	Region string `json:"region"`
	Store  string `json:"store"`
	Self   bool   `json:"self"`
	State  string `json:"state"` // joining, active, leaving, fenced or removed
	// URL is where it serves REST, "" when it has not said.
	URL string `json:"url,omitempty"`
	// Leads are its shards of leader groups.
	Leads []LedGroup `json:"leads,omitempty"`
}

// Verification is the answer of POST /v1/replication/verify.
type Verification struct {
	// Equal says that everything that was compared is the same.
	Equal  bool            `json:"equal"`
	Shards []ShardVerified `json:"shards"`
}

// ShardVerified compares a shard with one peer's.
type ShardVerified struct {
	Group     string `json:"group"`
	Partition uint16 `json:"partition"`
	Peer      string `json:"peer"`
	// UpTo is the position up to which rows were compared: younger ones may still
	// be on their way.
	UpTo string `json:"up_to"`
	// Differing rows are not explained by writes on their way; Examples name a
	// few.
	Differing int      `json:"differing"`
	Examples  []string `json:"examples,omitempty"`
	// Skipped says why nothing was compared.
	Skipped string `json:"skipped,omitempty"`
}
