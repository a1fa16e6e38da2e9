package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestScanLookupReadsWhatEncodingJSONReads(t *testing.T) {
	for _, body := range []string{
		`{"service":"s","entities":{"driver_id":[1,2]}}`,
		` { "features" : ["v:a", "v:b"] , "entities":{"a":["x\"y","\u00e9"],"b":[null,true]},"full_feature_names":true } `,
		`{"service":"s","entities":{},"request":{"demand":[1.5e3,-0,0.25]},"consistency":[{"level":"session","within":"5ms"}]}`,
		`{"entities":{"a":[],"b":[1]},"service":"\u0073"}`,
		`{"entities":{"a":[[1,2],[3]],"b":[{"x":1},{"y":[2]}]},"service":"s"}`,
	} {
		compareWithLibrary(t, []byte(body))
	}
}

// compareWithLibrary fails when the scanner and encoding/json disagree on
// whether body is a lookup and what it says.
func compareWithLibrary(t testing.TB, body []byte) {
	t.Helper()
	var l ScannedLookup
	if err := l.ScanLookup(body, 1000); err != nil {
		var p *Problem
		if !errors.As(err, &p) {
			t.Fatalf("scan %q: error %v is no Problem", body, err)
		}
		return
	}
	var want LookupRequest
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(&want); err != nil {
		// References and alternatives are decoded later, by the server.
		if l.Consistency != nil || l.Features != nil {
			return
		}
		t.Fatalf("scan took %q, encoding/json says %v", body, err)
	}
	if got := string(l.Service); got != want.Service {
		t.Errorf("%q: service %q, want %q", body, got, want.Service)
	}
	if l.FullFeatureNames != want.FullFeatureNames {
		t.Errorf("%q: full_feature_names %v, want %v", body, l.FullFeatureNames, want.FullFeatureNames)
	}
	compareColumns(t, body, l.Entities, want.Entities)
	compareColumns(t, body, l.Request, want.Request)
}

func compareColumns(t testing.TB, body []byte, got []Column, want map[string][]json.RawMessage) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%q: %d columns, want %d", body, len(got), len(want))
	}
	for _, c := range got {
		column, ok := want[string(c.Name)]
		if !ok || len(column) != len(c.Values) {
			t.Fatalf("%q: column %q has %d values, want %d", body, c.Name, len(c.Values), len(column))
		}
		for i, v := range c.Values {
			if !bytes.Equal(v, column[i]) {
				t.Errorf("%q: %s[%d] is %q, want %q", body, c.Name, i, v, column[i])
			}
		}
	}
}

func TestScanLookupNamesWhatIsWrong(t *testing.T) {
	for _, tt := range []struct{ body, code, says string }{
		{`{"service":"s","entities":{"a":[1,2`, "invalid_json", "the text ends here"},
		{`{"service":"s","entities":{"a":1}}`, "invalid_json", "entities.a"},
		{`{"service":"s","entities":[]}`, "invalid_json", "expected an object"},
		{`{"service":"s","entitys":{}}`, "unknown_field", "entitys"},
		{`{"service":"s","service":"t","entities":{}}`, "duplicate_key", "service"},
		{`{"entities":{"a":[1],"a":[2]}}`, "duplicate_key", "entities.a"},
		{`{"entities":{"a":[01]}}`, "invalid_json", "entities.a"},
		{`{"entities":{"a":[1,]}}`, "invalid_json", "after ','"},
		{`{"entities":{}} x`, "invalid_json", "end of the text"},
		{"{\"entities\":{\"a\":[\"\xff\"]}}", "invalid_json", "UTF-8"},
		{`{"entities":{"a":[` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `]}}`, "invalid_json", "nesting"},
		{``, "invalid_json", "the text ends here"},
		{`null`, "invalid_json", "expected an object"},
	} {
		var l ScannedLookup
		err := l.ScanLookup([]byte(tt.body), 1000)
		if err == nil || !errors.Is(err, Code(tt.code)) || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: got %v, want %s that says %q", tt.body, err, tt.code, tt.says)
		}
	}
}

