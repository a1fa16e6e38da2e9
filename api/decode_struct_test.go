package api

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestDecodeNamesTheField(t *testing.T) {
	for _, tt := range []struct {
		text  string
		code  Code
		field string
		want  string
	}{
		{`[{"level":"session","witin":"5ms"}]`, CodeUnknownField, "witin", `did you mean "within"?`},
		{`[{"level":1}]`, CodeInvalidRequest, "level", "want a string, got number"},
		{`[{"level":"a","level":"b"}]`, CodeDuplicateKey, "level", "stands twice"},
		{`[{"level":"a"}`, CodeInvalidJSON, "", "text ends here"},
		{`[] []`, CodeInvalidJSON, "", "expected the end"},
	} {
		var list []Consistency
		checkProblem(t, tt.text, Decode([]byte(tt.text), &list), tt.code, tt.field, tt.want)
	}
	var list []Consistency
	if err := Decode([]byte(`[{"level":"session"}]`), &list); err != nil || len(list) != 1 || list[0].Level != "session" {
		t.Errorf("got %v, %v", list, err)
	}
}

func TestDecodeKeyEditAndIncrement(t *testing.T) {
	for _, tt := range []struct{ what, typ, raw, want string }{
		{"key", "int64", `7`, "7"},
		{"key", "int64", `null`, "join key is null"},
		{"increment", "int64", `3`, "3"},
		{"increment", "int64", `{"increment": 3}`, "3"},
		{"increment", "int64", `{"increment": null}`, "a counter is never null"},
		{"increment", "int64", `null`, "a counter is never null"},
		{"increment", "int64", `{}`, "want {"},
		{"increment", "int64", `{"inc": 3}`, `not "inc"`},
		{"increment", "int64", `{"increment": 1, "increment": 2}`, "stands twice"},
		{"increment", "float64", `"NaN"`, "NaN cannot be added"},
		{"increment", "float64", `"Infinity"`, "cannot be added"},
		{"edit", "list<string>", `["a"]`, `[a] null`},
		{"edit", "list<string>", `{"add":["a"],"remove":["b"]}`, `[a] [b]`},
		{"edit", "list<string>", `{"remove":["b"]}`, `null [b]`},
		{"edit", "list<string>", `{}`, "has neither list"},
		{"edit", "list<string>", `null`, "a set is never null"},
		{"edit", "list<string>", `{"add":[1]}`, "add: element 0: want a string"},
		{"edit", "list<string>", `{"delete":["a"]}`, `not "delete"`},
	} {
		raw, typ := json.RawMessage(tt.raw), mustType(t, tt.typ)
		var got string
		var err error
		switch tt.what {
		case "key":
			v, e := DecodeKey(raw, typ)
			got, err = v.String(), e
		case "increment":
			v, e := DecodeIncrement(raw, typ)
			got, err = v.String(), e
		case "edit":
			add, remove, e := DecodeEdit(raw, typ)
			got, err = add.String()+" "+remove.String(), e
		}
		if err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, tt.want) {
			t.Errorf("%s %s from %s: got %s, want %s", tt.what, tt.typ, tt.raw, got, tt.want)
		}
	}
}
