package source

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"featurestore/feature"
)

// fromJSON reads one value of type t from its JSON. The zero Type takes what
// the JSON says: int64 or float64, string, bool, a list of one of these, and
// json for objects and mixed or nested lists.
func fromJSON(raw []byte, t feature.Type, layouts []string) (feature.Value, error) {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 || !utf8.Valid(raw) {
		return feature.Value{}, fmt.Errorf("%q is not JSON in UTF-8", feature.Clip(string(raw)))
	}
	if t.Kind == feature.JSON && t.Shape == feature.Scalar {
		return compactJSON(raw)
	}
	if string(raw) == "null" {
		return feature.Value{}, nil
	}
	if raw[0] == '{' && t.Kind != feature.Null {
		var err error
		if raw, err = unwrap(raw); err != nil {
			return feature.Value{}, err
		}
	}
	switch {
	case t.Kind == feature.Null:
		return natural(raw)
	case t.Shape != feature.Scalar:
		return listFromJSON(raw, t, layouts)
	}
	return scalarFromJSON(raw, t, layouts)
}

// unwrap takes a change of a counter or a set in its long form, {"increment":
// 1} or {"add": […]}. What they hold is what the column's value means for such
// a feature.
func unwrap(raw []byte) ([]byte, error) {
	var change map[string]json.RawMessage
	if err := json.Unmarshal(raw, &change); err != nil {
		return nil, fmt.Errorf("%q is not JSON: %w", feature.Clip(string(raw)), err)
	}
	for _, word := range [...]string{"increment", "add"} {
		if inner, ok := change[word]; ok && len(change) == 1 {
			return bytes.TrimSpace(inner), nil
		}
	}
	return nil, errors.New(`an object is not a value here; a file may say {"increment": 1} or {"add": [1]}; elements are removed by pushing over REST`)
}

func scalarFromJSON(raw []byte, t feature.Type, layouts []string) (feature.Value, error) {
	switch raw[0] {
	case '"':
		var s string
		if err := json.Unmarshal(raw, &s); err != nil {
			return feature.Value{}, fmt.Errorf("%q is not a JSON string: %w", feature.Clip(string(raw)), err)
		}
		switch t.Kind {
		case feature.Bool:
			return feature.Value{}, fmt.Errorf("%q is text, want true or false", feature.Clip(s))
		}
		return fromText(s, t, layouts)
	case 't', 'f':
		if t.Kind == feature.Bool && (string(raw) == "true" || string(raw) == "false") {
			return feature.OfBool(raw[0] == 't'), nil
		}
	case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		switch t.Kind {
		case feature.Int32, feature.Int64, feature.Float32, feature.Float64, feature.Decimal:
			return fromText(string(raw), t, layouts)
		}
	}
	return feature.Value{}, fmt.Errorf("%s is not a %s", feature.Clip(string(raw)), t)
}

func listFromJSON(raw []byte, t feature.Type, layouts []string) (feature.Value, error) {
	var items []json.RawMessage
	if err := json.Unmarshal(raw, &items); err != nil {
		return feature.Value{}, fmt.Errorf("%s is not a %s", feature.Clip(string(raw)), t)
	}
	elems := make([]feature.Value, len(items))
	for i, item := range items {
		v, err := fromJSON(item, feature.ScalarOf(t.Kind), layouts)
		if err == nil && v.IsNull() {
			err = errors.New("a list holds no nulls")
		}
		if err != nil {
			return feature.Value{}, fmt.Errorf("element %d: %w", i, err)
		}
		elems[i] = v
	}
	return asShape(elems, t)
}

// asShape makes a list or vector of elements of kind t.Kind.
func asShape(elems []feature.Value, t feature.Type) (feature.Value, error) {
	if t.Shape != feature.Vector {
		return feature.OfList(t.Kind, elems...)
	}
	if len(elems) != t.Dim {
		return feature.Value{}, fmt.Errorf("it has %d elements, want %d", len(elems), t.Dim)
	}
	fs := make([]float32, len(elems))
	for i, e := range elems {
		fs[i] = float32(e.Float())
	}
	return feature.OfVector(fs), nil
}

func compactJSON(raw []byte) (feature.Value, error) {
	var b bytes.Buffer
	if err := json.Compact(&b, raw); err != nil {
		return feature.Value{}, fmt.Errorf("%q is not a JSON document: %w", feature.Clip(string(raw)), err)
	}
	return feature.OfJSON(b.String()), nil
}

// natural reads a value whose type nobody asked for.
func natural(raw []byte) (feature.Value, error) {
	switch raw[0] {
	case '"':
		return scalarFromJSON(raw, feature.ScalarOf(feature.String), nil)
	case 't', 'f':
		return scalarFromJSON(raw, feature.ScalarOf(feature.Bool), nil)
	case '{':
		return compactJSON(raw)
	case '[':
		var items []json.RawMessage
		if err := json.Unmarshal(raw, &items); err != nil {
			return feature.Value{}, fmt.Errorf("%q is not JSON: %w", feature.Clip(string(raw)), err)
		}
		if len(items) == 0 {
			return compactJSON(raw)
		}
		for _, k := range [...]feature.Kind{feature.Int64, feature.Float64, feature.Bool, feature.String} {
			quoted := k == feature.String
			if v, err := listFromJSON(raw, feature.ListOf(k), nil); err == nil && (items[0][0] == '"') == quoted {
				return v, nil
			}
		}
		return compactJSON(raw)
	}
	if !strings.ContainsAny(string(raw), ".eE") {
		if v, err := scalarFromJSON(raw, feature.ScalarOf(feature.Int64), nil); err == nil {
			return v, nil
		}
	}
	return scalarFromJSON(raw, feature.ScalarOf(feature.Float64), nil)
}
