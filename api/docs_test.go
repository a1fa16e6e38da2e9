package api

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the table of codes in docs/api.md")

const docsPage = "../docs/api.md"

// TestDocsListEveryCode: the table at the end of docs/api.md is Codes.
func TestDocsListEveryCode(t *testing.T) {
	page := readDocs(t)
	const head = "| code | status | means | do |\n|---|---|---|---|\n"
	before, got, ok := strings.Cut(page, head)
	if !ok {
		t.Fatalf("%s has no table of codes", docsPage)
	}
	var want strings.Builder
	for _, c := range Codes() {
		fmt.Fprintf(&want, "| `%s` | %d | %s | %s |\n", string(c.Code), c.Status, c.Title, c.Do)
	}
	if *update {
		if err := os.WriteFile(docsPage, []byte(before+head+want.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if got != want.String() {
		t.Errorf("the table of codes in %s is not that of the code; run make golden. want:\n%s", docsPage, &want)
	}
}

// TestDocsPrintValuesAsTheyAre reads every example of the table of values and
// prints it.
func TestDocsPrintValuesAsTheyAre(t *testing.T) {
	quoted := regexp.MustCompile("`([^`]+)`")
	_, table, _ := strings.Cut(readDocs(t), "| type | is printed | is also read |\n|---|---|---|\n")
	examples := 0
	for line := range strings.SplitSeq(table, "\n") {
		cells := quoted.FindAllStringSubmatch(line, -1)
		if !strings.HasPrefix(line, "|") || len(cells) < 2 {
			break
		}
		typ, printed := mustType(t, cells[0][1]), cells[1][1]
		for _, cell := range cells[1:] {
			v, err := DecodeValue(json.RawMessage(cell[1]), typ)
			if err != nil {
				t.Errorf("%s from %s: %v", typ, cell[1], err)
				continue
			}
			if got := string(AppendValue(nil, v)); got != printed {
				t.Errorf("%s from %s prints %s, the page says %s", typ, cell[1], got, printed)
			}
			examples++
		}
	}
	if examples < 25 {
		t.Errorf("%d examples were found", examples)
	}
}

func readDocs(t *testing.T) string {
	t.Helper()
	page, err := os.ReadFile(docsPage)
	if err != nil {
		t.Fatal(err)
	}
	return string(page)
}
