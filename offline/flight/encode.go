package flight

import (
	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/ipc"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"featurestore/offline/pit"
)

// messageBytes is what a message takes at most: clients receive 4 MiB unless they ask
// for more, and a quarter of that leaves room for what the estimate does not count.
const messageBytes = 1 << 20

// fewBytes are copied rather than sent from where they lie.
const fewBytes = 1 << 10

// encoder makes messages of records, all of one schema.
type encoder struct {
	schema *arrow.Schema
	writer *ipc.Writer
	yield  func(*message) error
	// first and last are metadata: of the schema, and of what comes next.
	first, last []byte
	begun       bool
}

// newEncoder returns an encoder that calls yield with the messages in order: first
// that of the schema, with metadata.
func newEncoder(schema *arrow.Schema, metadata []byte, yield func(*message) error) *encoder {
	e := &encoder{schema: schema, yield: yield, first: metadata}
	e.writer = ipc.NewWriterWithPayloadWriter(e, ipc.WithSchema(schema), ipc.WithAllocator(memory.NewGoAllocator()))
	return e
}

// record encodes the rows of a record, in as many messages as it takes; none for none.
func (e *encoder) record(rec arrow.Record) error {
	rows, sizeBytes := rec.NumRows(), pit.RecordBytes(rec)
	if rows == 0 {
		return nil
	}
	if rows == 1 || sizeBytes <= messageBytes {
		return e.writer.Write(rec)
	}
	pieces := min(rows, (sizeBytes+messageBytes-1)/messageBytes)
	each := (rows + pieces - 1) / pieces
	for from := int64(0); from < rows; from += each {
		piece := rec.NewSlice(from, min(from+each, rows))
		err := e.record(piece) // rows may be of very different sizes
		piece.Release()
		if err != nil {
			return err
		}
	}
	return nil
}

// end encodes the last message: no rows, with metadata.
func (e *encoder) end(metadata []byte) error {
	b := array.NewRecordBuilder(memory.NewGoAllocator(), e.schema)
	defer b.Release()
	none := b.NewRecord()
	defer none.Release()
	e.last = metadata
	return e.writer.Write(none)
}

// Start and Close implement ipc.PayloadWriter.
func (e *encoder) Start() error { return nil }

// Close is as Start.
func (e *encoder) Close() error { return nil }

// WritePayload implements ipc.PayloadWriter: it gathers the parts of a message.
func (e *encoder) WritePayload(p ipc.Payload) error {
	header := p.Meta()
	defer header.Release()
	m := &message{header: header.Bytes(), metadata: e.last}
	if !e.begun { // the schema
		e.begun, m.metadata = true, e.first
	}
	g := gatherer{message: m}
	if err := p.SerializeBody(&g); err != nil {
		return err
	}
	g.flush()
	return e.yield(m)
}

// gatherer takes the buffers of a body, as an io.Writer.
type gatherer struct {
	*message
	few []byte // small buffers that follow each other
}

// Write implements io.Writer. Large buffers are kept as they are.
func (g *gatherer) Write(b []byte) (int, error) {
	g.size += len(b)
	if len(b) < fewBytes {
		g.few = append(g.few, b...)
		return len(b), nil
	}
	g.flush()
	g.body = append(g.body, b)
	return len(b), nil
}

func (g *gatherer) flush() {
	if len(g.few) > 0 {
		g.body = append(g.body, g.few)
		g.few = nil
	}
}
