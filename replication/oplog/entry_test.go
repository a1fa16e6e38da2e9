package oplog

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"featurestore/feature"
	"featurestore/hlc"
)

// O4 to O6: Validate names the field at fault.
func TestValidateNamesTheFault(t *testing.T) {
	if err := sample().Validate(); err != nil {
		t.Fatalf("the sample is invalid: %v", err)
	}
	at := sample().At
	for _, tc := range []struct {
		name string
		edit func(e *Entry)
		want string
	}{
		{"no kind", func(e *Entry) { e.Kind = 0 }, "kind is 0, want 1 to 3"},
		{"unknown kind", func(e *Entry) { e.Kind = kindEnd }, "kind is 4, want 1 to 3"},
		{"no origin", func(e *Entry) { e.Origin = 0 }, "origin is zero"},
		{"no time", func(e *Entry) { e.At, e.Prev = 0, 0 }, "prev"},
		{"prev is itself", func(e *Entry) { e.Prev = e.At }, "is not before it"},
		{"log only relog", func(e *Entry) { e.Kind = Relog }, "log_only belongs to a delta, not a relog"},
		{"relog of a request", func(e *Entry) { e.Kind, e.LogOnly = Relog, false }, "request belongs to a delta, not a relog"},
		{"request of no shards", func(e *Entry) { e.Request = &Request{} }, "request.shards is 0, want 1 to 65536"},
		{"noop with rows", func(e *Entry) { e.Kind, e.LogOnly, e.Request = Noop, false, nil }, "a noop has 2 rows, want none"},
		{"delta without rows", func(e *Entry) { e.Rows = nil }, "a delta has no rows"},
		{"dep without origin", func(e *Entry) { e.Deps[0].Origin = 0 }, "deps[0]"},
		{"dep without time", func(e *Entry) { e.Deps[1].At = 0 }, "deps[1]"},
		{"dep at its own time", func(e *Entry) { e.Deps[1].At = at }, "not before the entry"},
		{"dep in the future", func(e *Entry) { e.Deps[1].At = at + 1 }, "not before the entry"},
		{"dep between prev and itself", func(e *Entry) { e.Deps[1] = hlc.Position{Origin: e.Origin, At: e.Prev + 1} }, "not before the entry"},
		{"deps out of order", func(e *Entry) { slices.Reverse(e.Deps) }, "want rising origins"},
		{"deps of one origin", func(e *Entry) { e.Deps[1].Origin = e.Deps[0].Origin }, "want rising origins"},
		{"row without view", func(e *Entry) { e.Rows[0].View = 0 }, "rows[0].view is zero"},
		{"row without key", func(e *Entry) { e.Rows[0].Key = nil }, "rows[0].key has 0 bytes"},
		{"row with a huge key", func(e *Entry) { e.Rows[1].Key = make(feature.Key, feature.MaxKeyBytes+1) }, "rows[1].key has 4097 bytes, want 1 to 4096"},
		{"rows out of order", func(e *Entry) { slices.Reverse(e.Rows) }, "want rows ordered by view and key"},
		{"a row twice", func(e *Entry) { e.Rows[1].Key = e.Rows[0].Key }, "want rows ordered by view and key, each once"},
		{"a cell of another write", func(e *Entry) { e.Rows[0].Delta.Cells[1].Version.At-- }, "rows[0] carries versions of other writes"},
		{"a delete of another write", func(e *Entry) { e.Rows[1].Delta.Tombstone.ByWrite.Origin++ }, "rows[1] carries versions of other writes"},
	} {
		e := sample()
		tc.edit(&e)
		err := e.Validate()
		if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v, want ErrInvalid with %q", tc.name, err, tc.want)
		}
		if _, err := Decode(Append(nil, e)); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: Decode of it: got %v, want ErrCorrupt", tc.name, err)
		}
	}
}

func TestADepOnItsOwnPastIsAllowed(t *testing.T) {
	e := sample()
	e.Deps = append(e.Deps, hlc.Position{Origin: e.Origin, At: e.Prev})
	if err := e.Validate(); err != nil {
		t.Errorf("got %v, want none", err)
	}
}

func TestARelogKeepsTheVersionsOfOthers(t *testing.T) {
	e := sample()
	e.Kind, e.LogOnly, e.Request, e.At, e.Prev = Relog, false, nil, e.At+5, e.At
	got, err := Decode(Append(nil, e))
	if err != nil || !equal(got, e) {
		t.Errorf("got %+v, %v\nwant %+v", got, err, e)
	}
}

func TestSortRows(t *testing.T) {
	rows := []Row{{View: 2, Key: driver(1)}, {View: 1, Key: driver(2)}, {View: 1, Key: driver(-1)}}
	SortRows(rows)
	if rows[0].View != 1 || string(rows[0].Key) != string(driver(-1)) || rows[2].View != 2 {
		t.Errorf("got %v", rows)
	}
}

func TestKindsGolden(t *testing.T) {
	for want, k := range []Kind{1: Delta, 2: Noop, 3: Relog} {
		if int(k) != want {
			t.Errorf("%v is %d, want %d", k, k, want)
		}
	}
	if got := Delta.String() + Noop.String() + Relog.String() + Kind(0).String() + Kind(9).String(); got != "deltanooprelogkind(0)kind(9)" {
		t.Errorf("kinds print as %s", got)
	}
}
