package replica

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"featurestore/feature"
	"featurestore/feature/definition"
)

// TestDefinitionsPageIsRight: its example is taken, and its mistakes are answered by what
// stands below them.
func TestDefinitionsPageIsRight(t *testing.T) {
	page, err := os.ReadFile("../docs/definitions.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```(yaml|text)\n(.*?)```").FindAllStringSubmatch(string(page), -1)
	if len(blocks) != 5 {
		t.Fatalf("the page has %d blocks, want an example, and twice a mistake with its answer", len(blocks))
	}
	if _, err := planOf(blocks[0][2]); err != nil {
		t.Errorf("the example is refused: %v", err)
	}
	for i := 1; i < len(blocks); i += 2 {
		_, err := planOf(blocks[i][2])
		for line := range strings.Lines(blocks[i+1][2]) {
			if !strings.Contains(fmt.Sprint(err), strings.TrimSpace(line)) {
				t.Errorf("want %q, got\n%v", strings.TrimSpace(line), err)
			}
		}
		if got, want := strings.Count(fmt.Sprint(err), "rides"), strings.Count(blocks[i+1][2], "\n"); i == 1 && got != want {
			t.Errorf("the page has %d faults, there are %d:\n%v", want, got, err)
		}
	}
}

// planOf reads a document and plans it as a store without definitions does.
func planOf(document string) (feature.Plan, error) {
	d, err := definition.Parse("rides.yaml", strings.NewReader(document))
	if err != nil {
		return feature.Plan{}, err
	}
	return feature.NewRegistry().With(checks()).Plan(d)
}
