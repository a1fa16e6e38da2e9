package server

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"featurestore/api"
	"featurestore/feature"
)

var update = flag.Bool("update", false, "rewrite the golden files of testdata")

// TestRecordedExchanges sends the requests of each file of testdata/rest, in
// order, to one store, and compares the answers with those recorded there.
//
// A file is exchanges, each of them a line "> METHOD PATH", lines "> Header:
// value", the body, and the answer: "< STATUS", "< Header: value" and the body.
func TestRecordedExchanges(t *testing.T) {
	files, err := filepath.Glob("testdata/rest/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("got %d files, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			recorded, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			h := newHouse(t)
			var got strings.Builder
			for i, request := range requestsOf(string(recorded)) {
				if i > 0 {
					got.WriteString("\n")
				}
				got.WriteString(h.exchange(request))
			}
			if *update {
				if err := os.WriteFile(file, []byte(got.String()), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got.String() != string(recorded) {
				t.Errorf("answers differ from %s; got:\n%s", file, got.String())
			}
		})
	}
}

// requestsOf cuts the requests out of a file.
func requestsOf(text string) []string {
	var out []string
	for part := range strings.SplitSeq("\n"+text, "\n> POST ") {
		if strings.TrimSpace(part) == "" {
			continue
		}
		request, _, _ := strings.Cut(part, "\n< ")
		out = append(out, "POST "+strings.TrimSpace(request))
	}
	return out
}

// exchange sends a request and returns it with its answer, in the file's form.
func (h *house) exchange(request string) string {
	h.Helper()
	line, rest, _ := strings.Cut(request, "\n")
	method, path, _ := strings.Cut(line, " ")
	var headers []string
	var out strings.Builder
	fmt.Fprintf(&out, "> %s\n", line)
	for strings.HasPrefix(rest, "> ") {
		var header string
		header, rest, _ = strings.Cut(rest, "\n")
		name, value, _ := strings.Cut(strings.TrimPrefix(header, "> "), ": ")
		headers = append(headers, name, value)
		out.WriteString(header + "\n")
	}
	body := strings.TrimSpace(rest)
	if body != "" {
		out.WriteString(body + "\n")
	}
	w := h.do(method, path, body, append(headers, api.HeaderRequestID, "r1")...)
	out.WriteString(recordedAnswer(w))
	return out.String()
}

// What differs from run to run.
var (
	sessionText  = regexp.MustCompile(`"session": "[^"]+"`)
	counterText  = regexp.MustCompile(`Z\+[0-9]+"`)
	recordedHead = []string{"Content-Type", api.HeaderConsistency, api.HeaderServedBy, api.HeaderStaleness, api.HeaderWaited, api.HeaderSession, "Retry-After"}
)

func recordedAnswer(w *httptest.ResponseRecorder) string {
	var out strings.Builder
	fmt.Fprintf(&out, "< %d %s\n", w.Code, http.StatusText(w.Code))
	for _, name := range recordedHead {
		if value := w.Header().Get(name); value != "" {
			if name == api.HeaderSession {
				value = "…"
			}
			fmt.Fprintf(&out, "< %s: %s\n", name, value)
		}
	}
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, bytes.TrimSpace(w.Body.Bytes()), "", "  "); err != nil {
		pretty.Write(w.Body.Bytes())
	}
	text := sessionText.ReplaceAllString(pretty.String(), `"session": "…"`)
	out.WriteString(counterText.ReplaceAllString(text, `Z+…"`) + "\n")
	return out.String()
}

// FuzzPush sends whatever comes to a real store: every answer is 200 or a
// problem of the table that blames the request, and a refused push stores
// nothing.
func FuzzPush(f *testing.F) {
	for _, r := range refusals {
		if strings.HasSuffix(r.path, "push") && len(r.body) < 4096 {
			f.Add([]byte(r.body))
		}
	}
	f.Add([]byte(`{"view":"driver_stats","rows":[{"driver_id":1,"conv_rate":0.5,"trips":{"increment":2},"best":1,"tags":{"add":["a"],"remove":["b"]},"name":"n","seen":"2026-08-21T10:59:42Z","profile":{"a":[1]},"taste":[1,2,3],"vip":true,"photo":"/w==","fare":"1.50","trip":"123e4567-e89b-12d3-a456-426614174000","level":1,"total":1}]}`))
	f.Add([]byte(`{"push_source":"driver_push","columns":{"driver_id":[1,2],"flag":["a",null]},"to":"offline","generation":1}`))
	h := newHouse(f)
	at := func() string {
		c, _ := h.store.Registry().Catalog("rides")
		g, _ := c.Group("default")
		return h.store.Progress(feature.Shard{Group: g.ID}).String()
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		h := &house{TB: t, store: h.store, server: h.server}
		before := at()
		w := h.post("push", string(body))
		if w.Code == http.StatusOK {
			return
		}
		if p := h.problem(w); p.Status >= http.StatusInternalServerError {
			t.Fatalf("the store blames itself: %s", w.Body)
		}
		if after := at(); after != before {
			t.Fatalf("a refused push moved the log from %s to %s: %s", before, after, w.Body)
		}
	})
}
