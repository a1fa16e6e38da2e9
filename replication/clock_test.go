package replication

import (
	"testing"
	"time"
)

func TestTheOffsetOfAClockIsThatOfTheShortestWay(t *testing.T) {
	ms := func(offset, trip int) clockSample {
		return clockSample{time.Duration(offset) * time.Millisecond, time.Duration(trip) * time.Millisecond}
	}
	for _, c := range []struct {
		claim   string
		samples []clockSample
		want    int
	}{
		{"the only one", []clockSample{ms(3, 10)}, 3},
		{"the shortest", []clockSample{ms(9, 40), ms(3, 10), ms(-9, 40)}, 3},
		{"the latest of equals", []clockSample{ms(3, 10), ms(4, 10)}, 4},
		{"not one from before a step", []clockSample{ms(3, 10), ms(603, 40)}, 603},
		{"nor back", []clockSample{ms(603, 10), ms(3, 40), ms(10, 60)}, 3},
		{"a long way contradicts nothing", []clockSample{ms(3, 10), ms(603, 1300)}, 3},
	} {
		var k peerClock
		for _, s := range c.samples {
			k.add(s)
		}
		if want := time.Duration(c.want) * time.Millisecond; k.offset != want {
			t.Errorf("%s: offset %v, want %v", c.claim, k.offset, want)
		}
	}
}
