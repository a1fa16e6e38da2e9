package hlc_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"featurestore/hlc"
)

const sampleMillis = 1787309982123 // 2026-08-21T10:59:42.123Z

func TestTimestampText(t *testing.T) {
	for _, tc := range []struct {
		t    hlc.Timestamp
		want string
	}{
		{0, "1970-01-01T00:00:00.000Z+0"},
		{1, "1970-01-01T00:00:00.000Z+1"},
		{hlc.New(sampleMillis, 7), "2026-08-21T10:59:42.123Z+7"},
		{hlc.New(sampleMillis, math.MaxUint16), "2026-08-21T10:59:42.123Z+65535"},
		{hlc.New(sampleMillis, math.MaxUint16) + 1, "2026-08-21T10:59:42.124Z+0"},
		{hlc.FromTime(time.Date(2028, 2, 29, 23, 59, 59, 999_999_999, time.UTC)), "2028-02-29T23:59:59.999Z+0"},
		{hlc.FromTime(time.Date(10400, 2, 29, 0, 0, 0, 0, time.UTC)), "10400-02-29T00:00:00.000Z+0"},
		{math.MaxUint64, "10889-08-02T05:31:50.655Z+65535"},
	} {
		if got := tc.t.String(); got != tc.want {
			t.Errorf("Timestamp(%#x).String() = %s, want %s", uint64(tc.t), got, tc.want)
		}
		got, err := hlc.Parse(tc.want)
		if got != tc.t || err != nil {
			t.Errorf("Parse(%q) = %v, %v, want %v", tc.want, got, err, tc.t)
		}
	}
}

func TestParseRefusesEverythingElse(t *testing.T) {
	for _, s := range []string{
		"",
		"now",
		"1787309982123",
		"2026-08-21T10:59:42.123Z",
		"2026-08-21T10:59:42.123Z+",
		"2026-08-21T10:59:42.123Z+65536",
		"2026-08-21T10:59:42.123Z+-1",
		"2026-08-21T10:59:42.123Z+07",
		"2026-08-21T10:59:42.123Z+7 ",
		" 2026-08-21T10:59:42.123Z+7",
		"2026-08-21T10:59:42.123Z+7\n",
		"2026-08-21T10:59:42.12Z+7",
		"2026-08-21T10:59:42.1234Z+7",
		"2026-08-21T10:59:42,123Z+7",
		"2026-08-21 10:59:42.123Z+7",
		"2026-08-21T10:59:42.123+02:00+7",
		"2026-02-30T10:59:42.123Z+7",
		"2026-13-01T10:59:42.123Z+7",
		"2026-08-21T24:00:00.000Z+7",
		"2026-08-21T10:59:60.000Z+7",
		"1969-12-31T23:59:59.999Z+0",
		"10889-08-02T05:31:50.656Z+0",
		"+2026-8-21T10:59:42.123Z+7",
		strings.Repeat("9", 1000),
	} {
		got, err := hlc.Parse(s)
		if err == nil {
			t.Errorf("Parse(%q) = %v, want an error", s, got)
			continue
		}
		if !strings.Contains(err.Error(), "2026-08-21T10:59:42.123Z+7") {
			t.Errorf("Parse(%q): error %q does not show the form expected", s, err)
		}
		if len(err.Error()) > 300 {
			t.Errorf("Parse(%.20q…): error of %d bytes repeats the input", s, len(err.Error()))
		}
	}
}

func TestNewClampsToTheRange(t *testing.T) {
	if got, want := hlc.New(-1, 3), hlc.Timestamp(3); got != want {
		t.Errorf("New(-1, 3) = %v, want %v", got, want)
	}
	if got := hlc.New(math.MinInt64, 0); got != 0 {
		t.Errorf("New(MinInt64, 0) = %v, want 0", got)
	}
	if got, want := hlc.New(math.MaxInt64, math.MaxUint16), hlc.Timestamp(math.MaxUint64); got != want {
		t.Errorf("New(MaxInt64, 65535) = %v, want %v", got, want)
	}
	if got := hlc.FromTime(time.Time{}); got != 0 {
		t.Errorf("FromTime(zero time) = %v, want 0", got)
	}
}

func TestTimestampParts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ms := rapid.Int64Range(0, 1<<48-1).Draw(t, "ms")
		counter := rapid.Uint16().Draw(t, "counter")
		ts := hlc.New(ms, counter)
		if ts.Millis() != ms || ts.Counter() != counter {
			t.Fatalf("New(%d, %d) has parts %d, %d", ms, counter, ts.Millis(), ts.Counter())
		}
		if ts.Time().Location() != time.UTC {
			t.Fatalf("%v.Time() is in %v, want UTC", ts, ts.Time().Location())
		}
		if got, want := hlc.FromTime(ts.Time()), hlc.New(ms, 0); got != want {
			t.Fatalf("FromTime(%v.Time()) = %v, want %v", ts, got, want)
		}
		if later := hlc.New(ms+1, 0); ms < 1<<48-1 && later <= ts {
			t.Fatalf("%v is not after %v", later, ts)
		}
	})
}

// H8, from the side of the values.
func TestParseReadsWhatStringPrints(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := hlc.Timestamp(rapid.Uint64().Draw(t, "timestamp"))
		got, err := hlc.Parse(want.String())
		if got != want || err != nil {
			t.Fatalf("Parse(%q) = %#x, %v, want %#x", want, uint64(got), err, uint64(want))
		}
	})
}

// H8, from the side of the texts.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"1970-01-01T00:00:00.000Z+0",
		"2026-08-21T10:59:42.123Z+7",
		"10889-08-02T05:31:50.655Z+65535",
		"2026-02-29T10:59:42.123Z+7",
		"-0001-01-01T00:00:00.000Z+0",
		"２026-08-21T10:59:42.123Z+7",
		"2026-08-21T10:59:42.123Z+7\x00",
		"",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		ts, err := hlc.Parse(s)
		switch {
		case err != nil && ts != 0:
			t.Fatalf("Parse(%q) = %v with error %v", s, ts, err)
		case err == nil && ts.String() != s:
			t.Fatalf("Parse(%q) prints as %q", s, ts)
		}
	})
}
