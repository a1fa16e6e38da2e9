package definition

import (
	"fmt"
	"strconv"

	"featurestore/feature"

	"github.com/goccy/go-yaml/ast"
)

// registryFormat is the version of the form below. A store that reads another
// refuses it.
//
//	registry_format: 1
//	revision: 3
//	line: {epoch: 2, home: us-1, began: 2}
//	last_view: 2
//	last_group: 1
//	projects:
//	  - revision: 3
//	    implicit_group: 1
//	    last_features: [{view: 1, feature: 4}]
//	    history:
//	      - {revision: 3, changes: ["+ view driver_stats"]}
//	    definitions: as in a definition file, with an id in groups, views, features
const registryFormat = 1

// MaxRegistryBytes is the size of an encoded registry that is read.
const MaxRegistryBytes = 256 << 20

// EncodeRegistry writes r with its ids and what it must remember. Checks are
// not part of it.
func EncodeRegistry(r *feature.Registry) ([]byte, error) {
	s := r.State()
	p := printer{ids: true}
	p.line(0, "registry_format: "+strconv.Itoa(registryFormat))
	p.line(0, "revision: "+strconv.FormatUint(s.Revision, 10))
	if s.Line != (feature.Line{}) {
		p.line(0, "line: "+flow(pair{"epoch", number(s.Line.Epoch)}, pair{"home", text(s.Line.Home)}, pair{"began", number(s.Began)}))
	}
	p.line(0, "last_view: "+strconv.FormatUint(uint64(s.LastView), 10))
	p.line(0, "last_group: "+strconv.FormatUint(uint64(s.LastGroup), 10))
	section(&p, 0, "projects", s.Projects, p.project)
	if err := p.valid(); err != nil {
		return nil, fmt.Errorf("encode registry: %w", err)
	}
	if p.Len() > MaxRegistryBytes {
		return nil, fmt.Errorf("encode registry: %d bytes, at most %d are read back", p.Len(), MaxRegistryBytes)
	}
	return p.Bytes(), nil
}

func (p *printer) project(depth int, s feature.ProjectState) {
	var last []string
	for _, l := range s.LastFeatures {
		last = append(last, flow(pair{"view", number(l.View)}, pair{"feature", number(l.Feature)}))
	}
	p.item(depth, []pair{
		{"revision", number(s.Revision)}, {"implicit_group", number(s.ImplicitGroup)}, {"last_features", sequence(last)},
	})
	section(p, depth+1, "history", s.History, func(depth int, a feature.Applied) {
		p.line(depth, "- "+flow(pair{"revision", number(a.Revision)}, pair{"changes", texts(a.Changes)}))
	})
	p.line(depth+1, "definitions:")
	p.definitions(depth+2, s.Definitions)
}

// DecodeRegistry is the inverse of EncodeRegistry. Another format version, and
// bytes that no registry encodes to, are errors that match feature.ErrCorrupt.
func DecodeRegistry(b []byte) (*feature.Registry, error) {
	const name = "registry"
	root, err := parse(name, b, MaxRegistryBytes)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", feature.ErrCorrupt, err)
	}
	r := newReader(name, root, MaxRegistryBytes)
	if err := r.checkFormat(root); err != nil {
		return nil, err
	}
	s := r.registry(root)
	if err := r.err(); err != nil {
		return nil, fmt.Errorf("%w: %w", feature.ErrCorrupt, err)
	}
	return feature.RestoreRegistry(s)
}

// checkFormat looks at the version before anything else: what else there is
// depends on it.
func (r *reader) checkFormat(root ast.Node) error {
	if m, ok := root.(*ast.MappingNode); ok && len(m.Values) > 0 {
		first := m.Values[0]
		if k, ok := first.Key.(*ast.StringNode); ok && k.Value == "registry_format" && first.Value != nil {
			if v := first.Value.GetToken().Value; v != strconv.Itoa(registryFormat) {
				return fmt.Errorf("%w: registry format %s, this version reads %d", feature.ErrCorrupt, feature.Clip(v), registryFormat)
			}
			return nil
		}
	}
	return fmt.Errorf("%w: a registry begins with registry_format", feature.ErrCorrupt)
}

func (r *reader) registry(n ast.Node) (s feature.RegistryState) {
	const most = 1<<64 - 1
	r.object(n, "registry_format: 1",
		key{"registry_format", func(ast.Node) {}},
		key{"revision", func(n ast.Node) { s.Revision = r.number(n, most) }},
		key{"line", func(n ast.Node) {
			r.object(n, "{epoch: 1, home: eu-1}",
				key{"epoch", func(n ast.Node) { s.Line.Epoch = r.number(n, most) }},
				key{"home", func(n ast.Node) { s.Line.Home = r.text(n, "eu-1") }},
				key{"began", func(n ast.Node) { s.Began = r.number(n, most) }})
		}},
		key{"last_view", func(n ast.Node) { s.LastView = feature.ViewID(r.number(n, 1<<32-1)) }},
		key{"last_group", func(n ast.Node) { s.LastGroup = feature.GroupID(r.number(n, 1<<16-1)) }},
		key{"projects", func(n ast.Node) {
			r.list(n, "[…]", func(n ast.Node) {
				clear(r.declared) // names are unique within a project
				s.Projects = append(s.Projects, r.project(n))
			})
		}})
	return s
}

func (r *reader) project(n ast.Node) (s feature.ProjectState) {
	const most = 1<<64 - 1
	r.object(n, "{revision: 1, definitions: …}",
		key{"revision", func(n ast.Node) { s.Revision = r.number(n, most) }},
		key{"implicit_group", func(n ast.Node) { s.ImplicitGroup = feature.GroupID(r.number(n, 1<<16-1)) }},
		key{"last_features", func(n ast.Node) {
			r.list(n, "[{view: 1, feature: 1}]", func(n ast.Node) {
				var l feature.LastFeature
				r.object(n, "{view: 1, feature: 1}",
					key{"view", func(n ast.Node) { l.View = feature.ViewID(r.number(n, 1<<32-1)) }},
					key{"feature", func(n ast.Node) { l.Feature = feature.FeatureID(r.number(n, 1<<32-1)) }})
				s.LastFeatures = append(s.LastFeatures, l)
			})
		}},
		key{"history", func(n ast.Node) {
			r.list(n, "[{revision: 1, changes: […]}]", func(n ast.Node) {
				var a feature.Applied
				r.object(n, "{revision: 1, changes: […]}",
					key{"revision", func(n ast.Node) { a.Revision = r.number(n, most) }},
					key{"changes", func(n ast.Node) { a.Changes = r.texts(n, "text") }})
				s.History = append(s.History, a)
			})
		}},
		key{"definitions", func(n ast.Node) { s.Definitions, _ = r.definitions(n, true) }})
	return s
}
