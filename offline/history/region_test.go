package history

import (
	"errors"
	"testing"
)

func TestAHistoryIsOfOneRegion(t *testing.T) {
	files := NewDisk(t.TempDir())
	for range 2 {
		h, err := Open(t.Context(), Config{Files: files})
		if err != nil {
			t.Fatal(err)
		}
		if err := h.KeepRegion(t.Context(), "eu"); err != nil {
			t.Fatal(err)
		}
		if err := h.KeepRegion(t.Context(), "us"); !errors.Is(err, ErrRegion) {
			t.Errorf("got %v, want %v", err, ErrRegion)
		}
	}
	if region, err := Region(t.Context(), files); region != "eu" || err != nil {
		t.Errorf("got %q, %v", region, err)
	}
	if region, err := Region(t.Context(), NewDisk(t.TempDir())); region != "" || err != nil {
		t.Errorf("of none: got %q, %v", region, err)
	}
}
