package definition_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"featurestore/feature"
	"featurestore/feature/definition"
)

// folder writes files and returns their folder.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const (
	entitiesFile = "project: rides\nentities: [{name: driver, join_keys: [{name: driver_id, type: int64}]}]\n"
	viewFile     = "views: [{name: %, entity: driver, features: [{name: trips, type: int64}]}]\n"
)

func viewNamed(name string) string { return strings.ReplaceAll(viewFile, "%", name) }

func TestLoadMergesTheFilesOfAFolder(t *testing.T) {
	dir := folder(t, map[string]string{
		"b.yaml": viewNamed("b"), "a.yml": viewNamed("a"), "entities.yaml": entitiesFile, "empty.yaml": "# later\n",
		"notes.txt": "no YAML: [", ".hidden.yaml": "no YAML: [", "more/c.yaml": viewNamed("c"),
	})
	d, err := definition.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	if d.Project != "rides" || len(d.Entities) != 1 || len(d.Views) != 2 || d.Views[0].Name != "a" || d.Views[1].Name != "b" {
		t.Errorf("got %+v, want project rides, entity driver, views a and b", d)
	}
	d, err = definition.Load(filepath.Join(dir, "entities.yaml"))
	if err != nil || d.Project != "rides" || len(d.Views) != 0 {
		t.Errorf("one file: got %+v, %v; want its entity alone", d, err)
	}
}

func TestLoadNamesBothFilesOfADuplicate(t *testing.T) {
	dir := folder(t, map[string]string{"a.yaml": entitiesFile + viewNamed("v"), "b.yaml": "# second\n" + viewNamed("v")})
	_, err := definition.Load(dir)
	if err == nil || !strings.Contains(err.Error(), "b.yaml:2:9") || !strings.Contains(err.Error(), "a.yaml:3:9") {
		t.Errorf("got %v, want both places", err)
	}
}

func TestLoadReportsTheFaultsOfAllFiles(t *testing.T) {
	dir := folder(t, map[string]string{"a.yaml": "project: rides\nfoo: 1\n", "b.yaml": "bar: 2\n"})
	_, err := definition.Load(dir)
	if err == nil || !strings.Contains(err.Error(), `"foo"`) || !strings.Contains(err.Error(), `"bar"`) {
		t.Errorf("got %v, want both faults", err)
	}
}

func TestLoadRefusesWhatIsNoProject(t *testing.T) {
	for _, c := range []struct {
		claim string
		files map[string]string
		want  string
	}{
		{"two projects", map[string]string{"a.yaml": "project: a\n", "b.yaml": "project: b\n"}, `b.yaml:1:1: project "b", but`},
		{"no project", map[string]string{"a.yaml": viewNamed("v")}, "no project is named"},
		{"an empty folder", map[string]string{"a.txt": ""}, "no file that ends in .yaml or .yml"},
	} {
		_, err := definition.Load(folder(t, c.files))
		if err == nil || !strings.Contains(err.Error(), c.want) || !errors.Is(err, feature.ErrInvalid) {
			t.Errorf("%s: got %v, want %q and ErrInvalid", c.claim, err, c.want)
		}
	}
	if _, err := definition.Load(filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing path: got %v, want fs.ErrNotExist", err)
	}
}
