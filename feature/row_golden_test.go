package feature

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"featurestore/hlc"
)

// The stored format of rows. It must not change: if this test fails, what users
// have stored can no longer be read, or reads differently.
func TestRowGolden(t *testing.T) {
	var text strings.Builder
	for _, s := range goldenRows(t) {
		d := dump{rest: AppendRow(nil, s.row)}
		d.row()
		if len(d.rest) > 0 {
			t.Fatalf("%s: %x is left after the row", s.name, d.rest)
		}
		fmt.Fprintf(&text, "# %s\n%s\n", s.name, d.text.String())
	}
	checkGolden(t, "rows.golden", text.String())

	// The file itself, its comments removed, decodes to the rows.
	for i, section := range strings.Split(strings.TrimSpace(text.String()), "\n\n") {
		var b []byte
		for _, line := range strings.Split(section, "\n")[1:] {
			digits, _, _ := strings.Cut(line, " ")
			b = append(b, must(hex.DecodeString(digits))...)
		}
		if got := must(DecodeRow(b)); !got.Equal(goldenRows(t)[i].row) {
			t.Errorf("%s: decodes to %+v, want %+v", section[:20], got, goldenRows(t)[i].row)
		}
	}
}

type namedRow struct {
	name string
	row  Row
}

// goldenRows are rows as two stores reach them: one for each rule, a deleted
// one, and one whose deletes by event and by write differ.
func goldenRows(t testing.TB) []namedRow {
	t.Helper()
	at := func(counter uint16) hlc.Timestamp { return hlc.New(1787309982123, counter) }
	event := at(0).Time().UnixNano()
	write := func(row Row, counter uint16, origin hlc.Origin, c Change) Row {
		d, err := c.Delta(row, at(counter), origin)
		if err != nil {
			t.Fatal(err)
		}
		return JoinRow(row, d)
	}
	assign := func(rule Rule, v Value) Change {
		return Change{EventTime: event, Assignments: []Assignment{{Feature: 1, Rule: rule, Type: v.Type(), Value: v}}}
	}
	list := func(texts ...string) Value {
		var elems []Value
		for _, s := range texts {
			elems = append(elems, must(OfString(s)))
		}
		return must(OfList(String, elems...))
	}
	whole := Change{EventTime: event, Assignments: []Assignment{
		{Feature: 1, Type: ScalarOf(Float64), Value: OfFloat64(0.5)},
		{Feature: 2, Type: ScalarOf(String), Value: must(OfString("é"))},
		{Feature: 300, Type: ScalarOf(Int64)},
		{Feature: 301, Type: VectorOf(2), Value: OfVector([]float32{1, -1})},
	}}
	deleted := write(Row{}, 1, 1, Change{EventTime: event, Delete: true})
	remove := assign(Set, list("b"))
	remove.Assignments[0].Value, remove.Assignments[0].Remove = Value{}, list("b")
	conflict := write(Row{}, 1, 1, assign(Siblings, list("a")))
	resolving, err := assign(Siblings, list("b")).DeltaAfter(conflict, at(2), 2, func(hlc.Position) bool { return true })
	if err != nil {
		t.Fatal(err)
	}
	null := assign(Siblings, list())
	null.Assignments[0].Value = Value{}
	conflict = write(write(JoinRow(conflict, resolving), 3, 3, null), 4, 1, assign(Siblings, list("c")))
	return []namedRow{
		{"event_time: four features written at once, one of them null", write(Row{}, 1, 1, whole)},
		{"write_time", write(Row{}, 1, 1, assign(WriteTime, OfBool(true)))},
		{"max", write(Row{}, 1, 1, assign(Max, OfInt64(-2)))},
		{"min", write(Row{}, 1, 1, assign(Min, must(ParseDecimal("12.50"))))},
		{"counter of two origins, after a delete", write(write(deleted, 2, 1, assign(Counter, OfInt64(3))), 3, 2, assign(Counter, OfInt64(-1)))},
		{"set, one element removed", write(write(Row{}, 1, 1, assign(Set, list("a", "b"))), 2, 2, remove)},
		{"siblings, one value", write(Row{}, 1, 1, assign(Siblings, OfJSON("{}")))},
		{"siblings of three origins, the first replaced by the second, one of the others null", conflict},
		{"deleted twice, the later with the older event", write(deleted, 2, 1, Change{EventTime: event - 1, Delete: true})},
	}
}

// dump is a second, naive reader of the format; it comments what it reads.
type dump struct {
	rest []byte
	text strings.Builder
}

func (d *dump) take(n int, what string) []byte {
	b := d.rest[:n]
	d.rest = d.rest[n:]
	fmt.Fprintf(&d.text, "%-36x %s\n", b, what)
	return b
}

func (d *dump) uvarint(what string) int {
	v, n := binary.Uvarint(d.rest)
	d.take(n, fmt.Sprintf("%s %d", what, v))
	return int(v)
}

func (d *dump) byte(what string) byte { return d.take(1, what)[0] }

func (d *dump) row() {
	d.byte("format")
	flags := d.byte("flags: 1 tombstone, 2 by write differs")
	if flags&1 != 0 {
		d.version("tombstone by event")
	}
	if flags&2 != 0 {
		d.version("tombstone by write")
	}
	for range d.uvarint("cells:") {
		d.cell()
	}
}

func (d *dump) version(what string) {
	d.take(2, what+": generation")
	d.take(8, "  event time")
	d.take(8, "  at")
	d.take(4, "  origin")
}

// siblings reads the body of such a cell, of which end bytes follow.
func (d *dump) siblings(end int) {
	d.take(d.uvarint("  value bytes:"), "    value")
	for range d.uvarint("  replaced:") {
		d.take(4, "    origin")
		d.take(8, "      up to")
	}
	for len(d.rest) > end {
		d.version("  beside")
		d.byte("    null")
		d.take(d.uvarint("    value bytes:"), "      value")
	}
}

func (d *dump) cell() {
	d.uvarint("feature")
	flags := d.byte("  rule and flags: 1 version, 2 epoch, 4 null")
	typ := d.byte("  shape and kind")
	if flags&1 != 0 {
		d.version("  version")
	}
	if flags&2 != 0 {
		d.version("  epoch")
	}
	end := d.uvarint("  body bytes:")
	if end == 0 {
		return
	}
	end = len(d.rest) - end
	elem := func() {
		n := Kind(typ & 0xf).width()
		if n == 0 {
			n = d.uvarint("    element bytes:")
		}
		d.take(n, "    element")
	}
	if Rule(flags>>4) == Siblings {
		d.siblings(end)
	}
	for len(d.rest) > end {
		switch Rule(flags >> 4) {
		case Counter:
			d.take(4, "  origin")
			d.take(8, "    at")
			elem()
		case Set:
			d.take(8, "  at")
			d.take(4, "    origin")
			d.byte("    present")
			elem()
		default:
			d.take(len(d.rest)-end, "  value")
		}
	}
}
