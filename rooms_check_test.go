package featurestore

import (
	"fmt"
	"go/ast"
	"slices"
	"strings"
	"testing"
)

// TestRoomsCheckFindsPlantedFaults is the negative control of the table: each
// source breaks one rule, or looks as if it did.
func TestRoomsCheckFindsPlantedFaults(t *testing.T) {
	for _, c := range []struct {
		claim, path, text string
		want              string // part of the only fault; empty: there is none
	}{
		{"a mechanism imports another", "online/store.go", `package online; import _ "featurestore/consistency"`, "online must not import consistency"},
		{"a domain room imports an edge", "feature/view.go", `package feature; import _ "featurestore/api"`, "feature must not import api"},
		{"the client imports the store", "sdk/lookup.go", `package sdk; import _ "featurestore/online"`, "sdk must not import online"},
		{"a client's test runs the store", "sdk/lookup_test.go", `package sdk; import _ "featurestore/online"`, ""},
		{"a row lists it", "server/push.go", `package server; import _ "featurestore/api"`, ""},
		{"a room imports its own package", "api/errors_test.go", `package api_test; import _ "featurestore/api"`, ""},
		{"a room of no row", "util/strings.go", `package util`, "package util stands in no room"},
		{"a room beneath a room, of no row", "online/cache/cache.go", `package cache`, "package online/cache stands in no room"},
		{"an import of no row", "server/push.go", `package server; import _ "featurestore/helpers"`, "featurestore/helpers, which stands in no room"},
		{"examples are open", "examples/rides/main.go", `package main; import (_ "featurestore/online"; _ "github.com/dgraph-io/badger/v4")`, ""},
		{"examples know no unlisted library", "examples/rides/main.go", `package main; import _ "github.com/spf13/viper"`, "a library without a home"},
		{"Badger away from home", "replication/apply.go", `package replication; import _ "github.com/dgraph-io/badger/v4"`, "its home is [online]"},
		{"Badger at home", "online/store.go", `package online; import _ "github.com/dgraph-io/badger/v4/options"`, ""},
		{"Arrow in the serving client", "sdk/export.go", `package sdk; import _ "github.com/apache/arrow/go/v17/arrow"`, "sdk must not import"},
		{"the telemetry API in a mechanism", "online/metrics.go", `package online; import _ "go.opentelemetry.io/otel/metric"`, ""},
		{"the telemetry SDK in a mechanism", "online/metrics.go", `package online; import _ "go.opentelemetry.io/otel/sdk/metric"`, "its home is [replica]"},
		{"a test library in code", "hlc/clock.go", `package hlc; import _ "pgregory.net/rapid"`, "hlc must not import"},
		{"a test library in a test", "hlc/clock_test.go", `package hlc; import _ "pgregory.net/rapid"`, ""},
		{"a library whose path begins alike", "online/store.go", `package online; import _ "github.com/dgraph-io/badger/v40"`, "a library without a home"},
		{"a pure room opens files", "hlc/clock.go", `package hlc; import _ "os"`, "hlc does no I/O"},
		{"a pure room starts a goroutine", "consistency/wait.go", `package consistency; func f() { go f() }`, "consistency starts no goroutine"},
		{"a pure room's test may do both", "hlc/clock_test.go", `package hlc; import _ "os"; func f() { go f() }`, ""},
	} {
		t.Run(c.claim, func(t *testing.T) {
			faults := checkRooms(planted(t, map[string]string{c.path: c.text}))
			expectFault(t, faults, c.want)
		})
	}
}

// expectFault wants exactly one fault that holds the text, or none when the
// text is empty.
func expectFault(t *testing.T, faults []string, want string) {
	t.Helper()
	switch {
	case want == "" && len(faults) > 0:
		t.Errorf("got %q, want no fault", faults)
	case want != "" && (len(faults) != 1 || !strings.Contains(faults[0], want)):
		t.Errorf("got %q, want one fault with %q", faults, want)
	}
}

