package feature

import (
	"strings"
	"testing"
)

// What definitions write, and what is stored: names and numbers must not change.
func TestRulesGolden(t *testing.T) {
	for want, name := range []string{"event_time", "write_time", "max", "min", "counter", "set", "siblings"} {
		if r, err := ParseRule(name); err != nil || int(r) != want || r.String() != name {
			t.Errorf("%s: got %d, %v, want %d", name, r, err, want)
		}
	}
	if r, err := ParseRule(""); err != nil || r != EventTime {
		t.Errorf("no rule: got %v, %v, want event_time", r, err)
	}
	if _, err := ParseRule("lww"); err == nil || !strings.Contains(err.Error(), "use one of event_time, write_time, max, min, counter, set, siblings") {
		t.Errorf("lww: got %v, want the rules there are", err)
	}
}

func TestRulesAdmitTypes(t *testing.T) {
	for _, tc := range []struct {
		rule Rule
		typ  string
		want bool
	}{
		{EventTime, "json", true},
		{WriteTime, "vector<float32,3>", true},
		{Max, "decimal", true},
		{Max, "timestamp", true},
		{Max, "string", false},
		{Max, "bool", false},
		{Max, "list<int64>", false},
		{Min, "float32", true},
		{Min, "vector<float32,3>", false},
		{Counter, "int64", true},
		{Counter, "float64", true},
		{Counter, "decimal", true},
		{Counter, "int32", false},
		{Counter, "float32", false},
		{Counter, "timestamp", false},
		{Siblings, "json", true},
		{Siblings, "vector<float32,3>", true},
		{Set, "list<string>", true},
		{Set, "list<json>", false},
		{Set, "string", false},
		{Set, "vector<float32,3>", false},
	} {
		err := tc.rule.Admits(must(ParseType(tc.typ)))
		if (err == nil) != tc.want {
			t.Errorf("%s of %s: got %v, want admitted %v", tc.rule, tc.typ, err, tc.want)
		}
		if err != nil && (!strings.Contains(err.Error(), tc.rule.String()) || !strings.Contains(err.Error(), tc.typ)) {
			t.Errorf("%s of %s: %v names not both", tc.rule, tc.typ, err)
		}
	}
}
