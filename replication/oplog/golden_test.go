package oplog

import (
	"encoding/binary"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the golden files of testdata")

const golden = "testdata/entry.golden"

// The stored format of entries. It must not change: logs are read by later
// versions, and by stores that run earlier ones.
func TestEntryGolden(t *testing.T) {
	got := describe(Append(nil, sample()))
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; -update rewrites it\ngot\n%s\nwant\n%s", golden, got, want)
	}
	var b []byte
	for line := range strings.Lines(string(want)) {
		digits, _, _ := strings.Cut(line, " ")
		part, err := hex.DecodeString(digits)
		if err != nil {
			t.Fatal(err)
		}
		b = append(b, part...)
	}
	if e, err := Decode(b); err != nil || !equal(e, sample()) {
		t.Errorf("the file decodes to %+v, %v, want %+v", e, err, sample())
	}
}

// describe is a second, naive reader of the format; it comments what it reads.
func describe(b []byte) string {
	var text strings.Builder
	take := func(n int, what string) {
		part := b[:n]
		b = b[n:]
		for len(part) > 26 { // long rows run over several lines
			fmt.Fprintf(&text, "%-54x %s\n", part[:26], what)
			part, what = part[26:], "  …"
		}
		fmt.Fprintf(&text, "%-54x %s\n", part, what)
	}
	uvarint := func(what string) int {
		v, n := binary.Uvarint(b)
		take(n, fmt.Sprintf("%s %d", what, v))
		return int(v)
	}
	take(1, "format")
	take(1, "kind: 1 delta, 2 noop, 3 relog")
	flags := b[0]
	take(1, "flags: 1 log only, 2 request")
	take(8, "at")
	take(4, "origin")
	take(8, "prev")
	for range uvarint("deps:") {
		uvarint("origin")
		uvarint("  before it by")
	}
	if flags&flagRequest != 0 {
		take(16, "request")
		take(16, "  digest of its contents")
		uvarint("  shards it writes:")
	}
	for range uvarint("rows:") {
		uvarint("view")
		take(uvarint("  key bytes:"), "  key")
		take(uvarint("  row bytes:"), "  row, see feature/testdata/rows.golden")
	}
	take(4, "crc32c of all before")
	return text.String()
}
