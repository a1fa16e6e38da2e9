package definition

import (
	"bytes"
	"errors"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// printer writes YAML: block style for objects, flow style for what fits a
// line. Keys without a value are left out.
type printer struct {
	bytes.Buffer
	// ids writes the ids of a stored registry too.
	ids bool
}

// line writes one line, indented by depth steps of two spaces.
func (p *printer) line(depth int, s string) {
	for range depth {
		p.WriteString("  ")
	}
	p.WriteString(s)
	p.WriteByte('\n')
}

// pair is one key and its value, already YAML; "" leaves the pair out.
type pair struct{ key, value string }

// item writes a block mapping whose first key follows "- ".
func (p *printer) item(depth int, pairs []pair) {
	lead := "- "
	for _, kv := range pairs {
		if kv.value == "" {
			continue
		}
		p.line(depth, lead+kv.key+": "+kv.value)
		lead = "  "
	}
}

// flow returns {a: 1, b: 2}, or "" when every value is "".
func flow(pairs ...pair) string {
	var parts []string
	for _, kv := range pairs {
		if kv.value != "" {
			parts = append(parts, kv.key+": "+kv.value)
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

// sequence returns [a, b], or "" when there is nothing in it.
func sequence(items []string) string {
	if len(items) == 0 {
		return ""
	}
	return "[" + strings.Join(items, ", ") + "]"
}

func texts(list []string) string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = must(s)
	}
	return sequence(out)
}

func tags(m map[string]string) string {
	var pairs []pair
	for _, k := range slices.Sorted(maps.Keys(m)) {
		pairs = append(pairs, pair{must(k), must(m[k])})
	}
	return flow(pairs...)
}

// bare are texts that need no quotes: no number, no word that YAML knows, no
// character that means something.
var bare = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_./*<>@-]*$`)

var words = []string{"null", "true", "false", "yes", "no", "on", "off", "y", "n"}

// text returns s as a YAML scalar, "" for none.
func text(s string) string {
	if s == "" {
		return ""
	}
	return must(s)
}

// must returns s as a YAML scalar, also when it is empty.
func must(s string) string {
	if bare.MatchString(s) && !slices.Contains(words, strings.ToLower(s)) {
		return s
	}
	return quote(s)
}

// quote writes a double-quoted scalar. Go's escapes are YAML's as well, but for
// a byte that is no UTF-8, which reads back as a character: such text is left
// as it is, for valid to find.
func quote(s string) string {
	if !utf8.ValidString(s) {
		return s
	}
	return strconv.Quote(s)
}

// valid reports whether what was written is a document.
func (p *printer) valid() error {
	if !utf8.Valid(p.Bytes()) {
		return errors.New("a text is not valid UTF-8")
	}
	return nil
}

func number[T ~uint16 | ~uint32 | ~uint64](n T) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatUint(uint64(n), 10)
}
