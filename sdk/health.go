package sdk

import (
	"math"
	"net/http"
	"time"

	"featurestore/api"
)

// sign is what one try tells of the store that was asked.
type sign uint8

const (
	// healthy: it answered, with an error or not.
	healthy sign = iota
	// strained: it answered that it cannot do that now.
	strained
	// writeless: it answered that it takes no writes.
	writeless
	// silent: it took the request and did not answer.
	silent
	// mute: the same, for as long as a try may take.
	mute
	// gone: no connection, or it said that it serves nobody.
	gone
	// nothing: the caller ended the try.
	nothing
)

// sign reads what a try's outcome says of the store; read says that it was asked
// to read.
func (o outcome) sign(read bool) sign {
	switch {
	case o.status != 0:
	case o.cut == cutByCaller:
		return nothing
	case o.cut == cutByTry:
		return mute
	case !o.sent && o.cut == notCut:
		return gone
	default:
		return silent
	}
	switch o.code {
	case api.CodeNotActive: // one that leaves still answers reads
		if !read {
			return writeless
		}
		return gone
	case api.CodeDraining:
		return gone
	case api.CodeReadOnly, api.CodeClockFenced:
		return writeless
	case api.CodeOverloaded, api.CodeBehind, api.CodeNotEnoughLive, api.CodeNoLeader,
		api.CodeDependencyUnavailable, api.CodeDeadlineExceeded, api.CodeInternal, api.CodeHomeUnreachable:
		return strained
	case "":
		switch o.status { // of a proxy
		case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
			return silent
		}
	}
	return healthy
}

const (
	// awayFor is how long a store that is away, or takes no writes, is passed
	// over. Probes may find it back before.
	awayFor = 30 * time.Second
	// silences are the tries without an answer, in a row, that make a store away:
	// a single one may be a connection that broke.
	silences = 2
	// revivals are the probes answered, in a row, that bring a store back.
	revivals = 2
	// failingHalves is how long the memory of failures lasts without requests.
	failingHalves = 10 * time.Second
	// weight of the newest in an average: of eight requests, of four probes.
	requestWeight = 1. / 8
	probeWeight   = 1. / 4
)

// health is what a client remembers of one store. It holds no lock.
type health struct {
	// asked and probed are usual round trips, of requests and of probes.
	asked, probed time.Duration
	// failing is the part of requests that failed, as of failingAt.
	failing   float64
	failingAt time.Time
	// silent and alive count in a row.
	silent, alive             int
	awayUntil, writelessUntil time.Time
}

// request notes what a request came to.
func (h *health) request(s sign, took time.Duration, at time.Time) {
	switch s {
	case nothing:
		return
	case healthy, strained, writeless:
		h.silent, h.awayUntil = 0, time.Time{}
		if took > 0 {
			h.asked = average(h.asked, took, requestWeight)
		}
	case silent:
		h.silent++
	case mute, gone:
		h.silent = silences
	}
	if h.silent >= silences {
		h.leave(at)
	}
	if s == writeless {
		h.writelessUntil = at.Add(awayFor)
	}
	failed := 0.
	if s != healthy && s != writeless {
		failed = 1
	}
	h.failing = h.failingNow(at)*(1-requestWeight) + failed*requestWeight
	h.failingAt = at
}

// probe notes what a probe came to. took is its round trip.
func (h *health) probe(s sign, took time.Duration, at time.Time) {
	switch s {
	case nothing:
		return
	case silent, mute, gone:
		h.leave(at)
		return
	}
	h.probed = average(h.probed, took, probeWeight)
	if h.alive++; h.alive >= revivals {
		h.silent, h.awayUntil = 0, time.Time{}
	}
	if s == writeless {
		h.writelessUntil = at.Add(awayFor)
	}
}

func (h *health) leave(at time.Time) { h.awayUntil, h.alive = at.Add(awayFor), 0 }

// away and takesWrites tell how the store is at a time.
func (h *health) away(at time.Time) bool      { return at.Before(h.awayUntil) }
func (h *health) writeless(at time.Time) bool { return at.Before(h.writelessUntil) }

// failingNow is failing after the time that has passed: a store that is left
// alone is tried again.
func (h *health) failingNow(at time.Time) float64 {
	if h.failing == 0 {
		return 0
	}
	return h.failing * math.Exp2(-max(0, at.Sub(h.failingAt).Seconds())/failingHalves.Seconds())
}

// distance is the usual round trip: of probes where there were any, for they
// ask the same of every store, while requests differ in what they ask.
func (h *health) distance() time.Duration {
	if h.probed > 0 {
		return h.probed
	}
	return h.asked
}

// average moves an average towards a sample; the first one sets it.
func average(old, sample time.Duration, weight float64) time.Duration {
	if old == 0 {
		return sample
	}
	return old + time.Duration(weight*float64(sample-old))
}
