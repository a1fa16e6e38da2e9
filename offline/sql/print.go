package sql

import (
	"fmt"
	"math"
	"strings"

	"github.com/apache/arrow/go/v17/arrow"

	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/offline/history"
)

// printer writes a query. Within it, columns have names of ours: k0 is a key, v0 a
// feature's value, so that no name of a user's can be taken for one.
type printer struct {
	d *Dialect
	q *Query
	*plan
	out strings.Builder
}

func (p *printer) line(format string, args ...any) { fmt.Fprintf(&p.out, format+"\n", args...) }

// list prints lines with commas between them.
func (p *printer) list(indent string, lines []string) {
	p.line("%s%s", indent, strings.Join(lines, ",\n"+indent))
}

// head says what there is to know, as comments, in which no name ends a line.
func (p *printer) head() {
	var views []string
	for _, f := range p.folders {
		views = append(views, f.view.Name)
	}
	lines := []string{
		"A row for each entity row, with features of " + strings.Join(views, ", ") + " as they were at its time; in no order.",
		"Counters of decimals are added, and decimals compared, to nine places.",
	}
	lines = append(lines, p.d.notes(p.d, p.q, p.folders)...)
	for _, l := range lines {
		p.line("-- %s", strings.NewReplacer("\n", " ", "\r", " ").Replace(l))
	}
	for _, s := range p.d.before {
		p.line("%s;", s)
	}
}

// entity begins the query with the entity rows.
func (p *printer) entity() {
	var columns []string
	for i, f := range p.q.Entity.Fields() {
		columns = append(columns, fmt.Sprintf("%s AS c%d", p.d.name(f.Name), i))
	}
	at := p.q.Entity.FieldIndices(p.q.Request.EventTime)[0]
	columns = append(columns, p.d.time(p.d.name(p.q.Request.EventTime), p.unit(at))+" AS t")
	from := tableOfEntityRows
	if p.q.readsEntity() {
		from = p.d.entity(p.d, p.q.EntityRows)
	}
	p.line("WITH entity AS (")
	p.line("  SELECT")
	p.list("    ", columns)
	p.line("  FROM %s", from)
}

// folder prints the states of a view.
func (p *printer) folder(n int, f *folder) {
	keys := make([]string, len(f.view.Keys))
	for i := range keys {
		keys[i] = fmt.Sprintf("k%d", i)
	}
	by := strings.Join(keys, ", ")
	p.line("), rows%d AS ( -- what each write to %s brought", n, oneLine(f.view.Name))
	p.line("  SELECT")
	p.list("    ", p.rows(f))
	p.line("  FROM %s", p.d.scan(p.d, p.q, f.path))
	if known := p.q.Request.KnownAsOf; !known.IsZero() {
		// The last timestamp of the last millisecond.
		p.line("  WHERE %s <= %d", p.d.name(history.ColumnAt), int64(min(hlc.New(known.UnixMilli(), math.MaxUint16), math.MaxInt64)))
	}
	p.line("), ranked%d AS ( -- which of two writes counts", n)
	p.line("  SELECT")
	p.list("    ", append(append([]string{}, append(keys, "event", "deleted")...), p.ranked(f, by)...))
	p.line("  FROM rows%d", n)
	p.line("), states%d AS ( -- what holds from event, and before next", n)
	p.line("  SELECT")
	p.list("    ", append(append([]string{}, append(keys, "event", "lead(event) OVER (PARTITION BY "+by+" ORDER BY event, by_event) AS next")...), p.states(f)...))
	p.line("  FROM ranked%d", n)
	p.line("  WINDOW w AS (PARTITION BY %s ORDER BY event, by_event ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)", by)
}

// rows are the columns of a view's files under our names. A feature is set by a row
// that has a value, or says that it is null.
func (p *printer) rows(f *folder) []string {
	d := p.d
	var out []string
	times := history.ArrowType(feature.ScalarOf(feature.Timestamp)).(*arrow.TimestampType)
	for i, k := range f.view.Keys {
		key := d.name(k.Name)
		if k.Type.Kind == feature.Timestamp {
			key = d.time(key, times)
		}
		out = append(out, fmt.Sprintf("%s AS k%d", key, i))
	}
	out = append(out, d.time(d.name(history.ColumnEvent), times)+" AS event",
		d.name(history.ColumnGeneration)+" AS g", d.name(history.ColumnAt)+" AS a", d.name(history.ColumnOrigin)+" AS o", d.name(history.ColumnDeleted)+" AS deleted", d.name(history.ColumnLogOnly)+" AS l")
	for i, c := range f.features {
		value := d.literal(feature.Value{}, c.Type)
		switch len(c.names) {
		case 0:
		case 1:
			value = d.name(c.names[0])
		default: // it was renamed
			quoted := make([]string, len(c.names))
			for j, name := range c.names {
				quoted[j] = d.name(name)
			}
			value = "coalesce(" + strings.Join(quoted, ", ") + ")"
		}
		out = append(out, fmt.Sprintf("%s AS v%d", value, i),
			fmt.Sprintf("coalesce(%s IS NOT NULL OR %s(%s, CAST(%d AS BIGINT)), false) AS s%d", value, d.contains, d.name(history.ColumnNulls), c.ID, i))
	}
	return out
}