// checkRooms returns one line for every import, package, goroutine or I/O
// that the tables do not allow.
func checkRooms(files []source) []string {
	var faults []string
	unlisted := map[string]bool{}
	for _, s := range files {
		r, ok := roomOf(s.room)
		if !ok {
			if !unlisted[s.room] {
				faults = append(faults, fmt.Sprintf("package %s stands in no room: add a row to rooms in rooms_test.go, and say in ARCHITECTURE.md what it is for", s.room))
			}
			unlisted[s.room] = true
			continue
		}
		for _, imp := range s.imports() {
			if fault := checkImport(r, s.test(), imp); fault != "" {
				faults = append(faults, s.path+": "+fault)
			}
		}
		if r.pure && !s.test() {
			faults = append(faults, checkPure(s)...)
		}
	}
	slices.Sort(faults)
	return faults
}

// checkImport says what is wrong when a room imports a path, or nothing.
func checkImport(r room, test bool, imp string) string {
	if own, ok := strings.CutPrefix(imp, module+"/"); ok || imp == module {
		to, known := roomOf(own)
		allowed := r.may
		if test {
			allowed = slices.Concat(r.may, r.test)
		}
		switch {
		case !known:
			return fmt.Sprintf("imports %s, which stands in no room of rooms_test.go", imp)
		case to.path == r.path || slices.Contains(allowed, anything) || slices.Contains(allowed, to.path):
			return ""
		}
		return fmt.Sprintf("%s must not import %s; it may import %v", r.path, to.path, allowed)
	}
	if first, _, _ := strings.Cut(imp, "/"); !strings.Contains(first, ".") {
		return "" // the standard library
	}
	lib, ok := libraryOf(imp)
	if !ok {
		return fmt.Sprintf("imports %s, a library without a home: add a row to libraries in rooms_test.go and to docs/adr/0007-libraries.md", imp)
	}
	home := lib.home
	if test {
		home = slices.Concat(lib.home, lib.test)
	}
	if slices.Contains(r.may, anything) || slices.Contains(home, anything) || slices.ContainsFunc(home, func(path string) bool { return within(r.path, path) }) {
		return ""
	}
	return fmt.Sprintf("%s must not import %s; its home is %v", r.path, imp, home)
}

// roomOf finds the row of a directory; the exact row goes before the open one.
func roomOf(dir string) (room, bool) {
	for _, r := range rooms {
		if r.path == dir {
			return r, true
		}
	}
	for _, r := range rooms {
		if within(dir, r.path) {
			return r, true
		}
	}
	return room{}, false
}

// within reports whether a directory is that of a row, or beneath it where the row
// is open.
func within(dir, row string) bool {
	base, open := strings.CutSuffix(row, "/...")
	return dir == base || open && strings.HasPrefix(dir, base+"/")
}

// libraryOf finds the row with the longest path that fits an import.
func libraryOf(imp string) (library, bool) {
	var best library
	for _, l := range libraries {
		if (imp == l.path || strings.HasPrefix(imp, l.path+"/")) && len(l.path) > len(best.path) {
			best = l
		}
	}
	return best, best.path != ""
}

// checkPure finds what a room of pure decisions must not do.
func checkPure(s source) []string {
	var faults []string
	for _, imp := range s.imports() {
		if imp == "os" || imp == "net" || strings.HasPrefix(imp, "os/") || strings.HasPrefix(imp, "net/") && imp != "net/url" {
			faults = append(faults, fmt.Sprintf("%s: %s does no I/O, so it must not import %s: take a reader, or a function", s.path, s.room, imp))
		}
	}
	ast.Inspect(s.file, func(n ast.Node) bool {
		if g, ok := n.(*ast.GoStmt); ok {
			faults = append(faults, fmt.Sprintf("%s: %s starts no goroutine: the caller owns it", s.at(g), s.room))
		}
		return true
	})
	return faults
}
