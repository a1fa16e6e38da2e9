package definition

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"featurestore/feature"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// reader walks a document by the shape it should have: how deep it goes is
// given by the shape, and aliases cannot lead it in circles. Faults are
// collected, and what is faulty is left at its zero value.
type reader struct {
	faults
	file    string
	anchors map[string]ast.Node
	// visits left: aliases may repeat parts of a document, but not without end.
	visits int
	path   []string
	// declared says where a name was declared, over all files of a folder.
	declared map[string]place
}

type place struct {
	file         string
	line, column int
}

// maxVisits is more than a document of MaxBytes holds without aliases.
const maxVisits = 2 << 20

func newReader(file string, root ast.Node, visits int) *reader {
	r := &reader{file: file, anchors: map[string]ast.Node{}, visits: visits, declared: map[string]place{}}
	if root != nil {
		ast.Walk(anchorFinder(r.anchors), root)
	}
	return r
}

type anchorFinder map[string]ast.Node

func (f anchorFinder) Visit(n ast.Node) ast.Visitor {
	if a, ok := n.(*ast.AnchorNode); ok && a.Name != nil {
		f[a.Name.GetToken().Value] = a.Value
	}
	return f
}

// resolve looks through anchors and aliases. It returns nil, with a fault, for
// what is not used here.
func (r *reader) resolve(n ast.Node) ast.Node {
	for range 8 {
		if r.visits--; r.visits < 0 {
			if r.visits == -1 {
				r.fault(n, "aliases repeat too much")
			}
			return nil
		}
		switch x := n.(type) {
		case *ast.AnchorNode:
			n = x.Value
		case *ast.AliasNode:
			target, ok := r.anchors[x.Value.GetToken().Value]
			if !ok {
				r.fault(n, "no anchor &%s is in the document", feature.Clip(x.Value.GetToken().Value))
				return nil
			}
			n = target
		case *ast.TagNode:
			r.fault(n, "tags such as %s are not used: write the plain value", feature.Clip(x.GetToken().Value))
			return nil
		case nil:
			return nil
		default:
			return n
		}
	}
	r.fault(n, "aliases lead to aliases")
	return nil
}

func (r *reader) fault(n ast.Node, format string, args ...any) {
	e := &FaultError{File: r.file, Path: r.pathText(), Message: fmt.Sprintf(format, args...)}
	e.Line, e.Column = position(n)
	r.put(e)
}

func (r *reader) pathText() string {
	return strings.ReplaceAll(strings.Join(r.path, "."), ".[", "[")
}

func position(n ast.Node) (line, column int) {
	if n == nil {
		return 0, 0
	}
	var t *token.Token
	if m, ok := n.(*ast.MappingNode); ok && !m.IsFlowStyle && len(m.Values) > 0 {
		t = m.Values[0].Key.GetToken()
	} else {
		t = n.GetToken()
	}
	if t == nil || t.Position == nil {
		return 0, 0
	}
	return t.Position.Line, t.Position.Column
}

func (r *reader) within(step string, read func()) {
	r.path = append(r.path, step)
	read()
	r.path = r.path[:len(r.path)-1]
}

// key is one key that a mapping may have.
type key struct {
	name string
	read func(ast.Node)
}

// isNull reports whether a key has no value: what remains when all lines
// beneath it are commented out.
func isNull(n ast.Node) bool { return n != nil && n.Type() == ast.NullType }

// entries returns the pairs of a mapping; ok is false, with a fault, for
// anything else.
func (r *reader) entries(n ast.Node, want string) (pairs []*ast.MappingValueNode, ok bool) {
	n = r.resolve(n)
	switch m := n.(type) {
	case *ast.MappingNode:
		return m.Values, true
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{m}, true
	case nil:
		return nil, false
	}
	r.fault(n, "%s is wanted, such as %s, not %s", "a mapping", want, describe(n))
	return nil, false
}

// object reads a mapping with known keys and returns where each one stands.
func (r *reader) object(n ast.Node, example string, keys ...key) map[string]ast.Node {
	pairs, ok := r.entries(n, example)
	if !ok {
		return nil
	}
	seen := make(map[string]ast.Node, len(pairs))
	for _, p := range pairs {
		name, ok := r.keyName(p.Key)
		if !ok {
			continue
		}
		i := slices.IndexFunc(keys, func(k key) bool { return k.name == name })
		if i < 0 {
			r.fault(p.Key, "unknown key %q; %s", feature.Clip(name), suggestion(name, keys))
			continue
		}
		if _, twice := seen[name]; twice {
			r.fault(p.Key, "key %q stands twice", name)
			continue
		}
		seen[name] = p.Key
		r.within(name, func() { keys[i].read(p.Value) })
	}
	return seen
}

// keyName returns the text of a key.
func (r *reader) keyName(k ast.MapKeyNode) (string, bool) {
	switch k := k.(type) {
	case *ast.StringNode:
		return k.Value, true
	case *ast.MergeKeyNode:
		r.fault(k, "merge keys (<<) are not used: write the keys out, or give the whole mapping an alias")
		return "", false
	case ast.ScalarNode:
		return k.GetToken().Value, true
	}
	r.fault(k, "a key is a plain name")
	return "", false
}

// suggestion names the key that was probably meant, or all that there are.
func suggestion(name string, keys []key) string {
	names := make([]string, len(keys))
	for i, k := range keys {
		names[i] = k.name
	}
	if near := feature.Nearest(name, names); near != "" {
		return fmt.Sprintf("did you mean %q?", near)
	}
	return "known are " + strings.Join(names, ", ")
}

// list reads each element of a sequence; a missing value is an empty one.
func (r *reader) list(n ast.Node, example string, read func(ast.Node)) {
	n = r.resolve(n)
	switch s := n.(type) {
	case nil, *ast.NullNode:
	case *ast.SequenceNode:
		for i, e := range s.Values {
			r.within("["+strconv.Itoa(i)+"]", func() { read(e) })
		}
	default:
		r.fault(n, "a list is wanted, such as %s, not %s", example, describe(n))
	}
}

// describe names what stands in the wrong place.
func describe(n ast.Node) string {
	switch n := n.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		return "a mapping"
	case *ast.SequenceNode:
		return "a list"
	case *ast.NullNode:
		return "nothing"
	case *ast.StringNode:
		return fmt.Sprintf("the text %q", feature.Clip(n.Value))
	case *ast.LiteralNode:
		return "a text"
	case ast.ScalarNode:
		return feature.Clip(n.GetToken().Value)
	}
	return "this"
}

// declare refuses a name declared before, in this file or another.
func (r *reader) declare(kind, name string, n ast.Node) {
	if name == "" {
		return
	}
	line, column := position(n)
	id := kind + " " + name
	if was, ok := r.declared[id]; ok {
		r.fault(n, "%s %q is declared at %s:%d:%d already: remove one of the two", kind, feature.Clip(name), was.file, was.line, was.column)
		return
	}
	r.declared[id] = place{file: r.file, line: line, column: column}
}
