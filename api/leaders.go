package api

// Leaders is the answer of GET /v1/projects/{project}/groups/{name}/leaders: who
// leads each shard of a leader group, as the store asked knows it.
type Leaders struct {
	Group string `json:"group"`
	// Durability is the concern whose acknowledgements a promotion by force keeps
	// where it can.
	Durability string     `json:"durability"`
	Shards     []LedShard `json:"shards"`
}

// LedShard is a shard of a leader group.
type LedShard struct {
	Partition uint16 `json:"partition"`
	ShardLeader
	// Live says that the leader was heard of lately; Has is up to where it was
	// heard to have all of its log, "" for nothing yet.
	Live bool   `json:"live"`
	Has  string `json:"has"`
	// Others hold the shard besides the leader. Were it promoted by force, the term
	// would end when SealQuorum of them, or all where they are fewer, have stopped
	// taking its log. Distinct is how many members, the leader among them, an
	// acknowledgement at the durability names; Keeps says that one of those who
	// decide would have whatever was acknowledged so.
	Others     []LogHolder `json:"others"`
	Distinct   int         `json:"distinct"`
	SealQuorum int         `json:"seal_quorum"`
	Keeps      bool        `json:"keeps"`
	// Before is the term before, absent for the first.
	Before *EndedTerm `json:"before,omitempty"`
}

// ShardLeader is who leads a shard.
type ShardLeader struct {
	// Term counts the leaders of the shard from 1; 0 while the first one is chosen.
	Term   uint64 `json:"term"`
	Store  string `json:"store,omitempty"`
	Region string `json:"region,omitempty"`
	// State is open, stopping (it writes no more, and hands over), deposed (the
	// others take no more of its log) or choosing (nobody leads yet).
	State string `json:"state"`
	// Next is the store that leads afterwards, absent while the term is open.
	Next string `json:"next,omitempty"`
	// Origin is the log that the leader writes.
	Origin string `json:"origin,omitempty"`
}

// LogHolder is what a member has of a leader's log.
type LogHolder struct {
	Store  string `json:"store"`
	Region string `json:"region"`
	Live   bool   `json:"live"`
	Has    string `json:"has"`
}

// EndedTerm is a term that is over.
type EndedTerm struct {
	Term   uint64 `json:"term"`
	Store  string `json:"store"`
	Origin string `json:"origin"`
	// Final is the last position that counts, "" when none does.
	Final string `json:"final"`
	// Salvaged says that what came after Final was logged again.
	Salvaged bool `json:"salvaged"`
}

// PromoteRequest is the body of POST /v1/projects/{project}/groups/{name}/promote.
type PromoteRequest struct {
	// To is the region whose store is to lead.
	To string `json:"to"`
	// Partition names one shard; absent, all of them.
	Partition *uint16 `json:"partition,omitempty"`
	// Force says that the leaders are away: the others decide where their terms
	// end. DryRun changes nothing, and tells what a promotion would change.
	Force  bool `json:"force,omitempty"`
	DryRun bool `json:"dry_run,omitempty"`
}

// Promotion is the answer: what is being changed, as soon as that is durable.
// The hand-over goes on; Leaders tell how far it is.
type Promotion struct {
	MembershipVersion
	// Store is the one that is to lead.
	Store string `json:"store"`
	// Begun is false for a dry run.
	Begun bool `json:"begun"`
	// Leaders are those of the shards that change, from before.
	Leaders Leaders `json:"leaders"`
}

// LedGroup counts the shards of a leader group that a store leads.
type LedGroup struct {
	Group  string `json:"group"`
	Shards int    `json:"shards"`
	// Of is how many shards the group has.
	Of int `json:"of"`
}
