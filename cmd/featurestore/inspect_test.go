package main

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"featurestore/online"
)

// TestADirectoryThatCannotBeReadSaysWhatToDo, for the two that are in order.
func TestADirectoryThatCannotBeReadSaysWhatToDo(t *testing.T) {
	broken := errors.New("a bad disk")
	for _, tt := range []struct {
		err  error
		want string
	}{
		{online.ErrInUse, "is running: stop it first"},
		{online.ErrUnclean, "was killed: start it and stop it in order first"},
		{broken, "a bad disk"},
	} {
		if got := uninspectable("data", fmt.Errorf("open data/online: %w", tt.err)).Error(); !strings.Contains(got, tt.want) {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
}
