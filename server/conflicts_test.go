package server

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"featurestore/api"
	"featurestore/feature"
	"featurestore/feature/definition"
	"featurestore/hlc"
	"featurestore/meta"
	"featurestore/replication/oplog"
)

const profiles = `
project: profiles
entities:
  - {name: user, join_keys: [{name: user_id, type: int64}]}
groups:
  - {name: spread, partitions: 4}
views:
  - name: profile
    entity: user
    group: spread
    features:
      - {name: bio, type: string, conflict: siblings}
      - {name: card, type: json, conflict: siblings}
      - {name: visits, type: int64, conflict: counter}
  - name: plain
    entity: user
    features: [{name: age, type: int64}]
`

func newProfiles(t *testing.T, change ...func(*Config)) *house {
	t.Helper()
	h := newHouse(t, change...)
	d, err := definition.Parse("profiles.yaml", strings.NewReader(profiles))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.store.Apply(t.Context(), d, nil); err != nil {
		t.Fatal(err)
	}
	return h
}

// profile posts to an operation of the project in a session, "" for none.
func (h *house) profile(operation, session, body string) *httptest.ResponseRecorder {
	h.Helper()
	var headers []string
	if session != "" {
		headers = []string{api.HeaderSession, session}
	}
	return h.do("POST", "/v1/projects/profiles/"+operation, body, headers...)
}

func (h *house) write(session, row string) string {
	h.Helper()
	return answer[api.PushResponse](h, h.profile("push", session, `{"view":"profile","rows":[`+row+`]}`)).Session
}

func (h *house) conflicts(body string) api.ConflictsResponse {
	h.Helper()
	return answer[api.ConflictsResponse](h, h.profile("conflicts", "", body))
}

// bios are the values of a row's bio, the served one first.
func bios(r api.ConflictRow) (out []string) {
	for _, s := range r.Features["bio"] {
		out = append(out, string(s.Value))
	}
	return out
}

func TestALookupTellsHowManySiblingsThereAre(t *testing.T) {
	h := newProfiles(t)
	h.write("", `{"user_id":1,"bio":"a","visits":1}`)
	h.write("", `{"user_id":1,"bio":null},{"user_id":2,"bio":"x"}`)
	const body = `{"features":["profile:visits","profile:bio"],"entities":{"user_id":[1,2]}}`
	w := h.profile("lookup", "", body)
	r := answer[api.LookupResponse](h, w)
	if got := fmt.Sprint(r.Rows[0].Conflicts, r.Rows[1].Conflicts); got != "[0 1] []" || string(r.Rows[0].Values[1]) != "null" {
		t.Errorf("conflicts %s of %s, want [0 1] []", got, w.Body)
	}
	h.write(r.Session, `{"user_id":1,"bio":"both"}`)
	w = h.profile("lookup", "", body)
	if r = answer[api.LookupResponse](h, w); strings.Contains(w.Body.String(), "conflicts") || string(r.Rows[0].Values[1]) != `"both"` {
		t.Errorf("after a write of a session that saw both: %s, want that one alone, and no conflicts", w.Body)
	}
}

func TestConflictsShowsEveryValueAndATokenToReplaceThem(t *testing.T) {
	h := newProfiles(t)
	h.write("", `{"user_id":1,"bio":"a","card":{"n":1},"event_time":"2026-08-21T11:00:00Z"},{"user_id":2,"bio":"x"}`)
	h.write("", `{"user_id":1,"bio":"b","event_time":"2026-08-21T10:00:00Z"}`)
	for _, body := range []string{`{"view":"profile"}`, `{"view":"profile","entities":{"user_id":[2,1,3]}}`} {
		r := h.conflicts(body)
		if len(r.Rows) != 1 || string(r.Rows[0].Entity["user_id"]) != "1" || len(r.Rows[0].Features) != 1 {
			t.Fatalf("%s: got %+v, want user 1 with bio", body, r.Rows)
		}
		served := r.Rows[0].Features["bio"][0]
		if got := strings.Join(bios(r.Rows[0]), " "); got != `"b" "a"` || served.EventTime != "2026-08-21T10:00:00Z" || served.At == "" || served.Origin == "" {
			t.Errorf("%s: got %+v, want b, then a", body, r.Rows[0])
		}
	}
	r := h.conflicts(`{"view":"profile"}`)
	h.write(r.Session, `{"user_id":1,"bio":"c"}`)
	if r = h.conflicts(`{"view":"profile"}`); len(r.Rows) != 0 || r.Looked != 2 || r.Next != "" {
		t.Errorf("after a write of that session: %+v, want none in 2 rows", r)
	}
	if r := h.conflicts(`{"view":"plain"}`); len(r.Rows) != 0 || r.Looked != 0 {
		t.Errorf("a view without siblings: %+v", r)
	}
}

func TestConflictsComeInPages(t *testing.T) {
	h := newProfiles(t)
	const users = 23
	for range 2 {
		var rows []string
		for id := range users {
			rows = append(rows, fmt.Sprintf(`{"user_id":%d,"bio":"x"}`, id))
		}
		h.write("", strings.Join(rows, ","))
	}
	seen, pages, after := map[string]bool{}, 0, ""
	for {
		r := h.conflicts(fmt.Sprintf(`{"view":"profile","limit":5,"after":%q}`, after))
		for _, row := range r.Rows {
			seen[string(row.Entity["user_id"])] = true
		}
		if pages++; r.Next == "" {
			break
		}
		if len(r.Rows) != 5 {
			t.Fatalf("page %d has %d rows, want 5", pages, len(r.Rows))
		}
		after = r.Next
	}
	if len(seen) != users || pages != users/5+1 {
		t.Errorf("%d users on %d pages, want %d on %d", len(seen), pages, users, users/5+1)
	}
}

