package history

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/apache/arrow/go/v17/arrow"

	"featurestore/feature"
)

// Columns that are no join key and no feature; doc.go says what they hold.
const (
	ColumnEvent       = "event_timestamp"
	ColumnAt          = "_at"
	ColumnOrigin      = "_origin"
	ColumnGeneration  = "_generation"
	ColumnDeleted     = "_deleted"
	ColumnLogOnly     = "_log_only"
	ColumnNulls       = "_nulls"
	ColumnRelogAt     = "_relog_at"
	ColumnRelogOrigin = "_relog_origin"
	ColumnDelta       = "_delta"
	// ColumnKey holds the encoded entity key where the view is not known.
	ColumnKey = "_key"
)

// fixedColumns are the last ones of every file, in this order.
var fixedColumns = []string{ColumnAt, ColumnOrigin, ColumnGeneration, ColumnDeleted, ColumnLogOnly, ColumnNulls, ColumnRelogAt, ColumnRelogOrigin, ColumnDelta}

// instant is the type of event times and timestamp features.
var instant = &arrow.TimestampType{Unit: arrow.Nanosecond, TimeZone: "UTC"}

// columns say what the columns of a file hold: join keys, event time, features,
// then fixedColumns.
type columns struct {
	keys     []keyColumn // none where the view is not known: ColumnKey is the first column then
	features []featureColumn
	// byID has the indices of features by rising id, as cells are ordered.
	byID   []int
	schema *arrow.Schema
}

// keyColumn holds one value of an entity key.
type keyColumn struct {
	name string
	kind feature.Kind // as the key encodes it: Int64 and Float64 for all widths
}

// featureColumn holds the values of one feature.
type featureColumn struct {
	name string
	id   feature.FeatureID
	typ  feature.Type
	rule feature.Rule
}

// columnsOf returns the columns of a view's files; nil is the view that is not
// known. A feature whose name is taken by a column of ours has no column: its
// cells stand in ColumnDelta.
func columnsOf(v *feature.ResolvedView) *columns {
	if v == nil {
		return newColumns(nil, nil)
	}
	taken := append([]string{ColumnEvent, ColumnKey}, fixedColumns...)
	var keys []keyColumn
	for _, k := range v.Keys {
		if slices.Contains(taken, k.Name) {
			return newColumns(nil, nil)
		}
		keys = append(keys, keyColumn{k.Name, keyKind(k.Type.Kind)})
		taken = append(taken, k.Name)
	}
	var features []featureColumn
	for _, f := range v.Fields {
		if !slices.Contains(taken, f.Name) {
			features = append(features, featureColumn{f.Name, f.ID, f.Type, f.Rule})
		}
	}
	return newColumns(keys, features)
}

// keyKind is the kind that an entity key gives back for a join key.
func keyKind(k feature.Kind) feature.Kind {
	switch k {
	case feature.Int32:
		return feature.Int64
	case feature.Float32:
		return feature.Float64
	}
	return k
}

func newColumns(keys []keyColumn, features []featureColumn) *columns {
	c := &columns{keys: keys, features: features}
	for i := range features {
		c.byID = append(c.byID, i)
	}
	slices.SortFunc(c.byID, func(a, b int) int { return int(int64(features[a].id) - int64(features[b].id)) })
	var fields []arrow.Field
	var names, texts []string
	add := func(name string, t arrow.DataType, nullable bool, text string) {
		fields = append(fields, arrow.Field{Name: name, Type: t, Nullable: nullable})
		if text != "" {
			names, texts = append(names, metaPrefix+name), append(texts, text)
		}
	}
	if len(keys) == 0 {
		add(ColumnKey, arrow.BinaryTypes.Binary, false, "")
	}
	for _, k := range keys {
		add(k.name, scalarType(k.kind), false, k.text())
	}
	add(ColumnEvent, instant, false, "")
	for _, f := range features {
		add(f.name, typeOf(f.typ), true, f.text())
	}
	add(ColumnAt, arrow.PrimitiveTypes.Int64, false, "")
	add(ColumnOrigin, arrow.PrimitiveTypes.Int64, false, "")
	add(ColumnGeneration, arrow.PrimitiveTypes.Int32, false, "")
	add(ColumnDeleted, arrow.FixedWidthTypes.Boolean, false, "")
	add(ColumnLogOnly, arrow.FixedWidthTypes.Boolean, false, "")
	add(ColumnNulls, arrow.ListOfNonNullable(arrow.PrimitiveTypes.Int64), true, "")
	add(ColumnRelogAt, arrow.PrimitiveTypes.Int64, true, "")
	add(ColumnRelogOrigin, arrow.PrimitiveTypes.Int64, true, "")
	add(ColumnDelta, arrow.BinaryTypes.Binary, true, "")
	meta := arrow.NewMetadata(append(names, metaFormat), append(texts, fileFormat))
	c.schema = arrow.NewSchema(fields, &meta)
	return c
}

