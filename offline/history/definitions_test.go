package history

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"featurestore/feature"
)

func TestTheLatestDefinitionsAreFound(t *testing.T) {
	dir := t.TempDir()
	files := NewDisk(dir)
	h, err := Open(t.Context(), Config{Files: files})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := Definitions(t.Context(), files); got != nil || err != nil {
		t.Fatalf("before any: got %q, %v", got, err)
	}
	for _, v := range []feature.RegistryVersion{version(2, 3), version(2, 12), version(1, 99), version(2, 12)} {
		if err := h.KeepDefinitions(t.Context(), v, []byte{byte(v.Epoch), byte(v.Revision)}); err != nil {
			t.Fatal(err)
		}
	}
	h.Close()
	if err := h.KeepDefinitions(t.Context(), version(9, 1), nil); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v, want %v", err, ErrClosed)
	}
	if _, err := Open(t.Context(), Config{Files: files}); err != nil { // it sweeps
		t.Fatal(err)
	}
	if got, err := Definitions(t.Context(), files); !bytes.Equal(got, []byte{2, 12}) || err != nil {
		t.Errorf("got %v, %v, want epoch 2, revision 12", got, err)
	}
	names, err := filepath.Glob(filepath.Join(dir, definitionsFolder, "*"))
	if err != nil || len(names) != 3 {
		t.Fatalf("%d files, %v, want one for each version", len(names), err)
	}
	if err := os.WriteFile(names[2], []byte{2, 13}, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Definitions(t.Context(), files); !errors.Is(err, ErrCorrupt) {
		t.Errorf("other contents: %v, want %v", err, ErrCorrupt)
	}
}

// Definitions that are not the latest are found by their version.
func TestEarlierDefinitionsAreFound(t *testing.T) {
	files := NewDisk(t.TempDir())
	h := open(t, files)
	for revision := range uint64(3) {
		if err := h.KeepDefinitions(t.Context(), version(1, revision), []byte{byte(revision)}); err != nil {
			t.Fatal(err)
		}
	}
	for revision := range uint64(3) {
		got, err := DefinitionsAt(t.Context(), files, 1, revision)
		if err != nil || len(got) != 1 || got[0] != byte(revision) {
			t.Errorf("revision %d: got %v, %v", revision, got, err)
		}
	}
	if _, err := DefinitionsAt(t.Context(), files, 2, 1); !errors.Is(err, ErrGone) {
		t.Errorf("of another epoch: %v, want %v", err, ErrGone)
	}
}

func version(epoch, revision uint64) feature.RegistryVersion {
	return feature.RegistryVersion{Line: feature.Line{Epoch: epoch}, Revision: revision}
}
