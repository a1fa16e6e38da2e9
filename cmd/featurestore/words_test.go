package main

import (
	"fmt"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"featurestore/api"
	"featurestore/consistency"
	"featurestore/feature"
)

// TestConsistencyPageNamesWhatIsAccepted reads the first column of each table
// of docs/consistency.md, and the list that its prose gives as an example.
func TestConsistencyPageNamesWhatIsAccepted(t *testing.T) {
	page := readPage(t, "docs/consistency.md")
	for _, head := range []string{"level", "concern", "rule"} {
		words := firstColumn(page, head)
		if len(words) < 5 {
			t.Errorf("the table of %ss has the words %q", head, words)
		}
		for _, word := range words {
			if err := checkWord(head, word); err != nil {
				t.Errorf("docs/consistency.md: %v", err)
			}
		}
	}
	const list = "session; within=5ms, eventual"
	if !strings.Contains(page, "`"+list+"`") {
		t.Errorf("docs/consistency.md no longer has the list %q", list)
	}
	if err := checkWord("level", list); err != nil {
		t.Error(err)
	}
}

// checkWord says why a word of a table is not accepted where it belongs.
func checkWord(head, word string) error {
	var err error
	switch head {
	case "level":
		_, err = consistency.ParseAlternatives(word)
	case "concern":
		_, err = consistency.ParseConcern(strings.Replace(word, ":k", ":2", 1))
	case "rule":
		_, err = feature.ParseRule(word)
	default:
		err = fmt.Errorf("no reader of %q", head)
	}
	return err
}

var quoted = regexp.MustCompile("`([^`]+)`")

// columnOf returns the words in backticks below a column's heading, in every
// table of the page that has it.
func columnOf(page, heading string) []string {
	var words []string
	at := -1
	for line := range strings.Lines(page) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if !strings.HasPrefix(line, "|") {
			at = -1
			continue
		}
		if i := slices.IndexFunc(cells, func(c string) bool { return strings.TrimSpace(c) == heading }); i >= 0 {
			at = i
			continue
		}
		if at < 0 || at >= len(cells) {
			continue
		}
		for _, m := range quoted.FindAllStringSubmatch(cells[at], -1) {
			words = append(words, m[1])
		}
	}
	return words
}

// firstColumn is columnOf of a table's first column.
func firstColumn(page, heading string) []string {
	at := strings.Index(page, "\n| "+heading+" |")
	if at < 0 {
		return nil
	}
	table, _, _ := strings.Cut(page[at+1:], "\n\n")
	return columnOf(table, heading)
}

// TestPagesNameCodesThatExist: what pages call a code, a client can receive.
func TestPagesNameCodesThatExist(t *testing.T) {
	pages, err := filepath.Glob(filepath.Join(moduleRoot, "docs", "*.md"))
	if err != nil || len(pages) < 5 {
		t.Fatalf("pages %q, %v", pages, err)
	}
	for _, name := range append(pages, filepath.Join(moduleRoot, "README.md")) {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, fault := range checkCodes(string(text)) {
			t.Errorf("%s %s", path.Base(filepath.ToSlash(name)), fault)
		}
	}
}

// codeForm is how codes are spelled, and nothing else in backticks is but
// statuses.
var codeForm = regexp.MustCompile(`^([A-Z]+(_[A-Z]+)*|(invalid|too_many|unsupported)_[a-z_]+|[a-z_]+_(not_found|too_large|exceeded|reused|overflow))$`)

// checkCodes finds codes on a page that no answer has: words in backticks that
// are spelled like codes, or stand below the heading "code" of a table.
func checkCodes(page string) []string {
	known := map[string]bool{}
	for _, c := range api.Codes() {
		known[string(c.Code)] = true
	}
	statuses := []api.Status{api.StatusPresent, api.StatusNull, api.StatusNotFound, api.StatusOutsideMaxAge}
	said := columnOf(page, "code")
	for _, m := range quoted.FindAllStringSubmatch(page, -1) {
		if codeForm.MatchString(m[1]) {
			said = append(said, m[1])
		}
	}
	slices.Sort(said)
	var faults []string
	for _, word := range slices.Compact(said) {
		if !known[word] && !slices.Contains(statuses, api.Status(word)) {
			faults = append(faults, fmt.Sprintf("speaks of the code %s, which no answer has", word))
		}
	}
	return faults
}

