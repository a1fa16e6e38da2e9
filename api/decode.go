package api

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"

	"featurestore/feature"
)

// MaxJSONBytes bounds one value of type json, after spaces are taken out.
const MaxJSONBytes = 256 << 10

// DecodeValue reads raw as a value of type t; null is null. It is the inverse
// of AppendValue. Nothing is lost on the way: a number that t does not hold
// exactly, or that overflows a float, is an error, and so is text that is not
// UTF-8. Errors say what would be right, not where: the caller knows the field.
// The value shares nothing with raw.
func DecodeValue(raw json.RawMessage, t feature.Type) (feature.Value, error) {
	s := NewScanner(raw)
	text, err := value(&s, 1)
	if err == nil {
		s.End()
		err = s.problem()
	}
	switch {
	case s.Err() != nil:
		return feature.Value{}, s.Err()
	case err != nil:
		return feature.Value{}, plain(err)
	}
	return decodeChecked(text, t)
}

// decodeChecked reads one value that value has checked, without spaces around
// it.
func decodeChecked(text json.RawMessage, t feature.Type) (feature.Value, error) {
	if isNull(text) {
		return feature.Value{}, nil
	}
	if t.Shape == feature.Scalar {
		return decodeScalar(text, t.Kind)
	}
	if text[0] != '[' {
		return feature.Value{}, fmt.Errorf("want a list for %s, got %s", t, glimpse(text))
	}
	elems, err := decodeElements(text, t.Kind)
	if err != nil {
		return feature.Value{}, err
	}
	if t.Shape == feature.List {
		return feature.OfList(t.Kind, elems...)
	}
	if len(elems) != t.Dim {
		return feature.Value{}, fmt.Errorf("want %d elements for %s, got %d", t.Dim, t, len(elems))
	}
	floats := make([]float32, len(elems))
	for i, e := range elems {
		floats[i] = float32(e.Float())
	}
	return feature.OfVector(floats), nil
}

func decodeElements(text json.RawMessage, k feature.Kind) ([]feature.Value, error) {
	var out []feature.Value
	s := Scanner{data: text}
	err := elements(&s, func(i int) error {
		raw, err := value(&s, 1)
		if err != nil {
			return err
		}
		if isNull(raw) {
			return fmt.Errorf("element %d is null; a list has no nulls", i)
		}
		v, err := decodeScalar(raw, k)
		if err != nil {
			return fmt.Errorf("element %d: %w", i, err)
		}
		out = append(out, v)
		return nil
	})
	return out, err
}

// decodeScalar reads one checked value that is not null.
func decodeScalar(text json.RawMessage, k feature.Kind) (feature.Value, error) {
	switch k {
	case feature.Int32:
		n, err := decodeInteger(text, k, math.MinInt32, math.MaxInt32)
		return feature.OfInt32(int32(n)), err
	case feature.Int64:
		n, err := decodeInteger(text, k, math.MinInt64, math.MaxInt64)
		return feature.OfInt64(n), err
	case feature.Float32:
		f, err := decodeFloat(text, k, 32)
		return feature.OfFloat32(float32(f)), err
	case feature.Float64:
		f, err := decodeFloat(text, k, 64)
		return feature.OfFloat64(f), err
	case feature.Bool:
		if text[0] == 't' || text[0] == 'f' {
			return feature.OfBool(text[0] == 't'), nil
		}
		return feature.Value{}, wrongKind(text, k, "true or false")
	case feature.Timestamp:
		ns, err := decodeTime(text)
		return feature.OfNanos(ns), err
	case feature.JSON:
		return decodeJSON(text)
	case feature.Decimal:
		if isNumber(text) {
			return feature.ParseDecimal(string(text))
		}
	}
	return decodeText(text, k)
}

// decodeText reads the kinds that JSON has as strings.
func decodeText(text json.RawMessage, k feature.Kind) (feature.Value, error) {
	want := map[feature.Kind]string{
		feature.String: "a string", feature.Bytes: "bytes as a base64 string", feature.UUID: "a uuid as a string",
		feature.Decimal: "a number, or a string that holds one",
	}[k]
	if text[0] != '"' {
		return feature.Value{}, wrongKind(text, k, want)
	}
	s := unquote(text)
	switch k {
	case feature.String:
		return feature.OfString(s)
	case feature.UUID:
		return feature.ParseUUID(s)
	case feature.Decimal:
		if unquoteNumber(text) == "" {
			return feature.Value{}, wrongKind(text, k, want)
		}
		return feature.ParseDecimal(s)
	}
	b, err := base64.StdEncoding.Strict().DecodeString(s)
	if err != nil || strings.ContainsAny(s, "\r\n") {
		return feature.Value{}, fmt.Errorf("%q is not standard base64 with padding", feature.Clip(s))
	}
	return feature.OfBytes(b), nil
}

// decodeJSON keeps the document as it is, without the spaces between tokens.
func decodeJSON(text json.RawMessage) (feature.Value, error) {
	var out bytes.Buffer
	out.Grow(len(text))
	if err := json.Compact(&out, text); err != nil {
		return feature.Value{}, err
	}
	if out.Len() > MaxJSONBytes {
		return feature.Value{}, fmt.Errorf("a json document of %d bytes; at most %d", out.Len(), MaxJSONBytes)
	}
	return feature.OfJSON(out.String()), nil
}

// DecodeTime reads a time: a string of ParseTime, or a number of seconds since
// the Unix epoch, a fraction allowed down to nanoseconds. It returns
// nanoseconds since the Unix epoch.
func DecodeTime(raw json.RawMessage) (int64, error) {
	v, err := DecodeValue(raw, feature.ScalarOf(feature.Timestamp))
	if err == nil && v.IsNull() {
		err = errors.New("want a time, got null")
	}
	return v.Int(), err
}

func decodeTime(text json.RawMessage) (int64, error) {
	if text[0] == '"' {
		return ParseTime(unquote(text))
	}
	if !isNumber(text) {
		return 0, wrongKind(text, feature.Timestamp, "a time such as \"2026-08-21T10:59:42Z\", or seconds since 1970")
	}
	switch ns, err := exactInteger(string(text), 9); err {
	case nil:
		return ns, nil
	case errNotWhole:
		return 0, fmt.Errorf("%s has more than 9 digits of a fraction; seconds go down to nanoseconds", glimpse(text))
	default:
		return 0, fmt.Errorf("%s seconds since 1970 are outside 1677-09-21 to 2262-04-11; a number is seconds, not milliseconds", glimpse(text))
	}
}

// unquote returns what a checked string says.
func unquote(text json.RawMessage) string {
	if bytes.IndexByte(text, '\\') < 0 {
		return string(text[1 : len(text)-1])
	}
	s := Scanner{data: text}
	return string(s.Text())
}

func wrongKind(text json.RawMessage, k feature.Kind, want string) error {
	return fmt.Errorf("want %s for %s, got %s", want, k, glimpse(text))
}

func isNull(text json.RawMessage) bool { return string(text) == "null" }

// glimpse names what stands in place of a value, briefly.
func glimpse(text json.RawMessage) string {
	switch {
	case len(text) == 0:
		return "nothing"
	case text[0] == '{':
		return "an object"
	case text[0] == '[':
		return "a list"
	}
	return feature.Clip(string(text))
}
