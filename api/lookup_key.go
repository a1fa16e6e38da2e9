package api

import (
	"encoding/json"
	"errors"

	"featurestore/feature"
)

var errNullKey = errors.New("a join key is null; every join key needs a value")

// DecodeKey reads one join-key value of type t that a Scanner has checked. It is
// DecodeValue, quicker for the integers that most keys are. Null is an error.
func DecodeKey(raw []byte, t feature.Type) (feature.Value, error) {
	if n, ok := shortInteger(raw); ok {
		switch t {
		case feature.ScalarOf(feature.Int64):
			return feature.OfInt64(n), nil
		case feature.ScalarOf(feature.Int32):
			if int64(int32(n)) == n {
				return feature.OfInt32(int32(n)), nil
			}
		}
	}
	v, err := DecodeValue(json.RawMessage(raw), t)
	if err == nil && v.IsNull() {
		err = errNullKey
	}
	return v, err
}

// shortInteger reads plain digits, few enough that they cannot overflow.
func shortInteger(raw []byte) (int64, bool) {
	digits := raw
	if len(digits) > 0 && digits[0] == '-' {
		digits = digits[1:]
	}
	if len(digits) == 0 || len(digits) > 18 || digits[0] == '0' && len(digits) > 1 {
		return 0, false
	}
	n := int64(0)
	for _, c := range digits {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = 10*n + int64(c-'0')
	}
	if len(digits) < len(raw) {
		n = -n
	}
	return n, true
}
