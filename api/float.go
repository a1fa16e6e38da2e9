package api

import (
	"math"
	"strconv"
)

// Most features are rates, prices and averages of few decimals. Such a number
// is an integer of at most fifteen digits over a small power of ten, and
// decimals of so few digits each have a float64 of their own: if the quotient
// is the float again, its digits are the shortest that read back. Finding them
// by a multiplication and a division costs a third of the general algorithm.

// shortDecimals is how many decimals are tried.
const shortDecimals = 4

// maxShort bounds the scaled integer to fifteen digits.
const maxShort = 1e15

// appendShortFloat appends f in plain form if it has at most four decimals and
// fifteen digits. A test compares it with strconv over such numbers and others.
func appendShortFloat(dst []byte, f float64) (out []byte, ok bool) {
	const scale = 1e4
	scaled := f * scale
	if !(math.Abs(scaled) < maxShort) {
		return dst, false
	}
	n := int64(math.RoundToEven(scaled))
	if float64(n)/scale != f || n == 0 {
		return dst, false
	}
	if n < 0 {
		dst, n = append(dst, '-'), -n
	}
	// All digits at once, then a place for the point: a number below one is
	// printed with a one before it, which becomes the zero.
	small := n < scale
	if small {
		n += scale
	}
	start := len(dst)
	dst = append(strconv.AppendInt(dst, n, 10), 0)
	if small {
		dst[start] = '0'
	}
	point := len(dst) - 1 - shortDecimals
	copy(dst[point+1:], dst[point:])
	dst[point] = '.'
	for dst[len(dst)-1] == '0' {
		dst = dst[:len(dst)-1]
	}
	if dst[len(dst)-1] == '.' {
		dst = dst[:len(dst)-1]
	}
	return dst, true
}
