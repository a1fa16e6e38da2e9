package feature

import (
	"cmp"
	"time"
)

// Definitions are what one project declares: the desired state that plan and
// apply compare with a Catalog. Order is as declared. Names are unique within
// their kind; views and on-demand features share one name space.
type Definitions struct {
	Project   string
	Entities  []Entity
	Groups    []Group
	Views     []View
	OnDemands []OnDemand
	Services  []Service
}

// Entity is the thing that features describe.
type Entity struct {
	Name        string
	Description string
	Tags        map[string]string
	// JoinKeys name it; at least one.
	JoinKeys []JoinKey
}

// JoinKey is one named, typed part of an entity key.
type JoinKey struct {
	Name string
	Type Type
}

// View is a feature view: a named schema over the keys of its entities.
type View struct {
	// ID is given by apply; zero in definitions.
	ID          ViewID
	Name        string
	Description string
	Owner       string
	Tags        map[string]string
	// Entities whose join keys, together and ordered by name, make the key.
	Entities []string
	Fields   []Field
	// TTL is how old an event time may be and still be served; zero: any age.
	TTL time.Duration
	// Group is the replication group; "" is DefaultGroup.
	Group string
	// Online and Offline say where pushes go by default. Both true unless said.
	Online  bool
	Offline bool
	// PushSource names the source that feeds the view, "" for none.
	PushSource string
	// BatchSource is nil for none.
	BatchSource *BatchSource
	// Read and Write override the group's defaults where set.
	Read  ReadDefaults
	Write WriteDefaults
	// StalenessObjective is how stale the owner wants a served value to be at
	// most; reported against, never enforced. Zero: none.
	StalenessObjective time.Duration
	// MaxFuture and MaxLateness bound the event times that a push may carry,
	// from the origin's clock. Zero: DefaultMaxFuture, no bound on lateness.
	MaxFuture   time.Duration
	MaxLateness time.Duration
}

// DefaultMaxFuture is how far ahead of the store's clock an event time may
// lie: a fact from further ahead would win over every true one until then.
const DefaultMaxFuture = 5 * time.Minute

// Field is one feature of a view: a named, typed column.
type Field struct {
	// ID is given by apply, stable across renames; zero in definitions.
	ID          FeatureID
	Name        string
	Type        Type
	Description string
	Tags        map[string]string
	// Default is served, with its true status, where there is no value to
	// serve; null for none.
	Default Value
	Rule    Rule
	// RenamedFrom names the feature whose data this one takes over, "" for none.
	RenamedFrom string
}

// BatchSource says where a view's rows can be loaded from.
type BatchSource struct {
	// Path is a file, a folder or a glob.
	Path string
	// EventTime is the column of event times; "" is "event_timestamp".
	EventTime string
	// Created is the column that orders rows of equal event time, "" for none.
	Created string
	// Columns maps feature and join-key names to column names where they differ.
	Columns map[string]string
}

// OnDemand is a view computed at reading time from other features and from
// values in the request.
type OnDemand struct {
	Name        string
	Description string
	Owner       string
	Tags        map[string]string
	// Inputs are the features it reads; expressions name them by feature name.
	Inputs []Reference
	// Request are the values it takes from the request.
	Request []RequestField
	Fields  []Computed
}

// RequestField is one named, typed value that a request supplies.
type RequestField struct {
	Name string
	Type Type
}

// Computed is one feature of an on-demand view.
type Computed struct {
	Name        string
	Type        Type
	Description string
	// Expr is a CEL expression over inputs and request values.
	Expr string
}

// Service is a named list of features, what one model reads.
type Service struct {
	Name        string
	Description string
	Owner       string
	Tags        map[string]string
	Features    []Reference
}

// Reference names a feature of a view: "view:feature".
type Reference struct {
	View    string
	Feature string
}

// String returns "view:feature".
func (r Reference) String() string { return r.View + ":" + r.Feature }

// Group is a replication group: where its views live and how they agree.
type Group struct {
	// ID is given by apply; zero in definitions.
	ID   GroupID
	Name string
	// Preset is the name of the preset that gave what else is not said, "" for
	// none. The other settings have what it stands for already: see Expand.
	Preset    string
	Placement Placement
	// Regions that may hold the group's data; empty: every region.
	Regions []string
	// Home regions of leaders, in order of preference.
	Home []string
	// Partitions is the number of shards, fixed for the group's life; 0 is 1.
	Partitions uint16
	// Durability is the write concern that a failover must not lose.
	Durability string
	// Conflict is the rule of features of its views that name none. Their Rule has
	// it already.
	Conflict Rule
	Read     ReadDefaults
	Write    WriteDefaults
}

// DefaultGroup is the group of views that name none: multi_leader, every region.
const DefaultGroup = "default"

// ReadDefaults are the read settings of a request that gives none. Their words
// are parsed and checked by the consistency room; "" means not set.
type ReadDefaults struct {
	Level        string
	MaxStaleness time.Duration
	// ReadRepair is "blocking" or "none": what reads at level quorum wait for.
	ReadRepair string
	// AtLeast is the least that a request may ask for, such as "session"; "" is
	// anything. What the view says adds to what its group says.
	AtLeast string
	// Fallback are steps such as "wait:30ms", "forward", "fail".
	Fallback []string
}

// WriteDefaults are the write settings of a request that gives none.
type WriteDefaults struct {
	Concern string
	Timeout time.Duration
	// OnTimeout is "error" or "degrade".
	OnTimeout string
	// AtLeast is the least concern that a request may ask for; "" is any. What the
	// view says adds to what its group says.
	AtLeast string
	// RequireLive refuses writes up front while too few members keep up.
	RequireLive RequireLive
}

// RequireLive asks that other members keep up: at least Members of them, in
// reach and at most MaxLag behind what was written here. The zero value asks
// for nothing.
type RequireLive struct {
	Members int
	MaxLag  time.Duration
}

// Placement says who may append to a group's shards.
type Placement uint8

// The placements.
const (
	MultiLeader Placement = iota // any active member appends
	Leader                       // one leader a shard, under a lease
	Leaderless                   // any member coordinates, quorum defaults
)

var placementNames = [...]string{"multi_leader", "leader", "leaderless"}

// String returns the name definitions use, such as "multi_leader".
func (p Placement) String() string {
	if int(p) < len(placementNames) {
		return placementNames[p]
	}
	return "unknown"
}

// ViewID is the stable number of a view in the store. Zero is none.
type ViewID uint32

// GroupID is the stable number of a group in the store. Zero is none.
type GroupID uint16

// Shard is one partition of a group: the unit of replication.
type Shard struct {
	Group     GroupID
	Partition uint16
}

// Compare orders shards by group, then partition.
func (s Shard) Compare(o Shard) int {
	return cmp.Or(cmp.Compare(s.Group, o.Group), cmp.Compare(s.Partition, o.Partition))
}
