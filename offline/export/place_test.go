package export

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"featurestore/api"
	"featurestore/offline/history"
)

// EX1 holds after a loss of power: the old manifest is gone for good before the new file has
// its name, which it has for good before its manifest is there.
func TestEachStepOfAFileIsDurable(t *testing.T) {
	h := open(t, 8)
	h.write(10)
	p := h.past()
	dir := t.TempDir()
	write := func() (synced []string) {
		t.Helper()
		syncFolder = func(name string) error {
			found, err := os.ReadDir(name)
			if err != nil {
				return err
			}
			var names []string
			for _, f := range found {
				if !strings.HasSuffix(f.Name(), ".part") {
					names = append(names, f.Name())
				}
			}
			synced = append(synced, strings.Join(names, " "))
			return history.SyncFolder(name)
		}
		defer func() { syncFolder = history.SyncFolder }()
		e, err := p.Ask(t.Context(), "", &api.ExportRequest{Snapshot: "driver_stats"}, nil, h.config())
		if err == nil {
			_, err = Write(t.Context(), e, filepath.Join(dir, "a.csv"))
		}
		if err != nil {
			t.Fatal(err)
		}
		return synced
	}
	if got, want := write(), []string{"a.csv", "a.csv a.csv.manifest.json"}; !slices.Equal(got, want) {
		t.Errorf("durable are %q, want %q", got, want)
	}
	if got, want := write(), []string{"a.csv", "a.csv", "a.csv a.csv.manifest.json"}; !slices.Equal(got, want) {
		t.Errorf("when it is replaced, durable are %q, want %q", got, want)
	}
}
