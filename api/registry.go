package api

import (
	"encoding/json"
	"time"

	"featurestore/feature"
)

// Projects is the answer of GET /v1/projects.
type Projects struct {
	// Revision is that of the store's registry over all projects.
	Revision uint64    `json:"revision"`
	Projects []Project `json:"projects"`
}

// Project is one project of a store.
type Project struct {
	Name     string `json:"name"`
	Revision uint64 `json:"revision"`
	Views    int    `json:"views"`
	Services int    `json:"services"`
}

// Catalog is the answer of the lists below /v1/projects/{project}: the one
// that was asked for, and the project's revision, which also is the ETag.
type Catalog struct {
	Project   string     `json:"project"`
	Revision  uint64     `json:"revision"`
	Views     []View     `json:"views,omitempty"`
	Entities  []Entity   `json:"entities,omitempty"`
	Services  []Service  `json:"services,omitempty"`
	OnDemands []OnDemand `json:"on_demand,omitempty"`
	Groups    []Group    `json:"groups,omitempty"`
}

// View is a feature view as applied. Durations are Go durations, "" for none.
type View struct {
	ID                 uint32            `json:"id"`
	Name               string            `json:"name"`
	Description        string            `json:"description,omitempty"`
	Owner              string            `json:"owner,omitempty"`
	Tags               map[string]string `json:"tags,omitempty"`
	Entities           []string          `json:"entities"`
	JoinKeys           []NamedType       `json:"join_keys"`
	Features           []Feature         `json:"features"`
	TTL                string            `json:"ttl,omitempty"`
	Group              string            `json:"group"`
	Online             bool              `json:"online"`
	Offline            bool              `json:"offline"`
	PushSource         string            `json:"push_source,omitempty"`
	BatchSource        *BatchSource      `json:"batch_source,omitempty"`
	Read               *ReadDefaults     `json:"read,omitempty"`
	Write              *WriteDefaults    `json:"write,omitempty"`
	StalenessObjective string            `json:"staleness_objective,omitempty"`
	MaxFuture          string            `json:"max_future,omitempty"`
	MaxLateness        string            `json:"max_lateness,omitempty"`
}

// NamedType is a join key, or a value that a request supplies.
type NamedType struct {
	Name string `json:"name"`
	Type string `json:"type"`
}

// Feature is one feature of a view; of an on-demand view, with its expression.
type Feature struct {
	ID          uint32            `json:"id,omitempty"`
	Name        string            `json:"name"`
	Type        string            `json:"type"`
	Description string            `json:"description,omitempty"`
	Tags        map[string]string `json:"tags,omitempty"`
	Conflict    string            `json:"conflict,omitempty"`
	Default     json.RawMessage   `json:"default,omitempty"`
	Expr        string            `json:"expr,omitempty"`
}

// BatchSource says where a view's rows can be loaded from.
type BatchSource struct {
	Path      string            `json:"path"`
	EventTime string            `json:"event_time,omitempty"`
	Created   string            `json:"created,omitempty"`
	Columns   map[string]string `json:"columns,omitempty"`
}

// ReadDefaults are the read settings of requests that give none.
type ReadDefaults struct {
	Level        string `json:"level,omitempty"`
	MaxStaleness string `json:"max_staleness,omitempty"`
	// ReadRepair is what reads at level quorum wait for, AtLeast the least that a
	// request may ask for.
	ReadRepair string   `json:"read_repair,omitempty"`
	AtLeast    string   `json:"at_least,omitempty"`
	Fallback   []string `json:"fallback,omitempty"`
}

// WriteDefaults are the write settings of requests that give none.
type WriteDefaults struct {
	Concern   string `json:"concern,omitempty"`
	Timeout   string `json:"timeout,omitempty"`
	OnTimeout string `json:"on_timeout,omitempty"`
	// AtLeast is the least concern that a request may ask for.
	AtLeast string `json:"at_least,omitempty"`
	// RequireLive refuses writes while too few other members keep up.
	RequireLive *RequireLive `json:"require_live,omitempty"`
}

// RequireLive says how many other members must be in reach, and how far behind
// each may be.
type RequireLive struct {
	Members int    `json:"members"`
	MaxLag  string `json:"max_lag"`
}

// Entity is the thing that features describe.
type Entity struct {
	Name        string            `json:"name"`
	Description string            `json:"description,omitempty"`
	Tags        map[string]string `json:"tags,omitempty"`
	JoinKeys    []NamedType       `json:"join_keys"`
}

// Service is a named list of features, as "view:feature".
type Service struct {
	Name        string            `json:"name"`
	Description string            `json:"description,omitempty"`
	Owner       string            `json:"owner,omitempty"`
	Tags        map[string]string `json:"tags,omitempty"`
	Features    []string          `json:"features"`
}

// OnDemand is a view computed when it is read.
type OnDemand struct {
	Name        string            `json:"name"`
	Description string            `json:"description,omitempty"`
	Owner       string            `json:"owner,omitempty"`
	Tags        map[string]string `json:"tags,omitempty"`
	Inputs      []string          `json:"inputs"`
	Request     []NamedType       `json:"request,omitempty"`
	Features    []Feature         `json:"features"`
}

