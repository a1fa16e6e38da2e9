package main

import (
	"bytes"
	"compress/gzip"
	"strings"
	"testing"
)

func TestAmountIsExact(t *testing.T) {
	for _, c := range []struct {
		units       int64
		price, want string
	}{
		{6, "2.55", "15.30"},
		{1, "0.001", "0.001"},
		{10, "0.001", "0.01"},
		{-1, "38970", "-38970.00"},
		{1, "-11062.06", "-11062.06"},
		{-3, "0.1", "-0.30"},
		{1, "-0.5", "-0.50"},
		{80995, "2.08", "168469.60"},
		{5, "0", "0.00"},
	} {
		got, err := amountOf(c.units, c.price)
		if err != nil || got != c.want {
			t.Errorf("amountOf(%d, %s) is %q, %v; want %q", c.units, c.price, got, err, c.want)
		}
	}
	for _, price := range []string{"", ".5", "x", "1.2345", "1.2.3", "99999999999"} {
		if got, err := amountOf(1, price); err == nil {
			t.Errorf("amountOf(1, %q) is %q; want an error", price, got)
		}
	}
}

func TestFaultNamesLineAndField(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"1,A,B,six,2010-12-01T08:26:00Z,2.55,17850,UK", `line 2: Quantity is "six"`},
		{"1,A,B,6,1 December,2.55,17850,UK", `line 2: InvoiceDate is "1 December"`},
		{"1,A,B,6,2010-12-01T08:26:00Z,free,17850,UK", `line 2: UnitPrice is "free"`},
		{"1,A,B,6,2010-12-01T08:26:00Z,2.55,me,UK", `line 2: CustomerID is "me"`},
		{"1,A,B", "wrong number of fields"},
	} {
		r, err := newLineReader(zipped(t, c.text), 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.next(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.text, err, c.want)
		}
	}
	var other bytes.Buffer
	z := gzip.NewWriter(&other)
	if _, err := z.Write([]byte("a,b\n")); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := newLineReader(&other, 0); err == nil || !strings.Contains(err.Error(), "the columns are") {
		t.Errorf("another file: got %v, want an error about its columns", err)
	}
}

// zipped is a file of the header and some lines.
func zipped(t *testing.T, lines ...string) *bytes.Buffer {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	text := strings.Join(append([]string{strings.Join(header, ",")}, lines...), "\n")
	if _, err := z.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return &out
}
