package server

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"featurestore/api"
	"featurestore/feature"
)

func sourceHeader(t testing.TB, s api.Source) string {
	t.Helper()
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// mark reads a mark of a view's shards, and its note.
func (h *house) mark(view string, id feature.MarkID) feature.Mark {
	h.Helper()
	c, _ := h.store.Registry().Catalog("rides")
	v, _ := c.View(view)
	rows, err := h.store.ReadRows(h.Context(), []feature.RowKey{{Shard: v.Shard(id.Key()), View: feature.MarkView, Key: id.Key()}}, 1<<20)
	if err != nil {
		h.Fatal(err)
	}
	m, err := feature.DecodeMark(rows[0])
	if err != nil {
		h.Fatal(err)
	}
	return m
}

func (h *house) trips(driver int) string {
	h.Helper()
	w := h.post("lookup", fmt.Sprintf(`{"features": ["driver_stats:trips"], "entities": {"driver_id": [%d]}}`, driver))
	var out api.LookupResponse
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil || len(out.Rows) != 1 {
		h.Fatalf("%d %s", w.Code, w.Body)
	}
	return string(out.Rows[0].Values[0])
}

// TestRowsOfASourceAreWrittenOnce: the mark in the store tells, and no idempotency key.
func TestRowsOfASourceAreWrittenOnce(t *testing.T) {
	h := newHouse(t)
	id := feature.MarkID{1, 2, 3}
	push := func(after, through int64, want int) {
		t.Helper()
		w := h.post("push", `{"view": "driver_stats", "rows": [{"driver_id": 7, "trips": 1}]}`,
			api.HeaderSource, sourceHeader(t, api.Source{ID: id.String(), After: after, Through: through}))
		if w.Code != want {
			t.Errorf("%d to %d: %d %s", after, through, w.Code, w.Body)
		}
	}
	push(0, 10, http.StatusOK)
	push(0, 10, http.StatusOK) // again
	push(10, 20, http.StatusOK)
	push(0, 5, http.StatusOK) // long done
	if got := h.trips(7); got != "2" {
		t.Errorf("it counts %s trips, want 2", got)
	}
	push(15, 25, http.StatusUnprocessableEntity) // over the mark
	if m := h.mark("driver_stats", id); m.Through != 20 || m.Note != nil {
		t.Errorf("the mark is %+v", m)
	}
	if entries, _ := h.stored(); entries != 2 {
		t.Errorf("%d entries are stored, want 2", entries)
	}
}

func TestANoteIsKept(t *testing.T) {
	h := newHouse(t)
	id := feature.MarkID{9}
	for _, text := range []string{"one", "two", "one"} {
		w := h.post("push", `{"view": "driver_stats", "rows": []}`, api.HeaderSource, sourceHeader(t, api.Source{NoteID: id.String(), Note: []byte(text)}))
		if w.Code != http.StatusOK {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		if m := h.mark("driver_stats", id); string(m.Note) != text || m.Through != 0 {
			t.Errorf("the note is %+v, want %s", m, text)
		}
	}
}

// TestRowsThatAreLoggedAloneAreMarkedAllTheSame: the mark is served, the rows are not.
func TestRowsThatAreLoggedAloneAreMarkedAllTheSame(t *testing.T) {
	h := newHouse(t)
	id := feature.MarkID{4}
	for range 2 {
		w := h.post("push", `{"view": "driver_stats", "to": "offline", "rows": [{"driver_id": 7, "trips": 1}]}`,
			api.HeaderSource, sourceHeader(t, api.Source{ID: id.String(), Through: 3}))
		if w.Code != http.StatusOK {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	}
	if got := h.trips(7); got != "null" {
		t.Errorf("it counts %s trips", got)
	}
	if m := h.mark("driver_stats", id); m.Through != 3 {
		t.Errorf("the mark is %+v", m)
	}
	if entries, _ := h.stored(); entries != 2 { // rows, and mark
		t.Errorf("%d entries, want 2", entries)
	}
}

func TestASourceThatMakesNoSense(t *testing.T) {
	h := newHouse(t)
	for _, text := range []string{
		"x", "{}", `{"id": "00", "through": 3}`, `{"id": "` + strings.Repeat("0", 32) + `"}`, `{"id": "` + strings.Repeat("g", 32) + `", "through": 3}`,
		`{"id": "` + strings.Repeat("0", 32) + `", "note_id": "` + strings.Repeat("0", 32) + `", "through": 3}`,
		`{"id": "` + strings.Repeat("0", 32) + `", "through": 3, "again": true}`,
		`{"note_id": "` + strings.Repeat("0", 32) + `"}`, // with rows
	} {
		w := h.post("push", `{"view": "driver_stats", "rows": [{"driver_id": 7, "trips": 1}]}`, api.HeaderSource, text)
		p := h.problem(w)
		if p.Code != api.CodeInvalidHeader || p.Field != api.HeaderSource {
			t.Errorf("%s: %d %s", text, w.Code, w.Body)
		}
	}
	if entries, rows := h.stored(); entries+rows != 0 {
		t.Errorf("%d entries and %d rows are stored", entries, rows)
	}
}
