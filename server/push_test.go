package server

import (
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"featurestore/api"
	"featurestore/consistency"
	"featurestore/feature"
	"featurestore/feature/definition"
	"featurestore/hlc"
	"featurestore/meta"
)

func TestPushThenLookup(t *testing.T) {
	h := newHouse(t)
	w := h.post("push", `{"view": "driver_stats", "rows": [
		{"driver_id": 1001, "conv_rate": 0.5, "trips": {"increment": 2}, "tags": ["a","b"], "event_time": "2026-08-21T10:59:42Z", "total": 9007199254740993},
		{"driver_id": 1002, "conv_rate": null, "trips": 1, "event_time": "2026-08-21 10:59:43"}]}`)
	got := answer[api.PushResponse](h, w)
	if got.Accepted != 2 || got.Superseded != 0 || got.Repeated {
		t.Errorf("got %+v", got)
	}
	if got.Position.Region != "eu" || !strings.HasPrefix(got.Position.At, "2026-08-21T12:00:00") {
		t.Errorf("position %+v", got.Position)
	}
	if got.Concern.Asked != "region_quorum" || !got.Concern.Met || got.Concern.Acked.Stores != 1 || len(got.Concern.Acked.Regions) != 1 {
		t.Errorf("concern %+v", got.Concern)
	}
	if got.Session == "" || w.Header().Get(api.HeaderSession) != got.Session || w.Header().Get(api.HeaderServedBy) != "eu/eu-1" {
		t.Errorf("session %q, headers %v", got.Session, w.Header())
	}
	look := answer[api.LookupResponse](h, h.post("lookup",
		`{"features": ["driver_stats:conv_rate","driver_stats:trips","driver_stats:tags","driver_stats:total"], "entities": {"driver_id": [1001, 1002, 9]}}`,
		api.HeaderSession, got.Session, api.HeaderConsistency, "session"))
	for i, want := range []string{`0.5 2 ["a","b"] 9007199254740993`, `null 1 null null`, `null null null null`} {
		var values []string
		for _, v := range look.Rows[i].Values {
			values = append(values, string(v))
		}
		if got := strings.Join(values, " "); got != want {
			t.Errorf("row %d: got %s, want %s", i, got, want)
		}
	}
}

func TestPushByColumnsIsPushByRows(t *testing.T) {
	h := newHouse(t)
	got := answer[api.PushResponse](h, h.post("push", `{"view": "place_stats", "columns": {
		"city": ["Rome", "Oslo"], "zone": [1, 2], "demand": [0.5, "NaN"], "event_time": ["2026-08-21T10:59:42Z", null]}}`))
	if got.Accepted != 2 {
		t.Errorf("got %+v", got)
	}
	look := answer[api.LookupResponse](h, h.post("lookup",
		`{"features": ["place_stats:demand"], "entities": {"city": ["Oslo", "Rome"], "zone": [2, 1]}}`))
	if v := string(look.Rows[0].Values[0]); v != `"NaN"` {
		t.Errorf("got %s", v)
	}
	if e := look.Rows[0].EventTimes[0]; e == nil || *e != "2026-08-21T12:00:00Z" {
		t.Errorf("a null event time is the store's clock, got %v", e)
	}
	if v := string(look.Rows[1].Values[0]); v != `0.5` {
		t.Errorf("got %s", v)
	}
}

func TestPushSourceFeedsEveryView(t *testing.T) {
	h := newHouse(t)
	answer[api.PushResponse](h, h.post("push", `{"push_source": "driver_push", "rows": [{"driver_id": 7, "conv_rate": 0.25, "flag": "x"}, {"driver_id": 8, "flag": "y"}]}`))
	look := answer[api.LookupResponse](h, h.post("lookup",
		`{"features": ["driver_stats:conv_rate", "driver_flags:flag"], "entities": {"driver_id": [7, 8]}}`))
	if got := string(look.Rows[0].Values[0]) + string(look.Rows[0].Values[1]) + string(look.Rows[1].Values[0]) + string(look.Rows[1].Values[1]); got != `0.25"x"null"y"` {
		t.Errorf("got %s", got)
	}
	if _, rows := h.stored(); rows != 3 {
		t.Errorf("%d rows, want 3: a view without a value in a row gets none", rows)
	}
}

