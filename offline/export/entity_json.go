package export

import (
	"encoding/json"
	"fmt"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"featurestore/api"
	"featurestore/feature"
	"featurestore/offline/history"
)

// EntityRowsOf returns entity rows that came as JSON. Join keys, times and what on-demand
// features take from the request have their types; another column is bool, int64,
// float64 or string, what all of its values are. Errors are Problems that name the value.
func (t *Training) EntityRowsOf(e *api.EntityRows) (array.RecordReader, error) {
	names, columns, err := e.Table()
	if err != nil {
		return nil, err
	}
	types := t.entityTypes()
	var fields []arrow.Field
	var arrays []arrow.Array
	rows := 0
	for c, name := range names {
		typ, ok := types[name]
		if !ok {
			typ = typeOf(columns[c])
		}
		b := array.NewBuilder(memory.NewGoAllocator(), history.ArrowType(typ))
		for i, raw := range columns[c] {
			v := feature.Value{}
			if raw != nil {
				if v, err = api.DecodeValue(raw, typ); err != nil {
					b.Release()
					field := fmt.Sprintf("entity_rows.columns.%s[%d]", name, i)
					if e.Rows != nil {
						field = fmt.Sprintf("entity_rows.rows[%d].%s", i, name)
					}
					return nil, api.Problemf(api.CodeInvalidValue, field, "%v", err)
				}
			}
			history.AppendArrow(b, v)
		}
		rows = len(columns[c])
		fields = append(fields, arrow.Field{Name: name, Type: history.ArrowType(typ), Nullable: true})
		arrays = append(arrays, b.NewArray())
		b.Release()
	}
	schema := arrow.NewSchema(fields, nil)
	return array.NewRecordReader(schema, []arrow.Record{array.NewRecord(schema, arrays, int64(rows))})
}

// typeOf is the narrowest type that takes all values of a column; string where there is
// none, so that the value at fault is named.
func typeOf(column []json.RawMessage) feature.Type {
	for _, k := range []feature.Kind{feature.Bool, feature.Int64, feature.Float64} {
		fits, any := true, false
		for _, raw := range column {
			if raw == nil || string(raw) == "null" {
				continue
			}
			any = true
			if fits = raw[0] != '"'; fits {
				_, err := api.DecodeValue(raw, feature.ScalarOf(k))
				fits = err == nil
			}
			if !fits {
				break
			}
		}
		if fits && any {
			return feature.ScalarOf(k)
		}
	}
	return feature.ScalarOf(feature.String)
}
