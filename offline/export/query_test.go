package export

import (
	"errors"
	"maps"
	"reflect"
	"strings"
	"testing"
	"time"

	"featurestore/api"
	"featurestore/offline/training"
)

func TestAnAliasIsReadAsItIsWritten(t *testing.T) {
	for text, want := range map[string]api.ExportAlias{
		"origin=places":                            {View: "places"},
		"origin=places,city=from_city":             {View: "places", Keys: map[string]string{"city": "from_city"}},
		"origin=places,city=from_city,zone=from z": {View: "places", Keys: map[string]string{"city": "from_city", "zone": "from z"}},
	} {
		name, got, err := ParseAlias(text)
		if err != nil || name != "origin" || got.View != want.View || !maps.Equal(got.Keys, want.Keys) {
			t.Errorf("%s: got %s, %+v, %v", text, name, got, err)
		}
	}
	for text, want := range map[string]string{
		"":                               `has "" where two names belong`,
		"origin":                         `has "origin" where two names belong`,
		"=places":                        `has "=places" where two names belong`,
		"origin=places,city":             `has "city" where two names belong`,
		"origin=places,city=":            `has "city=" where two names belong`,
		"origin=places,city=a,city=b":    "gives join key city two columns",
		"origin=places,city=from_city,,": `has "" where two names belong`,
	} {
		if _, _, err := ParseAlias(text); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "write ALIAS=VIEW,JOINKEY=COLUMN") {
			t.Errorf("%s: got %v, want %q", text, err, want)
		}
	}
}

func TestTimesAreReadInOneOfThreeWays(t *testing.T) {
	const first, second = "2026-08-21T12:00:00Z", "2026-08-22T14:00:00+02:00"
	at := func(text string) time.Time {
		out, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		return out.UTC()
	}
	for _, c := range []struct {
		asked api.ExportKeysOf
		want  training.Times
	}{
		{api.ExportKeysOf{At: []string{second, first}}, training.Times{At: []time.Time{at(second), at(first)}}},
		{api.ExportKeysOf{Every: "24h", From: first, To: second}, training.Times{Every: 24 * time.Hour, From: at(first), To: at(second)}},
		{api.ExportKeysOf{At: []string{"2026-08-21", "2026-11-26 10:45:00"}}, training.Times{At: []time.Time{at("2026-08-21T00:00:00Z"), at("2026-11-26T10:45:00Z")}}},
		{api.ExportKeysOf{EachWrite: true}, training.Times{Writes: true}},
	} {
		if got, err := timesOf(c.asked); err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%+v: got %+v, %v", c.asked, got, err)
		}
	}
	for _, c := range []struct {
		asked       api.ExportKeysOf
		field, want string
	}{
		{api.ExportKeysOf{}, "keys_of", "the times are missing"},
		{api.ExportKeysOf{EachWrite: true, At: []string{first}}, "keys_of", "more than one way"},
		{api.ExportKeysOf{At: []string{first, "noon"}}, "at[1]", `"noon": write a time`},
		{api.ExportKeysOf{Every: "1h", From: first}, "to", "missing"},
		{api.ExportKeysOf{From: first, To: second}, "every", "missing"},
		{api.ExportKeysOf{Every: "1d", From: first, To: second}, "every", `"1d": write how far apart`},
		{api.ExportKeysOf{Every: "-1h", From: first, To: second}, "every", `"-1h": write how far apart`},
		{api.ExportKeysOf{Every: "1h", From: "then", To: second}, "from", `"then": write a time`},
		{api.ExportKeysOf{Every: "1h", From: second, To: first}, "to", "before from"},
	} {
		_, err := timesOf(c.asked)
		var field *FieldError
		if !errors.As(err, &field) || field.Field != c.field || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: got %v, want %s: %q", c.asked, err, c.field, c.want)
		}
	}
}
