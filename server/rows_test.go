package server

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"featurestore/api"
	"featurestore/feature"

	"pgregory.net/rapid"
)

// TestRowsAndColumnsMeanTheSame: a push in either form makes the same changes.
func TestRowsAndColumnsMeanTheSame(t *testing.T) {
	h := newHouse(t)
	c, _ := h.store.Registry().Catalog("rides")
	views := c.PushSource("driver_push")
	values := map[string]*rapid.Generator[string]{
		"driver_id":  rapid.Map(rapid.Int64(), func(n int64) string { return fmt.Sprint(n) }),
		"conv_rate":  rapid.SampledFrom([]string{"null", "0.5", `"NaN"`, "-0"}),
		"trips":      rapid.SampledFrom([]string{"1", `{"increment": -2}`, `"3"`}),
		"tags":       rapid.SampledFrom([]string{`[]`, `["a","b"]`, `{"add":["a"],"remove":["b"]}`}),
		"profile":    rapid.SampledFrom([]string{"null", `{"a": [1]}`, `"x"`}),
		"flag":       rapid.SampledFrom([]string{"null", `"x"`}),
		"event_time": rapid.SampledFrom([]string{"null", `"2026-08-21T10:59:42Z"`, "1787309982"}),
	}
	rapid.Check(t, func(t *rapid.T) {
		names := []string{"driver_id", "trips"}
		for _, name := range []string{"conv_rate", "tags", "profile", "flag", "event_time"} {
			if rapid.Bool().Draw(t, name) {
				names = append(names, name)
			}
		}
		n := rapid.IntRange(0, 5).Draw(t, "rows")
		rows, columns := make([][]string, n), map[string][]string{}
		for _, name := range names {
			columns[name] = []string{}
			for i := range n {
				v := values[name].Draw(t, name)
				columns[name] = append(columns[name], v)
				rows[i] = append(rows[i], fmt.Sprintf("%q:%s", name, v))
			}
		}
		var objects, lists []string
		for _, row := range rows {
			objects = append(objects, "{"+strings.Join(row, ",")+"}")
		}
		for name, column := range columns {
			lists = append(lists, fmt.Sprintf("%q:[%s]", name, strings.Join(column, ",")))
		}
		byRows := converted(t, views, `{"push_source":"driver_push","rows":[`+strings.Join(objects, ",")+`]}`)
		byColumns := converted(t, views, `{"push_source":"driver_push","columns":{`+strings.Join(lists, ",")+`}}`)
		if !reflect.DeepEqual(byRows, byColumns) {
			t.Fatalf("rows make %+v\ncolumns make %+v", byRows, byColumns)
		}
	})
}

func converted(t *rapid.T, views []*feature.ResolvedView, body string) *rows {
	t.Helper()
	push, err := api.ScanPush([]byte(body), 100)
	if err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	var src rowSource = pushRows{push}
	if push.Columns != nil {
		if src, err = newColumns(push.Columns); err != nil {
			t.Fatalf("%s: %v", body, err)
		}
	}
	out, err := convert(views, rowRules{eventTime: api.EventTimeField, now: noon.UnixNano(), most: 1000}, src)
	if err != nil {
		text, _ := json.Marshal(err)
		t.Fatalf("%s: %s", body, text)
	}
	return out
}

// TestChangesAreOrderedAsTheStoreWantsThem: assignments by rising feature, one
// each, whatever the order of the body.
func TestChangesAreOrderedAsTheStoreWantsThem(t *testing.T) {
	h := newHouse(t)
	c, _ := h.store.Registry().Catalog("rides")
	view, _ := c.View("driver_stats")
	push, err := api.ScanPush([]byte(`{"view":"driver_stats","rows":[{"total":1,"vip":true,"driver_id":1,"conv_rate":1}]}`), 1)
	if err != nil {
		t.Fatal(err)
	}
	out, err := convert([]*feature.ResolvedView{view}, rowRules{now: noon.UnixNano(), most: 1000}, pushRows{push})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, a := range out.changes[0].Assignments {
		f, _ := view.FieldByID(a.Feature)
		got = append(got, f.Name)
	}
	if want := []string{"conv_rate", "vip", "total"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
