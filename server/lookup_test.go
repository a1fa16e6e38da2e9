package server

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"featurestore/api"
	"featurestore/feature"
	"featurestore/feature/definition"
	"featurestore/hlc"
)

const market = `
project: market
entities:
  - {name: buyer, join_keys: [{name: buyer_id, type: int64}]}
  - {name: item, join_keys: [{name: sku, type: string}]}
views:
  - name: buyers
    entity: buyer
    ttl: 24h
    features:
      - {name: score, type: float64}
      - {name: orders, type: int64, conflict: counter}
      - {name: tier, type: string, default: basic}
  - name: items
    entity: item
    features:
      - {name: price, type: float64}
      - {name: labels, type: "list<string>", conflict: set}
  - name: pairs
    entities: [buyer, item]
    read: {level: eventual}
    features: [{name: seen, type: int64}]
on_demand:
  - name: offer
    inputs: ["items:price", "buyers:score"]
    request: [{name: quantity, type: int64}]
    features:
      - {name: total, type: float64, expr: "price * double(quantity)"}
      - {name: share, type: float64, expr: "score == null ? 0.0 : score / price"}
services:
  - {name: basket, features: ["buyers:score", "buyers:tier", "items:price", "pairs:seen", "offer:total", "offer:share"]}
`

func newMarket(t *testing.T) *house {
	t.Helper()
	h := newHouse(t)
	d, err := definition.Parse("market.yaml", strings.NewReader(market))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.store.Apply(t.Context(), d, nil); err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *house) push(view, rows string) api.PushResponse {
	h.Helper()
	return answer[api.PushResponse](h, h.do("POST", "/v1/projects/market/push", fmt.Sprintf(`{"view":%q,"rows":[%s]}`, view, rows)))
}

func (h *house) lookup(body string, headers ...string) api.LookupResponse {
	h.Helper()
	return answer[api.LookupResponse](h, h.do("POST", "/v1/projects/market/lookup", body, headers...))
}

// line prints row i as "value STATUS event-time" a feature.
func line(r api.LookupResponse, i int) string {
	var out []string
	for j, v := range r.Rows[i].Values {
		at := "-"
		if t := r.Rows[i].EventTimes[j]; t != nil {
			at = strings.TrimPrefix(*t, "2026-08-")
		}
		out = append(out, fmt.Sprintf("%s %s %s", v, r.Rows[i].Statuses[j], at))
	}
	return strings.Join(out, " | ")
}

func TestAServiceReadsSeveralViewsAndComputes(t *testing.T) {
	h := newMarket(t)
	h.push("buyers", `{"buyer_id":1,"score":0.5,"tier":"gold","event_time":"2026-08-21T11:00:00Z"}`)
	h.push("items", `{"sku":"A","price":2.5,"event_time":"2026-08-20T10:00:00Z"}`)
	h.push("pairs", `{"buyer_id":1,"sku":"A","seen":7,"event_time":"2026-08-21T11:30:00.250Z"}`)
	r := h.lookup(`{"service":"basket","entities":{"sku":["A","B"],"buyer_id":[1,1]},"request":{"quantity":[4,1]}}`)
	if got, want := strings.Join(r.Features, " "), "buyers:score buyers:tier items:price pairs:seen offer:total offer:share"; got != want {
		t.Errorf("features are %s, want %s", got, want)
	}
	for i, want := range []string{
		`0.5 PRESENT 21T11:00:00Z | "gold" PRESENT 21T11:00:00Z | 2.5 PRESENT 20T10:00:00Z | 7 PRESENT 21T11:30:00.250Z | 10 PRESENT 20T10:00:00Z | 0.2 PRESENT 20T10:00:00Z`,
		`0.5 PRESENT 21T11:00:00Z | "gold" PRESENT 21T11:00:00Z | null NOT_FOUND - | null NOT_FOUND - | null NULL_VALUE 21T11:00:00Z | null NULL_VALUE 21T11:00:00Z`,
	} {
		if got := line(r, i); got != want {
			t.Errorf("row %d is\n%s, want\n%s", i, got, want)
		}
	}
	if got := string(r.Rows[0].Entity["sku"]) + string(r.Rows[0].Entity["buyer_id"]); got != `"A"1` {
		t.Errorf("entity is %v", r.Rows[0].Entity)
	}
}

