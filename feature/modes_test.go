package feature_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"featurestore/feature"
)

// TestThePageOfModesIsTheTable: each preset has its section, with the settings
// that it stands for, and a scenario that runs with it.
func TestThePageOfModesIsTheTable(t *testing.T) {
	page, err := os.ReadFile("../docs/modes.md")
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	for _, section := range strings.Split(string(page), "\n## ")[1:] {
		name, text, _ := strings.Cut(section, "\n")
		told = append(told, name)
		g, err := feature.Group{Preset: name}.Expand(false, false)
		if err != nil {
			t.Errorf("section %s: %v", name, err)
			continue
		}
		script := "mode_" + strings.ReplaceAll(name, "-", "_") + ".txtar"
		for _, want := range []string{
			"preset: " + name, "\n    " + g.SettingsText() + "\n", "**Guarantee**: ", "*As in the original.*", "*Different on purpose.*",
			"](../simulation/testdata/" + script + ")",
		} {
			if !strings.Contains(text, want) {
				t.Errorf("section %s has not %q", name, want)
			}
		}
		scenario, err := os.ReadFile(filepath.Join("../simulation/testdata", script))
		if err != nil {
			t.Error(err)
			continue
		}
		for _, want := range []string{" preset=" + name, "\ncut ", "\ncheck\n"} {
			if !strings.Contains(string(scenario), want) {
				t.Errorf("%s has not %q", script, want)
			}
		}
	}
	if got, want := strings.Join(told, " "), strings.Join(feature.Presets(), " "); got != want {
		t.Errorf("the page has sections %s, the table %s", got, want)
	}
}
