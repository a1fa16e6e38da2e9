package sdk_test

import (
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"featurestore/api"
	"featurestore/sdk"
)

// driver is what most tests look up and push.
type driver struct {
	ID       int64                 `key:"driver_id"`
	ConvRate sdk.Optional[float32] `feature:"driver_stats:conv_rate"`
	Trips    sdk.Counter[int64]    `feature:"driver_stats:trips"`
	Tags     []string              `feature:"driver_stats:tags"`
}

func TestEveryTypeSurvivesTheStore(t *testing.T) {
	type row struct {
		ID      int64             `key:"driver_id"`
		Bool    bool              `feature:"bool"`
		Int32   int32             `feature:"int32"`
		Int64   int64             `feature:"int64"`
		Float32 float32           `feature:"float32"`
		Float64 float64           `feature:"float64"`
		Text    string            `feature:"string"`
		Bytes   []byte            `feature:"bytes"`
		Time    time.Time         `feature:"time"`
		UUID    [16]byte          `feature:"uuid"`
		Decimal string            `feature:"decimal"`
		JSON    map[string]string `feature:"json"`
		Times   []time.Time       `feature:"times"`
		Blobs   [][]byte          `feature:"blobs"`
		Vector  [3]float32        `feature:"vector"`
		At      time.Time         `feature:"@event_time"`
	}
	c := newClient(t, newStore(t).url)
	at := time.Now().UTC().Truncate(time.Nanosecond)
	want := []row{
		{ID: 1, Bool: true, Int32: math.MinInt32, Int64: math.MaxInt64, Float32: 0.1, Float64: math.Inf(1), Text: "\u2028\"é", Bytes: []byte{0, 255},
			Time: at, UUID: [16]byte{1, 15: 2}, Decimal: "12.50", JSON: map[string]string{"a": "<b>"}, Times: []time.Time{at}, Blobs: [][]byte{{}, {1}},
			Vector: [3]float32{1, -2.5, 1e-30}, At: at},
		{ID: 2, Bytes: []byte{}, Time: time.Unix(0, 0).UTC(), JSON: map[string]string{}, Times: []time.Time{}, Blobs: [][]byte{}, Decimal: "0", At: at},
	}
	if _, err := sdk.Push(t.Context(), c, sdk.View("everything"), want...); err != nil {
		t.Fatal(err)
	}
	got, err := sdk.Lookup[row](t.Context(), c, sdk.Features(), sdk.Keys(row{ID: 1}, row{ID: 2}))
	if err != nil {
		t.Fatal(err)
	}
	for i := range want {
		if !reflect.DeepEqual(got.Rows[i], want[i]) {
			t.Errorf("row %d: got  %+v\nwant %+v", i, got.Rows[i], want[i])
		}
	}
	if got.Met.Region != "eu" || got.Met.Store != "eu-1" || got.Met.Level == "" {
		t.Errorf("got %+v, want a level met by eu/eu-1", got.Met)
	}
}

// K2.
func TestRowsComeInTheOrderAskedHoweverTheLookupWasSplit(t *testing.T) {
	c := newClient(t, newStore(t).url, func(cfg *sdk.Config) { cfg.LookupEntities, cfg.LookupParts = 7, 3 })
	const n = 100
	var rows []driver
	var ids []int64
	for i := range int64(n) {
		rows = append(rows, driver{ID: i, ConvRate: sdk.Some(float32(i))})
		ids = append(ids, (i*37)%n)
	}
	if _, err := sdk.Push(t.Context(), c, sdk.View("driver_stats"), rows...); err != nil {
		t.Fatal(err)
	}
	got, err := sdk.Lookup[driver](t.Context(), c, sdk.Service("driver_v1"), sdk.Columns{"driver_id": ids})
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Rows) != n || len(got.Parts) != 15 {
		t.Fatalf("got %d rows in %d parts, want %d in 15", len(got.Rows), len(got.Parts), n)
	}
	for i, id := range ids {
		r := got.Rows[i]
		if r.ID != id || r.ConvRate.Value != float32(id) || got.Status(i, "driver_stats:conv_rate") != sdk.Present {
			t.Fatalf("row %d: got %+v, want driver %d", i, r, id)
		}
	}
	none, err := sdk.Lookup[driver](t.Context(), c, sdk.Service("driver_v1"), sdk.Keys[driver]())
	if err != nil || len(none.Rows) != 0 {
		t.Errorf("a lookup of nothing: got %v, %v; want no rows", none, err)
	}
}

