package api

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"featurestore/feature"
)

func TestFeastFrameHasListsAndScalars(t *testing.T) {
	w, err := ScanFeastPush([]byte(`{"df": {"a": [1, null], "b": "x", "c": [[1], {"d": 2}]}, "push_source_name": "s", "unknown": [{}]}`), 2)
	if err != nil {
		t.Fatal(err)
	}
	if w.Target != "s" || w.To != ToOnline || len(w.Columns) != 2 || len(w.Scalars) != 1 {
		t.Fatalf("got %+v", w)
	}
	if c := w.Columns[1]; string(c.Name) != "c" || string(c.Values[0]) != "[1]" || string(c.Values[1]) != `{"d": 2}` {
		t.Errorf("got column %+v", c)
	}
	if s := w.Scalars[0]; s.Name != "b" || string(s.Value) != `"x"` {
		t.Errorf("got scalar %+v", s)
	}
}

// TestFeastFrameIsBounded: rows beyond the limit are not gathered.
func TestFeastFrameIsBounded(t *testing.T) {
	_, err := ScanFeastWrite([]byte(`{"feature_view_name": "v", "df": {"a": [1, 2, 3]}}`), 2)
	if !errors.Is(err, CodeTooManyRows) || err.(*Problem).Field != "df.a" {
		t.Errorf("got %v", err)
	}
	wide := `{"feature_view_name": "v", "df": {"a": [1]`
	for i := range maxFrameColumns {
		wide += fmt.Sprintf(`, "x%d": 1`, i)
	}
	if _, err := ScanFeastWrite([]byte(wide+"}}"), 2); !errors.Is(err, CodeInvalidRequest) || err.(*Problem).Field != "df" {
		t.Errorf("got %v", err)
	}
	deep := `{"feature_view_name": "v", "df": {"a": [` + strings.Repeat("[", 2*MaxDepth)
	if _, err := ScanFeastWrite([]byte(deep), 2); !errors.Is(err, CodeInvalidJSON) {
		t.Errorf("got %v", err)
	}
}

func TestFeastTextOfDocuments(t *testing.T) {
	doc := feature.ScalarOf(feature.JSON)
	for given, want := range map[string]string{
		`"{\"a\": 1}"`: `{"a": 1}`, `{"a": 1}`: `{"a": 1}`, `"\"a\""`: `"a"`, `1`: `1`, `null`: `null`, `"[\u0031]"`: `[1]`,
	} {
		if got, err := FeastText([]byte(given), doc); string(got) != want || err != nil {
			t.Errorf("%s: got %s, %v, want %s", given, got, err, want)
		}
	}
	if got, err := FeastText([]byte(`"{\"a\": 1}"`), feature.ScalarOf(feature.String)); string(got) != `"{\"a\": 1}"` || err != nil {
		t.Errorf("a string stays one: got %s, %v", got, err)
	}
	for _, given := range []string{`"a"`, `""`, `"{"`} {
		if got, err := FeastText([]byte(given), doc); err == nil || !strings.Contains(err.Error(), "no JSON document") {
			t.Errorf("%s: got %s, %v", given, got, err)
		}
	}
}
