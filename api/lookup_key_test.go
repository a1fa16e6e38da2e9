package api

import (
	"encoding/json"
	"testing"

	"featurestore/feature"

	"pgregory.net/rapid"
)

func TestDecodeKeyReadsWhatDecodeValueReads(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		raw := []byte(rapid.OneOf(
			rapid.StringMatching(`-?(0|[1-9][0-9]{0,20})`),
			rapid.StringMatching(`"-?[0-9]{1,20}"`),
			rapid.SampledFrom([]string{`1.0`, `1e3`, `1.5`, `true`, `"x"`, `[1]`, `-0`}),
		).Draw(t, "raw"))
		kind := feature.ScalarOf(rapid.SampledFrom([]feature.Kind{feature.Int32, feature.Int64, feature.String}).Draw(t, "kind"))
		got, gotErr := DecodeKey(raw, kind)
		want, wantErr := DecodeValue(json.RawMessage(raw), kind)
		if (gotErr == nil) != (wantErr == nil) || gotErr == nil && !got.Equal(want) {
			t.Fatalf("%s as %v: got %v, %v; DecodeValue says %v, %v", raw, kind, got, gotErr, want, wantErr)
		}
	})
}

func TestNullIsNoKey(t *testing.T) {
	if v, err := DecodeKey([]byte("null"), feature.ScalarOf(feature.Int64)); err == nil {
		t.Errorf("null read as %v, want an error", v)
	}
}
