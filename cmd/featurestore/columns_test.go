package main

import (
	"fmt"
	"testing"

	"featurestore/feature"
)

func TestColumnsOfTheCommandLine(t *testing.T) {
	for _, c := range []struct {
		claim string
		args  []string
		typ   feature.Type
		want  string
	}{
		{"numbers are not quoted", []string{"k=1,-2"}, feature.ScalarOf(feature.Int64), `k [1 -2]`},
		{"text is, also where it looks like a number", []string{"k=22423,a"}, feature.ScalarOf(feature.String), `k ["22423" "a"]`},
		{"a list may hold commas", []string{`k=["a,b", "c"]`}, feature.ScalarOf(feature.String), `k ["a,b" "c"]`},
		{"a name given again goes on", []string{"k=1", "k=2"}, feature.ScalarOf(feature.Int64), `k [1 2]`},
		{"what is no number is left to the store to refuse", []string{"k=x"}, feature.ScalarOf(feature.Int64), `k ["x"]`},
		{"an empty value is a value", []string{"k="}, feature.ScalarOf(feature.String), `k [""]`},
		{"no equals sign", []string{"k"}, feature.ScalarOf(feature.String), `"k" is no key and value: write k=1`},
		{"no name", []string{"=1"}, feature.ScalarOf(feature.String), `"=1" is no key and value: write k=1`},
	} {
		t.Run(c.claim, func(t *testing.T) {
			columns, err := parseColumns(c.args, "k=1")
			got := ""
			for _, col := range columns {
				got += fmt.Sprintf("%s %s", col.name, col.toJSON(c.typ))
			}
			if err != nil {
				got = err.Error()
			}
			if got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}
