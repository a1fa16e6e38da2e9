package api

import (
	"encoding/base64"
	"math"
	"strconv"
	"time"
	"unicode/utf8"

	"featurestore/feature"

	"github.com/google/uuid"
)

// AppendValue appends v as native JSON to dst, without allocating: numbers in
// shortest form, NaN and infinities as the strings "NaN", "Infinity" and
// "-Infinity", bytes in standard base64, times in RFC 3339, uuids and decimals
// as strings, json as it is, lists and vectors as arrays, null as null.
// encoding/json prints the same; a test compares them.
func AppendValue(dst []byte, v feature.Value) []byte {
	if v.Shape() != feature.Scalar {
		return appendList(dst, v, AppendValue)
	}
	switch v.Kind() {
	case feature.Null:
		return append(dst, "null"...)
	case feature.Int32, feature.Int64:
		return strconv.AppendInt(dst, v.Int(), 10)
	case feature.Float32:
		return appendFloat(dst, v.Float(), 32)
	case feature.Float64:
		return appendFloat(dst, v.Float(), 64)
	case feature.Bool:
		return strconv.AppendBool(dst, v.Bool())
	case feature.Timestamp:
		return AppendTime(dst, v.Int())
	case feature.Bytes:
		return appendBase64(dst, v.Text())
	case feature.UUID:
		return appendUUID(dst, v.Text())
	case feature.JSON:
		return append(dst, v.Text()...)
	}
	return AppendString(dst, v.Text())
}

// AppendFeastValue appends v as Feast's clients expect it: as AppendValue, but
// for timestamps, which are integer seconds, and json, which is a string.
func AppendFeastValue(dst []byte, v feature.Value) []byte {
	if v.Shape() != feature.Scalar {
		return appendList(dst, v, AppendFeastValue)
	}
	switch v.Kind() {
	case feature.Timestamp:
		return strconv.AppendInt(dst, v.Time().Unix(), 10)
	case feature.JSON:
		return AppendString(dst, v.Text())
	}
	return AppendValue(dst, v)
}

func appendList(dst []byte, v feature.Value, appendElem func([]byte, feature.Value) []byte) []byte {
	dst = append(dst, '[')
	first := true
	for e := range v.Elems() {
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = appendElem(dst, e)
	}
	return append(dst, ']')
}

// appendFloat prints as encoding/json does: ES6 number form.
func appendFloat(dst []byte, f float64, bits int) []byte {
	if bits == 64 {
		if out, ok := appendShortFloat(dst, f); ok {
			return out
		}
	}
	switch {
	case math.IsNaN(f):
		return append(dst, `"NaN"`...)
	case math.IsInf(f, 1):
		return append(dst, `"Infinity"`...)
	case math.IsInf(f, -1):
		return append(dst, `"-Infinity"`...)
	}
	abs := math.Abs(f)
	tiny, huge := abs < 1e-6, abs >= 1e21
	if bits == 32 {
		tiny, huge = float32(abs) < 1e-6, float32(abs) >= 1e21
	}
	if abs == 0 || !tiny && !huge {
		return strconv.AppendFloat(dst, f, 'f', -1, bits)
	}
	dst = strconv.AppendFloat(dst, f, 'e', -1, bits)
	// e-09 to e-9
	if n := len(dst); n >= 4 && dst[n-4] == 'e' && (dst[n-3] == '-' || dst[n-3] == '+') && dst[n-2] == '0' {
		dst[n-2] = dst[n-1]
		dst = dst[:n-1]
	}
	return dst
}

func appendBase64(dst []byte, data string) []byte {
	dst = append(dst, '"')
	dst = base64.StdEncoding.AppendEncode(dst, []byte(data))
	return append(dst, '"')
}

func appendUUID(dst []byte, data string) []byte {
	var u uuid.UUID
	copy(u[:], data)
	dst = append(dst, '"')
	dst = append(dst, u.String()...)
	return append(dst, '"')
}

const hexDigits = "0123456789abcdef"

// AppendString appends s as a JSON string, escaped as encoding/json does
// without HTML escaping.
func AppendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		b := s[i]
		if b >= ' ' && b != '"' && b != '\\' && b < utf8.RuneSelf {
			i++
			continue
		}
		if b < utf8.RuneSelf {
			dst = appendEscape(append(dst, s[start:i]...), b)
			i++
			start = i
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			dst = append(append(dst, s[start:i]...), `\ufffd`...)
			start = i + size
		case r == '\u2028' || r == '\u2029': // JavaScript reads these as line ends
			dst = append(append(dst, s[start:i]...), `\u202`...)
			dst = append(dst, hexDigits[r&0xf])
			start = i + size
		}
		i += size
	}
	return append(append(dst, s[start:]...), '"')
}

func appendEscape(dst []byte, b byte) []byte {
	switch b {
	case '"', '\\':
		return append(dst, '\\', b)
	case '\b':
		return append(dst, `\b`...)
	case '\f':
		return append(dst, `\f`...)
	case '\n':
		return append(dst, `\n`...)
	case '\r':
		return append(dst, `\r`...)
	case '\t':
		return append(dst, `\t`...)
	}
	return append(dst, '\\', 'u', '0', '0', hexDigits[b>>4], hexDigits[b&0xf])
}

// AppendTime appends ns, nanoseconds since the Unix epoch, as a JSON string in
// RFC 3339 and UTC with 0, 3, 6 or 9 fraction digits, as protobuf's JSON does.
func AppendTime(dst []byte, ns int64) []byte {
	t := time.Unix(0, ns).UTC()
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	dst = append(dst, '"')
	dst = appendDigits(dst, year, 4)
	dst = appendDigits(append(dst, '-'), int(month), 2)
	dst = appendDigits(append(dst, '-'), day, 2)
	dst = appendDigits(append(dst, 'T'), hour, 2)
	dst = appendDigits(append(dst, ':'), minute, 2)
	dst = appendDigits(append(dst, ':'), second, 2)
	switch frac := t.Nanosecond(); {
	case frac == 0:
	case frac%1e6 == 0:
		dst = appendDigits(append(dst, '.'), frac/1e6, 3)
	case frac%1e3 == 0:
		dst = appendDigits(append(dst, '.'), frac/1e3, 6)
	default:
		dst = appendDigits(append(dst, '.'), frac, 9)
	}
	return append(dst, 'Z', '"')
}

// appendDigits appends n >= 0 in width decimal digits, at most nine.
func appendDigits(dst []byte, n, width int) []byte {
	dst = append(dst, "000000000"[:width]...)
	for i := len(dst) - 1; n > 0; i-- {
		dst[i] = byte('0' + n%10)
		n /= 10
	}
	return dst
}
