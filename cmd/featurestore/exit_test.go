package main

import (
	"bytes"
	"context"
	"strings"
	"testing"
)

// TestASignalEndsStoresInOrder and clients with a code of their own (L1), as the
// help says.
func TestASignalEndsStoresInOrder(t *testing.T) {
	signalled, signal := context.WithCancel(t.Context())
	signal()
	for _, tt := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"serve", "--region", "eu", "--store", "eu-1", "--listen", "127.0.0.1:0", "--data", t.TempDir()}, 0, ""},
		{[]string{"dev", "--no-sample", "--regions", "eu,us", "--listen", "127.0.0.1:0", "--data", t.TempDir()}, 0, ""},
		{[]string{"regions", "--url", "http://127.0.0.1:1"}, exitInterrupted, "featurestore: regions: interrupted\n"},
	} {
		var out, err bytes.Buffer
		a := &app{in: strings.NewReader(""), out: &out, err: &err}
		if code := execute(signalled, a, tt.args); code != tt.code || !strings.Contains(err.String(), tt.says) {
			t.Errorf("%s: exit code %d, %s, want %d and %q", tt.args[0], code, &err, tt.code, tt.says)
		}
	}
	if !strings.Contains(strings.ReplaceAll(rootHelp, "\n", " "), "130 interrupted. A signal is how dev and serve are stopped: they exit with 0") {
		t.Error("the help says something else")
	}
}
