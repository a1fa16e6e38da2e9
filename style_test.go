package featurestore

import (
	"fmt"
	"go/ast"
	"go/token"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// badNames say nothing about what a package is for.
var badNames = []string{"base", "common", "helpers", "lib", "misc", "model", "models", "shared", "types", "util", "utils"}

// Rooms where a wire or file format is spelled as struct tags.
var tagRooms = map[string][]string{
	"json": {"api"},
	"yaml": {"feature/definition", "replica"},
}

func TestStyle(t *testing.T) {
	for _, fault := range checkStyle(loadTree(t)) {
		t.Error(fault)
	}
}

// checkStyle returns one line for every place that breaks a rule of STYLE.md
// that a machine can check.
func checkStyle(files []source) []string {
	faults := append(checkPackages(files), checkInvariants(files)...)
	for _, s := range files {
		if ast.IsGenerated(s.file) {
			continue // its generator has a style of its own
		}
		faults = append(faults, checkCalls(s)...)
		if !s.test() {
			faults = append(faults, checkTags(s)...)
			faults = append(faults, checkComments(s)...)
		}
	}
	slices.Sort(faults)
	return faults
}

// checkPackages wants a doc.go with a package comment in every directory, and
// a name that says something.
func checkPackages(files []source) []string {
	var faults []string
	documented := map[string]bool{}
	for _, s := range files {
		if path.Base(s.path) == "doc.go" && s.file.Doc != nil {
			documented[s.room] = true
			text, name := s.file.Doc.Text(), s.file.Name.Name
			if name != "main" && !strings.HasPrefix(text, "Package "+name+" ") {
				faults = append(faults, fmt.Sprintf("%s: the comment begins with %q", s.path, "Package "+name))
			}
		}
	}
	seen := map[string]bool{}
	for _, s := range files {
		if seen[s.room] {
			continue
		}
		seen[s.room] = true
		if !documented[s.room] {
			faults = append(faults, fmt.Sprintf("%s: no doc.go with a package comment: one sentence of purpose, then the numbered invariants", s.room))
		}
		name := strings.TrimSuffix(s.file.Name.Name, "_test")
		if slices.Contains(badNames, name) {
			faults = append(faults, fmt.Sprintf("%s: package %s is named for no idea: name it for what it holds", s.path, name))
		}
	}
	return faults
}

// invariantID is the number that an invariant begins with in a doc.go.
var invariantID = regexp.MustCompile(`(?m)^\s+([A-Z][0-9]+)\. `)

// checkInvariants wants each number once in the repository, so that a comment
// or a test that names it means one promise.
func checkInvariants(files []source) []string {
	var faults []string
	declared := map[string]string{}
	for _, s := range files {
		if path.Base(s.path) != "doc.go" || s.file.Doc == nil {
			continue
		}
		for _, m := range invariantID.FindAllStringSubmatch(s.file.Doc.Text(), -1) {
			if at, ok := declared[m[1]]; ok {
				faults = append(faults, fmt.Sprintf("%s: invariant %s is declared in %s already: number it by another letter", s.path, m[1], at))
				continue
			}
			declared[m[1]] = s.path
		}
	}
	return faults
}

// checkComments wants a comment at every exported name: at the name, or at
// the group of constants or variables that holds it.
func checkComments(s source) []string {
	var faults []string
	missing := func(n ast.Node, name string) {
		faults = append(faults, fmt.Sprintf("%s: exported %s has no comment", s.at(n), name))
	}
	for _, decl := range s.file.Decls {
		switch d := decl.(type) {
		case *ast.FuncDecl:
			if name, exported := funcName(d); exported && d.Doc == nil {
				missing(d, name)
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				switch sp := spec.(type) {
				case *ast.TypeSpec:
					grouped := d.Lparen.IsValid()
					if sp.Name.IsExported() && sp.Doc == nil && (d.Doc == nil || grouped) {
						missing(sp, sp.Name.Name)
					}
				case *ast.ValueSpec:
					if d.Doc != nil || sp.Doc != nil || sp.Comment != nil {
						continue
					}
					for _, name := range sp.Names {
						if name.IsExported() {
							missing(name, name.Name)
						}
					}
				}
			}
		}
	}
	return faults
}

// funcName names a function or method and reports whether a reader of the
// package's documentation sees it: a method of a hidden type is hidden.
func funcName(d *ast.FuncDecl) (name string, exported bool) {
	if d.Recv == nil {
		return d.Name.Name, d.Name.IsExported()
	}
	recv := d.Recv.List[0].Type
	for {
		switch r := recv.(type) {
		case *ast.StarExpr:
			recv = r.X
		case *ast.IndexExpr:
			recv = r.X
		case *ast.IndexListExpr:
			recv = r.X
		case *ast.Ident:
			return r.Name + "." + d.Name.Name, r.IsExported() && d.Name.IsExported()
		default:
			return d.Name.Name, false
		}
	}
}

// checkCalls finds init functions, sleeping tests, and contexts without a
// caller.
func checkCalls(s source) []string {
	var faults []string
	timeName, contextName := s.name("time"), s.name("context")
	sleeps := s.test() && !s.importsPath("testing/synctest")
	orphans := !s.test() && !s.command() && s.room != "replica"
	ast.Inspect(s.file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			if n.Recv == nil && n.Name.Name == "init" {
				faults = append(faults, s.at(n)+": init runs unasked: build the value where it is used, or with sync.OnceValue")
			}
		case *ast.SelectorExpr:
			x, ok := n.X.(*ast.Ident)
			switch {
			case !ok:
			case sleeps && x.Name == timeName && n.Sel.Name == "Sleep":
				faults = append(faults, s.at(n)+": a test sleeps in real time: use testing/synctest, or wait for the event")
			case orphans && x.Name == contextName && (n.Sel.Name == "Background" || n.Sel.Name == "TODO"):
				faults = append(faults, fmt.Sprintf("%s: context.%s outside main, tests and replica: take the caller's ctx, or context.WithoutCancel of it", s.at(n), n.Sel.Name))
			}
		}
		return true
	})
	return faults
}

// checkTags finds JSON and YAML tags in rooms that do not speak them.
func checkTags(s source) []string {
	var faults []string
	ast.Inspect(s.file, func(n ast.Node) bool {
		field, ok := n.(*ast.Field)
		if !ok || field.Tag == nil || field.Tag.Kind != token.STRING {
			return true
		}
		for format, homes := range tagRooms {
			if strings.Contains(field.Tag.Value, format+":") && !slices.Contains(homes, s.room) {
				faults = append(faults, fmt.Sprintf("%s: a %s tag outside %v: give the format its own struct there", s.at(field), format, homes))
			}
		}
		return true
	})
	return faults
}
