package featurestore

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// module is the path that imports within the repository begin with.
const module = "featurestore"

// A source is one parsed Go file of the module.
type source struct {
	path string // slash-separated, from the root of the repository
	room string // the directory that holds it, "." for the root
	fset *token.FileSet
	file *ast.File
}

// test reports whether only tests compile the file.
func (s source) test() bool { return strings.HasSuffix(s.path, "_test.go") }

// command reports whether the file belongs to a program.
func (s source) command() bool { return s.file.Name.Name == "main" }

// at names a place in the file for a message.
func (s source) at(n ast.Node) string {
	return fmt.Sprintf("%s:%d", s.path, s.fset.Position(n.Pos()).Line)
}

// imports yields the import paths of the file, unquoted.
func (s source) imports() []string {
	var paths []string
	for _, spec := range s.file.Imports {
		paths = append(paths, strings.Trim(spec.Path.Value, `"`))
	}
	return paths
}

// importsPath reports whether the file imports the given path.
func (s source) importsPath(want string) bool {
	for _, p := range s.imports() {
		if p == want {
			return true
		}
	}
	return false
}

// name returns what the file calls an imported package: its alias, or the
// last element of its path. It is empty when the file does not import it.
func (s source) name(importPath string) string {
	for _, spec := range s.file.Imports {
		if strings.Trim(spec.Path.Value, `"`) != importPath {
			continue
		}
		if spec.Name != nil {
			return spec.Name.Name
		}
		return path.Base(importPath)
	}
	return ""
}

// parse reads one file; src may hold its text, or be nil to read it from disk.
func parse(fset *token.FileSet, name string, src any) (source, error) {
	f, err := parser.ParseFile(fset, filepath.FromSlash(name), src, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return source{}, err
	}
	return source{path: name, room: path.Dir(name), fset: fset, file: f}, nil
}

// tree parses every Go file of the module once, in the order of their paths.
// Directories that the go tool ignores and nested modules are not part of it.
var tree = sync.OnceValues(func() ([]source, error) {
	fset := token.NewFileSet()
	var files []source
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if skipped(name, d.Name()) {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") {
			return nil
		}
		s, err := parse(fset, filepath.ToSlash(name), nil)
		files = append(files, s)
		return err
	})
	return files, err
})

// skipped reports whether the module ends at a directory.
func skipped(name, base string) bool {
	if name == "." {
		return false
	}
	if base == "testdata" || base == "vendor" || strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") {
		return true
	}
	_, err := os.Stat(filepath.Join(name, "go.mod"))
	return err == nil
}

// loadTree returns the files of the module or ends the test.
func loadTree(t *testing.T) []source {
	t.Helper()
	files, err := tree()
	if err != nil {
		t.Fatalf("read the module's files: %v", err)
	}
	return files
}

// planted parses sources given as text, keyed by path: the negative controls.
func planted(t *testing.T, texts map[string]string) []source {
	t.Helper()
	fset := token.NewFileSet()
	var files []source
	for name, text := range texts {
		s, err := parse(fset, name, text)
		if err != nil {
			t.Fatalf("parse the planted %s: %v", name, err)
		}
		files = append(files, s)
	}
	return files
}