// Group is a replication group.
type Group struct {
	ID         uint16         `json:"id"`
	Name       string         `json:"name"`
	Preset     string         `json:"preset,omitempty"`
	Placement  string         `json:"placement"`
	Regions    []string       `json:"regions,omitempty"`
	Home       []string       `json:"home,omitempty"`
	Partitions uint16         `json:"partitions"`
	Durability string         `json:"durability,omitempty"`
	Conflict   string         `json:"conflict"`
	Read       *ReadDefaults  `json:"read,omitempty"`
	Write      *WriteDefaults `json:"write,omitempty"`
}

// Views returns the views of a catalog in declared order.
func Views(c *feature.Catalog) []View {
	out := []View{}
	for _, v := range c.Views() {
		out = append(out, ViewOf(v))
	}
	return out
}

// ViewOf returns the JSON form of a view.
func ViewOf(v *feature.ResolvedView) View {
	out := View{
		ID: uint32(v.ID), Name: v.Name, Description: v.Description, Owner: v.Owner, Tags: v.Tags,
		Entities: v.Entities, TTL: duration(v.TTL), Group: v.Group.Name, Online: v.Online, Offline: v.Offline,
		PushSource: v.PushSource, Read: readOf(v.Read), Write: writeOf(v.Write),
		StalenessObjective: duration(v.StalenessObjective), MaxFuture: duration(v.MaxFuture), MaxLateness: duration(v.MaxLateness),
		JoinKeys: joinKeys(v.Keys), Features: []Feature{},
	}
	if b := v.BatchSource; b != nil {
		out.BatchSource = &BatchSource{Path: b.Path, EventTime: b.EventTime, Created: b.Created, Columns: b.Columns}
	}
	for _, f := range v.Fields {
		feat := Feature{
			ID: uint32(f.ID), Name: f.Name, Type: f.Type.String(), Description: f.Description, Tags: f.Tags, Conflict: f.Rule.String(),
		}
		if !f.Default.IsNull() {
			feat.Default = AppendValue(nil, f.Default)
		}
		out.Features = append(out.Features, feat)
	}
	return out
}

// EntityOf returns the JSON form of an entity.
func EntityOf(e *feature.Entity) Entity {
	return Entity{Name: e.Name, Description: e.Description, Tags: e.Tags, JoinKeys: joinKeys(e.JoinKeys)}
}

// ServiceOf returns the JSON form of a feature service.
func ServiceOf(s *feature.Service) Service {
	return Service{Name: s.Name, Description: s.Description, Owner: s.Owner, Tags: s.Tags, Features: references(s.Features)}
}

// OnDemandOf returns the JSON form of an on-demand view.
func OnDemandOf(o *feature.OnDemand) OnDemand {
	out := OnDemand{
		Name: o.Name, Description: o.Description, Owner: o.Owner, Tags: o.Tags, Inputs: references(o.Inputs), Features: []Feature{},
	}
	for _, f := range o.Request {
		out.Request = append(out.Request, NamedType{Name: f.Name, Type: f.Type.String()})
	}
	for _, f := range o.Fields {
		out.Features = append(out.Features, Feature{Name: f.Name, Type: f.Type.String(), Description: f.Description, Expr: f.Expr})
	}
	return out
}

// GroupOf returns the JSON form of a group.
func GroupOf(g *feature.Group) Group {
	return Group{
		ID: uint16(g.ID), Name: g.Name, Preset: g.Preset, Conflict: g.Conflict.String(), Placement: g.Placement.String(), Regions: g.Regions, Home: g.Home,
		Partitions: max(g.Partitions, 1), Durability: g.Durability, Read: readOf(g.Read), Write: writeOf(g.Write),
	}
}

func joinKeys(keys []feature.JoinKey) []NamedType {
	out := []NamedType{}
	for _, k := range keys {
		out = append(out, NamedType{Name: k.Name, Type: k.Type.String()})
	}
	return out
}

func references(refs []feature.Reference) []string {
	out := []string{}
	for _, r := range refs {
		out = append(out, r.String())
	}
	return out
}

func readOf(d feature.ReadDefaults) *ReadDefaults {
	if d.Level == "" && d.MaxStaleness == 0 && d.ReadRepair == "" && d.AtLeast == "" && len(d.Fallback) == 0 {
		return nil
	}
	return &ReadDefaults{
		Level: d.Level, MaxStaleness: duration(d.MaxStaleness), ReadRepair: d.ReadRepair, AtLeast: d.AtLeast, Fallback: d.Fallback,
	}
}

func writeOf(d feature.WriteDefaults) *WriteDefaults {
	if d == (feature.WriteDefaults{}) {
		return nil
	}
	out := &WriteDefaults{Concern: d.Concern, Timeout: duration(d.Timeout), OnTimeout: d.OnTimeout, AtLeast: d.AtLeast}
	if r := d.RequireLive; r.Members > 0 {
		out.RequireLive = &RequireLive{Members: r.Members, MaxLag: duration(r.MaxLag)}
	}
	return out
}

// duration prints d, "" for zero.
func duration(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return d.String()
}
