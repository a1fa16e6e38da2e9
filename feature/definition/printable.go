package definition

import (
	"errors"
	"fmt"
	"strings"

	"featurestore/feature"
)

// printable collects what would be written but not read back.
type printable []error

func (p *printable) add(format string, args ...any) {
	*p = append(*p, fmt.Errorf("format definitions: "+format, args...))
}

// checkPrintable refuses definitions that no document can say.
func checkPrintable(d feature.Definitions) error {
	var p printable
	if d.Project == "" {
		p.add("the project has no name")
	}
	for _, e := range d.Entities {
		for _, k := range e.JoinKeys {
			p.typed("join key", k.Name, k.Type)
		}
	}
	for _, g := range d.Groups {
		if g.Placement > feature.Leaderless || g.Partitions > feature.MaxPartitions {
			p.add("group %q has placement %s and %d partitions", feature.Clip(g.Name), g.Placement, g.Partitions)
		}
	}
	for _, g := range d.Groups {
		p.preset(g)
	}
	for _, v := range d.Views {
		for _, f := range v.Fields {
			p.typed("feature", v.Name+":"+f.Name, f.Type)
			if _, err := feature.ParseRule(f.Rule.String()); err != nil {
				p.add("feature %q: %w", feature.Clip(v.Name+":"+f.Name), err)
			}
			if !f.Default.IsNull() && f.Default.Type() != f.Type {
				p.add("feature %q is %s, its default is %s", feature.Clip(v.Name+":"+f.Name), f.Type, f.Default.Type())
			}
		}
	}
	for _, o := range d.OnDemands {
		p.references(o.Name, o.Inputs)
		for _, f := range o.Fields {
			p.typed("feature", o.Name+":"+f.Name, f.Type)
		}
		for _, f := range o.Request {
			p.typed("request field", o.Name+":"+f.Name, f.Type)
		}
	}
	for _, s := range d.Services {
		p.references(s.Name, s.Features)
	}
	return errors.Join(p...)
}

// preset refuses a group that lacks what its preset gives: read back, it would
// have it.
func (p *printable) preset(g feature.Group) {
	if _, err := feature.ParseRule(g.Conflict.String()); err != nil {
		p.add("group %q: %w", feature.Clip(g.Name), err)
	}
	full, err := g.Expand(true, true)
	if err == nil && full.SettingsText() != g.SettingsText() {
		err = errors.New("it lacks settings of its preset")
	}
	if err != nil {
		p.add("group %q with preset %q: %w", feature.Clip(g.Name), feature.Clip(g.Preset), err)
	}
}

func (p *printable) typed(what, name string, t feature.Type) {
	if back, err := feature.ParseType(t.String()); err != nil || back != t {
		p.add("%s %q has no type that can be written", what, feature.Clip(name))
	}
}

func (p *printable) references(in string, refs []feature.Reference) {
	for _, r := range refs {
		if r.View == "" || r.Feature == "" || strings.Contains(r.View+r.Feature, ":") {
			p.add("%q refers to %q, which is no view:feature", feature.Clip(in), feature.Clip(r.String()))
		}
	}
}
