package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestTheCommandsThatDevPrintsWork runs each of them in a shell, as a newcomer
// would, and wants served values.
func TestTheCommandsThatDevPrintsWork(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("curl is not installed")
	}
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "featurestore")
	if err := os.Symlink(binary, link); err != nil {
		t.Fatal(err)
	}
	p, err := startProcess(link, t.TempDir(), os.Environ(), "dev", "--listen", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := p.stop(); err != nil {
			t.Errorf("stop: %v\n%s", err, p.output)
		}
	}()
	ran := 0
	for line := range strings.Lines(p.output.String()) {
		if !strings.HasPrefix(line, "  ") {
			continue
		}
		ran++
		out, err := exec.CommandContext(t.Context(), "sh", "-c", line).CombinedOutput()
		if err != nil || !strings.Contains(string(out), `"PRESENT"`) {
			t.Errorf("%s\nanswers %s, %v", line, out, err)
		}
	}
	if ran != 3 {
		t.Errorf("dev printed %d commands, want 3", ran)
	}
}