// The orders of writes, least first. Rows of one version bring the same.
const (
	byEvent = "g, event, a, o"
	byWrite = "g, a, o, event"
	byDot   = "a, o, g, event"
)

// ranked numbers the rows of an entity, and makes increments of totals.
func (p *printer) ranked(f *folder, by string) []string {
	rank := func(order, name string) string {
		return fmt.Sprintf("row_number() OVER (PARTITION BY %s ORDER BY %s) AS %s", by, order, name)
	}
	out := []string{rank(byEvent, "by_event")}
	has := map[feature.Rule]bool{}
	for i, c := range f.features {
		switch {
		case c.Rule == feature.WriteTime && !has[c.Rule]:
			out = append(out, rank(byWrite, "by_write"))
		case c.Rule == feature.Siblings && !has[c.Rule]:
			out = append(out, rank(byDot, "by_dot"))
		case c.Rule == feature.Max:
			out = append(out, rank(p.extreme(i, c, "")+", "+byEvent, fmt.Sprintf("r%d", i)))
		case c.Rule == feature.Min:
			out = append(out, rank(p.extreme(i, c, " DESC")+", "+byEvent, fmt.Sprintf("r%d", i)))
		}
		has[c.Rule] = true
		value := fmt.Sprintf("v%d", i)
		if c.Rule == feature.Counter {
			total := p.number(i, c)
			none := fmt.Sprintf("CAST(0 AS %s)", p.numberType(c))
			origin := fmt.Sprintf("PARTITION BY %s, o, v%d IS NULL ORDER BY a, event", by, i)
			// What was for history alone is not in the totals that follow, and what was
			// logged again, or stands in two files, adds nothing.
			before := fmt.Sprintf("%s(%s, CASE WHEN NOT l THEN a END) OVER (%s ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)", p.d.maxBy, total, origin)
			value = fmt.Sprintf("CASE WHEN lag(a) OVER (%s) = a THEN %s ELSE %s - coalesce(%s, %s) END AS v%d", origin, none, total, before, none, i)
		}
		if c.Rule == feature.Set {
			// Most writes say of a set what the one before said, and all are collected.
			value = fmt.Sprintf("CASE WHEN v%[1]d = lag(v%[1]d) OVER (PARTITION BY %[2]s ORDER BY event, %[3]s) THEN NULL ELSE v%[1]d END AS v%[1]d", i, by, byEvent)
		}
		out = append(out, value, fmt.Sprintf("s%d", i))
	}
	return out
}

// decimal is what decimals are compared and added as: differences of two, and sums of
// many, have a type in every dialect.
const decimal = "DECIMAL(27, 9)"

func (p *printer) numberType(c column) string {
	if c.Type.Kind == feature.Decimal {
		return decimal
	}
	return p.d.kind(c.Type.Kind)
}

// number is a feature's value as one that can be counted with.
func (p *printer) number(i int, c column) string {
	if c.Type.Kind == feature.Decimal {
		return fmt.Sprintf("CAST(v%d AS %s)", i, decimal)
	}
	return fmt.Sprintf("v%d", i)
}

// extreme is the order of a maximum: nothing, then NaN, then numbers.
func (p *printer) extreme(i int, c column, direction string) string {
	isNumber := "2"
	if c.Type.Kind == feature.Float32 || c.Type.Kind == feature.Float64 {
		isNumber = fmt.Sprintf("CASE WHEN v%d = CAST('NaN' AS %s) OR v%d <> v%d THEN 1 ELSE 2 END", i, p.d.kind(c.Type.Kind), i, i)
	}
	return fmt.Sprintf("CASE WHEN v%d IS NULL THEN 0 ELSE %s END, %s%s", i, isNumber, p.number(i, c), direction)
}

func oneLine(s string) string { return strings.NewReplacer("\n", " ", "\r", " ").Replace(s) }
