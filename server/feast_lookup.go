package server

import (
	"slices"

	"featurestore/api"
	"featurestore/feature"
)

// feastLookup serves POST /get-online-features. Request data of on-demand
// features may stand among the entities, as Feast's Python clients send it, or
// in request_context, as its Go server wants it.
func (s *Server) feastLookup(r *request) error {
	catalog, err := s.feastCatalog(r)
	if err != nil {
		return err
	}
	body, err := r.readBody(feastTypes...)
	if err != nil {
		return err
	}
	l := lookups.Get().(*lookup)
	defer l.release()
	if err := l.scanned.ScanFeastLookup(body, s.cfg.Limits.Entities); err != nil {
		return err
	}
	service, features := l.scanned.Service, l.scanned.Features
	if len(service) == 0 {
		service = nil // Feast's clients send "" too
	}
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
	if err := names.checkKeys(l.scanned.Entities); err != nil {
		return err
	}
	met, done, err := s.run(l, r)
	if done || err != nil {
		return err
	}
	l.renderFeast(s, names)
	return s.answerLookup(r, l, met)
}

// bindFeast sorts the columns into join keys and request data and binds them.
// Join keys that this lookup does not need are shown in the answer and not
// read, as in Feast; names that nothing in the project has are refused.
func (s *Server) bindFeast(l *lookup, catalog *feature.Catalog) error {
	entities := l.scanned.Entities[:0]
	for _, column := range l.scanned.Entities {
		isKey, isRequest := l.plan.hasKey(column.Name), l.plan.hasRequest(column.Name)
		inContext := isRequest && findColumn(l.scanned.Request, text(column.Name)) != nil
		switch {
		case inContext && !isKey:
			return api.Problemf(api.CodeInvalidRequest, "request."+feature.Clip(string(column.Name)), "the value stands in entities and in request_context; once is right")
		case isRequest && !inContext:
			l.scanned.Request = append(l.scanned.Request, column)
		}
		if isRequest && !isKey {
			continue
		}
		if !isKey {
			key, err := feastJoinKey(catalog, string(column.Name))
			if err != nil {
				return err
			}
			column.Name = []byte(key)
		}
		if findColumn(entities, string(column.Name)) != nil {
			return api.Problemf(api.CodeInvalidRequest, "entities."+feature.Clip(string(column.Name)), "the join key is given twice, once by the name of its entity; once is right")
		}
		entities = append(entities, column)
	}
	l.scanned.Entities = entities
	return s.bindColumns(l, entities, l.scanned.Request)
}

// feastJoinKey returns the join key that a name stands for: itself, or the only
// one of the entity of that name.
func feastJoinKey(catalog *feature.Catalog, name string) (string, error) {
	for _, v := range catalog.Views() {
		for _, k := range v.Keys {
			if k.Name == name {
				return name, nil
			}
		}
	}
	e, ok := catalog.Entity(name)
	if !ok {
		return "", catalog.NoEntity(name)
	}
	if len(e.JoinKeys) != 1 {
		return "", api.Problemf(api.CodeInvalidRequest, "entities."+feature.Clip(name), "entity %s has several join keys; give a column for each", feature.Clip(name))
	}
	return e.JoinKeys[0].Name, nil
}

// renderFeast appends Feast's answer: one result a column, join keys first.
func (l *lookup) renderFeast(s *Server, names *feastNames) {
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
	for _, c := range l.scanned.Entities {
		b = append(api.AppendString(b, text(c.Name)), ',')
	}
	l.out = append(append(b, names.rendered...), "]}}"...)
}

// feastZeroTime is what Feast sends where there is no event time.
const feastZeroTime = `"1970-01-01T00:00:00Z"`

// appendFeastKeys shows a join key as it was read, or, where it was not needed,
// as it was sent.
func (l *lookup) appendFeastKeys(b []byte, c api.Column) []byte {
	width := len(l.plan.keys)
	at := slices.IndexFunc(l.plan.keys, func(k feature.JoinKey) bool { return k.Name == string(c.Name) })
	b = append(b, `{"values":[`...)
	for row := range l.rows {
		if row > 0 {
			b = append(b, ',')
		}
		if at < 0 {
			b = append(b, c.Values[row]...)
		} else {
			b = api.AppendFeastValue(b, l.keys[row*width+at])
		}
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