func TestScanFeastLookupTakesBothForms(t *testing.T) {
	for _, body := range []string{
		`{"entities":{"driver_id":[1,2]},"features":["v:a"],"feature_service":null,"full_feature_names":false,"request_context":{}}`,
		`{"entities":{"driver_id":{"val":[1,2]}},"features":{"val":["v:a"]},"unknown":[1,{}]}`,
	} {
		var l ScannedLookup
		if err := l.ScanFeastLookup([]byte(body), 1000); err != nil {
			t.Fatalf("%s: %v", body, err)
		}
		if len(l.Entities) != 1 || len(l.Entities[0].Values) != 2 || string(l.Features) != `["v:a"]` || l.Service != nil {
			t.Errorf("%s: read as %+v", body, l)
		}
	}
}

func TestEmptyColumnsDoNotTakeTheirNeighboursValues(t *testing.T) {
	var l ScannedLookup
	if err := l.ScanLookup([]byte(`{"entities":{"a":[],"b":[1,2,3],"c":[]},"service":"s"}`), 1000); err != nil {
		t.Fatal(err)
	}
	for i, want := range []int{0, 3, 0} {
		if got := len(l.Entities[i].Values); got != want {
			t.Errorf("column %d has %d values, want %d", i, got, want)
		}
	}
}

func TestScannerAgreesWithEncodingJSONOnAnyValue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOf(rapid.RuneFrom([]rune(`{}[]":,\u0019eE+-. tfnrlsa`))).Draw(t, "text")
		s := NewScanner([]byte(text))
		s.Raw()
		s.End()
		if got, want := s.Err() == nil, json.Valid([]byte(text)); got != want {
			t.Fatalf("%q: scanner says %v (%v), encoding/json %v", text, got, s.Err(), want)
		}
	})
}

func FuzzScanLookup(f *testing.F) {
	f.Add([]byte(`{"service":"s","features":["v:a"],"entities":{"driver_id":[1,"x",null]},"request":{"d":[1.5]},"consistency":[{"level":"session"}],"full_feature_names":true}`))
	f.Add([]byte(`{"entities":{"a":{"val":[1]}}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		compareWithLibrary(t, body)
		var l ScannedLookup
		_ = l.ScanFeastLookup(body, 1000) // must not panic
	})
}

func BenchmarkScanLookup(b *testing.B) {
	body := []byte(`{"service":"driver_v1","entities":{"driver_id":[1001,1002,1003,1004,1005,1006,1007,1008,1009,1010]}}`)
	b.Run("by=scanner", func(b *testing.B) {
		var l ScannedLookup
		b.ReportAllocs()
		for b.Loop() {
			if err := l.ScanLookup(body, 1000); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("by=encoding-json", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var r LookupRequest
			if err := json.Unmarshal(body, &r); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func TestScanLookupBoundsNames(t *testing.T) {
	var names strings.Builder
	for i := range maxNames + 1 {
		fmt.Fprintf(&names, `"a%d":[],`, i)
	}
	for body, feast := range map[string]bool{
		`{"entities":{` + strings.TrimSuffix(names.String(), ",") + `}}`: false,
		`{` + names.String() + `"entities":{}}`:                          true,
	} {
		var l ScannedLookup
		scan := l.ScanLookup
		if feast {
			scan = l.ScanFeastLookup
		}
		if err := scan([]byte(body), 1000); err == nil || !strings.Contains(err.Error(), "more than 1024 names") {
			t.Errorf("got %v", err)
		}
	}
}

func TestScanLookupBoundsValues(t *testing.T) {
	var l ScannedLookup
	column := func(n int) string { return `[1` + strings.Repeat(`,1`, n-1) + `]` }
	for _, tt := range []struct {
		body string
		ok   bool
	}{
		{`{"entities":{"a":` + column(3) + `,"b":` + column(3) + `}}`, true},
		{`{"entities":{"a":` + column(4) + `}}`, false},
		{`{"entities":{"a":{"val":` + column(3) + `}}}`, true},
		{`{"entities":{"a":{"val":` + column(4) + `}}}`, false},
		{`{"entities":{"a":{"val":` + column(3) + `,"val":` + column(3) + `}}}`, false},
	} {
		if err := l.ScanFeastLookup([]byte(tt.body), 3); (err == nil) != tt.ok {
			t.Errorf("%s: got %v", tt.body, err)
		}
	}
	err := l.ScanLookup([]byte(`{"entities":{"a":`+column(1<<20)+`}}`), 1000)
	var p *Problem
	if !errors.As(err, &p) || p.Code != CodeTooManyEntities || p.Field != "entities" || cap(l.cells) > 4096 {
		t.Errorf("got %v with space for %d values", err, cap(l.cells))
	}
}
