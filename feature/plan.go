package feature

import (
	"fmt"
	"strings"
)

// Plan is what an apply would change: groups by name, then entities, views each
// with its features, on-demand views and services, all as declared; dropped
// ones after the others of their kind.
type Plan struct {
	Project string
	// From is the project's revision it was made against, 0 for a new project.
	From    uint64
	Changes []Difference
}

// IsEmpty reports whether applying would change nothing.
func (p Plan) IsEmpty() bool { return len(p.Changes) == 0 }

// String prints a change a line; a line that says so when there is none.
func (p Plan) String() string {
	if p.IsEmpty() {
		return fmt.Sprintf("project %s: nothing to change (revision %d)\n", p.Project, p.From)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "project %s: %d to change (revision %d)\n", p.Project, len(p.Changes), p.From)
	for _, c := range p.Changes {
		b.WriteString("  " + c.String() + "\n")
	}
	return b.String()
}

// Op is the kind of a difference.
type Op uint8

// The kinds of differences.
const (
	Add Op = iota
	Modify
	Rename
	Drop
)

var (
	opNames = [...]string{"add", "change", "rename", "drop"}
	opSigns = [...]string{"+", "~", ">", "-"}
)

// String returns "add", "change", "rename" or "drop".
func (o Op) String() string {
	if int(o) < len(opNames) {
		return opNames[o]
	}
	return "unknown"
}

// Difference is one change of one object, or of one field of it.
type Difference struct {
	Op Op
	// Object names it by kind and name: "view driver_stats", "feature
	// driver_stats:trips".
	Object string
	// Field is what changes, such as "ttl"; "" for the object as a whole.
	Field string
	// From and To are the values before and after, "" for none; of a rename,
	// the names; of an added or dropped feature, To or From is its type.
	From, To string
	// Note says what the change means for stored rows, where that matters.
	Note string
}

// String prints the difference on one line: "+ view trips", "~ view trips: ttl
// 1h0m0s -> 24h0m0s".
func (d Difference) String() string {
	var b strings.Builder
	sign := "?"
	if int(d.Op) < len(opSigns) {
		sign = opSigns[d.Op]
	}
	b.WriteString(sign + " " + d.Object)
	switch {
	case d.Op == Rename:
		b.WriteString(" renamed from " + d.From)
	case d.Op == Modify:
		fmt.Fprintf(&b, ": %s %s -> %s", d.Field, orNone(d.From), orNone(d.To))
	case d.From+d.To != "":
		b.WriteString(" " + d.From + d.To)
	}
	if d.Note != "" {
		b.WriteString(" (" + d.Note + ")")
	}
	return b.String()
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}
