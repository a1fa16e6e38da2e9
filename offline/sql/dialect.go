package sql

import (
	"fmt"
	"strings"
	"time"

	"github.com/apache/arrow/go/v17/arrow"

	"featurestore/feature"
)

// Dialect is how an engine spells what the queries say.
type Dialect struct {
	// Name is what the dialect is asked for by: "spark-sql".
	Name string

	quote   string // around an identifier; twice within it
	escapes bool   // a backslash in a text stands for the next character
	kinds   map[feature.Kind]string
	list    string // the type of lists: %s is that of elements
	// array begins and ends a list of given elements.
	array [2]string
	// bytes is a value of bytes by its hex digits.
	bytes string
	// Functions: whether a list has an element; the value of the row with the
	// greatest rank, null if it is; a list of lists as one, and of distinct elements.
	contains, maxBy, flatten, distinct string
	// collect is the list of a window's lists, without nulls if the engine can leave
	// them out; the second is an empty list.
	collect string

	// scan is what reads the folder of a view, entity the entity rows of a file; ""
	// where they have to be a table.
	scan   func(d *Dialect, q *Query, folder string) string
	entity func(d *Dialect, path string) string
	// time is a column's time as one that can be compared with others, of the type
	// moment, with as many digits as the engine has; less is a time that much earlier.
	moment string
	time   func(column string, t *arrow.TimestampType) string
	less   func(t string, by time.Duration) (string, error)
	// instant is a column of timestamps as a value of the result, at one of a
	// default, which is in nanoseconds since the Unix epoch.
	instant func(column string) string
	at      func(nanos int64) string
	// before are statements that the query needs, after what there is to know.
	before []string
	notes  func(d *Dialect, q *Query, folders []folder) []string
}

// Dialects are the ones that there are, by name.
var Dialects = []*Dialect{Spark, Trino, DuckDB}

// Named returns the dialect of a name.
func Named(name string) (*Dialect, error) {
	var names []string
	for _, d := range Dialects {
		if d.Name == name {
			return d, nil
		}
		names = append(names, d.Name)
	}
	return nil, fmt.Errorf("there is no dialect %q: write one of %s", name, strings.Join(names, ", "))
}

// name quotes an identifier.
func (d *Dialect) name(s string) string {
	return d.quote + strings.ReplaceAll(s, d.quote, d.quote+d.quote) + d.quote
}

// text quotes a text.
func (d *Dialect) text(s string) string {
	if d.escapes {
		return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
	}
	return "'" + strings.ReplaceAll(s, "'", "''") + "'"
}

// kind is the type of a scalar.
func (d *Dialect) kind(k feature.Kind) string {
	if name, ok := d.kinds[k]; ok {
		return name
	}
	return d.kinds[feature.String] // uuid, decimal and json are texts in history
}

// typeOf is the type of a feature's column.
func (d *Dialect) typeOf(t feature.Type) string {
	if t.Shape == feature.Scalar {
		return d.kind(t.Kind)
	}
	return fmt.Sprintf(d.list, d.kind(t.Kind))
}

// literal is a value, or null, of a type.
func (d *Dialect) literal(v feature.Value, t feature.Type) string {
	if v.IsNull() {
		return fmt.Sprintf("CAST(NULL AS %s)", d.typeOf(t))
	}
	if t.Shape == feature.Scalar {
		return d.scalar(v, t.Kind)
	}
	var elems []string
	for e := range v.Elems() {
		elems = append(elems, d.scalar(e, t.Kind))
	}
	return fmt.Sprintf("CAST(%s%s%s AS %s)", d.array[0], strings.Join(elems, ", "), d.array[1], d.typeOf(t))
}

func (d *Dialect) scalar(v feature.Value, k feature.Kind) string {
	switch k {
	case feature.Int32, feature.Int64, feature.Float32, feature.Float64:
		text := v.String()
		if v.IsNaN() {
			text = "NaN"
		}
		return fmt.Sprintf("CAST('%s' AS %s)", strings.NewReplacer("+Inf", "Infinity", "-Inf", "-Infinity").Replace(text), d.kind(k))
	case feature.Bool:
		return fmt.Sprint(v.Bool())
	case feature.Bytes:
		return fmt.Sprintf(d.bytes, []byte(v.Text()))
	case feature.Timestamp:
		return d.at(v.Int())
	case feature.UUID:
		return d.text(v.String())
	}
	return d.text(v.Text())
}
