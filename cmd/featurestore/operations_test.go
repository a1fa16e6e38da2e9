package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"featurestore/replica"
)

// TestOperationsPageCanBeFollowed reads the commands of docs/operations.md as
// the program would, and its configuration as serve does.
func TestOperationsPageCanBeFollowed(t *testing.T) {
	commands, files := 0, 0
	for _, b := range blocksOf(readPage(t, "docs/operations.md")) {
		if b.lang == "yaml" {
			files++
			name := filepath.Join(t.TempDir(), "eu.yaml")
			if err := os.WriteFile(name, []byte(b.text), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := replica.Load(replica.Sources{File: name}); err != nil {
				t.Errorf("line %d: %v", b.line, err)
			}
			continue
		}
		for line := range strings.Lines(b.text) {
			words := strings.Fields(line)
			if words[0] != "featurestore" {
				continue
			}
			commands++
			if err := acceptsLine(words[1:]); err != nil {
				t.Errorf("%s: %v", strings.TrimSpace(line), err)
			}
		}
	}
	if commands < 10 || files != 1 {
		t.Errorf("the page has %d commands and %d files", commands, files)
	}
	if acceptsLine([]string{"members", "promote", "us-1"}) == nil || acceptsLine([]string{"lag", "--everything"}) == nil {
		t.Error("a command that does not exist was taken")
	}
}

// acceptsLine says why a command line is not accepted; it runs nothing.
func acceptsLine(args []string) error {
	root := newRoot(&app{in: strings.NewReader(""), out: io.Discard, err: io.Discard})
	cmd, rest, err := root.Find(args)
	if err != nil {
		return err
	}
	if err := cmd.ParseFlags(rest); err != nil {
		return err
	}
	if err := cmd.ValidateArgs(cmd.Flags().Args()); err != nil {
		return err
	}
	return cmd.ValidateRequiredFlags()
}
