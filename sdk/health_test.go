package sdk

import (
	"context"
	"testing"
	"time"

	"featurestore/api"

	"pgregory.net/rapid"
)

func TestTriesTellHowAStoreIs(t *testing.T) {
	of := func(code api.Code) outcome { return outcome{sent: true, status: code.Status(), code: code} }
	for _, c := range []struct {
		claim   string
		outcome outcome
		want    sign
	}{
		{"an answer", outcome{sent: true, status: 200}, healthy},
		{"bad rows are no fault of the store", of(api.CodeInvalidRows), healthy},
		{"no connection", outcome{}, gone},
		{"a connection that broke", outcome{sent: true}, silent},
		{"no answer in the time of a try", outcome{sent: true, cut: cutByTry}, mute},
		{"no connection in the time of a try", outcome{cut: cutByTry}, mute},
		{"no answer in the caller's time, which may be short", outcome{sent: true, cut: cutByTime}, silent},
		{"no connection in the caller's time", outcome{cut: cutByTime}, silent},
		{"a caller that went away", outcome{sent: true, cut: cutByCaller}, nothing},
		{"a store that stops", of(api.CodeDraining), gone},
		{"a store that is not active", of(api.CodeNotActive), gone},
		{"a store that holds no such rows", of(api.CodeNotHeld), healthy},
		{"a store that takes no writes", of(api.CodeReadOnly), writeless},
		{"a store whose clock is off", of(api.CodeClockFenced), writeless},
		{"a store that has too much to do", of(api.CodeOverloaded), strained},
		{"a store that is behind", of(api.CodeBehind), strained},
		{"a proxy without a store behind it", outcome{sent: true, status: 502}, silent},
		{"another service's 404", outcome{sent: true, status: 404}, healthy},
	} {
		if got := c.outcome.sign(true); got != c.want {
			t.Errorf("%s: got %d, want %d", c.claim, got, c.want)
		}
	}
	if got := of(api.CodeNotActive).sign(false); got != writeless {
		t.Errorf("a store that leaves, to a write: got %d, want %d: it still answers reads", got, writeless)
	}
}

func TestWhoEndedATryIsTold(t *testing.T) {
	past, cancelPast := context.WithDeadline(t.Context(), time.Unix(0, 0))
	defer cancelPast()
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	for _, c := range []struct {
		caller, try context.Context
		want        cut
	}{
		{t.Context(), t.Context(), notCut},
		{t.Context(), past, cutByTry},
		{past, past, cutByTime},
		{canceled, canceled, cutByCaller},
	} {
		if got := cutBy(c.caller, c.try); got != c.want {
			t.Errorf("got %d, want %d", got, c.want)
		}
	}
}

// K10.
func TestAStoreIsAwayForAWhileAndFoundBackByProbes(t *testing.T) {
	at := time.Unix(1000, 0)
	var h health
	h.request(silent, 0, at)
	if h.away(at) {
		t.Error("away after one connection that broke")
	}
	h.request(healthy, ms, at)
	h.request(silent, 0, at)
	if h.away(at) {
		t.Error("away after two that broke with an answer between them")
	}
	h.request(silent, 0, at)
	if !h.away(at) || h.away(at.Add(awayFor)) {
		t.Error("not away for awayFor after two in a row")
	}
	h.probe(healthy, ms, at)
	if !h.away(at) {
		t.Error("back after a single probe")
	}
	h.probe(gone, 0, at)
	h.probe(healthy, ms, at)
	if !h.away(at) {
		t.Error("back after two probes that did not follow each other")
	}
	h.probe(healthy, ms, at)
	if h.away(at) {
		t.Error("away after two probes in a row")
	}
	h.request(gone, 0, at)
	if !h.away(at) {
		t.Error("not away although it takes no connection")
	}
	h.request(strained, ms, at)
	if h.away(at) {
		t.Error("away although it answered a request")
	}
	h.request(writeless, ms, at)
	if h.away(at) || !h.writeless(at) || h.writeless(at.Add(awayFor)) {
		t.Error("a store that takes no writes is away, or takes some, or never takes them again")
	}
	h.request(nothing, 0, at)
	if h.away(at) {
		t.Error("away for a caller that went away")
	}
}

func TestFailuresAreForgottenWithTime(t *testing.T) {
	at := time.Unix(1000, 0)
	var h health
	for range 50 {
		h.request(strained, ms, at)
	}
	if got := h.failingNow(at); got < 0.99 || got > 1 {
		t.Errorf("after 50 failures: got %v, want about 1", got)
	}
	if got := h.failingNow(at.Add(failingHalves)); got < 0.49 || got > 0.5 {
		t.Errorf("after %v: got %v, want half", failingHalves, got)
	}
	for range 50 {
		h.request(healthy, ms, at)
	}
	if got := h.failingNow(at); got > 0.01 {
		t.Errorf("after 50 answers: got %v, want about 0", got)
	}
}

func TestProbesAreComparedBeforeRequests(t *testing.T) {
	at := time.Unix(1000, 0)
	var h health
	h.request(healthy, 40*ms, at) // a large lookup
	if got := h.distance(); got != 40*ms {
		t.Errorf("got %v, want the request's time", got)
	}
	h.probe(healthy, ms, at)
	h.request(healthy, 90*ms, at)
	if got := h.distance(); got != ms {
		t.Errorf("got %v, want the probe's time", got)
	}
}

func TestAnAverageStaysBetweenItsSamples(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		samples := rapid.SliceOfN(rapid.Int64Range(1, int64(time.Hour)), 1, 30).Draw(t, "samples")
		var got time.Duration
		least, most := time.Duration(samples[0]), time.Duration(0)
		for _, s := range samples {
			d := time.Duration(s)
			got, least, most = average(got, d, requestWeight), min(least, d), max(most, d)
			if got < least-1 || got > most {
				t.Fatalf("got %v of samples from %v to %v", got, least, most)
			}
		}
	})
}
