package source

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"featurestore/feature"
)

// timeLayouts are tried in order on text that should be a timestamp. Without a
// zone they mean UTC.
var timeLayouts = []string{
	time.RFC3339Nano,
	"2006-01-02T15:04:05.999999999",
	"2006-01-02 15:04:05.999999999Z07:00",
	"2006-01-02 15:04:05.999999999",
	"2006-01-02T15:04",
	"2006-01-02 15:04",
	"2006-01-02",
}

// fromText reads one value of type t from the text of a CSV field. The zero
// Type and String take the text as it is. Lists, vectors and json are written
// as JSON, bytes as base64.
func fromText(text string, t feature.Type, layouts []string) (feature.Value, error) {
	if t.Shape != feature.Scalar {
		if !strings.HasPrefix(strings.TrimSpace(text), "[") {
			return feature.Value{}, fmt.Errorf("%q is not a %s: write it as a JSON list such as [1, 2]", feature.Clip(text), t)
		}
		return fromJSON([]byte(text), t, layouts)
	}
	switch t.Kind {
	case feature.Null, feature.String:
		return feature.OfString(text)
	case feature.Int32, feature.Int64:
		return parseInt(text, t.Kind)
	case feature.Float32, feature.Float64:
		return parseFloat(text, t.Kind)
	case feature.Bool:
		b, err := strconv.ParseBool(strings.ToLower(strings.TrimSpace(text)))
		if err != nil {
			return feature.Value{}, fmt.Errorf("%q is not a bool: write true or false", feature.Clip(text))
		}
		return feature.OfBool(b), nil
	case feature.Timestamp:
		return parseTime(text, layouts)
	case feature.UUID:
		return feature.ParseUUID(strings.TrimSpace(text))
	case feature.Decimal:
		return feature.ParseDecimal(strings.TrimSpace(text))
	case feature.Bytes:
		b, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return feature.Value{}, fmt.Errorf("%q is not base64: %w", feature.Clip(text), err)
		}
		return feature.OfBytes(b), nil
	case feature.JSON:
		if !json.Valid([]byte(text)) {
			return feature.Value{}, fmt.Errorf("%q is not a JSON document", feature.Clip(text))
		}
		if _, err := feature.OfString(text); err != nil {
			return feature.Value{}, err
		}
		return feature.OfJSON(text), nil
	}
	return feature.Value{}, fmt.Errorf("values of type %s cannot be read from text", t)
}

// parseInt also takes a whole number written as a float, such as "17850.0":
// what a data frame writes for an integer column that has nulls.
func parseInt(text string, k feature.Kind) (feature.Value, error) {
	text = strings.TrimSpace(text)
	size := 64
	if k == feature.Int32 {
		size = 32
	}
	if head, zeros, ok := strings.Cut(text, "."); ok && zeros != "" && strings.Trim(zeros, "0") == "" {
		text = head
	}
	n, err := strconv.ParseInt(text, 10, size)
	if err != nil {
		return feature.Value{}, fmt.Errorf("%q is not an %s", feature.Clip(text), k)
	}
	if k == feature.Int32 {
		return feature.OfInt32(int32(n)), nil
	}
	return feature.OfInt64(n), nil
}

func parseFloat(text string, k feature.Kind) (feature.Value, error) {
	text = strings.TrimSpace(text)
	size := 64
	if k == feature.Float32 {
		size = 32
	}
	f, err := strconv.ParseFloat(text, size)
	if err != nil || strings.ContainsAny(text, "xX_pP") {
		return feature.Value{}, fmt.Errorf("%q is not a %s", feature.Clip(text), k)
	}
	if k == feature.Float32 {
		return feature.OfFloat32(float32(f)), nil
	}
	return feature.OfFloat64(f), nil
}

// ParseTime reads a time as columns of times are read from text: with a zone, or in UTC;
// a day alone is its beginning.
func ParseTime(text string) (time.Time, error) {
	v, err := parseTime(text, nil)
	if err != nil {
		return time.Time{}, err
	}
	return v.Time().UTC(), nil
}

func parseTime(text string, layouts []string) (feature.Value, error) {
	text = strings.TrimSpace(text)
	for _, list := range [2][]string{timeLayouts, layouts} {
		for _, layout := range list {
			if t, err := time.Parse(layout, text); err == nil {
				return feature.OfTime(t)
			}
		}
	}
	return feature.Value{}, fmt.Errorf("%q is not a time such as 2026-08-21T10:59:42Z", feature.Clip(text))
}
