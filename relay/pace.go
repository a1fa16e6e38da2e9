package relay

import "time"

// retransmission is the least time after which TCP sends a lost segment again;
// Linux and most others wait so long beyond the round trip.
const retransmission = 200 * time.Millisecond

// pace says when the chunks of one direction of one connection are due. It is
// a function of its arguments and of what was due before.
type pace struct{ last time.Time }

// due returns when a chunk that was read at now comes out: with link the one in
// its direction, back the delay in the other, and roll a number from [0, 1).
// It is never before that of an earlier chunk, as TCP keeps order.
func (p *pace) due(now time.Time, link Link, back time.Duration, roll float64) time.Time {
	due := now.Add(link.Delay)
	if roll < link.Loss {
		due = due.Add(link.Delay + back + retransmission)
	}
	if due.Before(p.last) {
		due = p.last
	}
	p.last = due
	return due
}
