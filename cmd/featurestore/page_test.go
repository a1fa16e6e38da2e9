package main

import (
	"bytes"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

const cliPage = "../../docs/cli.md"

// TestCLIPageIsCurrent compares the page with the help of every command.
func TestCLIPageIsCurrent(t *testing.T) {
	want := "# Commands\n\nThe help of every command: this page is written by `make golden` and checked by\na test. `featurestore completion --help` tells how a shell completes them.\n"
	root := newRoot(&app{in: strings.NewReader(""), out: io.Discard, err: io.Discard})
	for _, c := range everyCommand(root) {
		var help bytes.Buffer
		c.SetOut(&help)
		if err := c.Help(); err != nil {
			t.Fatal(err)
		}
		want += "\n## " + c.CommandPath() + "\n\n```text\n" + strings.TrimSpace(help.String()) + "\n```\n"
	}
	if *update {
		if err := os.WriteFile(cliPage, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(cliPage)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s is not current; run make golden and commit what you can explain", cliPage)
	}
}

// everyCommand returns a command and those beneath it, but for cobra's own and the hidden.
func everyCommand(c *cobra.Command) []*cobra.Command {
	all := []*cobra.Command{c}
	for _, sub := range c.Commands() {
		if sub.Name() != "completion" && sub.Name() != "help" && !sub.Hidden {
			all = append(all, everyCommand(sub)...)
		}
	}
	return all
}

// TestHelpIsWholeAndFitsATerminal wants text, an example and lines of at most
// 80 characters, those of flags aside.
func TestHelpIsWholeAndFitsATerminal(t *testing.T) {
	root := newRoot(&app{in: strings.NewReader(""), out: io.Discard, err: io.Discard})
	for _, c := range everyCommand(root) {
		if c != root && (c.Long == "" || c.Example == "") {
			t.Errorf("%s: it needs help text and an example", c.CommandPath())
		}
		for line := range strings.Lines(c.Long) {
			if n := len([]rune(strings.TrimRight(line, "\n"))); n > 80 && !strings.HasPrefix(line, "  ") {
				t.Errorf("%s: a line of help has %d characters: %s", c.CommandPath(), n, line)
			}
		}
	}
}
