package pit

import (
	"fmt"
	"math"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
)

// Times are nanoseconds since the Unix epoch.
const (
	minTime = math.MinInt64
	maxTime = math.MaxInt64
)

// nanos converts a number of units to nanoseconds; ok is false when 64 bits do
// not hold them.
func nanos(n int64, unit arrow.TimeUnit) (_ int64, ok bool) {
	factor := int64(unit.Multiplier())
	if n > maxTime/factor || n < minTime/factor {
		return 0, false
	}
	return n * factor, true
}

// unixNano is time.Time.UnixNano for times that it can express.
func unixNano(t time.Time) (int64, error) {
	n := t.UnixNano()
	if !time.Unix(0, n).Equal(t) {
		return 0, fmt.Errorf("%w: the time %s is beyond what nanoseconds in 64 bits can tell", ErrRequest, t.Format(time.RFC3339))
	}
	return n, nil
}

// timesOf converts a column to nanoseconds, into dst. Nulls become 0. It
// returns the index of a value that does not fit, or -1.
func timesOf(dst []int64, a *array.Timestamp) (misfit int) {
	unit := a.DataType().(*arrow.TimestampType).Unit
	values := a.TimestampValues()
	for i, v := range values {
		n, ok := nanos(int64(v), unit)
		if a.IsNull(i) {
			n, ok = 0, true
		}
		if !ok {
			return i
		}
		dst[i] = n
	}
	return -1
}

// errTime is what is said of a value that nanoseconds cannot hold.
func errTime(n int64, unit arrow.TimeUnit) error {
	return fmt.Errorf("the time %d%s is beyond what nanoseconds in 64 bits can tell (the years 1678 to 2261)", n, unit)
}
