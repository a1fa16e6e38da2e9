package server

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"featurestore/api"
	"featurestore/feature"
)

// feastNames are the names of a plan's outputs in Feast's answer, made when
// they are first asked for.
type feastNames struct {
	once  sync.Once
	names []string
	// rendered are the names as JSON strings, divided by commas.
	rendered []byte
	err      error
}

// feastNames returns the names "feature", or in full "view__feature". Names
// that collide are an error, as in Feast: clients find columns by them.
func (p *plan) feastNames(full bool) (*feastNames, error) {
	n := &p.feast[0]
	if full {
		n = &p.feast[1]
	}
	n.once.Do(func() { n.make(p.outputs, full) })
	return n, n.err
}

func (n *feastNames) make(outputs []output, full bool) {
	named := make(map[string]feature.Reference, len(outputs))
	for i, out := range outputs {
		name := out.ref.Feature
		if full {
			name = out.ref.View + "__" + out.ref.Feature
		}
		if other, ok := named[name]; ok {
			n.err = api.Problemf(api.CodeInvalidRequest, "features", "%s", collision(name, other, out.ref))
			return
		}
		named[name] = out.ref
		n.names = append(n.names, name)
		if i > 0 {
			n.rendered = append(n.rendered, ',')
		}
		n.rendered = api.AppendString(n.rendered, name)
	}
}

func collision(name string, a, b feature.Reference) string {
	switch {
	case a == b:
		return fmt.Sprintf("%s is asked for twice; once is right", a)
	case strings.Contains(name, "__"):
		return fmt.Sprintf("%s and %s would both be named %s; ask for them in two requests", a, b, name)
	}
	return fmt.Sprintf("%s and %s would both be named %s; set full_feature_names to true", a, b, name)
}

// checkKeys refuses a feature that would have the name of a join key beside it.
func (n *feastNames) checkKeys(entities []api.Column) error {
	for _, c := range entities {
		if slices.Contains(n.names, text(c.Name)) {
			return api.Problemf(api.CodeInvalidRequest, "full_feature_names",
				"a feature and a join key would both be named %s; set full_feature_names to true", feature.Clip(text(c.Name)))
		}
	}
	return nil
}
