package featurestore

import (
	"fmt"
	"go/ast"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// adrSections are the headings of a decision, in order.
var adrSections = []string{"Context", "Decision", "Status", "Consequences", "How we would know it was wrong"}

var (
	link     = regexp.MustCompile(`\]\(([^)#\s]+)(#[^)]*)?\)`)
	codeName = regexp.MustCompile("`([a-z]+)\\.([A-Z]\\w*)(?:\\.([A-Z]\\w*))?`")
	adrCited = regexp.MustCompile(`\bADRs? (\d+)\b`)
	testName = regexp.MustCompile("`((?:Test|Fuzz)[A-Z]\\w*)`")
	script   = regexp.MustCompile("`(\\w+\\.txtar)`")
	heading  = regexp.MustCompile(`(?m)^## (.*)$`)
)

func TestPagesTellTheTruth(t *testing.T) {
	files, pages := loadTree(t), loadPages(t)
	for _, fault := range checkPages(files, pages, func(name string) bool {
		_, err := os.Stat(filepath.FromSlash(name))
		return err == nil
	}) {
		t.Error(fault)
	}
}

// scriptFolders hold the scripts that pages name.
var scriptFolders = []string{"simulation/testdata", "cmd/featurestore/testdata"}

// checkPages finds links to nowhere, names, tests and scripts that the code does
// not have, decisions that are cited and not there, and decisions without their
// sections.
func checkPages(files []source, pages map[string]string, exists func(name string) bool) []string {
	var faults []string
	names, tests, numbers := exportedNames(files), testNames(files), map[string]bool{}
	for page, text := range pages {
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			if to := path.Join(path.Dir(page), m[1]); !strings.Contains(m[1], ":") && !exists(to) {
				faults = append(faults, fmt.Sprintf("%s links to %s, which is not there", page, to))
			}
		}
		for _, m := range codeName.FindAllStringSubmatch(text, -1) {
			known, ok := names[m[1]]
			if ok && (!known[m[2]] || m[3] != "" && !known[m[2]+"."+m[3]]) {
				faults = append(faults, fmt.Sprintf("%s speaks of %s, which package %s does not export", page, m[0], m[1]))
			}
		}
		for _, m := range testName.FindAllStringSubmatch(text, -1) {
			if !tests[m[1]] {
				faults = append(faults, fmt.Sprintf("%s names %s, which is no test", page, m[0]))
			}
		}
		for _, m := range script.FindAllStringSubmatch(text, -1) {
			if !slices.ContainsFunc(scriptFolders, func(dir string) bool { return exists(path.Join(dir, m[1])) }) {
				faults = append(faults, fmt.Sprintf("%s names %s, which none of %v has", page, m[0], scriptFolders))
			}
		}
		number, isADR := adrNumber(page)
		if !isADR {
			continue
		}
		numbers[number] = true
		var got []string
		for _, m := range heading.FindAllStringSubmatch(text, -1) {
			got = append(got, m[1])
		}
		if !slices.Equal(got, adrSections) {
			faults = append(faults, fmt.Sprintf("%s has the sections %q, want %q", page, got, adrSections))
		}
	}
	for _, s := range files {
		for _, group := range s.file.Comments {
			for _, m := range adrCited.FindAllStringSubmatch(group.Text(), -1) {
				if !numbers[m[1]] {
					faults = append(faults, fmt.Sprintf("%s cites ADR %s, which docs/adr does not have", s.at(group), m[1]))
				}
			}
		}
	}
	slices.Sort(faults)
	return faults
}

// adrNumber reads the number from docs/adr/0002-name.md.
func adrNumber(page string) (string, bool) {
	digits, _, ok := strings.Cut(path.Base(page), "-")
	number := strings.TrimLeft(digits, "0")
	return number, ok && path.Dir(page) == "docs/adr" && number != ""
}

// testNames are the functions of test files.
func testNames(files []source) map[string]bool {
	names := map[string]bool{}
	for _, s := range files {
		for _, decl := range s.file.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok && s.test() {
				names[f.Name.Name] = true
			}
		}
	}
	return names
}

