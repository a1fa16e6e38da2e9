package server

import (
	"context"
	"fmt"
	"iter"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"featurestore/api"
	"featurestore/feature"
	"featurestore/feature/definition"
	"featurestore/offline/history"
	"featurestore/offline/served"
)

// takenDown is a served log in memory.
type takenDown struct {
	fraction float64
	lookups  []*served.Lookup
	leftOut  int
}

func (n *takenDown) Samples(id string) bool { return served.Samples(id, n.fraction) }

func (n *takenDown) Erase(context.Context, []feature.ViewID, ...feature.Key) (served.Erased, error) {
	return served.Erased{Entities: 2, Files: 1}, nil
}

func (n *takenDown) Count(context.Context, []feature.ViewID, ...feature.Key) (served.Erased, error) {
	return served.Erased{}, nil
}

func (n *takenDown) Offer(_ context.Context, x *served.Lookup, leftOut int) {
	n.lookups, n.leftOut = append(n.lookups, x), n.leftOut+leftOut
}

func marketNoted(t *testing.T, fraction float64) (*house, *takenDown) {
	t.Helper()
	log := &takenDown{fraction: fraction}
	h := newHouse(t, func(c *Config) { c.Served = log })
	d, err := definition.Parse("market.yaml", strings.NewReader(market))
	if err == nil {
		_, err = h.store.Apply(t.Context(), d, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	return h, log
}

func (h *house) postMarket(path, body string, headers ...string) *httptest.ResponseRecorder {
	h.Helper()
	return h.do(http.MethodPost, "/v1/projects/market/"+path, body, headers...)
}

// What is offered is what was answered: cell for cell, with what was read for
// computations; by either dialect's path, whatever became of the lookup's memory since.
func TestWhatIsLoggedIsWhatWasAnswered(t *testing.T) {
	h, log := marketNoted(t, 1)
	for _, body := range []string{
		`{"view": "buyers", "rows": [{"buyer_id": 1, "score": 0.5, "orders": 2}, {"buyer_id": 2, "score": null, "event_time": "2026-08-19T12:00:00Z"}]}`,
		`{"view": "items", "rows": [{"sku": "x", "price": 2, "labels": ["new", "red"]}]}`,
	} {
		if w := h.postMarket("push", body); w.Code != http.StatusOK {
			t.Fatal(w.Body)
		}
	}
	const body = `{"features": ["items:labels", "buyers:tier", "offer:share", "buyers:orders", "offer:total"],
		"entities": {"buyer_id": [1, 2, 3], "sku": ["x", "x", "none"]}, "request": {"quantity": [3, 1, 1]}}`
	w := h.postMarket("lookup", body, api.HeaderRequestID, "first")
	got := answer[api.LookupResponse](h, w)
	// Another lookup uses its memory.
	h.postMarket("lookup", strings.NewReplacer("1, 2, 3", "7, 8, 9", `"x", "x", "none"`, `"y", "y", "y"`).Replace(body), api.HeaderRequestID, "second")
	if len(log.lookups) != 2 || log.leftOut != 0 {
		t.Fatalf("%d lookups are logged, and %d cells left out", len(log.lookups), log.leftOut)
	}
	x := log.lookups[0]
	if x.Request != "first" || x.At != noon.UnixNano() || x.Project != "market" || x.Asked != "session" || x.Met != "session" || x.Revision == 0 {
		t.Errorf("it is logged as %+v", x)
	}
	cells := map[string]served.Cell{}
	for _, r := range x.Rows {
		for _, c := range r.Cells {
			cells[fmt.Sprintf("%d %s:%s", r.Entity, r.View, c.Feature)] = c
		}
		shard := feature.Shard{}
		if r.ID != 0 {
			c, _ := h.store.Registry().Catalog("market")
			v, _ := c.View(r.View)
			shard = v.Shard(r.Key)
		}
		if r.Shard != shard || r.ID != 0 && !r.From.Equal(h.store.Heads(shard)) || !r.Until.Equal(r.From) {
			t.Errorf("row of %s in shard %v from %v until %v, the logs are at %v", r.View, r.Shard, r.From, r.Until, h.store.Heads(shard))
		}
	}
	answered := 0
	for entity, row := range got.Rows {
		for i, name := range got.Features {
			answered++
			c, ok := cells[fmt.Sprintf("%d %s", entity, name)]
			if !ok || !c.Answered || string(c.Status) != string(row.Statuses[i]) {
				t.Errorf("%s of entity %d is %s in the answer, and %+v in the log", name, entity, row.Statuses[i], c)
			}
			if want := string(row.Values[i]); string(api.AppendValue(nil, c.Value)) != want {
				t.Errorf("%s of entity %d is %s in the answer, and %v in the log", name, entity, want, c.Value)
			}
			at := "null"
			if c.Timed {
				at = string(api.AppendTime(nil, c.EventTime))
			}
			want := "null"
			if row.EventTimes[i] != nil {
				want = strconv.Quote(*row.EventTimes[i])
			}
			if at != want {
				t.Errorf("%s of entity %d is of %s in the answer, and of %s in the log", name, entity, want, at)
			}
		}
	}
	for name, c := range map[string]string{"0 items:price": "2", "0 buyers:score": "0.5", "1 offer:quantity": "1"} {
		if got := cells[name]; got.Answered || got.Value.String() != c {
			t.Errorf("%s, which was read for a computation, is logged as %+v", name, got)
		}
	}
	if want := answered + 3*3; len(cells) != want {
		t.Errorf("%d cells are logged, want %d", len(cells), want)
	}
}

// A lookup that is not in the sample is not looked at, and one that failed is not logged.
func TestOnlyTheSampleIsLogged(t *testing.T) {
	h, log := marketNoted(t, 0.5)
	const body = `{"features": ["buyers:tier"], "entities": {"buyer_id": [1]}}`
	want := 0
	for i := range 40 {
		id := fmt.Sprint("request-", i)
		if served.Samples(id, 0.5) {
			want++
		}
		h.postMarket("lookup", body, api.HeaderRequestID, id)
		h.postMarket("lookup", `{"features": ["buyers:none"], "entities": {"buyer_id": [1]}}`, api.HeaderRequestID, id)
	}
	if len(log.lookups) != want || want == 0 || want == 40 {
		t.Errorf("%d of 40 lookups are logged, want %d", len(log.lookups), want)
	}
}

// Feast's dialect is logged alike.
func TestFeastsLookupsAreLogged(t *testing.T) {
	h, log := marketNoted(t, 1)
	h.server.cfg.FeastProject = "market"
	w := h.do(http.MethodPost, "/get-online-features", `{"features": ["buyers:tier"], "entities": {"buyer_id": [1, 2]}}`)
	if w.Code != http.StatusOK {
		t.Fatal(w.Body)
	}
	if len(log.lookups) != 1 || len(log.lookups[0].Rows) != 2 || log.lookups[0].Rows[1].Cells[0].Value.String() != "basic" {
		t.Errorf("it is logged as %+v", log.lookups)
	}
}

// Of a lookup of very many cells the first entities are logged, whole.
func TestALargeLookupIsLoggedInPart(t *testing.T) {
	log := &takenDown{fraction: 1}
	h := newHouse(t, func(c *Config) { c.Served = log })
	c, _ := h.store.Registry().Catalog("rides")
	v, _ := c.View("driver_stats")
	var names []string
	for _, f := range v.Fields {
		names = append(names, `"driver_stats:`+f.Name+`"`)
	}
	ids := strings.TrimSuffix(strings.Repeat("1,", 1000), ",")
	h.post("lookup", `{"features": [`+strings.Join(names, ",")+`], "entities": {"driver_id": [`+ids+`]}}`)
	want := served.MaxCells / len(names)
	if len(log.lookups) != 1 || len(log.lookups[0].Rows) != want || log.leftOut != (1000-want)*len(names) {
		t.Fatalf("%d entities are logged, want %d; %d cells are left out", len(log.lookups[0].Rows), want, log.leftOut)
	}
	if row := log.lookups[0].Rows[want-1]; row.Entity != want-1 || len(row.Cells) != len(names) {
		t.Errorf("the last is logged as %+v", row)
	}
}

// The row itself tells what it has beyond what was published when it was read.
func TestARowMayBeAheadOfWhatIsPublished(t *testing.T) {
	h := newHouse(t)
	h.post("push", `{"view": "driver_stats", "rows": [{"driver_id": 7, "trips": 1, "name": "a"}]}`)
	c, _ := h.store.Registry().Catalog("rides")
	v, _ := c.View("driver_stats")
	key, err := feature.AppendKeyValue(nil, feature.OfInt64(7))
	if err != nil {
		t.Fatal(err)
	}
	shard := v.Shard(key)
	before := h.store.Heads(shard)
	h.post("push", `{"view": "driver_stats", "rows": [{"driver_id": 7, "trips": 1}]}`)
	rows, err := h.store.ReadRows(t.Context(), []feature.RowKey{{Shard: shard, View: v.ID, Key: key}}, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	kept := before.Clone()
	got, err := until(before, rows[0])
	if err != nil || !got.Equal(h.store.Heads(shard)) || !before.Equal(kept) {
		t.Errorf("got %v, %v, want %v; what was given is %v", got, err, h.store.Heads(shard), before)
	}
	if same, err := until(got, rows[0]); err != nil || !same.Equal(got) {
		t.Errorf("got %v, %v, want %v", same, err, got)
	}
	if got, err := until(before, nil); err != nil || !got.Equal(before) {
		t.Errorf("of no row: got %v, %v, want %v", got, err, before)
	}
}

// BenchmarkServedLog is a lookup with a served log, beside one without: of none, one in a
// hundred and all of the lookups.
func BenchmarkServedLog(b *testing.B) {
	for _, fraction := range []float64{-1, 0.0001, 0.01, 1} {
		for _, entities := range []int{1, 100} {
			b.Run(fmt.Sprintf("entities=%d/fraction=%v", entities, max(fraction, 0)), func(b *testing.B) {
				h, stop := loggingHouse(b, fraction)
				defer stop()
				var ids []string
				for id := range entities {
					h.post("push", fmt.Sprintf(`{"view": "driver_stats", "rows": [{"driver_id": %d, "conv_rate": 0.5, "trips": 1}]}`, id))
					ids = append(ids, fmt.Sprint(id))
				}
				body := `{"service": "driver_v1", "entities": {"driver_id": [` + strings.Join(ids, ",") + `]}}`
				b.ReportAllocs()
				w := discard{header: http.Header{}}
				for b.Loop() {
					r := httptest.NewRequest(http.MethodPost, "/v1/projects/rides/lookup", strings.NewReader(body))
					r.Header["Content-Type"] = headerJSON
					h.server.Handler().ServeHTTP(w, r)
				}
			})
		}
	}
}

// loggingHouse is a house with a served log that runs; without one below zero.
func loggingHouse(b *testing.B, fraction float64) (h *house, stop func()) {
	if fraction < 0 {
		return newHouse(b), func() {}
	}
	log, err := served.New(served.Config{Files: nowhere{}, Fraction: fraction, Region: "eu", Store: "eu-1"})
	if err != nil {
		b.Fatal(err)
	}
	ctx, end := context.WithCancel(b.Context())
	ended := make(chan error, 1)
	go func() { ended <- log.Run(ctx) }()
	return newHouse(b, func(c *Config) { c.Served = log }), func() {
		end()
		if err := <-ended; err != nil {
			b.Error(err)
		}
	}
}

// nowhere is Files that keep nothing.
type nowhere struct{}

func (nowhere) Create(context.Context, string, []byte) error { return nil }

func (nowhere) Open(context.Context, string) (history.File, error) { return nil, history.ErrNotExist }

func (nowhere) List(context.Context, string) iter.Seq2[string, error] {
	return func(func(string, error) bool) {}
}

func (nowhere) Remove(context.Context, string) error { return nil }
