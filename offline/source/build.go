package source

import "featurestore/feature"

// A builder collects rows into one batch, column by column.
type builder struct {
	opt   Options
	batch Batch
	bytes int
}

func (b *builder) start(names []string) {
	b.batch = Batch{Columns: make([]Column, len(names)), At: make([]int64, 0, b.opt.BatchRows)}
	for i, name := range names {
		b.batch.Columns[i] = Column{Name: name, Values: make([]feature.Value, 0, b.opt.BatchRows)}
	}
	b.bytes = 0
}

// full reports whether the batch should be handed out.
func (b *builder) full() bool {
	return b.batch.Rows()+len(b.batch.Faults) >= b.opt.BatchRows || b.bytes >= b.opt.BatchBytes
}

// empty reports whether there is nothing to hand out.
func (b *builder) empty() bool { return b.batch.Rows() == 0 && len(b.batch.Faults) == 0 }

// add appends one row that used size bytes. absent may be nil.
func (b *builder) add(at int64, size int, values []feature.Value, absent []bool) {
	for i := range b.batch.Columns {
		c := &b.batch.Columns[i]
		c.Values = append(c.Values, values[i])
		gone := absent != nil && absent[i]
		if gone && c.Absent == nil {
			c.Absent = make([]bool, len(b.batch.At), cap(b.batch.At))
		}
		if c.Absent != nil {
			c.Absent = append(c.Absent, gone)
		}
	}
	b.batch.At = append(b.batch.At, at)
	b.bytes += size
}

// fault names a row that is left out.
func (b *builder) fault(e *RowError, size int) {
	b.batch.Faults = append(b.batch.Faults, e)
	b.bytes += size
}
