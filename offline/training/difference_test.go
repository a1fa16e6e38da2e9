package training

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/arrow"

	"featurestore/feature"
	"featurestore/offline/history"
	"featurestore/offline/pit"
)

// differences joins, and prints each column's cells and causes; and the bytes of the
// training set.
func (h *house) differences(in *history.Reader, c pit.Config, rows []entityRow, r Request) (lines []string, encoded []byte) {
	h.Helper()
	r.Differences = false
	_, encoded = h.join(in, c, rows, r)
	r.Differences = true
	_, again := h.join(in, c, rows, r)
	if !bytes.Equal(encoded, again) {
		h.Error("a training set that is compared has other bytes")
	}
	c.SpillDir = h.TempDir()
	entities := recordsOf(rows)
	defer entities.Release()
	plain := r
	plain.Differences = false
	others := recordsOf(rows)
	defer others.Release()
	ignore := func(arrow.Record) error { return nil }
	report, err := Join(h.Context(), c, in, entities, r, ignore)
	if err != nil {
		h.Fatal(err)
	}
	without, err := Join(h.Context(), c, in, others, plain, ignore)
	if err != nil {
		h.Fatal(err)
	}
	if !slices.Equal(report.Matched, without.Matched) {
		h.Errorf("compared, %v rows match, else %v", report.Matched, without.Matched)
	}
	for _, d := range report.Differences {
		var causes []string
		for _, c := range Causes() {
			if n := d.Causes[c]; n > 0 {
				causes = append(causes, fmt.Sprintf(" %s=%d", c, n))
			}
		}
		lines = append(lines, fmt.Sprintf("%s of %d%s", d.Column, d.Cells, strings.Join(causes, "")))
	}
	return lines, encoded
}

// U7: what a region had is compared with what was true, stored features and computed ones,
// in small and in large; and the training set is what it is without.
func TestDifferencesAreCountedByCause(t *testing.T) {
	h := open(t)
	driver := []feature.Value{feature.OfInt64(7)}
	// All of it was accepted at noon and an hour, and readable when this test ran.
	h.push("driver_stats", 0, driver, map[string]feature.Value{"rate": feature.OfFloat64(0.5), "trips": feature.OfInt64(1)})
	h.push("driver_stats", 30*time.Minute, driver, map[string]feature.Value{"rank": feature.OfInt64(7)})
	h.push("place_stats", 0, []feature.Value{texts("Rome"), feature.OfInt64(1)}, map[string]feature.Value{"demand": feature.OfFloat64(3)})
	in := h.ingest()
	steps, err := in.Steps(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	catalog, _ := h.store.Registry().Catalog("rides")
	twice, _ := catalog.OnDemand("twice")
	stats, places := h.view("driver_stats"), h.view("place_stats")
	request := Request{EventTime: "at", ServedIn: steps, Catalog: catalog, Features: []Feature{
		{View: stats, Name: "rate", As: "stored"}, {View: stats, Name: "trips"}, {View: stats, Name: "rank"}, {View: places, Name: "demand"},
		{OnDemand: twice, Name: "rate"},
	}}
	rows := []entityRow{
		{7, 7, "Rome", 1, 15 * time.Minute},            // late
		{7, 7, "Rome", 1, 45 * time.Minute},            // late
		{7, 7, "Rome", 1, 61 * time.Minute},            // on its way, and driver 7's rate is too old
		{8, 7, "Oslo", 1, 61 * time.Minute},            // nobody
		{-1, 7, "Rome", 1, 61 * time.Minute},           // null
		{7, 7, "Rome", 1, time.Since(noon) + 1e9*3600}, // there
	}
	want := []string{
		"stored of 6 late_data=2",
		"trips of 6 late_data=2",
		"rank of 6", // its default is what was written
		"demand of 6 replication_lag=2 late_data=2",
		"rate of 6 late_data=2",
	}
	for _, c := range []pit.Config{{}, {Threads: 1, MemoryLimit: 64 << 20}} {
		got, _ := h.differences(in, c, rows, request)
		if !slices.Equal(got, want) {
			t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	request.Features = request.Features[:1]
	if got, _ := h.differences(in, pit.Config{}, rows, request); !slices.Equal(got, want[:1]) {
		t.Errorf("of stored features alone: got %s, want %s", got, want[:1])
	}
	request.ServedIn, request.Differences = nil, true
	if err := request.Validate(); err == nil || !strings.Contains(err.Error(), "ServedIn must say of which") {
		t.Errorf("differences of no region: got %v", err)
	}
}
