package consistency

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Level is a read level: what an answer must have seen.
type Level uint8

// The read levels, weakest first. Zero means none was asked.
const (
	Unset    Level = iota
	Eventual       // what this replica has
	Bounded        // nothing accepted more than MaxStaleness ago is missing
	Session        // everything the session's tokens name
	Quorum         // every write acknowledged at quorum
	Leader         // every acknowledged write; leader groups only
)

var levelNames = [...]string{"", "eventual", "bounded", "session", "quorum", "leader"}

// String returns the word used in headers and definitions, such as "session".
func (l Level) String() string {
	if int(l) < len(levelNames) {
		return levelNames[l]
	}
	return "unknown"
}

// ParseLevel is the inverse of Level.String.
func ParseLevel(s string) (Level, error) {
	for l := Eventual; l <= Leader; l++ {
		if levelNames[l] == s {
			return l, nil
		}
	}
	return Unset, fmt.Errorf("read level %q is not known; use %s", s, strings.Join(levelNames[1:], ", "))
}

// Alternative is one acceptable level of a read.
type Alternative struct {
	Level Level
	// MaxStaleness is the bound of Bounded, zero otherwise.
	MaxStaleness time.Duration
	// Members is how many members Quorum reads; zero is a majority. Repair says
	// what it waits for before it answers.
	Members int
	Repair  Repair
	// Within is how long to try before the next alternative; zero: as long as
	// the read's own wait.
	Within time.Duration
}

// Repair is what a quorum read does about members that lack what it shows.
type Repair uint8

// The repairs. Zero means that none was named, and is BlockingRepair.
const (
	RepairUnset    Repair = iota
	BlockingRepair        // wait until a majority has it: quorum reads never go back
	NoRepair              // answer at once
)

var repairNames = [...]string{"", "blocking", "none"}

// ParseRepair reads "blocking" or "none"; "" is RepairUnset.
func ParseRepair(s string) (Repair, error) {
	for i, name := range repairNames {
		if name == s {
			return Repair(i), nil
		}
	}
	return RepairUnset, fmt.Errorf("read repair %q is not known; use blocking or none", s)
}

// maxMembers bounds Alternative.Members: no deployment has more members of a
// shard.
const maxMembers = 64

// String returns the alternative as the header writes it.
func (a Alternative) String() string {
	s := a.Level.String()
	if a.Level == Bounded {
		s += "; max-staleness=" + a.MaxStaleness.String()
	}
	if a.Members > 0 {
		s += "; members=" + strconv.Itoa(a.Members)
	}
	if a.Repair != RepairUnset {
		s += "; repair=" + repairNames[a.Repair]
	}
	if a.Within > 0 {
		s += "; within=" + a.Within.String()
	}
	return s
}

// maxAlternatives bounds a preference list.
const maxAlternatives = 8

// ParseAlternatives reads a preference list such as
// "session; within=5ms, bounded; max-staleness=2s, eventual". "" is none.
func ParseAlternatives(s string) ([]Alternative, error) {
	if strings.TrimSpace(s) == "" {
		return nil, nil
	}
	items := strings.Split(s, ",")
	if len(items) > maxAlternatives {
		return nil, fmt.Errorf("%d read levels in a preference list; at most %d", len(items), maxAlternatives)
	}
	out := make([]Alternative, 0, len(items))
	for _, item := range items {
		a, err := ParseAlternative(item)
		if err != nil {
			return nil, err
		}
		out = append(out, a)
	}
	return out, nil
}

// ParseAlternative reads one level with its parameters, such as
// "bounded; max-staleness=2s".
func ParseAlternative(item string) (Alternative, error) {
	word, params, _ := strings.Cut(item, ";")
	level, err := ParseLevel(strings.TrimSpace(word))
	if err != nil {
		return Alternative{}, err
	}
	a := Alternative{Level: level}
	for _, p := range strings.Split(params, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(p), "=")
		switch name {
		case "":
		case "max-staleness":
			a.MaxStaleness, err = parsePositive(name, value)
		case "within":
			a.Within, err = parsePositive(name, value)
		case "members":
			if a.Members, err = strconv.Atoi(value); err != nil || a.Members < 1 || a.Members > maxMembers {
				err = fmt.Errorf("members=%q is not a number from 1 to %d", value, maxMembers)
			}
		case "repair":
			if a.Repair, err = ParseRepair(value); err == nil && a.Repair == RepairUnset {
				err = fmt.Errorf("repair is empty; use repair=blocking or repair=none")
			}
		default:
			err = fmt.Errorf("read level %s has no parameter %q; use max-staleness, members, repair or within", level, name)
		}
		if err != nil {
			return Alternative{}, err
		}
	}
	return a, a.Validate()
}

// Validate returns what is wrong with the alternative, or nil.
func (a Alternative) Validate() error {
	switch {
	case a.Level < Eventual || a.Level > Leader:
		return fmt.Errorf("read level is missing; use %s", strings.Join(levelNames[1:], ", "))
	case a.Level == Bounded && a.MaxStaleness <= 0:
		return fmt.Errorf("read level bounded needs max-staleness, such as max-staleness=500ms")
	case a.Level != Bounded && a.MaxStaleness != 0:
		return fmt.Errorf("max-staleness belongs to read level bounded, not %s", a.Level)
	case a.Level != Quorum && a.Members != 0:
		return fmt.Errorf("members belongs to read level quorum, not %s", a.Level)
	case a.Level != Quorum && a.Repair != RepairUnset:
		return fmt.Errorf("repair belongs to read level quorum, not %s", a.Level)
	case a.Members < 0 || a.Members > maxMembers:
		return fmt.Errorf("members=%d is not a number from 1 to %d", a.Members, maxMembers)
	case a.Within < 0:
		return fmt.Errorf("within=%s is negative", a.Within)
	}
	return nil
}

func parsePositive(name, value string) (time.Duration, error) {
	d, err := time.ParseDuration(value)
	if err != nil || d <= 0 {
		return 0, fmt.Errorf("%s=%q is not a positive duration such as 500ms", name, value)
	}
	return d, nil
}
