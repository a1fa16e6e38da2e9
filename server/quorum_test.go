package server

import (
	"net/http"
	"strings"
	"testing"

	"featurestore/api"
)

// What is answered at quorum is the join of what two stores have, cell by cell,
// and its token names the cells of both.
func TestQuorumAnswersTheJoinedRow(t *testing.T) {
	x := newPair(t)
	first := answer[api.PushResponse](x.eu, x.eu.post("push", `{"view": "driver_stats", "rows": [{"driver_id": 7, "conv_rate": 0.5}]}`)).Session
	second := answer[api.PushResponse](x.us, x.us.post("push", `{"view": "driver_stats", "rows": [{"driver_id": 7, "trips": 9}]}`)).Session
	const body = `{"service": "driver_v1", "entities": {"driver_id": [7, 8]}}`
	for level, want := range map[string]string{
		"quorum; repair=none":            `["0.5","9"] 2/2`,
		"quorum; repair=none; members=1": `["0.5","null"] 1/2`,
		"session":                        `["0.5","null"]`,
	} {
		got := answer[api.LookupResponse](x.eu, x.eu.post("lookup", body, api.HeaderConsistency, level))
		text := `["` + string(got.Rows[0].Values[0]) + `","` + string(got.Rows[0].Values[1]) + `"]`
		if m := got.Consistency.Members; m != nil {
			text += " " + string(rune('0'+m.Read)) + "/" + string(rune('0'+m.Of))
		}
		if text != want || got.Rows[1].Statuses[0] != api.StatusNotFound {
			t.Errorf("%s: got %s, want %s", level, text, want)
		}
		if level != "quorum; repair=none" {
			continue
		}
		for name, token := range map[string]string{"eu": first, "us": second} {
			want, err := x.eu.server.cfg.Signer.DecodeAll(token)
			if err != nil {
				t.Fatal(err)
			}
			have, err := x.eu.server.cfg.Signer.DecodeAll(got.Session)
			if err != nil {
				t.Fatal(err)
			}
			joined := have
			joined.Merge(want)
			if joined.Latest() != have.Latest() || string(x.eu.server.cfg.Signer.Append(nil, &joined)) != string(x.eu.server.cfg.Signer.Append(nil, &have)) {
				t.Errorf("the token lacks the write of %s", name)
			}
		}
	}
}

// The body may ask for it as the header does, and both say what is wrong.
func TestQuorumInTheBody(t *testing.T) {
	x := newPair(t)
	body := func(level string) string {
		return `{"service": "driver_v1", "entities": {"driver_id": [7]}, "consistency": [` + level + `]}`
	}
	got := answer[api.LookupResponse](x.eu, x.eu.post("lookup", body(`{"level": "quorum", "members": 2, "repair": "none", "within": "1s"}`)))
	if m := got.Consistency.Members; got.Consistency.Met != "quorum" || m == nil || *m != (api.MembersRead{Read: 2, Of: 2}) {
		t.Errorf("got %+v", got.Consistency)
	}
	for level, want := range map[string]string{
		`{"level": "quorum", "members": 3}`:      "2 active ones of group default",
		`{"level": "quorum", "members": -1}`:     "from 1 to 64",
		`{"level": "session", "members": 1}`:     "members belongs to read level quorum",
		`{"level": "quorum", "repair": "later"}`: "use blocking or none",
	} {
		if p := x.eu.problem(x.eu.post("lookup", body(level))); p.Status >= 500 || !strings.Contains(p.Detail, want) {
			t.Errorf("%s: got %+v, want a detail that says %q", level, p, want)
		}
	}
}

// Too few members are NOT_ENOUGH_LIVE; a list of alternatives goes on.
func TestQuorumOfTooFew(t *testing.T) {
	x := newPair(t)
	x.peers.far["us-1"] = true
	w := x.eu.post("lookup", wanted, api.HeaderConsistency, "quorum")
	if p := x.eu.problem(w); p.Code != api.CodeNotEnoughLive || p.Status != http.StatusServiceUnavailable ||
		!strings.Contains(p.Detail, "1 of 2 members of group default answered, quorum needs 2") || !strings.Contains(p.Detail, "us-1: it is not in reach") {
		t.Errorf("got %+v", p)
	}
	got := answer[api.LookupResponse](x.eu, x.eu.post("lookup", wanted, api.HeaderConsistency, "quorum, session")).Consistency
	if got.Met != "session" || got.Members != nil || got.Degraded {
		t.Errorf("got %+v, want the second preference", got)
	}
	got = answer[api.LookupResponse](x.eu, x.eu.post("lookup", wanted, api.HeaderConsistency, "quorum", api.HeaderOnUnmet, "degrade")).Consistency
	if got.Met != "eventual" || !got.Degraded {
		t.Errorf("got %+v, want less, said so", got)
	}
}