func TestStatusesTellAbsentNullAndOldApart(t *testing.T) {
	c := newClient(t, newStore(t).url)
	type stats struct {
		ID       int64                 `key:"driver_id"`
		ConvRate sdk.Optional[float32] `feature:"driver_stats:conv_rate"`
		Rating   *float64              `feature:"driver_stats:rating"`
		At       time.Time             `feature:"@event_time"`
	}
	old := time.Now().Add(-48 * time.Hour).UTC()
	rating := 4.5
	_, err := sdk.Push(t.Context(), c, sdk.View("driver_stats"),
		stats{ID: 1, ConvRate: sdk.NullOf[float32](), Rating: &rating},
		stats{ID: 2, ConvRate: sdk.Some[float32](0.5), At: old})
	if err != nil {
		t.Fatal(err)
	}
	got, err := sdk.Lookup[stats](t.Context(), c, sdk.Features(), sdk.Keys(stats{ID: 1}, stats{ID: 2}, stats{ID: 3}))
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []sdk.Status{sdk.NullValue, sdk.OutsideMaxAge, sdk.NotFound} {
		if status := got.Rows[i].ConvRate.Status; status != want {
			t.Errorf("driver %d: got %s, want %s", i+1, status, want)
		}
	}
	if r := got.Rows[0].Rating; r == nil || *r != rating {
		t.Errorf("got rating %v, want %v", r, rating)
	}
	if r := got.Rows[1].Rating; r != nil {
		t.Errorf("got rating %v of a feature never written, want nil", *r)
	}
	if at := got.Rows[1].ConvRate.EventTime; !at.Equal(old) {
		t.Errorf("got event time %v of the old value, want %v", at, old)
	}
}

// K1.
func TestMismatchIsToldBeforeAnythingIsRead(t *testing.T) {
	c := newClient(t, newStore(t).url)
	type wrong struct {
		ID    int64 `key:"driver_id"`
		Trips int32 `feature:"driver_stats:trips"`
	}
	_, err := sdk.Lookup[wrong](t.Context(), c, sdk.Service("driver_v1"), sdk.Keys(wrong{ID: 1}))
	want := `wrong.Trips: tag feature:"driver_stats:trips": the feature is int64, which a Go int32 does not hold; use sdk.Counter[int64]`
	if !errors.Is(err, sdk.ErrMismatch) || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %v with %s", err, sdk.ErrMismatch, want)
	}
	_, err = sdk.Lookup[driver](t.Context(), c, sdk.Service("driver_v2"), sdk.Keys(driver{ID: 1}))
	if !errors.Is(err, sdk.ErrServiceNotFound) || !strings.Contains(err.Error(), "driver_v1") {
		t.Errorf("got %v, want %v that suggests driver_v1", err, sdk.ErrServiceNotFound)
	}
	_, err = sdk.Lookup[driver](t.Context(), c, sdk.Service("driver_v1"), sdk.Columns{"driver_id": []int64{1}, "city": []string{"x", "y"}})
	if err == nil || !strings.Contains(err.Error(), "column driver_id has 1 values, column city has 2") {
		t.Errorf("ragged columns: got %v", err)
	}
}

// K4.
func TestErrorsCarryTheServersCodeAndField(t *testing.T) {
	s := newStore(t)
	c := newClient(t, s.url)
	_, err := sdk.Lookup[driver](t.Context(), c, sdk.Service("driver_v1"), sdk.Columns{"driver_id": []string{"x"}})
	var p *api.Problem
	var e *sdk.Error
	if !errors.As(err, &p) || !errors.As(err, &e) || p.Field != "entities.driver_id[0]" || e.Op != "lookup" || e.Tries != 1 {
		t.Errorf("got %v, want a problem at entities.driver_id[0] after one try", err)
	}
	other := newClient(t, s.url, func(cfg *sdk.Config) { cfg.Project = "ride" })
	_, err = sdk.Lookup[driver](t.Context(), other, sdk.Service("driver_v1"), sdk.Keys(driver{ID: 1}))
	if !errors.Is(err, sdk.ErrProjectNotFound) || errors.Is(err, sdk.ErrViewNotFound) || errors.Is(err, sdk.ErrUnreachable) {
		t.Errorf("got %v, want %v alone", err, sdk.ErrProjectNotFound)
	}
	bad := sdk.Service("driver_v1").At(sdk.ReadOptions{Level: sdk.Leader, OnUnmet: sdk.Fail})
	if _, err := sdk.Lookup[driver](t.Context(), c, bad, sdk.Keys(driver{ID: 1})); !errors.As(err, &p) {
		t.Errorf("a level that the group does not offer: got %v, want a problem", err)
	}
}

func TestAConcernThatCannotBeMetIsRefusedBeforeWriting(t *testing.T) {
	c := newClient(t, newStore(t).url, func(cfg *sdk.Config) { cfg.Retry.Tries = 2 })
	to := sdk.View("driver_stats")
	to.Concern = "any:1"
	_, err := sdk.Push(t.Context(), c, to, driver{ID: 1, Trips: sdk.Increment[int64](1)})
	var e *sdk.Error
	if !errors.Is(err, sdk.ErrNotEnoughLive) || !errors.As(err, &e) || e.Tries != 2 || e.OutcomeUnknown || sdk.Applied(err) {
		t.Errorf("got %v, want %v after 2 tries", err, sdk.ErrNotEnoughLive)
	}
	if got := totals(t, c, 2)[1]; got != 0 {
		t.Errorf("got %d trips of a push that was refused", got)
	}
}

