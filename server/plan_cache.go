package server

import (
	"encoding/json"
	"strings"
	"sync"

	"featurestore/api"
	"featurestore/feature"
)

// plans keeps compiled plans, so that a service is compiled once a revision.
// Lists of features are kept too, up to maxPlans of them.
type plans struct {
	mu struct {
		sync.RWMutex
		byCatalog map[*feature.Catalog]map[string]*plan
	}
}

// maxPlans bounds the plans kept of one catalog, maxCatalogs the catalogs, and
// maxPlanName the list of features that names a plan, spaces included.
const (
	maxPlans    = 1024
	maxCatalogs = 64
	maxPlanName = 32 << 10
)

// find returns the plan of a service or of a raw JSON list of references.
func (p *plans) find(c *feature.Catalog, service, features []byte, limits Limits) (*plan, error) {
	name := service
	if service == nil {
		name = features
	}
	p.mu.RLock()
	found := p.mu.byCatalog[c][string(name)]
	p.mu.RUnlock()
	if found != nil && (found.byService == (service != nil)) {
		return found, nil
	}
	refs, err := references(c, service, features)
	if err != nil {
		return nil, err
	}
	made, err := compile(c, refs, limits)
	if err != nil {
		return nil, err
	}
	made.byService = service != nil
	if len(name) <= maxPlanName {
		p.keep(c, string(name), made)
	}
	return made, nil
}

// keep forgets everything when a limit is reached: catalogs change rarely, and
// a client that asks for ever new lists gains nothing from a cache.
func (p *plans) keep(c *feature.Catalog, name string, made *plan) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.mu.byCatalog) >= maxCatalogs || p.mu.byCatalog == nil {
		p.mu.byCatalog = map[*feature.Catalog]map[string]*plan{}
	}
	byName := p.mu.byCatalog[c]
	if len(byName) >= maxPlans || byName == nil {
		byName = map[string]*plan{}
		p.mu.byCatalog[c] = byName
	}
	byName[name] = made
}

// references resolves what a lookup names. A service wins over a list only in
// Feast's dialect; the native one refuses both before it gets here.
func references(c *feature.Catalog, service, features []byte) ([]feature.Reference, error) {
	if service != nil {
		s, ok := c.Service(string(service))
		if !ok {
			return nil, c.NoService(string(service))
		}
		return s.Features, nil
	}
	var texts []string
	if err := json.Unmarshal(features, &texts); err != nil {
		return nil, api.Problemf(api.CodeInvalidJSON, "features", "features is a list of strings such as \"view:feature\"")
	}
	refs := make([]feature.Reference, 0, len(texts))
	for i, text := range texts {
		view, name, ok := strings.Cut(text, ":")
		if !ok || view == "" || name == "" {
			return nil, api.Problemf(api.CodeInvalidRequest, "features", "features[%d]: %q is not of the form view:feature", i, feature.Clip(text))
		}
		refs = append(refs, feature.Reference{View: view, Feature: name})
	}
	return refs, nil
}
