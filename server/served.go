package server

import (
	"context"

	"featurestore/consistency"
	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/offline/served"
)

// ServedLog is where a sample of what lookups answer goes. For a lookup it never waits.
type ServedLog interface {
	// Samples reports whether the lookup of a request is to be offered.
	Samples(requestID string) bool
	// Offer takes what a lookup answered, but for so many cells.
	Offer(ctx context.Context, x *served.Lookup, leftOut int)
	// Erase takes what was served of entity keys of views out of it; Count says how much
	// there is of them. These two wait.
	Erase(ctx context.Context, views []feature.ViewID, keys ...feature.Key) (served.Erased, error)
	Count(ctx context.Context, views []feature.ViewID, keys ...feature.Key) (served.Erased, error)
}

// Beheld is up to where the logs of a shard were, when a sampled lookup began to read.
type beheld struct {
	shard feature.Shard
	heads hlc.Vector
}

// sample notes, before a lookup reads, whether what it answers will be logged, and up to
// where the logs are here: whatever it reads has all of that (online, S4).
func (l *lookup) sample(s *Server, r *request) {
	l.beheld = l.beheld[:0]
	if l.sampled = s.cfg.Served != nil && s.cfg.Served.Samples(r.id); !l.sampled {
		return
	}
	for _, t := range l.targets {
		l.beheld = append(l.beheld, beheld{t.Shard, s.cfg.Online.Heads(t.Shard)})
	}
}

func (l *lookup) headsOf(shard feature.Shard) hlc.Vector {
	for _, b := range l.beheld {
		if b.shard == shard {
			return b.heads
		}
	}
	return nil
}

// logServed offers what was answered. Values are copied: the lookup's memory is used
// again.
func (s *Server) logServed(l *lookup, r *request, met consistency.Met) error {
	x := &served.Lookup{
		Request: r.id, At: l.now, Project: l.plan.catalog.Project(), Revision: l.plan.catalog.Revision(),
		Asked: met.Asked.Level.String(), Met: met.Met.Level.String(), Degraded: met.Degraded, Joined: l.read.Joined != nil,
	}
	width := len(l.plan.defaults)
	entities := l.rows
	if width > 0 {
		entities = min(l.rows, served.MaxCells/width)
	}
	x.Rows = make([]served.Row, 0, entities*(len(l.plan.sources)+len(l.plan.derived)))
	for entity := range entities {
		line := l.cells[entity*width : (entity+1)*width]
		for i := range l.plan.sources {
			row, err := l.servedRow(s, entity, i, line)
			if err != nil {
				return err
			}
			x.Rows = append(x.Rows, row)
		}
		for i := range l.plan.derived {
			x.Rows = append(x.Rows, l.servedComputation(entity, &l.plan.derived[i], line))
		}
	}
	s.cfg.Served.Offer(r.Request().Context(), x, (l.rows-entities)*width)
	return nil
}

// servedRow is what the answer took of one stored row.
func (l *lookup) servedRow(s *Server, entity, i int, line []cell) (served.Row, error) {
	source, at := &l.plan.sources[i], entity*len(l.plan.sources)+i
	row := served.Row{Entity: entity, View: source.view.Name, ID: source.view.ID, Shard: l.shards[at]}
	for _, k := range source.keys {
		var err error
		if row.Key, err = feature.AppendKeyValue(row.Key, l.keys[entity*len(l.plan.keys)+k]); err != nil {
			return row, err
		}
	}
	row.From = l.headsOf(row.Shard)
	var err error
	if row.Until, err = until(s.cfg.Online.Heads(row.Shard), l.batch.Row(at)); err != nil {
		return row, err
	}
	row.Cells = make([]served.Cell, 0, len(source.fields))
	for _, f := range source.fields {
		field, _ := source.view.FieldByID(f.id)
		row.Cells = append(row.Cells, l.servedCell(field.Name, f.id, field.Type, f.slot, line))
	}
	return row, nil
}

// until is up to where the logs may be in a row that was read. The hot tier has a commit
// a moment before it is published, so the row itself is asked.
func until(heads hlc.Vector, encoded []byte) (hlc.Vector, error) {
	if encoded == nil {
		return heads, nil
	}
	r, err := feature.ReadRow(encoded)
	if err != nil {
		return nil, err
	}
	shared := true
	raise := func(p hlc.Position) {
		if p.Origin == 0 || heads.CoversPosition(p) {
			return
		}
		if shared {
			heads, shared = heads.Clone(), false
		}
		heads[p.Origin] = p.At
	}
	t := r.Tombstone()
	raise(t.ByEvent.Position())
	raise(t.ByWrite.Position())
	for r.Next() {
		raise(r.Cell.Version.Position())
		for p := range r.Cell.Contributions() {
			raise(p)
		}
	}
	return heads, r.Err()
}

func (l *lookup) servedCell(name string, id feature.FeatureID, typ feature.Type, slot int, line []cell) served.Cell {
	c := &line[slot]
	return served.Cell{
		Feature: name, ID: id, Answered: l.plan.answers(slot), Status: servedStatus[c.status], Value: c.value.Clone(), Type: typ,
		EventTime: c.eventTime, Timed: c.timed,
	}
}

// servedComputation is what was computed for one entity, and of which request values.
func (l *lookup) servedComputation(entity int, d *derived, line []cell) served.Row {
	row := served.Row{Entity: entity, View: d.name}
	for _, j := range d.requests {
		f := l.plan.requests[j]
		row.Cells = append(row.Cells, served.Cell{
			Feature: f.Name, Status: served.Given, Type: f.Type, Value: l.requests[entity*len(l.plan.requests)+j].Clone(),
		})
	}
	computed, _ := l.plan.catalog.OnDemand(d.name)
	for j, slot := range d.outputs {
		if slot >= 0 {
			row.Cells = append(row.Cells, l.servedCell(computed.Fields[j].Name, 0, computed.Fields[j].Type, slot, line))
		}
	}
	return row
}

var servedStatus = [...]served.Status{
	statusPresent: served.Present, statusNull: served.NullValue, statusNotFound: served.NotFound, statusOutsideMaxAge: served.OutsideMaxAge,
}

// answers reports whether a slot stands in the answer: others were read for what is
// computed.
func (p *plan) answers(slot int) bool {
	for i := range p.outputs {
		if p.outputs[i].slot == slot {
			return true
		}
	}
	return false
}