func TestStructBoundBeforeAnApplyIsBoundAgain(t *testing.T) {
	c := newClient(t, newStore(t).url)
	type conv struct {
		ID   int64   `key:"driver_id"`
		Conv float32 `feature:"driver_stats:conv_rate"`
	}
	look := func() {
		t.Helper()
		if _, err := sdk.Lookup[conv](t.Context(), c, sdk.Service("driver_v1"), sdk.Keys(conv{ID: 1})); err != nil {
			t.Fatal(err)
		}
	}
	look()
	changed := strings.Replace(rides, `features: ["driver_stats:conv_rate", "driver_stats:trips"`, `features: ["driver_stats:trips", "driver_stats:conv_rate", "driver_stats:rating"`, 1)
	if _, err := c.Apply(t.Context(), []byte(changed), nil); err != nil {
		t.Fatal(err)
	}
	look()
}

func TestRegistryIsReadAndChangedByCompareAndSwap(t *testing.T) {
	c := newClient(t, newStore(t).url)
	ctx := t.Context()
	views, err := c.Views(ctx)
	if err != nil || len(views) != 3 || views[0].Name != "driver_stats" {
		t.Fatalf("got views %v, %v", views, err)
	}
	if _, err := c.View(ctx, "drivers"); !errors.Is(err, sdk.ErrViewNotFound) {
		t.Errorf("got %v, want %v", err, sdk.ErrViewNotFound)
	}
	changed := []byte(strings.Replace(rides, "ttl: 24h", "ttl: 48h", 1))
	plan, err := c.Plan(ctx, changed)
	if err != nil || len(plan.Changes) != 1 {
		t.Fatalf("got plan %+v, %v; want one change", plan, err)
	}
	if _, err := c.Apply(ctx, changed, &plan.From); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Apply(ctx, []byte(rides), &plan.From); !errors.Is(err, sdk.ErrConflict) {
		t.Errorf("an apply that was planned before: got %v, want %v", err, sdk.ErrConflict)
	}
}

func TestColumnsArePushedAndEntitiesDeleted(t *testing.T) {
	c := newClient(t, newStore(t).url)
	ctx := t.Context()
	got, err := c.PushColumns(ctx, sdk.View("driver_city_stats"), sdk.Columns{
		"driver_id": []int64{1, 2}, "city": []string{"Bonn", "Köln"}, "tips": []json.RawMessage{json.RawMessage("1.5"), json.RawMessage("null")},
	})
	if err != nil || got.Accepted != 2 || got.Session == "" {
		t.Fatalf("got %+v, %v; want 2 accepted and a token", got, err)
	}
	type tips struct {
		ID   int64                 `key:"driver_id"`
		City string                `key:"city"`
		Tips sdk.Optional[float64] `feature:"tips"`
	}
	keys := sdk.Keys(tips{ID: 1, City: "Bonn"}, tips{ID: 2, City: "Köln"})
	statuses := func() (out []sdk.Status) {
		r, err := sdk.Lookup[tips](ctx, c, sdk.Features(), keys)
		if err != nil {
			t.Fatal(err)
		}
		return []sdk.Status{r.Rows[0].Tips.Status, r.Rows[1].Tips.Status}
	}
	if got, want := statuses(), []sdk.Status{sdk.Present, sdk.NullValue}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if _, err := c.Delete(ctx, sdk.View("driver_city_stats"), keys, time.Time{}); err != nil {
		t.Fatal(err)
	}
	if got, want := statuses(), []sdk.Status{sdk.NotFound, sdk.NotFound}; !reflect.DeepEqual(got, want) {
		t.Errorf("after the delete: got %v, want %v", got, want)
	}
}

func TestAQueryNamesFeaturesWithoutAStruct(t *testing.T) {
	c := newClient(t, newStore(t).url)
	at := time.Now().UTC().Truncate(time.Second)
	row := sdk.RawRow(`{"driver_id": 1, "conv_rate": null, "event_time": "` + at.Format(time.RFC3339) + `"}`)
	if _, err := sdk.Push(t.Context(), c, sdk.View("driver_stats"), row); err != nil {
		t.Fatal(err)
	}
	const written, absent = "driver_stats:conv_rate", "driver_stats:trips"
	q := sdk.Query{Names: []string{written, absent}}
	got, err := sdk.Lookup[struct{}](t.Context(), c, q, sdk.Columns{"driver_id": []int64{1}})
	if err != nil {
		t.Fatal(err)
	}
	if s := got.Status(0, written); s != sdk.NullValue || !got.EventTime(0, written).Equal(at) {
		t.Errorf("got %s at %v, want a null at %v", s, got.EventTime(0, written), at)
	}
	if s := got.Status(0, absent); s != sdk.NotFound {
		t.Errorf("got %s of what was not written", s)
	}
	q.Service = "driver_v1"
	if _, err := sdk.Lookup[struct{}](t.Context(), c, q, sdk.Columns{"driver_id": []int64{1}}); err == nil || !strings.Contains(err.Error(), "give one of them") {
		t.Errorf("got %v, want that one of them is to be given", err)
	}
}
