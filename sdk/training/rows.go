package training

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/ipc"

	"featurestore/sdk"
)

// errOnce says that entity rows cannot be sent again.
var errOnce = errors.New("they were read already, and can be read once alone: give RecordsOf a function that opens them")

// Records sends the records of a reader as entity rows. It is read once: an export that
// must be tried again after that is not (ST2). The reader stays the caller's.
func Records(rows array.RecordReader) sdk.EntityStream {
	begun := false
	return RecordsOf(func() (array.RecordReader, error) {
		if begun {
			return nil, errOnce
		}
		begun = true
		return rows, nil
	})
}

// RecordsOf sends the records of what open returns, for each try anew.
func RecordsOf(open func() (array.RecordReader, error)) sdk.EntityStream {
	return func() (io.Reader, error) {
		rows, err := open()
		if err != nil {
			return nil, err
		}
		e := &encoder{rows: rows}
		e.out = ipc.NewWriter(&e.buffer, ipc.WithSchema(rows.Schema()))
		return e, nil
	}
}

// encoder is the Arrow stream of records: one at a time is encoded, when it is asked for.
type encoder struct {
	rows   array.RecordReader
	out    *ipc.Writer
	buffer bytes.Buffer
	ended  bool
}

// Read implements io.Reader.
func (e *encoder) Read(b []byte) (int, error) {
	for e.buffer.Len() == 0 {
		if e.ended {
			return 0, io.EOF
		}
		e.buffer.Reset()
		if err := e.fill(); err != nil {
			return 0, fmt.Errorf("encode entity rows: %w", err)
		}
	}
	return e.buffer.Read(b)
}

func (e *encoder) fill() error {
	if e.rows.Next() {
		return e.out.Write(e.rows.Record())
	}
	e.ended = true
	// The Parquet reader of arrow v17 reports its end as an error.
	if err := e.rows.Err(); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	return e.out.Close()
}
