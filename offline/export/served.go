package export

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"featurestore/api"
	"featurestore/feature"
	"featurestore/offline/history"
	"featurestore/offline/training"
)

// served are rows of a view as a store serves them: all, or those of entities that
// changed.
type served viewExport

// ServedSchema is the schema of snapshots, and with deleted that of changes.
func ServedSchema(v *feature.ResolvedView, deleted bool) *arrow.Schema {
	var fields []arrow.Field
	for _, k := range v.Keys {
		fields = append(fields, arrow.Field{Name: k.Name, Type: history.ArrowKeyType(k)})
	}
	fields = append(fields, arrow.Field{Name: history.ColumnEvent, Type: history.ArrowType(feature.ScalarOf(feature.Timestamp))})
	for i := range v.Fields {
		fields = append(fields, arrow.Field{Name: v.Fields[i].Name, Type: history.ArrowType(v.Fields[i].Type), Nullable: true})
	}
	if deleted {
		fields = append(fields, arrow.Field{Name: ColumnDeleted, Type: arrow.FixedWidthTypes.Boolean})
	}
	return arrow.NewSchema(fields, nil)
}

// Manifest implements Export.
func (e *served) Manifest() (*api.ExportManifest, error) { return (*viewExport)(e).Manifest() }

// Progress implements Export.
func (e *served) Progress() (done, total int64) { return (*viewExport)(e).Progress() }

// Run joins what each entity's rows brought, entity after entity.
func (e *served) Run(ctx context.Context, yield func(arrow.Record) error) (m *api.ExportManifest, err error) {
	v := (*viewExport)(e)
	if err := v.checkNames(); err != nil {
		return nil, err
	}
	if m, err = v.Manifest(); err != nil {
		return nil, err
	}
	dir, remove, err := v.spillDir()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, remove()) }()
	schema := ServedSchema(v.view, v.since != nil)
	b := &servedBuilder{of: v, build: array.NewRecordBuilder(memory.NewGoAllocator(), schema), yield: func(rec arrow.Record) error {
		m.Rows += rec.NumRows()
		return yield(rec)
	}}
	defer b.build.Release()
	for row, err := range training.InOrder(ctx, v.past.in, v.files(), dir) {
		if err == nil {
			err = b.add(&row)
		}
		if err != nil {
			return nil, fmt.Errorf("view %s: %w", v.view.Name, err)
		}
	}
	if err := errors.Join(b.end(), b.flush()); err != nil {
		return nil, fmt.Errorf("view %s: %w", v.view.Name, err)
	}
	if m.Rows == 0 {
		return m, yield(emptyRecord(schema))
	}
	return m, nil
}

// checkNames refuses a view whose features are called as a column of the export.
func (e *viewExport) checkNames() error {
	taken := map[string]bool{history.ColumnEvent: true, ColumnDeleted: e.since != nil}
	for _, k := range e.view.Keys {
		if taken[k.Name] {
			return fmt.Errorf("join key %s of view %s is called as a column of the export", k.Name, e.view.Name)
		}
		taken[k.Name] = true
	}
	for i := range e.view.Fields {
		if name := e.view.Fields[i].Name; taken[name] {
			return fmt.Errorf("feature %s of view %s is called as a column of the export; rename it", name, e.view.Name)
		}
	}
	return nil
}

// Records are flushed at so many rows or about so many bytes.
const (
	servedRows  = 16 << 10
	servedBytes = 4 << 20
)

// servedBuilder joins rows that come in order of key. It holds one entity's joined row,
// not what was joined.
type servedBuilder struct {
	of    *viewExport
	build *array.RecordBuilder
	yield func(arrow.Record) error

	rows, bytes int

	key     feature.Key // of the entity that is joined; nil for none
	shard   feature.Shard
	row     feature.Row
	changed bool // something of it is new
}

func (b *servedBuilder) add(r *history.Row) error {
	if b.key == nil || !bytes.Equal(b.key, r.Key) {
		if err := b.end(); err != nil {
			return err
		}
		b.key, b.shard = r.Key, b.of.view.Shard(r.Key)
	}
	if r.LogOnly || !b.of.now[b.shard].CoversPosition(r.Log) {
		return nil
	}
	b.row = feature.JoinRow(b.row, r.Delta)
	b.changed = b.changed || b.of.isNew(b.shard, r.Log)
	return nil
}

// end appends what was joined of an entity.
func (b *servedBuilder) end() error {
	row, key, changed := b.row, b.key, b.changed
	b.row, b.key, b.changed = feature.Row{}, nil, false
	if !changed {
		return nil
	}
	event, live := b.eventTime(&row)
	if !live && b.of.since == nil {
		return nil
	}
	keys, err := feature.DecodeKey(key)
	if err == nil && len(keys) != len(b.of.view.Keys) {
		err = fmt.Errorf("it has %d parts, the view has %d join keys", len(keys), len(b.of.view.Keys))
	}
	if err != nil {
		return fmt.Errorf("entity key %x: %w", []byte(key), err)
	}
	column := 0
	put := func(v feature.Value) {
		history.AppendArrow(b.build.Field(column), v)
		b.bytes += 8 + len(v.Text()) + 8*v.Len()
		column++
	}
	for _, v := range keys {
		put(v)
	}
	put(feature.OfNanos(event))
	for i := range b.of.view.Fields {
		put(b.read(&row, &b.of.view.Fields[i], live))
	}
	if b.of.since != nil {
		put(feature.OfBool(!live))
	}
	if b.rows++; b.rows == servedRows || b.bytes >= servedBytes {
		return b.flush()
	}
	return nil
}

// eventTime is the latest one of a row's features; live is false where none is there
// to be served. Of a deleted row it is when that was.
func (b *servedBuilder) eventTime(row *feature.Row) (event int64, live bool) {
	for i := range row.Cells {
		c := &row.Cells[i]
		if _, known := b.of.view.FieldByID(c.Feature); !known || !b.isServed(c) {
			continue
		}
		if !live || c.Version.EventTime > event {
			event = c.Version.EventTime
		}
		live = true
	}
	switch {
	case live:
	case !row.Tombstone.IsZero():
		event = row.Tombstone.ByEvent.EventTime
	case len(row.Cells) > 0: // of features that the view has not any more
		event = row.Cells[0].Version.EventTime
	}
	return event, live
}

func (b *servedBuilder) isServed(c *feature.Cell) bool {
	at := b.of.asked.ServedAt
	return at.IsZero() || feature.WithinTTL(c.Version.EventTime, at.UnixNano(), b.of.view.TTL)
}

// read is what is served of a feature.
func (b *servedBuilder) read(row *feature.Row, f *feature.Field, live bool) feature.Value {
	switch c, ok := row.Cell(f.ID); {
	case !live:
		return feature.Value{}
	case !ok || !b.isServed(&c):
		return f.Default
	default:
		return c.Read()
	}
}

func (b *servedBuilder) flush() error {
	if b.rows == 0 {
		return nil
	}
	rec := b.build.NewRecord()
	defer rec.Release()
	b.rows, b.bytes = 0, 0
	return b.yield(rec)
}

// emptyRecord is a record without rows. It need not be released: it is of Go's heap.
func emptyRecord(s *arrow.Schema) arrow.Record {
	b := array.NewRecordBuilder(memory.NewGoAllocator(), s)
	defer b.Release()
	return b.NewRecord()
}