func TestStatusesMeanWhatTheySay(t *testing.T) {
	h := newMarket(t)
	h.push("buyers", `
		{"buyer_id":1,"score":null,"event_time":"2026-08-21T11:00:00Z"},
		{"buyer_id":2,"score":2,"event_time":"2026-08-20T12:00:00Z"},
		{"buyer_id":3,"score":3,"tier":"old","event_time":"2026-08-20T11:59:59.999999999Z"},
		{"buyer_id":4,"orders":{"increment":3},"event_time":"2026-08-21T10:00:00Z"}`)
	r := h.lookup(`{"features":["buyers:score","buyers:tier","buyers:orders"],"entities":{"buyer_id":[1,2,3,4,5]}}`)
	for i, want := range []string{
		`null NULL_VALUE 21T11:00:00Z | "basic" NOT_FOUND - | null NOT_FOUND -`,
		`2 PRESENT 20T12:00:00Z | "basic" NOT_FOUND - | null NOT_FOUND -`, // exactly at its ttl
		`null OUTSIDE_MAX_AGE 20T11:59:59.999999999Z | "basic" OUTSIDE_MAX_AGE 20T11:59:59.999999999Z | null NOT_FOUND -`,
		`null NOT_FOUND - | "basic" NOT_FOUND - | 3 PRESENT 21T10:00:00Z`,
		`null NOT_FOUND - | "basic" NOT_FOUND - | null NOT_FOUND -`,
	} {
		if got := line(r, i); got != want {
			t.Errorf("buyer %d: got\n%s, want\n%s", i+1, got, want)
		}
	}
}

func TestDeletedRowsAreNotFoundAndComeBackOnlyByNewerEvents(t *testing.T) {
	h := newMarket(t)
	h.push("items", `{"sku":"A","price":1,"labels":["new","red"],"event_time":"2026-08-21T10:00:00Z"}`)
	answer[api.PushResponse](h, h.do("POST", "/v1/projects/market/delete", `{"view":"items","entities":{"sku":["A"]},"event_time":"2026-08-21T11:00:00Z"}`))
	ask := `{"features":["items:price","items:labels"],"entities":{"sku":["A"]}}`
	if got, want := line(h.lookup(ask), 0), `null NOT_FOUND - | null NOT_FOUND -`; got != want {
		t.Errorf("after the delete: %s, want %s", got, want)
	}
	if r := h.push("items", `{"sku":"A","price":2,"event_time":"2026-08-21T10:30:00Z"}`); r.Superseded != 1 {
		t.Errorf("an older event after the delete: superseded %d, want 1", r.Superseded)
	}
	h.push("items", `{"sku":"A","price":3,"labels":["blue"],"event_time":"2026-08-21T11:30:00Z"}`)
	if got, want := line(h.lookup(ask), 0), `3 PRESENT 21T11:30:00Z | ["blue"] PRESENT 21T11:30:00Z`; got != want {
		t.Errorf("after a newer event: %s, want %s", got, want)
	}
}

// C3: the token names the cells served, each by the write that brought it.
func TestTheTokenNamesWhatWasRead(t *testing.T) {
	h := newMarket(t)
	first := h.push("items", `{"sku":"A","price":1}`)
	second := h.push("items", `{"sku":"A","labels":["x"]}`)
	other := h.push("items", `{"sku":"B","price":1}`)
	for _, tt := range []struct {
		features, sku string
		want          string
	}{
		{`"items:price"`, "A", first.Position.At},
		{`"items:price","items:labels"`, "A", second.Position.At},
		{`"items:price"`, "B", other.Position.At},
		{`"items:price"`, "C", ""},
	} {
		r := h.lookup(fmt.Sprintf(`{"features":[%s],"entities":{"sku":[%q]}}`, tt.features, tt.sku))
		token, err := h.server.cfg.Signer.DecodeAll(r.Session)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		token.Positions(h.shardOf("market", "items"), func(p hlc.Position) bool { got = p.At.String(); return true })
		if got != tt.want {
			t.Errorf("%s of %s: the token names %q, want %q", tt.features, tt.sku, got, tt.want)
		}
	}
}

func (h *house) shardOf(project, view string) feature.Shard {
	h.Helper()
	c, _ := h.store.Registry().Catalog(project)
	v, ok := c.View(view)
	if !ok {
		h.Fatalf("no view %s", view)
	}
	return v.Shard(nil)
}

