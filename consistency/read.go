package consistency

import (
	"fmt"
	"strings"
	"time"

	"featurestore/feature"
	"featurestore/hlc"
)

// Read is what a request asks of the answer.
type Read struct {
	// Alternatives in order of preference; at least one.
	Alternatives []Alternative
	// Token is what the session has seen.
	Token Token
	// Fallback says what happens when the alternatives are not met at once.
	Fallback Fallback
	// Forwarded says that another store sent the read here. It is never sent on.
	Forwarded bool

	lags []Lag // the space of Met.Lags
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
	// To is the level that Degrade answers at, if that is met; zero is Eventual.
	To Level
}

// DefaultFallback waits a little, then forwards, then fails: never silently less
// than asked.
var DefaultFallback = Fallback{Wait: 30 * time.Millisecond, Forward: true, Unmet: Fail}

// ParseFallback reads steps such as ["wait:30ms", "forward", "fail"]. The last
// may be "fail", "degrade", or "degrade:session", which answers with less than
// asked but not with less than that; no steps are the default.
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
		case word == "degrade" && last:
			to, err := parseDegrade(step)
			if err != nil {
				return Fallback{}, err
			}
			f.Unmet, f.To = Degrade, to
		default:
			return Fallback{}, fmt.Errorf(
				`fallback step %q does not fit; use "wait:30ms" and "forward" once each, then "fail", "degrade" or "degrade:session"`, step)
		}
	}
	return f, nil
}

// parseDegrade reads "degrade", which is "degrade:eventual", or
// "degrade:session".
func parseDegrade(step string) (Level, error) {
	switch step {
	case "degrade", "degrade:eventual":
		return Unset, nil
	case "degrade:session":
		return Session, nil
	case "degrade:bounded":
		return Unset, fmt.Errorf(`fallback step %q has no max-staleness; list it as an alternative instead: "session, bounded; max-staleness=2s"`, step)
	}
	return Unset, fmt.Errorf(`fallback step %q does not fit; use "degrade", which answers at eventual, or "degrade:session"`, step)
}

// ParseOnUnmet reads the request header's word for the end of the fallbacks and
// returns f changed by it.
func (f Fallback) ParseOnUnmet(word string) (Fallback, error) {
	switch {
	case word == "":
	case word == "forward":
		f.Forward = true
	case strings.HasPrefix(word, "degrade"):
		to, err := parseDegrade(word)
		if err != nil {
			return f, err
		}
		f.Unmet, f.To = Degrade, to
	case word == "fail":
		f.Forward, f.Unmet = false, Fail
	default:
		return f, fmt.Errorf("on-unmet %q is not known; use forward, degrade, degrade:session or fail", word)
	}
	return f, nil
}

// unmet decides, purely, whether a replica may answer alternative a for one
// shard: nil when it may.
func (a Alternative) unmet(t *Token, target Target, r Replica) error {
	if a.Level == Leader && target.Placement != feature.Leader {
		return fmt.Errorf("%w: leader needs a group with placement leader, this one is %s", ErrLevelNotOffered, target.Placement)
	}
	if a.Level == Bounded && r.Lag.Time > a.MaxStaleness {
		return &TooStaleError{Staleness: r.Lag, Bound: a.MaxStaleness}
	}
	if a.Level == Eventual {
		return nil
	}
	switch p, c := r.missing(t, target.Shard); c {
	case Lost:
		return &SessionLostError{Shard: target.Shard, Position: p, Writer: r.Origins.writer(p.Origin)}
	case Behind:
		return &BehindError{Shard: target.Shard, Want: p, Writer: r.Origins.writer(p.Origin), Have: r.have(p)}
	}
	return nil
}

// have is how far the replica is in what a position names; a position without
// an origin names all of them.
func (r Replica) have(p hlc.Position) hlc.Timestamp {
	if p.Origin == 0 {
		return r.SafeTime
	}
	return r.Progress[p.Origin]
}
