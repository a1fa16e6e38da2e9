package api

import (
	"fmt"
	"time"

	"featurestore/feature"
)

// ParseTime reads a time as requests write it: RFC 3339 with a T or a space
// between date and time, 0 to 9 digits of a fraction, and a zone; without a
// zone it is UTC. It returns nanoseconds since the Unix epoch.
func ParseTime(s string) (int64, error) {
	p := timeParser{rest: s}
	year, month, day := p.digits(4), p.next('-').digits(2), p.next('-').digits(2)
	p.separator()
	hour, minute, second := p.digits(2), p.next(':').digits(2), p.next(':').digits(2)
	nanos := p.fraction()
	zone := p.zone()
	t := time.Date(year, time.Month(month), day, hour, minute, second, nanos, time.UTC)
	// A date that does not exist, such as February 30, comes back as another.
	exists := t.Year() == year && int(t.Month()) == month && t.Day() == day && t.Hour() == hour && t.Minute() == minute && t.Second() == second
	if p.bad || p.rest != "" || !exists {
		return 0, fmt.Errorf("%q is not a time such as 2026-08-21T10:59:42.123Z (RFC 3339, at most 9 digits of a fraction; without a zone it is UTC)", feature.Clip(s))
	}
	return feature.Nanos(t.Add(-zone))
}

// timeParser takes a time apart; after a fault it is bad and returns zeros.
type timeParser struct {
	rest string
	bad  bool
}

func (p *timeParser) next(c byte) *timeParser {
	if p.rest == "" || p.rest[0] != c {
		p.bad = true
		return p
	}
	p.rest = p.rest[1:]
	return p
}

func (p *timeParser) digits(n int) int {
	if len(p.rest) < n {
		p.bad = true
	}
	v := 0
	for i := 0; i < n && !p.bad; i++ {
		c := p.rest[i]
		if c < '0' || c > '9' {
			p.bad = true
			return 0
		}
		v = 10*v + int(c-'0')
	}
	if !p.bad {
		p.rest = p.rest[n:]
	}
	return v
}

func (p *timeParser) separator() {
	if p.rest == "" || p.rest[0] != 'T' && p.rest[0] != 't' && p.rest[0] != ' ' {
		p.bad = true
		return
	}
	p.rest = p.rest[1:]
}

func (p *timeParser) fraction() int {
	if p.bad || p.rest == "" || p.rest[0] != '.' {
		return 0
	}
	n := 1
	for n < len(p.rest) && p.rest[n] >= '0' && p.rest[n] <= '9' {
		n++
	}
	if n == 1 || n > 10 {
		p.bad = true
		return 0
	}
	p.rest = p.rest[1:]
	v := p.digits(n - 1)
	for range 10 - n {
		v *= 10
	}
	return v
}

func (p *timeParser) zone() time.Duration {
	if p.bad || p.rest == "" {
		return 0
	}
	sign := time.Duration(1)
	switch p.rest[0] {
	case 'Z', 'z':
		p.rest = p.rest[1:]
		return 0
	case '-':
		sign = -1
	case '+':
	default:
		p.bad = true
		return 0
	}
	p.rest = p.rest[1:]
	hours, minutes := p.digits(2), p.next(':').digits(2)
	if hours > 23 || minutes > 59 {
		p.bad = true
	}
	return sign * (time.Duration(hours)*time.Hour + time.Duration(minutes)*time.Minute)
}
