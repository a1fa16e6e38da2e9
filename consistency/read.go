package consistency

import (
	"fmt"
	"strings"
	"time"

	"featurestore/feature"
)

// Read is what a request asks of the answer.
type Read struct {
	// Alternatives in order of preference; at least one.
	Alternatives []Alternative
	// Token is what the session has seen.
	Token Token
	// Fallback says what happens when the alternatives are not met at once.
	Fallback Fallback
}

// Unmet is what to do with a read that could not be met.
type Unmet uint8

// What happens at the end of the fallbacks.
const (
	Fail    Unmet = iota // an error that names want, have and lag
	Degrade              // the answer, saying what was met
)

// Fallback is the policy of reads that the nearest replica does not meet.
type Fallback struct {
	// Wait is how long to wait here for the first alternative that gives no
	// budget of its own.
	Wait time.Duration
	// Forward asks another replica that advertises what is missing.
	Forward bool
	Unmet   Unmet
}

// DefaultFallback waits a little, then forwards, then fails: never silently less
// than asked.
var DefaultFallback = Fallback{Wait: 30 * time.Millisecond, Forward: true, Unmet: Fail}

// ParseFallback reads steps such as ["wait:30ms", "forward", "fail"]. The last
// may be "degrade" or "fail"; no steps are the default.
func ParseFallback(steps []string) (Fallback, error) {
	if len(steps) == 0 {
		return DefaultFallback, nil
	}
	var f Fallback
	for i, step := range steps {
		word, arg, _ := strings.Cut(step, ":")
		last := i == len(steps)-1
		switch {
		case word == "wait" && f.Wait == 0:
			d, err := parsePositive("wait", arg)
			if err != nil {
				return Fallback{}, err
			}
			f.Wait = d
		case step == "forward" && !f.Forward:
			f.Forward = true
		case step == "fail" && last:
			f.Unmet = Fail
		case step == "degrade" && last:
			f.Unmet = Degrade
		default:
			return Fallback{}, fmt.Errorf(
				`fallback step %q does not fit; use "wait:30ms" and "forward" once each, then "fail" or "degrade"`, step)
		}
	}
	return f, nil
}

// ParseOnUnmet reads the request header's word for the end of the fallbacks and
// returns f changed by it.
func (f Fallback) ParseOnUnmet(word string) (Fallback, error) {
	switch word {
	case "":
	case "forward":
		f.Forward = true
	case "degrade":
		f.Unmet = Degrade
	case "fail":
		f.Forward, f.Unmet = false, Fail
	default:
		return f, fmt.Errorf("on-unmet %q is not known; use forward, degrade or fail", word)
	}
	return f, nil
}

// unmet decides, purely, whether a replica may answer alternative a for one
// shard: nil when it may.
func (a Alternative) unmet(t *Token, shard feature.Shard, placement feature.Placement, r Replica, now int64) error {
	if a.Level == Leader && placement != feature.Leader {
		return fmt.Errorf("%w: leader needs a group with placement leader, this one is %s", ErrLevelNotOffered, placement)
	}
	if a.Level == Bounded {
		if staleness := time.Duration(now - r.SafeTime.Time().UnixNano()); staleness > a.MaxStaleness {
			return &TooStaleError{Staleness: staleness, Bound: a.MaxStaleness}
		}
	}
	if a.Level == Eventual {
		return nil
	}
	switch p, c := r.missing(t, shard); c {
	case Lost:
		return &SessionLostError{Shard: shard, Position: p}
	case Behind:
		return &BehindError{Shard: shard, Want: p, Have: r.Progress[p.Origin]}
	}
	return nil
}
