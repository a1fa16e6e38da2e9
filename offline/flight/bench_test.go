package flight

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/flight"
	"github.com/apache/arrow/go/v17/arrow/ipc"

	"featurestore/api"
	"featurestore/feature"
	"featurestore/offline/export"
	"featurestore/offline/pit"
	"featurestore/online"
)

// benchDefinitions have one view of ten float64 features.
func benchDefinitions() string {
	var fields []string
	for i := range 10 {
		fields = append(fields, fmt.Sprintf("{name: f%d, type: float64}", i))
	}
	return `
project: rides
entities: [{name: driver, join_keys: [{name: driver_id, type: int64}]}]
views: [{name: stats, entity: driver, max_lateness: 8760h, features: [` + strings.Join(fields, ", ") + `]}]
`
}

// fill writes rows of ten random features, over four days.
func (h *house) fill(rows int) {
	h.Helper()
	h.apply(benchDefinitions())
	c, _ := h.store.Registry().Catalog("rides")
	v, _ := c.View("stats")
	for from := 0; from < rows; from += 1000 {
		var w online.Write
		for i := from; i < min(from+1000, rows); i++ {
			key, err := feature.AppendKeyValue(nil, feature.OfInt64(int64(h.random.IntN(100_000))))
			if err != nil {
				h.Fatal(err)
			}
			c := feature.Change{View: v.ID, Key: key, EventTime: noon.UnixNano() - int64(i)*(4*24*int64(time.Hour)/int64(rows))}
			for _, f := range v.Fields {
				c.Assignments = append(c.Assignments, feature.Assignment{Feature: f.ID, Type: f.Type, Value: feature.OfFloat64(h.random.Float64())})
			}
			w.Changes = append(w.Changes, online.Placed{Change: c, Shard: v.Shard(key)})
		}
		if _, err := h.store.Append(context.Background(), w); err != nil {
			h.Fatal(err)
		}
	}
	h.ingest()
}

// counter counts bytes.
type counter struct{ n int64 }

func (c *counter) Write(b []byte) (int, error) {
	c.n += int64(len(b))
	return len(b), nil
}

// BenchmarkRows reads all rows of a view, in turns: as a plain copy of them through the
// Arrow stream writer, into nothing; and over Flight on loopback, with one reader of all
// and with one of each part. Server and client share the processors. It reports
// the sums of all turns beside each other, and the best ones.
func BenchmarkRows(b *testing.B) {
	const rows = 300_000
	h := open(b)
	h.fill(rows)
	client, past := h.serve(), h.past()
	whole := command(b, api.ExportRequest{Rows: "stats"})
	info, err := client.GetFlightInfo(context.Background(), whole)
	if err != nil {
		b.Fatal(err)
	}
	var parts []*flight.Ticket
	for _, e := range info.Endpoint {
		parts = append(parts, e.Ticket)
	}
	var size counter
	ways := []way{
		{name: "copy", run: func() int64 { return h.copyTo(past, &size) }},
		{name: "flight", run: func() int64 { return h.count(client, &flight.Ticket{Ticket: whole.Cmd}) }},
		{name: "parts", run: func() int64 { return h.count(client, parts...) }},
	}
	turns := int64(0)
	for b.Loop() {
		turns++
		for i := range ways {
			began := time.Now()
			if n := ways[i].run(); n != rows {
				b.Fatalf("%s: %d rows", ways[i].name, n)
			}
			ways[i].note(time.Since(began))
		}
	}
	b.ReportMetric(0, "ns/op")
	for _, w := range ways {
		b.ReportMetric(float64(rows*turns)/w.all.Seconds(), w.name+"-rows/s")
		b.ReportMetric(float64(size.n)/1e6/w.all.Seconds(), w.name+"-MB/s")
		if w.name != "copy" {
			b.ReportMetric(ways[0].all.Seconds()/w.all.Seconds(), w.name+"/copy")
			b.ReportMetric(ways[0].best.Seconds()/w.best.Seconds(), w.name+"/copy-at-best")
		}
	}
}

// way is one of those that are compared, and the time it took.
type way struct {
	name      string
	run       func() (rows int64)
	all, best time.Duration
}

func (w *way) note(took time.Duration) {
	if w.all += took; w.best == 0 || took < w.best {
		w.best = took
	}
}

// copyTo writes all rows as a stream.
func (h *house) copyTo(past *export.Past, w *counter) (rows int64) {
	e, err := past.Rows(export.ViewRequest{View: "stats"}, pit.Config{})
	if err != nil {
		h.Fatal(err)
	}
	var out *ipc.Writer
	if _, err := e.Run(context.Background(), func(rec arrow.Record) error {
		if out == nil {
			out = ipc.NewWriter(w, ipc.WithSchema(rec.Schema()))
		}
		rows += rec.NumRows()
		return out.Write(rec)
	}); err != nil {
		h.Fatal(err)
	}
	if err := out.Close(); err != nil {
		h.Fatal(err)
	}
	return rows
}

// count reads the streams of tickets, all at once.
func (h *house) count(c flight.Client, tickets ...*flight.Ticket) (rows int64) {
	counts := make(chan int64, len(tickets))
	for _, ticket := range tickets {
		go func() {
			n := int64(0)
			defer func() { counts <- n }()
			stream, err := c.DoGet(context.Background(), ticket)
			if err != nil {
				return
			}
			r, err := flight.NewRecordReader(stream)
			if err != nil {
				return
			}
			defer r.Release()
			for r.Next() {
				n += r.Record().NumRows()
			}
		}()
	}
	for range tickets {
		rows += <-counts
	}
	return rows
}
