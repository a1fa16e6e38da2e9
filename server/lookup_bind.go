package server

import (
	"encoding/json"
	"strconv"

	"featurestore/api"
	"featurestore/consistency"
	"featurestore/feature"
)

// bind turns the request's columns into key and request values.
func (s *Server) bind(l *lookup) error {
	for i := range l.scanned.Entities {
		name := l.scanned.Entities[i].Name
		if !l.plan.hasKey(name) {
			return api.Problemf(api.CodeInvalidRequest, "entities."+feature.Clip(string(name)),
				"no view of this lookup has that join key; %s", l.plan.suggestKey(string(name)))
		}
	}
	for i := range l.scanned.Request {
		name := l.scanned.Request[i].Name
		if !l.plan.hasRequest(name) {
			return api.Problemf(api.CodeInvalidRequest, "request."+feature.Clip(string(name)), "no on-demand feature of this lookup takes that value")
		}
	}
	return s.bindColumns(l, l.scanned.Entities, l.scanned.Request)
}

// bindColumns decodes the columns that the plan needs.
func (s *Server) bindColumns(l *lookup, entities, requests []api.Column) error {
	if err := l.countRows(entities, requests); err != nil {
		return err
	}
	if l.rows > s.cfg.Limits.Entities {
		return api.Problemf(api.CodeTooManyEntities, "entities", "%d entities; at most %d in one lookup", l.rows, s.cfg.Limits.Entities)
	}
	l.keys = grow(l.keys, l.rows*len(l.plan.keys))
	for i, k := range l.plan.keys {
		column := findColumn(entities, k.Name)
		if column == nil {
			return api.Problemf(api.CodeInvalidRequest, "entities."+k.Name, "the join key is missing; this lookup needs %s", l.plan.keyNames())
		}
		for row, raw := range column.Values {
			v, err := api.DecodeKey(raw, k.Type)
			if err != nil {
				return columnProblem("entities", k.Name, row, err)
			}
			l.keys[row*len(l.plan.keys)+i] = v
		}
	}
	l.requests = grow(l.requests, l.rows*len(l.plan.requests))
	for i, f := range l.plan.requests {
		column := findColumn(requests, f.Name)
		if column == nil {
			return api.Problemf(api.CodeInvalidRequest, "request."+f.Name, "the value is missing; an on-demand feature of this lookup needs it as %s", f.Type)
		}
		for row, raw := range column.Values {
			v, err := api.DecodeValue(json.RawMessage(raw), f.Type)
			if err != nil {
				return columnProblem("request", f.Name, row, err)
			}
			l.requests[row*len(l.plan.requests)+i] = v
		}
	}
	return nil
}

// countRows checks that all columns have one length.
func (l *lookup) countRows(entities, requests []api.Column) error {
	l.rows = 0
	first := true
	for part, columns := range [...][]api.Column{entities, requests} {
		field := [...]string{"entities.", "request."}[part]
		for _, c := range columns {
			if !first && len(c.Values) != l.rows {
				return api.Problemf(api.CodeInvalidRequest, field+feature.Clip(string(c.Name)),
					"the column has %d values, others have %d; all must have one length", len(c.Values), l.rows)
			}
			l.rows, first = len(c.Values), false
		}
	}
	return nil
}

// address gives each row and source its entity key and shard.
func (l *lookup) address() error {
	l.batch.Reset()
	l.targets = l.targets[:0]
	l.shards = grow(l.shards, l.rows*len(l.plan.sources))
	for row := range l.rows {
		values := l.keys[row*len(l.plan.keys) : (row+1)*len(l.plan.keys)]
		for i := range l.plan.sources {
			s := &l.plan.sources[i]
			l.key = l.key[:0]
			for _, k := range s.keys {
				var err error
				if l.key, err = feature.AppendKeyValue(l.key, values[k]); err != nil {
					return columnProblem("entities", l.plan.keys[k].Name, row, err)
				}
			}
			if len(l.key) > feature.MaxKeyBytes {
				return columnProblem("entities", l.plan.keys[s.keys[0]].Name, row, feature.ErrKeyTooLong)
			}
			shard := s.view.Shard(l.key)
			l.shards[row*len(l.plan.sources)+i] = shard
			l.batch.Add(shard, s.view.ID, l.key)
			l.targets = consistency.Targets(l.targets, consistency.Target{Shard: shard, Placement: s.view.Group.Placement})
		}
	}
	return nil
}

func findColumn(columns []api.Column, name string) *api.Column {
	for i := range columns {
		if string(columns[i].Name) == name {
			return &columns[i]
		}
	}
	return nil
}

func columnProblem(part, name string, row int, err error) error {
	p := api.NewProblem(api.CodeInvalidValue, err.Error())
	p.Field = part + "." + name + "[" + strconv.Itoa(row) + "]"
	return p
}
