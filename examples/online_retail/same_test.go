package retail

import (
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"testing"
)

// cell is one value of an answer, with all that is said about it.
type cell struct {
	value  any
	status string
	at     string
}

func compareCell(t *testing.T, what string, got, want cell) {
	t.Helper()
	if !sameValue(got.value, want.value) || got.status != want.status || got.at != want.at {
		t.Errorf("%s is %v, %s at %s; want %v, %s at %s", what, got.value, got.status, got.at, want.value, want.status, want.at)
	}
}

// sameValue compares decoded JSON. Numbers are equal when they are the same
// number exactly; lists hold sets here, whose order says nothing.
func sameValue(a, b any) bool {
	switch a := a.(type) {
	case json.Number:
		b, ok := b.(json.Number)
		if !ok {
			return false
		}
		x, okX := new(big.Rat).SetString(a.String())
		y, okY := new(big.Rat).SetString(b.String())
		return okX && okY && x.Cmp(y) == 0
	case []any:
		b, ok := b.([]any)
		return ok && slices.Equal(sorted(a), sorted(b))
	case map[string]any:
		b, ok := b.(map[string]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for k, v := range a {
			if w, ok := b[k]; !ok || !sameValue(v, w) {
				return false
			}
		}
		return true
	}
	return a == b
}

func sorted(list []any) []string {
	out := make([]string, len(list))
	for i, v := range list {
		out[i] = fmt.Sprintf("%T %v", v, v)
	}
	slices.Sort(out)
	return out
}

func TestSameValueTellsValuesApart(t *testing.T) {
	n := func(s string) any { return json.Number(s) }
	for _, c := range []struct {
		a, b any
		same bool
	}{
		{n("1"), n("1.0"), true},
		{n("9007199254740993"), n("9007199254740992"), false},
		{n("1"), "1", false},
		{nil, nil, true},
		{nil, n("0"), false},
		{"0.00", "0.0", false},
		{[]any{"a", "b"}, []any{"b", "a"}, true},
		{[]any{"a", "b"}, []any{"a"}, false},
		{[]any{"1"}, []any{n("1")}, false},
		{map[string]any{"k": n("1")}, map[string]any{"k": n("1")}, true},
		{map[string]any{"k": n("1")}, map[string]any{"j": n("1")}, false},
	} {
		if got := sameValue(c.a, c.b); got != c.same {
			t.Errorf("sameValue(%v, %v) is %v, want %v", c.a, c.b, got, c.same)
		}
	}
}
