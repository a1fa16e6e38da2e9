package main

import (
	"bytes"
	"fmt"
	"math"
	"math/big"
	"slices"
	"time"

	"github.com/duckdb/duckdb-go/v2"

	"featurestore/feature"
)

// sameValue compares values of the product. Sets have no order.
func sameValue(a, b feature.Value, rule feature.Rule) bool {
	if rule == feature.Set && !a.IsNull() && !b.IsNull() {
		return slices.Equal(texts(a), texts(b))
	}
	if rule == feature.Counter && a.Kind() == feature.Decimal && b.Kind() == feature.Decimal {
		return a.String() == b.String() || ratOf(a).Cmp(ratOf(b)) == 0 // 1.50 is 1.5 to sums
	}
	return a.Equal(b) || a.IsNaN() && b.IsNaN()
}

func texts(list feature.Value) []string {
	out := []string{}
	for e := range list.Elems() {
		out = append(out, e.String())
	}
	slices.Sort(out)
	return out
}

// same compares a value of the product with what DuckDB's driver gives.
func same(v feature.Value, got any, rule feature.Rule) bool {
	if v.IsNull() || got == nil {
		return v.IsNull() && got == nil
	}
	if v.Shape() != feature.Scalar {
		elems, ok := got.([]any)
		if !ok || len(elems) != v.Len() {
			return false
		}
		if rule == feature.Set {
			var theirs []string
			for _, e := range elems {
				theirs = append(theirs, fmt.Sprint(e))
			}
			slices.Sort(theirs)
			return slices.Equal(texts(v), append([]string{}, theirs...))
		}
		i := 0
		for e := range v.Elems() {
			if !same(e, elems[i], rule) {
				return false
			}
			i++
		}
		return true
	}
	switch got := got.(type) {
	case int32:
		return v.Kind() == feature.Int32 && v.Int() == int64(got)
	case int64:
		return v.Kind() == feature.Int64 && v.Int() == got
	case float32:
		return v.Kind() == feature.Float32 && sameFloat(v.Float(), float64(got))
	case float64:
		return v.Kind() == feature.Float64 && sameFloat(v.Float(), got)
	case bool:
		return v.Kind() == feature.Bool && v.Bool() == got
	case time.Time:
		return v.Kind() == feature.Timestamp && v.Time().Equal(got)
	case []byte:
		return v.Kind() == feature.Bytes && bytes.Equal([]byte(v.Text()), got)
	case string:
		return v.Text() == got
	case duckdb.Decimal:
		scale := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(got.Scale)), nil)
		return v.Kind() == feature.Decimal && ratOf(v).Cmp(new(big.Rat).SetFrac(got.Value, scale)) == 0
	}
	return false
}

// ratOf is a decimal as a fraction.
func ratOf(v feature.Value) *big.Rat {
	r, ok := new(big.Rat).SetString(v.Text())
	if !ok {
		panic("a decimal is " + v.Text()) // the product's are numbers
	}
	return r
}

func sameFloat(a, b float64) bool { return a == b || math.IsNaN(a) && math.IsNaN(b) }
