package peer

import (
	"cmp"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// A refusal is told once in refusalEvery, and counts for as long. maxRefusals
// bounds those that are kept apart: names of strangers are whatever they say.
const (
	refusalEvery = time.Minute
	maxRefusals  = 32
)

// Refusal is a peer that did not fit, on whichever side that was found.
type Refusal struct {
	// Peer is its store, or its address before it said one; "" for one that
	// dialed and said nothing.
	Peer string
	At   time.Time
	Err  error
}

// refusals are those of the last while, which are logged without flooding: a
// peer that does not fit comes again every second or so.
type refusals struct {
	log *slog.Logger

	mu struct {
		sync.Mutex
		last map[refusalKey]told
	}
}

type refusalKey struct{ peer, reason string }

type told struct {
	Refusal
	logged time.Time
}

// note keeps a refusal, and logs it unless it was logged a short while ago.
func (r *refusals) note(message, peer string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	key := refusalKey{peer, reason(err)}
	old, known := r.mu.last[key]
	if !known && len(r.mu.last) >= maxRefusals {
		r.forget(now)
		if len(r.mu.last) >= maxRefusals {
			return // the metrics count it
		}
	}
	if r.mu.last == nil {
		r.mu.last = map[refusalKey]told{}
	}
	fresh := told{Refusal{peer, now, err}, old.logged}
	if !known || now.Sub(old.logged) >= refusalEvery {
		fresh.logged = now
		r.log.Warn(message, "peer", peer, "error", err, "again", known)
	}
	r.mu.last[key] = fresh
}

// fits forgets the refusals of a peer that is let in now.
func (r *refusals) fits(peers ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for key := range r.mu.last {
		if slices.Contains(peers, key.peer) {
			delete(r.mu.last, key)
		}
	}
}

// forget drops what is long ago.
func (r *refusals) forget(now time.Time) {
	for key, x := range r.mu.last {
		if now.Sub(x.At) >= refusalEvery {
			delete(r.mu.last, key)
		}
	}
}

// list returns the refusals of the last while, by peer.
func (r *refusals) list() []Refusal {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.forget(time.Now())
	var out []Refusal
	for _, x := range r.mu.last {
		out = append(out, x.Refusal)
	}
	slices.SortFunc(out, func(a, b Refusal) int {
		return cmp.Or(cmp.Compare(a.Peer, b.Peer), a.At.Compare(b.At))
	})
	return out
}

// Refused returns the peers that did not fit lately: another secret, another
// deployment, a format that is not known. It is for people who look why a store
// does not find the others.
func (t *Transport) Refused() []Refusal { return t.refusals.list() }
