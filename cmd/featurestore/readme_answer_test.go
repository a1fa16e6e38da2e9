package main

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// What pages leave out of an answer.
const elided = "…"

// changing are the members of an answer that differ from run to run: their
// kind and number count, not what they say.
var changing = []string{"values", "event_times", "session", "waited_ms", "message", "msg", "request_id"}

// checkAnswer says in what the JSON that a page shows differs from the JSON
// that came. An object or an array of the page that ends in "…" may have more.
func checkAnswer(page, came string) error {
	var want, got any
	for _, end := range []string{"]", "}"} {
		member := fmt.Sprintf(", %q", elided)
		if end == "}" {
			member += ": null"
		}
		page = strings.ReplaceAll(page, ", "+elided+end, member+end)
	}
	if err := json.Unmarshal([]byte(page), &want); err != nil {
		return fmt.Errorf("the page shows no JSON: %w", err)
	}
	if err := json.Unmarshal([]byte(came), &got); err != nil {
		return fmt.Errorf("no JSON came: %w", err)
	}
	return differ("answer", want, got, true)
}

func differ(at string, want, got any, exact bool) error {
	if reflect.TypeOf(want) != reflect.TypeOf(got) {
		return fmt.Errorf("%s is shown as %v; it is %v", at, want, got)
	}
	switch want := want.(type) {
	case map[string]any:
		return differInMembers(at, want, got.(map[string]any), exact)
	case []any:
		got, n := got.([]any), len(want)
		if n > 0 && want[n-1] == elided && len(got) >= n {
			n--
			want, got = want[:n], got[:n]
		}
		if len(got) != n {
			return fmt.Errorf("%s is shown with %d elements; it has %d", at, n, len(got))
		}
		for i := range want {
			if err := differ(fmt.Sprintf("%s[%d]", at, i), want[i], got[i], exact); err != nil {
				return err
			}
		}
	default:
		if exact && want != got {
			return fmt.Errorf("%s is shown as %v; it is %v", at, want, got)
		}
	}
	return nil
}

func differInMembers(at string, want, got map[string]any, exact bool) error {
	_, more := want[elided]
	delete(want, elided)
	for name := range got {
		if _, shown := want[name]; !shown && !more {
			return fmt.Errorf("%s has %q, which is not shown", at, name)
		}
	}
	for name, shown := range want {
		is, there := got[name]
		if !there {
			return fmt.Errorf("%s is shown with %q, which it lacks", at, name)
		}
		if err := differ(at+"."+name, shown, is, exact && !slices.Contains(changing, name)); err != nil {
			return err
		}
	}
	return nil
}