func TestConflictsAreCountedByRule(t *testing.T) {
	h := newProfiles(t)
	for range feature.MaxSiblings + 3 {
		h.write("", `{"user_id":1,"bio":"x"}`)
	}
	h.do("POST", "/v1/projects/profiles/push", `{"view":"plain","rows":[{"user_id":1,"age":1,"event_time":"2026-08-21T10:00:00Z"}]}`)
	h.do("POST", "/v1/projects/profiles/push", `{"view":"plain","rows":[{"user_id":1,"age":2,"event_time":"2026-08-21T09:00:00Z"}]}`)
	for view, want := range map[string]string{
		"profile": `[{"rule":"siblings","superseded":0,"concurrent":0,"dropped":3}]`,
		"plain":   `[{"rule":"event_time","superseded":1,"concurrent":0,"dropped":0}]`,
	} {
		got, err := json.Marshal(h.conflicts(`{"view":"` + view + `"}`).Counts)
		if err != nil || string(got) != want {
			t.Errorf("%s: got %s, %v, want %s", view, got, err, want)
		}
	}
}

func TestConflictsRefusesWhatItCannotAnswer(t *testing.T) {
	h := newProfiles(t)
	for body, want := range map[string]api.Code{
		`{}`:                                                        api.CodeInvalidRequest,
		`{"view":"profil"}`:                                         api.CodeViewNotFound,
		`{"view":"profile","limit":1001}`:                           api.CodeInvalidRequest,
		`{"view":"profile","after":"?"}`:                            api.CodeInvalidValue,
		`{"view":"profile","rows":1}`:                               api.CodeUnknownField,
		`{"view":"profile","entities":{}}`:                          api.CodeInvalidRequest,
		`{"view":"profile","entities":{"user_id":["x"]}}`:           api.CodeInvalidValue,
		`{"view":"profile","entities":{"user":[1]}}`:                api.CodeInvalidRequest,
		`{"view":"profile","entities":{"user_id":[1]},"after":"x"}`: api.CodeInvalidRequest,
	} {
		if p := h.problem(h.profile("conflicts", "", body)); p.Code != want {
			t.Errorf("%s: got %s (%s), want %s", body, p.Code, p.Detail, want)
		}
	}
}

func TestASiblingIsBounded(t *testing.T) {
	h := newProfiles(t)
	w := h.profile("push", "", fmt.Sprintf(`{"view":"profile","rows":[{"user_id":1,"bio":%q}]}`, strings.Repeat("x", feature.MaxSiblingBytes+1)))
	if p := h.problem(w); p.Code != api.CodeInvalidRows || len(p.Rows) != 1 || p.Rows[0].Field != "bio" {
		t.Errorf("got %+v, want row 0 refused for bio", p)
	}
}

// joinBio has the store join a blind write of another origin, of ten minutes ago.
func (h *house) joinBio(origin hlc.Origin, user int64, bio string) {
	h.Helper()
	c, _ := h.store.Registry().Catalog("profiles")
	view, _ := c.View("profile")
	field, _ := view.Field("bio")
	key, err := feature.AppendKeyValue(nil, feature.OfInt64(user))
	value, err2 := feature.OfString(bio)
	at := hlc.FromTime(noon.Add(-10*time.Minute)) + hlc.Timestamp(origin)
	change := feature.Change{View: view.ID, Key: key, Assignments: []feature.Assignment{{Feature: field.ID, Rule: field.Rule, Type: field.Type, Value: value}}}
	delta, err3 := change.Delta(feature.Row{}, at, origin)
	entry, err4 := oplog.DecodeLogged(oplog.Append(nil, oplog.Entry{
		Kind: oplog.Delta, At: at, Origin: origin, Rows: []oplog.Row{{View: view.ID, Key: key, Delta: delta}},
	}))
	if err := errors.Join(err, err2, err3, err4); err != nil {
		h.Fatal(err)
	}
	done := make(chan error, 1)
	h.store.Join(oplog.Interval{Shard: view.Shard(key), Origin: origin, Through: at, Entries: []oplog.Logged{entry}}, func(err error) { done <- err })
	if err := <-done; err != nil {
		h.Fatal(err)
	}
}

// The positions of these siblings are old, and every member has them: a token
// that left them out, as others do, would say that nothing was seen.
func TestWhoReadOldSiblingsCanReplaceThem(t *testing.T) {
	const origins = 12
	for name, read := range map[string]func(h *house) string{
		"lookup": func(h *house) string {
			r := h.profile("lookup", "", `{"features":["profile:bio"],"entities":{"user_id":[1]}}`)
			if got := answer[api.LookupResponse](h, r).Rows[0].Conflicts; len(got) != 1 || got[0] != origins-1 {
				h.Fatalf("conflicts %v, want %d", got, origins-1)
			}
			return r.Header().Get(api.HeaderSession)
		},
		"conflicts": func(h *house) string {
			return h.profile("conflicts", "", `{"view":"profile","entities":{"user_id":[1]}}`).Header().Get(api.HeaderSession)
		},
	} {
		t.Run(name, func(t *testing.T) {
			var h *house
			h = newProfiles(t, withPeers(newPeers(func(_ meta.StoreID, shard feature.Shard) hlc.Vector { return h.store.Progress(shard) })))
			for o := range hlc.Origin(origins) {
				h.joinBio(o+1, 1, fmt.Sprint(o))
			}
			h.write(read(h), `{"user_id":1,"bio":"one"}`)
			if r := h.conflicts(`{"view":"profile"}`); len(r.Rows) != 0 || r.Looked != 1 {
				t.Errorf("got %+v, want one value", r)
			}
		})
	}
}
