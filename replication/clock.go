package replication

import (
	"time"

	"featurestore/meta"
)

// peerClock is what is known of a peer's clock and of the way to it.
type peerClock struct {
	ping     uint64
	sent     Instant
	measured bool
	// offset is how far the peer's clock is ahead of this one, at most half a
	// round trip off. Of the last samples the one with the shortest way counts.
	offset, roundTrip time.Duration
	samples           []clockSample
}

type clockSample struct{ offset, roundTrip time.Duration }

// keptSamples is how many round trips are remembered.
const keptSamples = 8

// add notes a round trip. One that contradicts what is known says that a clock
// has stepped: what was measured before counts no more.
func (k *peerClock) add(s clockSample) {
	if k.measured && 2*abs(s.offset-k.offset) > s.roundTrip+k.roundTrip {
		k.samples = nil
	}
	if len(k.samples) == keptSamples {
		k.samples = k.samples[1:]
	}
	k.samples = append(k.samples, s)
	best := k.samples[0]
	for _, x := range k.samples[1:] {
		if x.roundTrip <= best.roundTrip {
			best = x
		}
	}
	k.offset, k.roundTrip, k.measured = best.offset, best.roundTrip, true
}

// ahead is how far the peer's clock is ahead at most.
func (k *peerClock) ahead(unknown time.Duration) time.Duration {
	if !k.measured {
		return unknown
	}
	return max(0, k.offset+k.roundTrip/2)
}

// certain is how far the peer's clock is ahead, or behind, at least.
func (k *peerClock) certain() time.Duration {
	switch half := k.roundTrip / 2; {
	case k.offset > half:
		return k.offset - half
	case k.offset < -half:
		return k.offset + half
	}
	return 0
}

// ping asks every peer for its time.
func (c *Core) ping() {
	for _, p := range c.peers {
		if p.dialed {
			c.pingPeer(p)
		}
	}
}

func (c *Core) pingPeer(p *peer) {
	p.clock.ping++
	p.clock.sent = c.now
	c.emit(Send{To: p.id, Message: Ping{ID: p.clock.ping}})
}

// pong takes the answer to the last ping.
func (c *Core) pong(p *peer, m Pong) {
	if m.ID != p.clock.ping || p.clock.sent == (Instant{}) {
		return
	}
	trip := c.now.Mono - p.clock.sent.Mono
	middle := p.clock.sent.Wall.Add(trip / 2)
	p.clock.sent = Instant{}
	p.clock.add(clockSample{offset: m.Wall.Sub(middle), roundTrip: trip})
	c.fenceClock() // a store that has just started writes nothing by a wrong clock for long
}

// clockIsOff decides whether this store's clock is off from the majority of the
// peers heard of, by more than they tolerate: a pure function of the offsets
// measured. Of two stores nobody can say which is wrong; the one that is ahead
// stops, for its writes would win.
func clockIsOff(offsets []time.Duration, tolerated time.Duration) (off bool, by time.Duration) {
	ahead, behind := 0, 0
	for _, o := range offsets {
		switch {
		case o < -tolerated:
			ahead++
		case o > tolerated:
			behind++
		default:
			continue
		}
		if abs(o) > abs(by) {
			by = -o
		}
	}
	if len(offsets) == 1 {
		return ahead == 1, by
	}
	return 2*(ahead+behind) > len(offsets), by
}

func abs(d time.Duration) time.Duration { return max(d, -d) }

// fenceClock decides whether writes stop because the clock is off.
func (c *Core) fenceClock() {
	if c.membership == nil {
		return
	}
	var offsets []time.Duration
	for _, p := range c.peers {
		if x, ok := c.membership.Member(p.id); ok && x.State != meta.Removed && p.clock.measured && p.isLive(c.now.Mono, c.cfg.Stall) {
			offsets = append(offsets, p.clock.certain())
		}
	}
	if len(offsets) == 0 {
		return // nobody to compare with: as before
	}
	off, by := clockIsOff(offsets, c.cfg.MaxSkew*8/10)
	c.fencedClock, c.clockOff = off, by
	if off {
		c.setWriting(false)
	}
}