func TestPushOfflineIsLoggedAndNotServed(t *testing.T) {
	h := newHouse(t)
	answer[api.PushResponse](h, h.post("push", `{"view": "driver_stats", "to": "offline", "rows": [{"driver_id": 7, "conv_rate": 0.25}]}`))
	if entries, rows := h.stored(); entries != 1 || rows != 0 {
		t.Errorf("%d entries, %d rows; want 1 and 0", entries, rows)
	}
}

// TestViewThatIsNotOnline: its pushes go to the log unless they say otherwise,
// and views that disagree make the push say which.
func TestViewThatIsNotOnline(t *testing.T) {
	h := newHouse(t)
	d, err := definition.Parse("rides.yaml", strings.NewReader(strings.Replace(rides, "name: driver_flags\n", "name: driver_flags\n    online: false\n", 1)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.store.Apply(t.Context(), d, nil); err != nil {
		t.Fatal(err)
	}
	answer[api.PushResponse](h, h.post("push", `{"view": "driver_flags", "rows": [{"driver_id": 7, "flag": "x"}]}`))
	if entries, rows := h.stored(); entries != 1 || rows != 0 {
		t.Errorf("%d entries, %d rows; want 1 and 0", entries, rows)
	}
	p := h.problem(h.post("push", `{"push_source": "driver_push", "rows": [{"driver_id": 7, "flag": "x"}]}`))
	if p.Code != api.CodeInvalidRequest || p.Field != "to" {
		t.Errorf("got %+v", p)
	}
	answer[api.PushResponse](h, h.post("push", `{"push_source": "driver_push", "to": "online", "rows": [{"driver_id": 7, "flag": "x"}]}`))
	if _, rows := h.stored(); rows != 1 {
		t.Errorf("%d rows, want 1", rows)
	}
}

func TestOlderEventIsSuperseded(t *testing.T) {
	h := newHouse(t)
	push := func(at string) api.PushResponse {
		return answer[api.PushResponse](h, h.post("push",
			`{"view": "place_stats", "rows": [{"city": "Rome", "zone": 1, "demand": 1, "event_time": "2026-08-21T10:00:00Z"}, {"city": "Oslo", "zone": 1, "demand": 1, "event_time": "`+at+`"}]}`))
	}
	push("2026-08-21T11:00:00Z")
	got := push("2026-08-20T11:00:00Z")
	if got.Superseded != 1 || len(got.SupersededRows) != 1 || got.SupersededRows[0] != 1 {
		t.Errorf("got %+v, want row 1 superseded", got)
	}
	if entries, _ := h.stored(); entries < 2 {
		t.Errorf("%d entries; a superseded event is logged all the same", entries)
	}
}

func TestIdempotencyKey(t *testing.T) {
	h := newHouse(t)
	body := `{"view": "driver_stats", "rows": [{"driver_id": 7, "trips": 1}]}`
	first := answer[api.PushResponse](h, h.post("push", body, api.HeaderIdempotency, "a"))
	again := answer[api.PushResponse](h, h.post("push", body, api.HeaderIdempotency, "a"))
	if first.Repeated || !again.Repeated || again.Position != first.Position {
		t.Errorf("got %+v, then %+v", first, again)
	}
	p := h.problem(h.post("push", strings.Replace(body, "1}", "2}", 1), api.HeaderIdempotency, "a"))
	if p.Code != api.CodeIdempotencyKeyReused || p.Field != api.HeaderIdempotency || !strings.HasPrefix(p.Detail, `"a" named another request before`) {
		t.Errorf("got %+v", p)
	}
	p = h.problem(h.post("push", body, api.HeaderIdempotency, strings.Repeat("x", 300)))
	if p.Code != api.CodeInvalidHeader || p.Field != api.HeaderIdempotency {
		t.Errorf("got %+v", p)
	}
	if entries, _ := h.stored(); entries != 1 {
		t.Errorf("%d entries, want 1", entries)
	}
}

// What is applied between a request and its repetition changes neither what
// was done nor the answer.
func TestARepeatedRequestIsAnsweredAfterItsViewsAreGone(t *testing.T) {
	h := newHouse(t)
	newer := `{"push_source": "driver_push", "rows": [{"driver_id": 7, "name": "new", "event_time": "2026-08-21T11:00:00Z"}]}`
	answer[api.PushResponse](h, h.post("push", newer))
	type request struct{ path, body string }
	requests := []request{
		{"push", strings.NewReplacer("new", "old", "T11", "T10").Replace(newer)},
		{"push", `{"push_source": "driver_push", "columns": {"driver_id": [7], "name": ["old"], "flag": ["x"], "event_time": ["2026-08-21T10:00:00Z"]}}`},
		{"push", `{"view": "driver_flags", "rows": [{"driver_id": 7, "flag": "y"}]}`},
		{"delete", `{"view": "driver_flags", "entities": {"driver_id": [7]}}`},
	}
	var first []api.PushResponse
	for i, r := range requests {
		first = append(first, answer[api.PushResponse](h, h.post(r.path, r.body, api.HeaderIdempotency, strconv.Itoa(i))))
	}
	if first[0].Superseded != 1 || first[1].Superseded != 0 {
		t.Errorf("got %+v, %+v; want row 0 superseded in the first and, for its flag, not in the second", first[0], first[1])
	}
	h.apply(mixed)
	before, _ := h.stored()
	for i, r := range requests {
		again := answer[api.PushResponse](h, h.post(r.path, r.body, api.HeaderIdempotency, strconv.Itoa(i)))
		want := first[i]
		want.Repeated = true
		if !reflect.DeepEqual(again, want) {
			t.Errorf("%s: got %+v, want %+v", r.body, again, want)
		}
		p := h.problem(h.post(r.path, r.body+" ", api.HeaderIdempotency, strconv.Itoa(i)))
		if p.Code != api.CodeIdempotencyKeyReused {
			t.Errorf("another body: got %+v", p)
		}
	}
	if after, _ := h.stored(); after != before {
		t.Errorf("%d entries, then %d", before, after)
	}
}

func TestDelete(t *testing.T) {
	h := newHouse(t)
	answer[api.PushResponse](h, h.post("push", `{"view": "driver_stats", "rows": [{"driver_id": 7, "conv_rate": 0.5, "trips": 3, "event_time": "2026-08-21T10:00:00Z"}]}`))
	got := answer[api.PushResponse](h, h.post("delete", `{"view": "driver_stats", "entities": {"driver_id": [7]}}`))
	if got.Accepted != 1 || got.Session == "" {
		t.Errorf("got %+v", got)
	}
	look := answer[api.LookupResponse](h, h.post("lookup", `{"features": ["driver_stats:conv_rate","driver_stats:trips"], "entities": {"driver_id": [7]}}`))
	if s := look.Rows[0].Statuses; s[0] != api.StatusNotFound || s[1] != api.StatusNotFound {
		t.Errorf("got %v", s)
	}
}

func TestWriteConcernOfHeader(t *testing.T) {
	h := newHouse(t)
	body := `{"view": "driver_stats", "rows": [{"driver_id": 7, "trips": 1}]}`
	if got := answer[api.PushResponse](h, h.post("push", body, api.HeaderWriteConcern, "all")); got.Concern.Asked != "all" || !got.Concern.Met {
		t.Errorf("got %+v", got)
	}
	for header, code := range map[string]api.Code{"any:1": api.CodeNotEnoughLive, "most": api.CodeInvalidHeader} {
		if p := h.problem(h.post("push", body, api.HeaderWriteConcern, header)); p.Code != code {
			t.Errorf("%s: got %+v, want %s", header, p, code)
		}
	}
	if entries, _ := h.stored(); entries != 1 {
		t.Errorf("%d entries, want 1: a refused concern writes nothing", entries)
	}
}

func TestEmptyPushStoresNothing(t *testing.T) {
	h := newHouse(t)
	got := answer[api.PushResponse](h, h.post("push", `{"view": "driver_stats", "rows": []}`))
	if got.Accepted != 0 || got.Position.At != "" {
		t.Errorf("got %+v", got)
	}
	if entries, rows := h.stored(); entries+rows != 0 {
		t.Errorf("%d entries, %d rows", entries, rows)
	}
}

func TestForgedSessionIsRefused(t *testing.T) {
	h := newHouse(t)
	p := h.problem(h.post("push", `{"view": "driver_stats", "rows": [{"driver_id": 7, "trips": 1}]}`, api.HeaderSession, "AAAA"))
	if p.Code != api.CodeTokenInvalid || p.Status != http.StatusBadRequest {
		t.Errorf("got %+v", p)
	}
}

// TestUnmetConcernTellsWhatIsTrue: the rows are stored, the answer says so and
// carries the token that reads them.
func TestUnmetConcernTellsWhatIsTrue(t *testing.T) {
	h := newHouse(t, withPeers(newPeers(silent)))
	h.apply(strings.Replace(rides, "views:", "groups: [{name: default, write: {timeout: 1ms}}]\nviews:", 1))
	body := `{"view": "driver_stats", "rows": [{"driver_id": 7, "trips": 1}]}`
	w := h.post("push", body, api.HeaderWriteConcern, "any:1", api.HeaderIdempotency, "k")
	p := h.problem(w)
	if p.Code != api.CodeConcernTimeout || p.Session == "" || !strings.HasSuffix(p.Detail, "and 1 store has them") || p.Concern == nil || p.Concern.Met || p.Concern.Acked.Stores != 1 || p.Position == nil || p.Position.Region != "eu" || w.Header().Get(api.HeaderSession) != p.Session {
		t.Errorf("got %+v", p)
	}
	if entries, rows := h.stored(); entries != 1 || rows != 1 {
		t.Errorf("%d entries and %d rows, want the one", entries, rows)
	}
	got := answer[api.PushResponse](h, h.post("push", body, api.HeaderWriteConcern, "local", api.HeaderIdempotency, "k"))
	if !got.Repeated || !got.Concern.Met {
		t.Errorf("repeated: got %+v", got)
	}
}

func TestUnmetConcernDegradesWhereTheViewSaysSo(t *testing.T) {
	h := newHouse(t, withPeers(newPeers(silent)))
	h.apply(strings.Replace(rides, "max_lateness: 240h", "write: {concern: all, timeout: 1ms, on_timeout: degrade}", 1))
	got := answer[api.PushResponse](h, h.post("push", `{"view": "place_stats", "rows": [{"city": "Rome", "zone": 1, "demand": 1}]}`))
	if got.Concern.Asked != "all" || got.Concern.Met || got.Concern.Acked.Stores != 1 {
		t.Errorf("got %+v", got)
	}
}

// TestAWriteThatWaitsGoesByItsRequestsTime: with on_timeout wait, and by no other.
func TestAWriteThatWaitsGoesByItsRequestsTime(t *testing.T) {
	var h *house
	var acknowledges atomic.Bool
	p := newPeers(func(_ meta.StoreID, shard feature.Shard) hlc.Vector {
		if !acknowledges.Load() {
			return nil
		}
		return h.store.Progress(shard)
	})
	h = newHouse(t, withPeers(p))
	h.apply(strings.Replace(rides, "max_lateness: 240h", "write: {concern: all, timeout: 1ms, on_timeout: wait}", 1))
	body := `{"view": "place_stats", "rows": [{"city": "Rome", "zone": 1, "demand": 1}]}`
	if p := h.problem(h.post("push", body, api.HeaderTimeout, "100ms")); p.Code != api.CodeConcernTimeout {
		t.Errorf("got %+v, want the concern not met when the request's time is over", p)
	}
	time.AfterFunc(100*time.Millisecond, func() {
		acknowledges.Store(true)
		p.told()
	})
	if got := answer[api.PushResponse](h, h.post("push", body, api.HeaderTimeout, "1m")); !got.Concern.Met || got.Concern.Acked.Stores != 2 {
		t.Errorf("got %+v, want it to wait for longer than its view's timeout", got.Concern)
	}
}

// TestWritesFollowTheirSession: a token is honoured when it is covered, waited
// for when it is not, and reported when it never can be.
func TestWritesFollowTheirSession(t *testing.T) {
	h := newHouse(t)
	body := `{"view": "driver_stats", "rows": [{"driver_id": 7, "trips": 1}]}`
	first := answer[api.PushResponse](h, h.post("push", body))
	answer[api.PushResponse](h, h.post("push", body, api.HeaderSession, first.Session))
	c, _ := h.store.Registry().Catalog("rides")
	g, _ := c.Group("default")
	token := func(origin hlc.Origin) string {
		var unseen consistency.Token
		unseen.Note(feature.Shard{Group: g.ID}, hlc.Position{Origin: origin, At: hlc.FromTime(noon.Add(time.Second))})
		return string(h.server.cfg.Signer.Append(nil, &unseen))
	}
	self := h.store.Identity().Origin
	if p := h.problem(h.post("push", body, api.HeaderSession, token(self))); p.Code != api.CodeSessionLost {
		t.Errorf("a write of this store that it never made: got %+v", p)
	}
	if p := h.problem(h.post("push", body, api.HeaderSession, token(self+1))); p.Code != api.CodeDependencyUnavailable {
		t.Errorf("a write of another store that is not here: got %+v", p)
	}
	if entries, _ := h.stored(); entries != 2 {
		t.Errorf("%d entries, want 2", entries)
	}
}
