package sql

import (
	"fmt"
	"time"

	"featurestore/feature"
)

// states are, for each feature, its value after the rows up to an event time, and the
// event time of what wrote it: null where that is nothing, or was deleted.
func (p *printer) states(f *folder) []string {
	d := p.d
	// max_by of the rows that count: one with a null counts as others do.
	winner := func(value, counts, rank string) string {
		return fmt.Sprintf("%s(%s, CASE WHEN %s THEN %s END) OVER w", d.maxBy, value, counts, rank)
	}
	alive := func(event string) string {
		return fmt.Sprintf("CASE WHEN max(CASE WHEN deleted THEN 1 ELSE 0 END) OVER w = 0 THEN %s END", event)
	}
	var out []string
	for i, c := range f.features {
		v, s := fmt.Sprintf("v%d", i), fmt.Sprintf("s%d", i)
		own := fmt.Sprintf("CASE WHEN %s THEN event END", s)
		latest := "max(" + own + ") OVER w"
		var value, event string
		switch c.Rule {
		case feature.EventTime: // a delete counts as a write does
			value, event = winner(v, s+" OR deleted", "by_event"), winner(own, s+" OR deleted", "by_event")
		case feature.WriteTime:
			value, event = winner(v, s+" OR deleted", "by_write"), winner(own, s+" OR deleted", "by_write")
		case feature.Siblings:
			value, event = winner(v, s, "by_dot"), alive(winner("event", s, "by_dot"))
		case feature.Max, feature.Min:
			rank := fmt.Sprintf("r%d", i)
			value, event = winner(v, s, rank), alive(winner("event", s, rank))
		case feature.Counter:
			value, event = fmt.Sprintf("CAST(sum(%s) OVER w AS %s)", v, p.counterType(c)), alive(latest)
		case feature.Set:
			none := fmt.Sprintf("CAST(%s%s AS %s)", d.array[0], d.array[1], d.typeOf(c.Type))
			value = fmt.Sprintf("%s(%s(coalesce(%s, CAST(%s%s AS %s))))", d.distinct, d.flatten, fmt.Sprintf(d.collect, v, none), d.array[0], d.array[1], fmt.Sprintf(d.list, d.typeOf(c.Type)))
			event = alive(latest)
		}
		out = append(out, value+" AS "+v, fmt.Sprintf("%s AS e%d", event, i))
	}
	return out
}

// counterType is that of a counter in the result.
func (p *printer) counterType(c column) string {
	if c.Type.Kind == feature.Decimal {
		return "DECIMAL(38, 9)"
	}
	return p.d.kind(c.Type.Kind)
}

// result joins the entity rows with the states that they meet, of which an entity has
// one for each event.
func (p *printer) result() error {
	d := p.d
	var columns []string
	for i, f := range p.q.Entity.Fields() {
		columns = append(columns, fmt.Sprintf("e.c%d AS %s", i, d.name(f.Name)))
	}
	for i, f := range p.q.Request.Features {
		o := p.of[i]
		c := p.folders[p.joins[o.join].folder].features[o.feature]
		value := fmt.Sprintf("j%d.v%d", o.join, o.feature)
		if c.Type == feature.ScalarOf(feature.Timestamp) {
			value = d.instant(value)
		}
		holds, err := p.holds(fmt.Sprintf("j%d.e%d", o.join, o.feature), f.View.TTL)
		if err != nil {
			return fmt.Errorf("%w: view %s: %w", ErrInexpressible, f.View.Name, err)
		}
		otherwise := ""
		if !c.Default.IsNull() {
			otherwise = " ELSE " + p.byDefault(c)
		}
		columns = append(columns, fmt.Sprintf("CASE WHEN %s THEN %s%s END AS %s", holds, value, otherwise, d.name(output(f))))
	}
	for n, j := range p.joins {
		p.met(n, j)
	}
	p.line(")")
	p.line("SELECT")
	p.list("  ", columns)
	p.line("FROM met%d e", len(p.joins)-1)
	for n, j := range p.joins {
		p.line("LEFT JOIN states%d j%d ON %s", j.folder, n, p.on(n, j))
	}
	p.line(";")
	return nil
}

// holds is whether something was written, and not longer ago than the ttl.
func (p *printer) holds(event string, ttl time.Duration) (string, error) {
	if ttl <= 0 {
		return event + " IS NOT NULL", nil
	}
	oldest, err := p.d.less("e.t", ttl)
	return event + " >= " + oldest, err
}

// byDefault is the default of a feature, of the type that it has in the result.
func (p *printer) byDefault(c column) string {
	if c.Rule == feature.Counter && c.Type.Kind == feature.Decimal {
		return fmt.Sprintf("CAST(%s AS %s)", p.d.literal(c.Default, c.Type), p.counterType(c))
	}
	return p.d.literal(c.Default, c.Type)
}