// exportedNames maps a package to what it exports: names, Type.Member for
// methods and fields, and methods alone too, as prose says online.Append of
// what every Store does.
func exportedNames(files []source) map[string]map[string]bool {
	names := map[string]map[string]bool{}
	for _, s := range files {
		if s.test() {
			continue
		}
		in := names[s.file.Name.Name]
		if in == nil {
			in = map[string]bool{}
			names[s.file.Name.Name] = in
		}
		for _, decl := range s.file.Decls {
			switch d := decl.(type) {
			case *ast.FuncDecl:
				if name, exported := funcName(d); exported {
					in[name], in[d.Name.Name] = true, true
				}
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					switch sp := spec.(type) {
					case *ast.TypeSpec:
						in[sp.Name.Name] = true
						addMembers(in, sp)
					case *ast.ValueSpec:
						for _, n := range sp.Names {
							in[n.Name] = true
						}
					}
				}
			}
		}
	}
	return names
}

// addMembers adds the fields of a struct and the methods of an interface.
func addMembers(in map[string]bool, sp *ast.TypeSpec) {
	var list *ast.FieldList
	switch typ := sp.Type.(type) {
	case *ast.StructType:
		list = typ.Fields
	case *ast.InterfaceType:
		list = typ.Methods
	default:
		return
	}
	for _, field := range list.List {
		for _, n := range field.Names {
			in[sp.Name.Name+"."+n.Name] = true
		}
	}
}

// loadPages reads every Markdown page of the module, keyed by its path.
func loadPages(t *testing.T) map[string]string {
	t.Helper()
	pages := map[string]string{}
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && skipped(name, d.Name()):
			return filepath.SkipDir
		case d.IsDir() || !strings.HasSuffix(name, ".md"):
			return nil
		}
		text, err := os.ReadFile(name)
		pages[filepath.ToSlash(name)] = string(text)
		return err
	})
	if err != nil {
		t.Fatalf("read the module's pages: %v", err)
	}
	return pages
}

// TestPagesCheckFindsPlantedFaults is the negative control of checkPages.
func TestPagesCheckFindsPlantedFaults(t *testing.T) {
	const code = "// Package hlc is a clock. See ADR 2.\npackage hlc\ntype Clock struct { Skew int }\nfunc (c *Clock) Now() {}\n"
	const test = "package hlc\nfunc TestClock() {}\n"
	sections := "## " + strings.Join(adrSections, "\n\n## ") + "\n"
	for _, c := range []struct {
		claim, page, text, adr string
		want                   string
	}{
		{"a page in order", "README.md", "[x](docs/a.md#b) [y](https://example.com) `hlc.Clock.Now` `hlc.Clock.Skew` `fmt.Errorf`", "0002-b.md", ""},
		{"a link to nowhere", "docs/c.md", "[x](b.md)", "0002-b.md", "links to docs/b.md"},
		{"a link upward", "docs/c.md", "[x](../docs/a.md)", "0002-b.md", ""},
		{"a name the code lacks", "README.md", "`hlc.Watch`", "0002-b.md", "speaks of `hlc.Watch`"},
		{"a method the code lacks", "README.md", "`hlc.Clock.Then`", "0002-b.md", "speaks of `hlc.Clock.Then`"},
		{"a test and a script that are there", "README.md", "`TestClock` `it_ticks.txtar`", "0002-b.md", ""},
		{"a test that is not there", "README.md", "`TestWatch`", "0002-b.md", "names `TestWatch`, which is no test"},
		{"a script that is not there", "README.md", "`it_stops.txtar`", "0002-b.md", "names `it_stops.txtar`"},
		{"a decision that is cited and missing", "README.md", "", "0003-b.md", "cites ADR 2"},
		{"a decision without its end", "docs/adr/0009-c.md", "## Context\n", "0002-b.md", "has the sections"},
	} {
		t.Run(c.claim, func(t *testing.T) {
			pages := map[string]string{c.page: c.text, "docs/adr/" + c.adr: sections}
			exists := func(name string) bool { return name == "docs/a.md" || name == "simulation/testdata/it_ticks.txtar" }
			faults := checkPages(planted(t, map[string]string{"hlc/doc.go": code, "hlc/clock_test.go": test}), pages, exists)
			expectFault(t, faults, c.want)
		})
	}
}
