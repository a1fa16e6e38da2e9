package feature

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestDecodeRowIsTheInverseOfAppendRow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		from := append(reachable(t), rows.Draw(t, "any"))
		for _, row := range from {
			b := AppendRow([]byte("before"), row)
			got, err := DecodeRow(bytes.TrimPrefix(b, []byte("before")))
			if err != nil || !got.Equal(row) {
				t.Fatalf("got %+v, %v\nwant %+v", got, err, row)
			}
		}
	})
}

func TestDecodeRowRefusesWhatAppendRowWouldNotWrite(t *testing.T) {
	v := bytes.Repeat([]byte{0, 1}, versionBytes/2)
	older := bytes.Clone(v)
	older[versionBytes-1] = 0
	zero := make([]byte, versionBytes)
	merged := func(rule Rule, shape Shape, body ...[]byte) []byte { // a row of one cell of int64
		b := join(body...)
		return join([]byte{1, 0, 1, 1, byte(rule)<<4 | 1, byte(shape)<<4 | byte(Int64)}, v, []byte{byte(len(b))}, b)
	}
	total := func(origin byte) []byte { return join([]byte{0, 0, 0, origin}, make([]byte, 8), make([]byte, 8)) }
	element := func(n, present byte) []byte {
		return join(make([]byte, 8), []byte{0, 0, 0, 1, present}, []byte{n, 0, 0, 0, 0, 0, 0, 0})
	}
	position := func(origin, at byte) []byte { return []byte{0, 0, 0, origin, 0, 0, 0, 0, 0, 0, 0, at} }
	siblings := func(body ...[]byte) []byte { // its own version is 1@…1
		own := make([]byte, versionBytes)
		own[9], own[17], own[21] = 9, 9, 1
		b := join(body...)
		return join([]byte{1, 0, 1, 1, byte(Siblings)<<4 | 1, byte(String)}, own, []byte{byte(len(b))}, b)
	}
	beside := func(at, origin byte, value ...byte) []byte {
		v := make([]byte, versionBytes)
		v[17], v[21] = at, origin
		return join(v, value)
	}
	float := append([]byte{byte(Float64), 8}, make([]byte, 8)...) // kind, length, body
	for _, tc := range []struct {
		name string
		b    []byte
		want string
	}{
		{"nothing", nil, "row of 0 bytes"},
		{"another format", []byte{9, 0, 0}, "row format 9, this version reads 1"},
		{"unknown row flags", []byte{1, 4, 0}, "row flags 4"},
		{"split without tombstone", join([]byte{1, 2}, v, []byte{0}), "row flags 2"},
		{"cut tombstone", join([]byte{1, 1}, v[:9]), "row flags 1"},
		{"zero tombstone", join([]byte{1, 1}, zero, []byte{0}), "tombstone"},
		{"half a tombstone", join([]byte{1, 3}, v, zero, []byte{0}), "tombstone"},
		{"split into equals", join([]byte{1, 3}, v, v, []byte{0}), "tombstone"},
		{"count of more than fits", []byte{1, 0, 0xff, 0xff, 3}, "cell count"},
		{"count in long form", []byte{1, 0, 0x80, 0}, "cell count"},
		{"no cells where one is counted", []byte{1, 0, 1}, "cell count"},
		{"bytes after", []byte{1, 0, 0, 7}, "1 bytes after the last cell"},
		{"feature zero", join([]byte{1, 0, 1, 0, 1}, float[:1], v, float[1:]), "cell breaks off"},
		{"features out of order", join([]byte{1, 0, 2, 2, 1}, float[:1], v, float[1:], []byte{1, 0}, float), "cell breaks off"},
		{"a version told twice", join([]byte{1, 0, 2, 1, 1}, float[:1], v, float[1:], []byte{2, 1}, float[:1], v, float[1:]), "cell breaks off"},
		{"unknown rule", join([]byte{1, 0, 1, 1, 0x71}, float[:1], v, float[1:]), "cell breaks off"},
		{"unknown kind", join([]byte{1, 0, 1, 1, 1, 12}, v, []byte{0}), "cell breaks off"},
		{"unknown shape", join([]byte{1, 0, 1, 1, 1, 0x36}, v, []byte{0}), "cell breaks off"},
		{"vector of int64", join([]byte{1, 0, 1, 1, 1, 0x24}, v, []byte{0}), "cell breaks off"},
		{"unknown cell flag", join([]byte{1, 0, 1, 1, 9}, float[:1], v, float[1:]), "cell breaks off"},
		{"counter of text", join([]byte{1, 0, 1, 1, 0x41, byte(String)}, v, []byte{0}), "cell breaks off"},
		{"null with a body", join([]byte{1, 0, 1, 1, 5}, float[:1], v, float[1:]), "cell breaks off"},
		{"null counter", join([]byte{1, 0, 1, 1, 0x45, byte(Int64)}, v, []byte{0}), "cell breaks off"},
		{"epoch under event_time", join([]byte{1, 0, 1, 1, 3}, float[:1], v, v, float[1:]), "cell breaks off"},
		{"zero epoch", join([]byte{1, 0, 1, 1, 0x23}, float[:1], v, zero, float[1:]), "cell breaks off"},
		{"short float", join([]byte{1, 0, 1, 1, 1, byte(Float64)}, v, []byte{7}, make([]byte, 7)), "no float64"},
		{"another NaN", join([]byte{1, 0, 1, 1, 1, byte(Float64)}, v, []byte{8, 2, 0, 0, 0, 0, 0, 0xf8, 0x7f}), "no float64"},
		{"text not in UTF-8", join([]byte{1, 0, 1, 1, 1, byte(String)}, v, []byte{1, 0xff}), "no string"},
		{"decimal not as kept", join([]byte{1, 0, 1, 1, 1, byte(Decimal)}, v, []byte{2, '0', '1'}), "no decimal"},
		{"counter cut in its head", merged(Counter, Scalar, total(1)[:9]), "counter breaks off"},
		{"counter cut in its sum", merged(Counter, Scalar, total(1)[:15]), "counter breaks off"},
		{"totals out of order", merged(Counter, Scalar, total(2), total(1)), "totals out of order"},
		{"an origin twice", merged(Counter, Scalar, total(1), total(1)), "totals out of order"},
		{"set cut in its head", merged(Set, List, element(1, 1)[:9]), "set breaks off"},
		{"set cut in an element", merged(Set, List, element(1, 1)[:16]), "set breaks off"},
		{"neither present nor absent", merged(Set, List, element(1, 2)), "set breaks off"},
		{"elements out of order", merged(Set, List, element(2, 1), element(1, 1)), "elements out of order"},
		{"an element twice", merged(Set, List, element(1, 1), element(1, 0)), "elements out of order"},
		{"siblings without a value", siblings(), "siblings break off"},
		{"siblings cut in a value", siblings([]byte{3, 'a'}), "siblings break off"},
		{"siblings without a count", siblings([]byte{1, 'a'}), "siblings break off"},
		{"siblings cut in what is replaced", siblings([]byte{1, 'a', 1}, position(1, 1)[:9]), "siblings break off"},
		{"replaced out of order", siblings([]byte{1, 'a', 2}, position(2, 1), position(1, 1)), "replaced siblings out of order"},
		{"replaced up to nowhere", siblings([]byte{1, 'a', 1}, position(1, 0)), "replaced siblings out of order"},
		{"a sibling cut in its version", siblings([]byte{1, 'a', 0}, beside(8, 1)[:9]), "siblings break off"},
		{"a sibling cut in its value", siblings([]byte{1, 'a', 0}, beside(8, 1, 0, 2, 'a')), "siblings break off"},
		{"a sibling neither null nor not", siblings([]byte{1, 'a', 0}, beside(8, 1, 2, 0)), "siblings break off"},
		{"a null sibling with a value", siblings([]byte{1, 'a', 0}, beside(8, 1, 1, 1, 'a')), "siblings break off"},
		{"a sibling of another kind", siblings([]byte{1, 'a', 0}, beside(8, 1, 0, 1, 0xff)), "no string"},
		{"a sibling later than the cell", siblings([]byte{1, 'a', 0}, beside(10, 1, 0, 0)), "siblings out of order"},
		{"a sibling twice", siblings([]byte{1, 'a', 0}, beside(8, 1, 0, 0), beside(8, 1, 0, 0)), "siblings out of order"},
		{"a sibling that is replaced", siblings([]byte{1, 'a', 1}, position(2, 8), beside(8, 2, 0, 0)), "or replaced"},
		{"deleted cell", join([]byte{1, 1}, v, []byte{1, 1, 1}, float[:1], older, float[1:]), "older than the delete"},
	} {
		if _, err := DecodeRow(tc.b); !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v, want ErrCorrupt with %q", tc.name, err, tc.want)
		}
	}
}

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// F5, and that the two readers agree.
func FuzzDecodeRow(f *testing.F) {
	for _, s := range goldenRows(f) {
		f.Add(AppendRow(nil, s.row))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		row, err := DecodeRow(b)
		if err != nil {
			if !errors.Is(err, ErrCorrupt) {
				t.Fatalf("%x: got %v, want ErrCorrupt", b, err)
			}
			checkReadRow(t, b, nil)
			return
		}
		if again := AppendRow(nil, row); !bytes.Equal(again, b) {
			t.Fatalf("%x\nprints back as\n%x", b, again)
		}
		if twice := JoinRow(row, row); !twice.Equal(row) {
			t.Fatalf("joined with itself %+v\nbecomes %+v", row, twice)
		}
		checkReadRow(t, b, &row)
	})
}
