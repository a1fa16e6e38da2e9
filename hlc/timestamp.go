package hlc

import (
	"fmt"
	"strconv"
	"time"
)

// Timestamp is a hybrid logical time: the upper 48 bits are milliseconds since
// 1970 in UTC, the lower 16 a counter. Timestamps order by comparison as
// integers. Zero is before everything and is never issued by a Clock.
//
// The milliseconds run out on 2 August 10889; nothing here looks after that.
type Timestamp uint64

const (
	counterBits = 16
	maxCounter  = 1<<counterBits - 1
	maxMillis   = 1<<(64-counterBits) - 1

	// layout is the part of a printed timestamp before the '+'.
	layout = "2006-01-02T15:04:05.000Z"
	// maxTextBytes is the length of the longest printed timestamp: a year of
	// five digits and a counter of five digits.
	maxTextBytes = len("10889-08-02T05:31:50.655Z+65535")
)

// New returns the timestamp of ms milliseconds since 1970 and counter. Times
// before 1970 become 0 milliseconds, times past the 48 bits the last one.
func New(ms int64, counter uint16) Timestamp {
	ms = min(max(ms, 0), maxMillis)
	return Timestamp(ms)<<counterBits | Timestamp(counter)
}

// FromTime returns the timestamp of t, rounded down to milliseconds, with
// counter 0: the least timestamp of that millisecond. Clamped as by New.
func FromTime(t time.Time) Timestamp { return New(t.UnixMilli(), 0) }

// Millis returns the milliseconds since 1970, never negative.
func (t Timestamp) Millis() int64 { return int64(t >> counterBits) }

// Counter returns the position of t within its millisecond.
func (t Timestamp) Counter() uint16 { return uint16(t & maxCounter) }

// Time returns the physical part of t in UTC; the counter is lost.
func (t Timestamp) Time() time.Time { return time.UnixMilli(t.Millis()).UTC() }

// String prints t as in 2026-08-21T10:59:42.123Z+7: the time in UTC with three
// digits of milliseconds, a plus sign, and the counter in decimal. Zero prints
// as 1970-01-01T00:00:00.000Z+0. Parse reads it back.
func (t Timestamp) String() string { return string(t.appendTo(nil)) }

func (t Timestamp) appendTo(b []byte) []byte {
	b = t.Time().AppendFormat(b, layout)
	b = append(b, '+')
	return strconv.AppendUint(b, uint64(t.Counter()), 10)
}

// Parse reads what String prints, and only that: no other zone, no other
// number of digits, no leading zero in the counter. The error shows the form
// expected.
func Parse(s string) (Timestamp, error) {
	if len(s) > maxTextBytes {
		return 0, fmt.Errorf("parse timestamp of %d bytes: at most %d expected, as in %v", len(s), maxTextBytes, example)
	}
	var year, month, day, hour, minute, second, milli int
	var counter uint16
	_, err := fmt.Sscanf(s, "%d-%d-%dT%d:%d:%d.%dZ+%d", &year, &month, &day, &hour, &minute, &second, &milli, &counter)
	if err == nil {
		date := time.Date(year, time.Month(month), day, hour, minute, second, milli*int(time.Millisecond), time.UTC)
		t := New(date.UnixMilli(), counter)
		// The scan and time.Date are lenient (30 February, signs, spaces, one
		// digit for two), so the text must also be what String prints. This
		// also handles years of five digits, which time.Parse cannot read.
		if t.String() == s {
			return t, nil
		}
	}
	return 0, fmt.Errorf("parse timestamp %q: expected a UTC time with milliseconds, '+' and a counter up to %d, as in %v", s, maxCounter, example)
}

// example is shown in errors; it is 2026-08-21T10:59:42.123Z+7.
const example Timestamp = 1787309982123<<counterBits | 7
