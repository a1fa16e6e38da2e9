package server

import (
	"context"
	"encoding/json"
	"net/http"
	"testing"

	"featurestore/api"
)

// notedErasures is an Eraser that says what it was asked.
type notedErasures struct{ erased, left []Erasure }

func (n *notedErasures) Erase(_ context.Context, e Erasure) (api.ErasedHistory, error) {
	n.erased = append(n.erased, e)
	return api.ErasedHistory{Commit: 7, Rows: 3, Files: 2}, nil
}

func (n *notedErasures) Left(_ context.Context, e Erasure) (api.ErasedHistory, error) {
	n.left = append(n.left, e)
	return api.ErasedHistory{Commit: 7}, nil
}

// What is served is not erased; what was deleted is, and the history is told up to
// where it must have come.
func TestOnlyWhatWasDeletedIsErased(t *testing.T) {
	var history notedErasures
	h := newProfiles(t, func(c *Config) { c.Eraser = &history })
	if w := h.profile("push", "", `{"view": "plain", "rows": [{"user_id": 7, "age": 30}, {"user_id": 8, "age": 40}]}`); w.Code != http.StatusOK {
		t.Fatal(w.Body)
	}
	const both = `{"view": "plain", "entities": {"user_id": [7, 9]}}`
	if p := h.problem(h.profile("erase", "", both)); p.Code != api.CodeInvalidRequest || p.Field != "entities" {
		t.Errorf("of rows that are served: got %+v", p)
	}
	if len(history.erased) > 0 {
		t.Fatal("history was erased of rows that are served")
	}
	var receipt api.EraseResponse
	read := func(body []byte) {
		t.Helper()
		receipt = api.EraseResponse{}
		if err := json.Unmarshal(body, &receipt); err != nil {
			t.Fatal(err)
		}
	}
	read(h.profile("erase", "", `{"view": "plain", "entities": {"user_id": [7, 9]}, "check": true}`).Body.Bytes())
	if receipt.Served != 1 || receipt.Entities != 2 || len(history.left) != 1 || receipt.LogUntil != "" {
		t.Errorf("a check: got %+v", receipt)
	}
	var deleted api.PushResponse
	if err := json.Unmarshal(h.profile("delete", "", both).Body.Bytes(), &deleted); err != nil {
		t.Fatal(err)
	}
	read(h.profile("erase", deleted.Session, both).Body.Bytes())
	if receipt.Served != 0 || receipt.History == nil || receipt.History.Rows != 3 || receipt.LogUntil == "" {
		t.Errorf("got %+v", receipt)
	}
	if len(history.erased) != 1 || len(history.erased[0].Keys) != 2 {
		t.Fatalf("history was asked %+v", history.erased)
	}
	for shard, vector := range history.erased[0].After {
		if heads := h.store.Heads(shard); !vector.Equal(heads) || len(heads) == 0 {
			t.Errorf("shard %v: history was to come to %v, the log is at %v", shard, vector, heads)
		}
	}
}

func TestAnEraseThatIsWrongSaysWhy(t *testing.T) {
	h := newProfiles(t)
	for _, c := range []struct{ body, field string }{
		{`{"entities": {"user_id": [7]}}`, "view"},
		{`{"view": "plain"}`, "entities"},
		{`{"view": "plain", "entities": {"user_id": [7]}, "event_time": 1}`, "event_time"},
		{`{"view": "plain", "entities": {"user_id": [7]}, "check": 1}`, "check"},
	} {
		if p := h.problem(h.profile("erase", "", c.body)); p.Field != c.field {
			t.Errorf("%s: got field %q, want %q: %s", c.body, p.Field, c.field, p.Detail)
		}
	}
}
