package definition

import (
	"bytes"
	"fmt"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Limits of a document. The parser recurses with the nesting, so the nesting
// is bounded before it starts.
const (
	// MaxBytes is the size of a definition file.
	MaxBytes = 4 << 20
	// MaxDepth is how deep [ and { may nest, and how many "-" or "?" may open
	// on one line. The format needs 6.
	MaxDepth = 32
)

// parse returns the root of the one document in text, nil when it is empty.
func parse(file string, text []byte, maxBytes int) (root ast.Node, err error) {
	fault := func(line, column int, format string, args ...any) error {
		return &FaultError{File: file, Line: line, Column: column, Message: fmt.Sprintf(format, args...)}
	}
	if len(text) > maxBytes {
		return nil, fault(0, 0, "more than %d bytes: split it into files of one folder", maxBytes)
	}
	text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
	if line, column, ok := invalidUTF8(text); !ok {
		return nil, fault(line, column, "not valid UTF-8: save the file as UTF-8")
	}
	if limit := maxBytes / 4; indicators(text) > limit {
		return nil, fault(0, 0, "more than %d brackets, commas and colons: split it into files of one folder", limit)
	}
	defer func() {
		// The parser is not ours; text from outside must not end the store.
		if p := recover(); p != nil {
			root, err = nil, fault(0, 0, "not YAML that can be read: %v", p)
		}
	}()
	tokens := lexer.Tokenize(string(text))
	if t := tooDeep(tokens); t != nil {
		return nil, fault(t.Position.Line, t.Position.Column, "nested deeper than %d", MaxDepth)
	}
	doc, err := parser.Parse(joinPlain(tokens), 0)
	if err != nil {
		if e, ok := err.(yaml.Error); ok && e.GetToken() != nil {
			p := e.GetToken().Position
			return nil, fault(p.Line, p.Column, "%s", e.GetMessage())
		}
		return nil, fault(0, 0, "%v", err)
	}
	for _, d := range doc.Docs {
		switch {
		case d.Body == nil || d.Body.Type() == ast.CommentType:
		case d.Body.Type() == ast.DirectiveType:
			return nil, fault(1, 1, "directives are not used: remove the line that begins with %%")
		case root != nil:
			p := d.Body.GetToken().Position
			return nil, fault(p.Line, p.Column, "a second document: a file holds one; put the other into a file of the same folder")
		default:
			root = d.Body
		}
	}
	return root, nil
}

// indicators counts the characters that may make a token: each costs some 250
// bytes before anything can be refused.
func indicators(text []byte) int {
	n := 0
	for _, c := range text {
		switch c {
		case '[', ']', '{', '}', ',', ':', '?', '-', '&', '*', '!', '|', '>', '\'', '"', '#':
			n++
		}
	}
	return n
}

func invalidUTF8(text []byte) (line, column int, ok bool) {
	if utf8.Valid(text) {
		return 0, 0, true
	}
	line, column = 1, 1
	for len(text) > 0 {
		r, n := utf8.DecodeRune(text)
		switch {
		case r == utf8.RuneError && n == 1:
			return line, column, false
		case r == '\n':
			line, column = line+1, 0
		}
		text, column = text[n:], column+1
	}
	return line, column, true
}

// tooDeep returns the token at which nesting passes MaxDepth, or nil. Blocks
// need ever more indentation to nest, so the size of a document bounds them,
// except by indicators on one line.
func tooDeep(tokens token.Tokens) *token.Token {
	flow, line, opened := 0, 0, 0
	for _, t := range tokens {
		if t.Position.Line != line {
			line, opened = t.Position.Line, 0
		}
		switch t.Type {
		case token.SequenceStartType, token.MappingStartType:
			flow++
		case token.SequenceEndType, token.MappingEndType:
			flow--
		case token.SequenceEntryType, token.MappingKeyType, token.AnchorType, token.TagType:
			if flow == 0 {
				opened++
			}
		}
		if flow > MaxDepth || opened > MaxDepth {
			return t
		}
	}
	return nil
}

// joinPlain mends what the lexer does to a plain scalar with a colon inside a
// flow sequence that is inside a flow mapping: {inputs: [view:feature]} comes
// as view, ":" and feature. YAML says that a colon without a space after it is
// part of the scalar.
func joinPlain(tokens token.Tokens) token.Tokens {
	type level struct{ sequence, colon bool }
	var stack []level
	out := tokens[:0:0]
	for i := 0; i < len(tokens); i++ {
		t := tokens[i]
		top := len(stack) - 1
		switch t.Type {
		case token.SequenceStartType, token.MappingStartType:
			stack = append(stack, level{sequence: t.Type == token.SequenceStartType})
		case token.SequenceEndType, token.MappingEndType:
			if top >= 0 {
				stack = stack[:top]
			}
		case token.CollectEntryType:
			if top >= 0 {
				stack[top].colon = false
			}
		case token.MappingValueType:
			if top < 0 {
				break
			}
			if (stack[top].sequence || stack[top].colon) && len(out) > 0 && i+1 < len(tokens) &&
				plain(out[len(out)-1]) && plain(tokens[i+1]) && touch(out[len(out)-1], t) && touch(t, tokens[i+1]) {
				whole := *out[len(out)-1]
				whole.Type = token.StringType
				whole.Value += t.Value + tokens[i+1].Value
				whole.Origin += t.Origin + tokens[i+1].Origin
				out[len(out)-1] = &whole
				i++
				continue
			}
			stack[top].colon = true
		}
		out = append(out, t)
	}
	for i, t := range out {
		if i > 0 {
			t.Prev, out[i-1].Next = out[i-1], t
		}
	}
	return out
}

func plain(t *token.Token) bool {
	switch t.Type {
	case token.StringType, token.IntegerType, token.FloatType, token.BoolType, token.NullType:
		return true
	}
	return false
}

// touch reports whether b begins where the plain a ends.
func touch(a, b *token.Token) bool {
	return a.Position.Line == b.Position.Line && a.Position.Column+utf8.RuneCountInString(a.Value) == b.Position.Column
}
