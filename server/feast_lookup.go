package server

import (
	"featurestore/api"
	"featurestore/feature"
)

// feastLookup serves POST /get-online-features of Feast's dialect, for the
// project that this server answers Feast's clients with. Request data of
// on-demand features may stand among the entities, as Feast's Python clients
// send it, or in request_context, as its Go server wants it.
func (s *Server) feastLookup(r *request) error {
	catalog, err := s.feastCatalog()
	if err != nil {
		return err
	}
	body, err := r.readBody(api.MediaJSON)
	if err != nil {
		return err
	}
	l := lookups.Get().(*lookup)
	defer l.release()
	if err := l.scanned.ScanFeastLookup(body); err != nil {
		return err
	}
	service, features := l.scanned.Service, l.scanned.Features
	if service == nil && features == nil {
		return api.Problemf(api.CodeInvalidRequest, "features", "give a feature_service, or features such as [\"view:feature\"]")
	}
	if l.plan, err = s.plans.find(catalog, service, features, s.cfg.Limits); err != nil {
		return err
	}
	names, err := l.plan.feastNames(l.scanned.FullFeatureNames)
	if err != nil {
		return err
	}
	if err := s.bindFeast(l, catalog); err != nil {
		return err
	}
	met, err := s.run(l, r)
	if err != nil {
		return err
	}
	l.renderFeast(s, names)
	return s.answerLookup(r, l, met)
}

// bindFeast sorts the columns into join keys and request data, takes an
// entity's name for its only join key, and binds them.
func (s *Server) bindFeast(l *lookup, catalog *feature.Catalog) error {
	entities := l.scanned.Entities[:0]
	for _, column := range l.scanned.Entities {
		switch {
		case l.plan.hasKey(column.Name):
			entities = append(entities, column)
		case l.plan.hasRequest(column.Name):
			l.scanned.Request = append(l.scanned.Request, column)
		default:
			e, ok := catalog.Entity(string(column.Name))
			if !ok {
				return catalog.NoEntity(string(column.Name))
			}
			if len(e.JoinKeys) == 1 && l.plan.hasKey([]byte(e.JoinKeys[0].Name)) {
				column.Name = []byte(e.JoinKeys[0].Name)
				entities = append(entities, column)
			}
		}
	}
	l.scanned.Entities = entities
	return s.bindColumns(l, l.scanned.Entities, l.scanned.Request)
}

// feastNames returns the rendered names of the outputs: "feature", or
// "view__feature" in full. Short names that collide are an error, as in Feast.
func (p *plan) feastNames(full bool) ([]string, error) {
	names := make([]string, len(p.outputs))
	seen := make(map[string]feature.Reference, len(p.outputs))
	for i, out := range p.outputs {
		name := out.ref.Feature
		if full {
			name = out.ref.View + "__" + out.ref.Feature
		}
		if other, ok := seen[name]; ok {
			return nil, api.Problemf(api.CodeInvalidRequest, "full_feature_names",
				"%s and %s would both be named %s; set full_feature_names to true", other, out.ref, name)
		}
		seen[name] = out.ref
		names[i] = name
	}
	return names, nil
}

// renderFeast appends Feast's answer: one result a column, join keys first.
func (l *lookup) renderFeast(s *Server, names []string) {
	l.token = s.cfg.Signer.Append(l.token[:0], &l.session)
	b := append(l.out[:0], `{"results":[`...)
	for i, c := range l.scanned.Entities {
		if i > 0 {
			b = append(b, ',')
		}
		b = l.appendFeastKeys(b, c)
	}
	for i, out := range l.plan.outputs {
		if i > 0 || len(l.scanned.Entities) > 0 {
			b = append(b, ',')
		}
		b = l.appendFeastColumn(b, out.slot)
	}
	b = append(b, `],"metadata":{"feature_names":[`...)
	for i, c := range l.scanned.Entities {
		if i > 0 {
			b = append(b, ',')
		}
		b = api.AppendString(b, text(c.Name))
	}
	for i, name := range names {
		if i > 0 || len(l.scanned.Entities) > 0 {
			b = append(b, ',')
		}
		b = api.AppendString(b, name)
	}
	l.out = append(b, "]}}\n"...)
}

// feastZeroTime is what Feast sends where there is no event time.
const feastZeroTime = `"1970-01-01T00:00:00Z"`

func (l *lookup) appendFeastKeys(b []byte, c api.Column) []byte {
	b = append(b, `{"values":[`...)
	for row := range l.rows {
		if row > 0 {
			b = append(b, ',')
		}
		b = append(b, c.Values[row]...)
	}
	b = append(b, `],"statuses":[`...)
	b = l.repeat(b, statusText[statusPresent])
	b = append(b, `],"event_timestamps":[`...)
	b = l.repeat(b, feastZeroTime)
	return append(b, "]}"...)
}

func (l *lookup) repeat(b []byte, item string) []byte {
	for row := range l.rows {
		if row > 0 {
			b = append(b, ',')
		}
		b = append(b, item...)
	}
	return b
}

func (l *lookup) appendFeastColumn(b []byte, slot int) []byte {
	width := len(l.plan.defaults)
	each := func(b []byte, print func(b []byte, c *cell) []byte) []byte {
		for row := range l.rows {
			if row > 0 {
				b = append(b, ',')
			}
			b = print(b, &l.cells[row*width+slot])
		}
		return b
	}
	b = append(b, `{"values":[`...)
	b = each(b, func(b []byte, c *cell) []byte { return api.AppendFeastValue(b, c.value) })
	b = append(b, `],"statuses":[`...)
	b = each(b, func(b []byte, c *cell) []byte { return append(b, statusText[c.status]...) })
	b = append(b, `],"event_timestamps":[`...)
	b = each(b, func(b []byte, c *cell) []byte {
		if !c.timed {
			return append(b, feastZeroTime...)
		}
		return api.AppendTime(b, c.eventTime)
	})
	return append(b, "]}"...)
}
