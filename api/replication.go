package api

// Replication is the answer of GET /v1/replication: what this store has of
// every origin, shard by shard.
type Replication struct {
	Region string `json:"region"`
	Store  string `json:"store"`
	// Origin is the one that this store writes under.
	Origin string             `json:"origin"`
	Shards []ShardReplication `json:"shards"`
	// Peers are the stores that this one exchanges logs with.
	Peers []PeerReplication `json:"peers"`
}

// ShardReplication is the state of one shard in a store.
type ShardReplication struct {
	Group     string              `json:"group"`
	GroupID   uint16              `json:"group_id"`
	Partition uint16              `json:"partition"`
	Origins   []OriginReplication `json:"origins"`
}

// OriginReplication is how far a store has come in one origin's log.
type OriginReplication struct {
	Origin string `json:"origin"`
	Self   bool   `json:"self"`
	// Applied is the position up to which everything is durable and readable
	// here, "" for nothing yet.
	Applied string `json:"applied"`
	// Closed is up to when no more entries can follow, at least Applied.
	Closed string `json:"closed"`
	// LagMs is how long ago Closed is.
	LagMs int64 `json:"lag_ms"`
}

// PeerReplication is what another store has acknowledged.
type PeerReplication struct {
	Store  string `json:"store"`
	Region string `json:"region"`
	URL    string `json:"url,omitempty"`
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
	State  string `json:"state"` // joining, active or evicted
	// URL is where it serves REST, "" when it has not said.
	URL string `json:"url,omitempty"`
}
