package export

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"featurestore/api"
	"featurestore/offline/history"
)

// EX3: a moment gives the same rows whatever was written, defined and opened since, and
// nothing once it is gone, or of another history.
func TestAMomentIsWhatItWas(t *testing.T) {
	h := open(t, 7)
	h.write(80)
	p := h.past()
	at := p.Moment()
	all := ViewRequest{View: "driver_stats"}
	want := h.run(p.Rows(all, h.config()))
	h.apply(strings.Replace(rides, "services:", "#", 1))
	h.write(80)
	if got := h.run(h.past().Rows(all, h.config())); len(got.rows) <= len(want.rows) {
		t.Fatalf("%d rows now, %d before", len(got.rows), len(want.rows))
	}
	source := Source{History: h.history, Files: h.files}
	earlier, err := source.At(t.Context(), at)
	if err != nil {
		t.Fatal(err)
	}
	defer earlier.Close()
	if earlier.Moment() != at {
		t.Errorf("it is %+v, want %+v", earlier.Moment(), at)
	}
	got := h.run(earlier.Rows(all, h.config()))
	if !slices.EqualFunc(got.rows, want.rows, slices.Equal[[]string]) || got.manifest.RegistryRevision != want.manifest.RegistryRevision {
		t.Errorf("%d rows of revision %d, want %d of %d, the same", len(got.rows), got.manifest.RegistryRevision, len(want.rows), want.manifest.RegistryRevision)
	}
	for what, m := range map[string]Moment{
		"another history": {Commit: at.Commit, Sum: history.Sum{1}, Epoch: at.Epoch, Revision: at.Revision},
		"the future":      {Commit: at.Commit + 1000, Sum: at.Sum, Epoch: at.Epoch, Revision: at.Revision},
		"no definitions":  {Commit: at.Commit, Sum: at.Sum},
	} {
		if _, err := source.At(t.Context(), m); !errors.Is(err, history.ErrGone) {
			t.Errorf("%s: got %v, want %v", what, err, history.ErrGone)
		}
	}
}

// Parts are all rows in order, each once, whatever their number.
func TestPartsAreAllRows(t *testing.T) {
	h := open(t, 8)
	for range 6 {
		h.write(30)
		h.past()
	}
	p := h.past()
	want := h.run(p.Rows(ViewRequest{View: "driver_stats"}, h.config())).rows
	outline, err := p.Outline(t.Context(), "", &api.ExportRequest{Rows: "driver_stats"}, h.config())
	if err != nil || outline.Rows != int64(len(want)) || outline.Parts < 6 {
		t.Fatalf("outline %+v, %v, of %d rows", outline, err, len(want))
	}
	for of := 1; of < outline.Parts+3; of++ {
		var got [][]string
		for i := range of {
			part := h.run(p.Rows(ViewRequest{View: "driver_stats", Part: &api.ExportPart{Number: i, Of: of}}, h.config()))
			got = append(got, part.rows...)
		}
		if !slices.EqualFunc(got, want, slices.Equal[[]string]) {
			t.Errorf("%d parts are %d rows, want %d, in order", of, len(got), len(want))
		}
	}
	for _, part := range []api.ExportPart{{Number: 0, Of: 0}, {Number: 2, Of: 2}, {Number: -1, Of: 2}} {
		if _, err := p.Rows(ViewRequest{View: "driver_stats", Part: &part}, h.config()); err == nil {
			t.Errorf("part %+v is no error", part)
		}
	}
	if _, err := p.Snapshot(ViewRequest{View: "driver_stats", Part: &api.ExportPart{Number: 0, Of: 2}}, h.config()); err == nil {
		t.Error("a part of a snapshot is no error")
	}
}