// scalarType is the Arrow type of a kind. Unsigned integers and dictionaries are
// not among them: version 17 of the library writes wrong statistics for both.
func scalarType(k feature.Kind) arrow.DataType {
	switch k {
	case feature.Bytes:
		return arrow.BinaryTypes.Binary
	case feature.Int32:
		return arrow.PrimitiveTypes.Int32
	case feature.Int64:
		return arrow.PrimitiveTypes.Int64
	case feature.Float32:
		return arrow.PrimitiveTypes.Float32
	case feature.Float64:
		return arrow.PrimitiveTypes.Float64
	case feature.Bool:
		return arrow.FixedWidthTypes.Boolean
	case feature.Timestamp:
		return instant
	}
	return arrow.BinaryTypes.String // string, uuid, decimal, json
}

// typeOf is the Arrow type of a feature. Vectors are lists: as fixed-size lists
// they would come back from Parquet as nulls (ADR 7).
func typeOf(t feature.Type) arrow.DataType {
	if t.Shape == feature.Scalar {
		return scalarType(t.Kind)
	}
	return arrow.ListOfNonNullable(scalarType(t.Kind))
}

// The metadata of a file, by which it is read: its format, and for each join key
// and feature what its column holds.
const (
	metaPrefix = "featurestore.column."
	metaFormat = "featurestore.history"
	fileFormat = "1"
)

func (k keyColumn) text() string { return "key " + k.kind.String() }

func (f featureColumn) text() string {
	return fmt.Sprintf("feature %d %s %s", f.id, f.rule, f.typ)
}

// parseColumns reads what text wrote, for the columns of a file in their order.
func parseColumns(names []string, find func(key string) (string, bool)) (*columns, error) {
	if format, ok := find(metaFormat); !ok || format != fileFormat {
		return nil, fmt.Errorf("%w: format is %q, this version reads %s", ErrCorrupt, format, fileFormat)
	}
	var keys []keyColumn
	var features []featureColumn
	for _, name := range names {
		text, ok := find(metaPrefix + name)
		if !ok {
			continue
		}
		words := strings.SplitN(text, " ", 4)
		switch {
		case words[0] == "key" && len(words) == 2:
			t, err := feature.ParseType(words[1])
			if err != nil {
				return nil, fmt.Errorf("%w: column %s: %w", ErrCorrupt, name, err)
			}
			keys = append(keys, keyColumn{name, t.Kind})
		case words[0] == "feature" && len(words) == 4:
			id, err := strconv.ParseUint(words[1], 10, 32)
			if err != nil {
				return nil, fmt.Errorf("%w: column %s: %w", ErrCorrupt, name, err)
			}
			rule, err := feature.ParseRule(words[2])
			if err != nil {
				return nil, fmt.Errorf("%w: column %s: %w", ErrCorrupt, name, err)
			}
			t, err := feature.ParseType(words[3])
			if err != nil {
				return nil, fmt.Errorf("%w: column %s: %w", ErrCorrupt, name, err)
			}
			features = append(features, featureColumn{name, feature.FeatureID(id), t, rule})
		default:
			return nil, fmt.Errorf("%w: column %s is %q", ErrCorrupt, name, text)
		}
	}
	c := newColumns(keys, features)
	if want := len(c.schema.Fields()); want != len(names) {
		return nil, fmt.Errorf("%w: it has %d columns, want %d", ErrCorrupt, len(names), want)
	}
	for i, f := range c.schema.Fields() {
		if f.Name != names[i] {
			return nil, fmt.Errorf("%w: column %d is %s, want %s", ErrCorrupt, i, names[i], f.Name)
		}
	}
	return c, nil
}

// feature returns the index in features of the column of an id, -1 for none.
func (c *columns) feature(id feature.FeatureID) int {
	at, ok := slices.BinarySearchFunc(c.byID, id, func(i int, id feature.FeatureID) int {
		return int(int64(c.features[i].id) - int64(id))
	})
	if !ok {
		return -1
	}
	return c.byID[at]
}

// at returns the index of the first feature's column.
func (c *columns) at() int { return max(len(c.keys), 1) + 1 }
