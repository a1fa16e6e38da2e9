package sql

import (
	"fmt"
	"strings"

	"github.com/apache/arrow/go/v17/arrow"

	"featurestore/feature"
	"featurestore/offline/history"
)

// met prints, for one join, which state each entity row meets: that of the greatest
// event not after it. States and entity rows of a key are laid in one order of time,
// and the last event is carried on. A join by "between event and next" says the same,
// and takes engines the square of an entity's rows; this takes them a sort.
func (p *printer) met(n int, j joined) {
	d, from := p.d, "entity"
	own := []string{"t"}
	for i := range p.q.Entity.Fields() {
		own = append(own, fmt.Sprintf("c%d", i))
	}
	if n > 0 {
		from = fmt.Sprintf("met%d", n-1)
	}
	for i := range n {
		own = append(own, fmt.Sprintf("m%d", i))
	}
	carried := strings.Join(own, ", ")
	keys, by := p.keys(j), make([]string, len(j.keys))
	var asked []string
	for i, key := range keys {
		by[i] = fmt.Sprintf("k%d", i)
		asked = append(asked, fmt.Sprintf("%s AS k%d", key, i))
	}
	p.line("), met%d AS ( -- the last event of %s before each entity row", n, oneLine(p.folders[j.folder].view.Name))
	p.line("  SELECT %s, m%d FROM (", carried, n)
	p.line("    SELECT %s, asks, max(event) OVER (PARTITION BY %s ORDER BY moment, asks ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS m%d FROM (", carried, strings.Join(by, ", "), n)
	p.line("      SELECT %s, %s, t AS moment, 1 AS asks, CAST(NULL AS %s) AS event FROM %s", carried, strings.Join(asked, ", "), d.moment, from)
	p.line("      UNION ALL")
	p.line("      SELECT %s, %s, event AS moment, 0 AS asks, event FROM states%d WHERE next IS NULL OR next > event", strings.Repeat("NULL, ", len(own)-1)+"NULL", strings.Join(by, ", "), j.folder)
	p.line("    ) u")
	p.line("  ) v WHERE asks = 1")
}

// keys are the entity rows' columns of a join as keys: times as other times are.
func (p *printer) keys(j joined) []string {
	var out []string
	for i, name := range j.keys {
		at := p.q.Entity.FieldIndices(name)[0]
		column := fmt.Sprintf("c%d", at)
		if p.folders[j.folder].view.Keys[i].Type.Kind == feature.Timestamp {
			column = p.d.time(column, p.unit(at))
		}
		out = append(out, column)
	}
	return out
}

// unit is how a column of the entity rows has times: as the file has them, or as the
// engine's own.
func (p *printer) unit(column int) *arrow.TimestampType {
	if t, ok := p.q.Entity.Field(column).Type.(*arrow.TimestampType); ok && p.q.readsEntity() {
		return t
	}
	return &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"}
}

// on is where a state is the one that was met.
func (p *printer) on(n int, j joined) string {
	var all []string
	for i, key := range p.keys(j) {
		all = append(all, fmt.Sprintf("j%d.k%d = e.%s", n, i, key))
	}
	return fmt.Sprintf("%s AND j%[2]d.event = e.m%[2]d AND (j%[2]d.next IS NULL OR j%[2]d.next > j%[2]d.event)", strings.Join(all, " AND "), n)
}

// sameKeys reports whether columns of two types are compared as keys: integers of
// any width, floats of any width, and whatever is of one type.
func sameKeys(k feature.JoinKey, t arrow.DataType) bool {
	if d, ok := t.(*arrow.DictionaryType); ok {
		t = d.ValueType
	}
	want := history.ArrowKeyType(k)
	switch want.ID() {
	case arrow.INT64:
		return arrow.IsInteger(t.ID())
	case arrow.FLOAT64:
		return arrow.IsFloating(t.ID())
	case arrow.STRING:
		return t.ID() == arrow.STRING || t.ID() == arrow.LARGE_STRING
	case arrow.BINARY:
		return arrow.IsBaseBinary(t.ID()) || t.ID() == arrow.FIXED_SIZE_BINARY
	}
	return t.ID() == want.ID()
}
