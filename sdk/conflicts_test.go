package sdk_test

import (
	"errors"
	"testing"
	"time"

	"featurestore/sdk"
)

type profile struct {
	ID  int64                `key:"user_id"`
	Bio sdk.Optional[string] `feature:"profile:bio"`
}

const people = `
project: people
entities: [{name: user, join_keys: [{name: user_id, type: int64}]}]
views:
  - name: profile
    entity: user
    features: [{name: bio, type: string, conflict: siblings}, {name: age, type: int64}]
`

func TestSiblingsAreToldShownAndSettled(t *testing.T) {
	c := newClient(t, newStore(t).url, func(c *sdk.Config) { c.Project, c.LookupEntities = "people", 2 })
	ctx := within(t, time.Minute)
	if _, err := c.Apply(ctx, []byte(people), nil); err != nil {
		t.Fatal(err)
	}
	target := sdk.View("profile")
	for _, bio := range []string{"one", "two"} { // outside any session
		if _, err := sdk.Push(ctx, c, target, profile{ID: 7, Bio: sdk.Some(bio)}, profile{ID: 8, Bio: sdk.NullOf[string]()}); err != nil {
			t.Fatal(err)
		}
	}
	lookup := func() *sdk.Result[profile] {
		r, err := sdk.Lookup[profile](ctx, c, sdk.Features(), sdk.Keys(profile{ID: 9}, profile{ID: 7}, profile{ID: 8}))
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	const bio = "profile:bio"
	r := lookup()
	if r.Rows[1].Bio.Value != "two" || r.Conflicts(0, bio) != 0 || r.Conflicts(1, bio) != 1 || r.Conflicts(2, bio) != 1 || r.Conflicts(1, "profile:age") != 0 {
		t.Errorf("got %+v with %d, %d and %d conflicts, want two with one beside it", r.Rows, r.Conflicts(0, bio), r.Conflicts(1, bio), r.Conflicts(2, bio))
	}
	session := sdk.WithSession(ctx)
	page, err := c.Conflicts(session, sdk.Conflicts{View: "profile", Limit: 1})
	if err != nil || len(page.Rows) != 1 || page.Next == "" {
		t.Fatalf("got %+v, %v, want a page of one row", page, err)
	}
	some, err := c.Conflicts(session, sdk.Conflicts{View: "profile", Entities: sdk.Keys(profile{ID: 7})})
	if err != nil || len(some.Rows) != 1 {
		t.Fatalf("got %+v, %v, want user 7", some, err)
	}
	values := some.Rows[0].Features["bio"]
	if len(values) != 2 || string(values[0].Value) != `"two"` || string(values[1].Value) != `"one"` {
		t.Errorf("got %+v, want two, then one", values)
	}
	if _, err := sdk.Push(session, c, target, profile{ID: 7, Bio: sdk.Some("both")}); err != nil {
		t.Fatal(err)
	}
	if r = lookup(); r.Rows[1].Bio.Value != "both" || r.Conflicts(1, bio) != 0 {
		t.Errorf("settled: got %+v with %d conflicts", r.Rows[1], r.Conflicts(1, bio))
	}
	if _, err := c.Conflicts(ctx, sdk.Conflicts{View: "nothing"}); !errors.Is(err, sdk.ErrViewNotFound) {
		t.Errorf("got %v, want %v", err, sdk.ErrViewNotFound)
	}
}
