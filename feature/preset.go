package feature

import (
	"fmt"
	"strings"
	"time"
)

// A preset is a set of group settings under the name of the system that is
// known for them. It stands for what it expands to, and for nothing else.
type preset struct {
	name  string
	group Group // the settings it gives; zero ones it leaves alone
}

// presets in the order in which they are told. The settings of each, and where
// it differs from the original on purpose, are in docs/modes.md.
var presets = []preset{
	{"mysql", Group{
		Placement: Leader, Durability: "any:1", Conflict: WriteTime,
		Read:  ReadDefaults{Level: "leader"},
		Write: WriteDefaults{Concern: "any:1", Timeout: 10 * time.Second, OnTimeout: "error"},
	}},
	{"postgres", Group{
		Placement: Leader, Durability: "any:1", Conflict: WriteTime,
		Read:  ReadDefaults{Level: "bounded", MaxStaleness: 2 * time.Second, Fallback: []string{"wait:30ms", "forward", "fail"}},
		Write: WriteDefaults{Concern: "any:1", OnTimeout: "wait"},
	}},
	{"mongodb", Group{
		Placement: Leader, Durability: "quorum", Conflict: WriteTime,
		Read:  ReadDefaults{Level: "session", Fallback: []string{"wait:50ms", "forward", "fail"}},
		Write: WriteDefaults{Concern: "quorum", Timeout: 5 * time.Second, OnTimeout: "error"},
	}},
	{"cassandra", Group{
		Placement: Leaderless, Conflict: WriteTime,
		Read:  ReadDefaults{Level: "quorum", ReadRepair: "blocking"},
		Write: WriteDefaults{Concern: "quorum", Timeout: 2 * time.Second, OnTimeout: "error"},
	}},
	{"dynamodb", Group{
		Placement: MultiLeader, Conflict: WriteTime,
		Read:  ReadDefaults{Level: "eventual"},
		Write: WriteDefaults{Concern: "region_quorum", OnTimeout: "error"},
	}},
	{"redis", Group{
		Placement: Leader, Durability: "local", Conflict: WriteTime,
		Read:  ReadDefaults{Level: "eventual"},
		Write: WriteDefaults{Concern: "local", OnTimeout: "error"},
	}},
	{"redis-cluster", Group{
		Placement: Leader, Partitions: 256, Durability: "local", Routing: "redirect", Conflict: WriteTime,
		Read:  ReadDefaults{Level: "leader"},
		Write: WriteDefaults{Concern: "local", OnTimeout: "error"},
	}},
	{"couchdb", Group{
		Placement: MultiLeader, Conflict: Siblings,
		Read:  ReadDefaults{Level: "eventual"},
		Write: WriteDefaults{Concern: "local", OnTimeout: "error"},
	}},
	{"riak", Group{
		Placement: Leaderless, Conflict: Siblings,
		Read:  ReadDefaults{Level: "quorum", ReadRepair: "blocking"},
		Write: WriteDefaults{Concern: "quorum", OnTimeout: "error"},
	}},
	{"cosmos", Group{
		Placement: MultiLeader, Conflict: WriteTime,
		Read:  ReadDefaults{Level: "session", Fallback: []string{"wait:30ms", "forward", "fail"}},
		Write: WriteDefaults{Concern: "region_quorum", OnTimeout: "error"},
	}},
}

// Presets are the names of presets, in the order of docs/modes.md.
func Presets() []string {
	out := make([]string, len(presets))
	for i, p := range presets {
		out[i] = p.name
	}
	return out
}

// Preset returns the settings of a preset, as a group without a name that
// shares nothing. The error of an unknown one lists those there are.
func Preset(name string) (Group, error) {
	for _, p := range presets {
		if p.name == name {
			g := Definitions{Groups: []Group{p.group}}.Clone().Groups[0]
			g.Preset = name
			return g, nil
		}
	}
	return Group{}, fmt.Errorf("preset %q is not known; use one of %s", Clip(name), strings.Join(Presets(), ", "))
}

// Expand returns g with the settings of its preset where it has none of its
// own, but for Placement and Conflict: their zero values are words too, so that
// the caller says whether the group has them. Expanding again changes nothing.
func (g Group) Expand(placed, ruled bool) (Group, error) {
	if g.Preset == "" {
		return g, nil
	}
	p, err := Preset(g.Preset)
	if err != nil {
		return g, err
	}
	if !placed {
		g.Placement = p.Placement
	}
	if !ruled {
		g.Conflict = p.Conflict
	}
	if g.Partitions == 0 {
		g.Partitions = p.Partitions
	}
	if g.Durability == "" {
		g.Durability = p.Durability
	}
	if g.Routing == "" {
		g.Routing = p.Routing
	}
	staleness := g.Read.MaxStaleness
	g.Read, g.Write = p.Read.with(g.Read), p.Write.with(g.Write)
	if staleness != 0 { // beside the preset it may stand without its level
		g.Read.MaxStaleness = staleness
	}
	return g, nil
}

// SettingsText prints what a group says beside its name and where it is held,
// on one line: what its preset stands for, if nothing was written beside it.
func (g Group) SettingsText() string {
	var out []string
	for _, f := range groupFacts(&g).list {
		switch f.field {
		case "preset", "regions", "home":
			continue
		}
		if f.value != "" {
			out = append(out, f.field+": "+f.value)
		}
	}
	return strings.Join(out, ", ")
}