// TestPagesShowRequestsAndAnswersAsTheyAre sends what docs/api.md and
// docs/feast.md show to a store with the sample.
func TestPagesShowRequestsAndAnswersAsTheyAre(t *testing.T) {
	native, feast := blocksOf(readPage(t, "docs/api.md")), blocksOf(readPage(t, "docs/feast.md"))
	if len(native) != 5 || len(feast) != 4 {
		t.Fatalf("docs/api.md has %d blocks and docs/feast.md %d, want 5 and 4: each must be sent or compared below", len(native), len(feast))
	}
	url := startStore(t, t.TempDir(), "dev").url
	send := func(path, body string, want int) string {
		t.Helper()
		status, answer := post(t, url+path, body)
		if status != want {
			t.Errorf("POST %s %s\nis answered %d, want %d: %s", path, body, status, want, answer)
		}
		return answer
	}
	compare := func(page string, b block, came string) {
		t.Helper()
		if err := checkAnswer(b.text, came); err != nil {
			t.Errorf("%s:%d: %v\n%s", page, b.line, err, came)
		}
	}
	for push := range strings.Lines(native[0].text) {
		send("/v1/projects/rides/push", push, http.StatusOK)
	}
	for asked := range strings.Lines(native[1].text) {
		send("/v1/projects/rides/conflicts", asked, http.StatusOK)
	}
	for asked := range strings.Lines(native[2].text) {
		send("/v1/projects/rides/export", asked, http.StatusOK)
	}
	bad := `{"view": "driver_stats", "rows": [{"driver_id": 1, "trips": 1}, {"driver_id": 2, "trips": 1}, {"driver_id": 3, "trips": 1}, {"driver_id": 4, "conv_rate": "high"}]}`
	for _, command := range commandsOf(native[3].text) {
		path, body, err := curlOf(command)
		if err != nil {
			t.Fatal(err)
		}
		send(path, body, http.StatusOK)
	}
	compare("docs/api.md", native[4], send("/v1/projects/rides/push", bad, http.StatusUnprocessableEntity))

	for _, command := range commandsOf(feast[1].text) {
		path, body, err := curlOf(command)
		if err != nil {
			t.Fatal(err)
		}
		send(path, body, http.StatusOK)
	}
	compare("docs/feast.md", feast[2], send("/get-online-features", `{"features": ["x:y"], "entities": {"driver_id": [1]}}`, http.StatusNotFound))
	bad = `{"push_source_name": "driver_push", "df": {"driver_id": [1, 2], "event_timestamp": [1, 2], "conv_rate": [0.5, "high"]}}`
	compare("docs/feast.md", feast[3], send("/push", bad, http.StatusUnprocessableEntity))
}

// TestWordChecksFindPlantedFaults is the negative control of the checks.
func TestWordChecksFindPlantedFaults(t *testing.T) {
	const page = "\n| level | costs |\n|---|---|\n| `session`, `strong` | `x` |\n\n| what | code |\n|---|---|\n| `body` | `too_big` |\n\n`BEHIND`, `PRESENT`, `event_time`\n"
	if got, want := firstColumn(page, "level"), []string{"session", "strong"}; !slices.Equal(got, want) {
		t.Errorf("first column %q, want %q", got, want)
	}
	for _, c := range []struct{ head, word string }{{"level", "strong"}, {"concern", "some:k"}, {"rule", "latest"}} {
		if checkWord(c.head, c.word) == nil {
			t.Errorf("%s %s is taken for a word that is accepted", c.head, c.word)
		}
	}
	for text, want := range map[string]string{
		page:                         "too_big",
		"`NOT_ENOUGH_LIFE` `BEHIND`": "NOT_ENOUGH_LIFE",
		"`invalid_reqest`":           "invalid_reqest",
		"`views_not_found`":          "views_not_found",
	} {
		if faults := checkCodes(text); len(faults) != 1 || !strings.Contains(faults[0], want) {
			t.Errorf("%q has the faults %q, want one that names %s", text, faults, want)
		}
	}
	if faults := checkCodes("`BEHIND` `NULL_VALUE` `invalid_rows` `event_time` `api.md`"); len(faults) != 0 {
		t.Errorf("a page in order has the faults %q", faults)
	}
}