func TestASessionSeesItsOwnWriteAndKeepsWhatItHadSeen(t *testing.T) {
	h := newMarket(t)
	pushed := h.push("items", `{"sku":"A","price":1}`)
	w := h.do("POST", "/v1/projects/market/lookup", `{"features":["items:price"],"entities":{"sku":["Z"]}}`, api.HeaderSession, pushed.Session)
	r := answer[api.LookupResponse](h, w)
	if r.Session != pushed.Session {
		t.Errorf("reading nothing changed the session from %q to %q", pushed.Session, r.Session)
	}
	for name, want := range map[string]string{
		api.HeaderSession: pushed.Session, api.HeaderConsistency: "session", api.HeaderServedBy: "eu/eu-1",
		api.HeaderStaleness: "0", api.HeaderWaited: "0",
	} {
		if got := w.Header().Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if want := (api.ConsistencyMet{Asked: "session", Met: "session", Region: "eu", Store: "eu-1", StalenessMs: map[string]int64{}}); fmt.Sprint(r.Consistency) != fmt.Sprint(want) {
		t.Errorf("consistency is %+v, want %+v", r.Consistency, want)
	}
}

func TestLevelsComeFromBodyThenHeaderThenView(t *testing.T) {
	h := newMarket(t)
	for _, tt := range []struct{ body, header, want string }{
		{`{"features":["items:price"],"entities":{"sku":["A"]}}`, "", "session"},
		{`{"features":["pairs:seen"],"entities":{"sku":["A"],"buyer_id":[1]}}`, "", "eventual"},
		{`{"features":["pairs:seen"],"entities":{"sku":["A"],"buyer_id":[1]}}`, "quorum", "quorum"},
		{`{"features":["items:price"],"entities":{"sku":["A"]},"consistency":[{"level":"bounded","max_staleness":"1s"}]}`, "quorum", "bounded"},
	} {
		if got := h.lookup(tt.body, api.HeaderConsistency, tt.header).Consistency.Met; got != tt.want {
			t.Errorf("%s with header %q: met %s, want %s", tt.body, tt.header, got, tt.want)
		}
	}
}

func TestLookupsRefuseWhatTheyCannotMean(t *testing.T) {
	h := newMarket(t)
	lost := h.futureToken()
	for _, tt := range []struct {
		claim, body, header, value string
		code                       api.Code
		field, says                string
	}{
		{"both service and features", `{"service":"basket","features":["items:price"],"entities":{"sku":["A"]}}`, "", "", api.CodeInvalidRequest, "service", "not both"},
		{"neither", `{"entities":{"sku":["A"]}}`, "", "", api.CodeInvalidRequest, "service", "either"},
		{"no features", `{"features":[],"entities":{}}`, "", "", api.CodeInvalidRequest, "features", "no features"},
		{"a reference without a view", `{"features":["price"],"entities":{}}`, "", "", api.CodeInvalidRequest, "features", "view:feature"},
		{"features that are no list", `{"features":{"a":1},"entities":{}}`, "", "", api.CodeInvalidJSON, "features", "list of strings"},
		{"unknown view", `{"features":["item:price"],"entities":{}}`, "", "", api.CodeViewNotFound, "", `did you mean "items"`},
		{"missing join key", `{"features":["pairs:seen"],"entities":{"sku":["A"]}}`, "", "", api.CodeInvalidRequest, "entities.buyer_id", "sku (string)"},
		{"unknown join key", `{"features":["items:price"],"entities":{"sku":["A"],"shop":[1]}}`, "", "", api.CodeInvalidRequest, "entities.shop", "sku (string)"},
		{"ragged columns", `{"features":["pairs:seen"],"entities":{"sku":["A"],"buyer_id":[1,2]}}`, "", "", api.CodeInvalidRequest, "entities.buyer_id", "one length"},
		{"mistyped join key", `{"features":["items:price"],"entities":{"sku":["A",7]}}`, "", "", api.CodeInvalidValue, "entities.sku[1]", "string"},
		{"null join key", `{"features":["items:price"],"entities":{"sku":[null]}}`, "", "", api.CodeInvalidValue, "entities.sku[0]", "null"},
		{"long join key", `{"features":["items:price"],"entities":{"sku":["` + strings.Repeat("x", feature.MaxKeyBytes) + `"]}}`, "", "", api.CodeInvalidValue, "entities.sku[0]", "longer"},
		{"missing request value", `{"features":["offer:total"],"entities":{"sku":["A"],"buyer_id":[1]}}`, "", "", api.CodeInvalidRequest, "request.quantity", "int64"},
		{"unknown request value", `{"features":["items:price"],"entities":{"sku":["A"]},"request":{"q":[1]}}`, "", "", api.CodeInvalidRequest, "request.q", "no on-demand"},
		{"mistyped request value", `{"features":["offer:total"],"entities":{"sku":["A"],"buyer_id":[1]},"request":{"quantity":["x"]}}`, "", "", api.CodeInvalidValue, "request.quantity[0]", "whole number"},
		{"too many entities", `{"features":["buyers:score"],"entities":{"buyer_id":[` + strings.Repeat("1,", 1000) + `1]}}`, "", "", api.CodeTooManyEntities, "entities", "at most 1000"},
		{"unknown level", `{"features":["items:price"],"entities":{"sku":["A"]}}`, api.HeaderConsistency, "strong", api.CodeInvalidHeader, api.HeaderConsistency, "eventual, bounded"},
		{"unknown level in the body", `{"features":["items:price"],"entities":{"sku":["A"]},"consistency":[{"level":"strong"}]}`, "", "", api.CodeInvalidValue, "consistency", "eventual, bounded"},
		{"level of leader groups", `{"features":["items:price"],"entities":{"sku":["A"]}}`, api.HeaderConsistency, "leader", "", "", "multi_leader"},
		{"unknown end", `{"features":["items:price"],"entities":{"sku":["A"]}}`, api.HeaderOnUnmet, "retry", api.CodeInvalidHeader, api.HeaderOnUnmet, "degrade"},
		{"forged token", `{"features":["items:price"],"entities":{"sku":["A"]}}`, api.HeaderSession, "AAAA", api.CodeTokenInvalid, "", "cut short"},
		{"token of a write that never was", `{"features":["items:price"],"entities":{"sku":["A"]}}`, api.HeaderSession, lost, api.CodeSessionLost, "", "lost"},
	} {
		t.Run(tt.claim, func(t *testing.T) {
			h.TB = t
			p := h.problem(h.do("POST", "/v1/projects/market/lookup", tt.body, tt.header, tt.value))
			if tt.code != "" && p.Code != tt.code {
				t.Errorf("code %s, want %s: %s", p.Code, tt.code, p.Detail)
			}
			if p.Code == api.CodeInternal {
				t.Errorf("blamed on the store: %+v", p)
			}
			if p.Field != tt.field {
				t.Errorf("field %q, want %q", p.Field, tt.field)
			}
			if !strings.Contains(p.Detail, tt.says) {
				t.Errorf("detail %q does not say %q", p.Detail, tt.says)
			}
		})
	}
}

// futureToken is signed by this deployment and names a position that its
// origin never gave: what remains of a session when a store lost its disk.
func (h *house) futureToken() string {
	h.Helper()
	pushed := h.push("items", `{"sku":"A","price":1}`)
	token, err := h.server.cfg.Signer.DecodeAll(pushed.Session)
	if err != nil {
		h.Fatal(err)
	}
	origin := h.store.Identity().Origin
	token.Note(h.shardOf("market", "items"), hlc.Position{Origin: origin, At: h.store.Clock().Last() + 1<<30})
	return string(h.server.cfg.Signer.Append(nil, &token))
}

// One name in the request may be taken by two views as two types.
func TestRequestValuesAreReadInEachViewsType(t *testing.T) {
	h := newHouse(t)
	d, err := definition.Parse("market.yaml", strings.NewReader(market+`
  - {name: both, features: ["offer:total", "rough:rounded"]}
`))
	if err != nil {
		t.Fatal(err)
	}
	d.OnDemands = append(d.OnDemands, feature.OnDemand{
		Name:    "rough",
		Request: []feature.RequestField{{Name: "quantity", Type: feature.ScalarOf(feature.Float64)}},
		Fields:  []feature.Computed{{Name: "rounded", Type: feature.ScalarOf(feature.Float64), Expr: "quantity * 2.0"}},
	})
	if _, err := h.store.Apply(t.Context(), d, nil); err != nil {
		t.Fatal(err)
	}
	h.push("items", `{"sku":"A","price":2.5,"event_time":"2026-08-21T11:00:00Z"}`)
	r := h.lookup(`{"service":"both","entities":{"sku":["A"],"buyer_id":[1]},"request":{"quantity":[4]}}`)
	if got, want := line(r, 0), `10 PRESENT 21T11:00:00Z | 8 PRESENT -`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// A lookup keeps buffers between requests; none may show another's values.
func TestLookupsShareNothing(t *testing.T) {
	h := newMarket(t)
	h.push("items", `{"sku":"A","price":1,"labels":["a"]},{"sku":"B","price":2}`)
	asks := map[string]string{
		`{"features":["items:price","items:labels"],"entities":{"sku":["A"]}}`: "",
		`{"features":["items:labels"],"entities":{"sku":["B","A","C"]}}`:       "",
		`{"features":["items:price"],"entities":{"sku":[]}}`:                   "",
	}
	for ask := range asks {
		rows, err := json.Marshal(h.lookup(ask).Rows)
		if err != nil {
			t.Fatal(err)
		}
		asks[ask] = string(rows)
	}
	done := make(chan string)
	for range 8 {
		go func() {
			fault := ""
			for range 50 {
				for ask, want := range asks {
					w := h.do("POST", "/v1/projects/market/lookup", ask)
					var r struct{ Rows json.RawMessage }
					if err := json.Unmarshal(w.Body.Bytes(), &r); err != nil || string(r.Rows) != want {
						fault = fmt.Sprintf("%s answered %s, want rows %s", ask, w.Body, want)
					}
				}
			}
			done <- fault
		}()
	}
	for range 8 {
		if fault := <-done; fault != "" {
			t.Error(fault)
		}
	}
}
