package sdk

import (
	"testing"
	"time"

	"featurestore/api"
)

// K3.
func TestOnlySafeRequestsAreRepeated(t *testing.T) {
	lost := outcome{sent: true}
	never := outcome{}
	of := func(code api.Code) outcome { return outcome{sent: true, status: code.Status(), code: code} }
	for _, c := range []struct {
		claim       string
		outcome     outcome
		read, keyed bool
		want        verdict
		unknown     bool
	}{
		{"a write that no connection took goes elsewhere", never, false, false, verdict{true, true}, false},
		{"a read without an answer goes elsewhere", lost, true, false, verdict{true, true}, true},
		{"a keyed write without an answer stays where its key is known", lost, false, true, verdict{retry: true}, true},
		{"a write without key and answer is not repeated", lost, false, false, verdict{}, true},
		{"a store that refused before writing", of(api.CodeNotEnoughLive), false, true, verdict{true, true}, false},
		{"a store that stops", of(api.CodeDraining), false, true, verdict{true, true}, false},
		{"a store that is not active", of(api.CodeNotActive), false, true, verdict{true, true}, false},
		{"a store that holds no such rows", of(api.CodeNotHeld), true, false, verdict{true, true}, false},
		{"a store that cannot reach the home", of(api.CodeHomeUnreachable), false, true, verdict{true, true}, false},
		{"a concern not met", of(api.CodeConcernTimeout), false, true, verdict{retry: true}, false},
		{"a write whose time was up", of(api.CodeDeadlineExceeded), false, true, verdict{retry: true}, true},
		{"a leader that did not answer who sent the write on", of(api.CodeLeaderUnreachable), false, true, verdict{retry: true}, true},
		{"a write without key to a leader that did not answer", of(api.CodeLeaderUnreachable), false, false, verdict{}, true},
		{"a shard that nobody leads just now", of(api.CodeNoLeader), false, true, verdict{true, true}, false},
		{"bad rows", of(api.CodeInvalidRows), false, true, verdict{}, false},
		{"a stale read", of(api.CodeTooStale), true, false, verdict{}, false},
		{"a read behind", of(api.CodeBehind), true, false, verdict{true, true}, false},
		{"an unforeseen error", of(api.CodeInternal), false, true, verdict{}, true},
		{"a proxy's 502 to a keyed write", outcome{sent: true, status: 502}, false, true, verdict{retry: true}, true},
		{"an answer of 200 that was too large", outcome{sent: true, status: 200}, false, true, verdict{}, true},
	} {
		t.Run(c.claim, func(t *testing.T) {
			if got := c.outcome.judge(c.read, c.keyed); got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
			if got := c.outcome.unknown(); got != c.unknown {
				t.Errorf("got unknown %v, want %v", got, c.unknown)
			}
		})
	}
}

func TestPausesGrowToTheirBound(t *testing.T) {
	r := Retry{Backoff: 10 * time.Millisecond, MaxBackoff: 100 * time.Millisecond}
	for _, c := range []struct {
		n      int
		after  time.Duration
		random float64
		want   time.Duration
	}{
		{1, 0, 0, 5 * time.Millisecond},
		{1, 0, 0.5, 7500 * time.Microsecond},
		{2, 0, 0, 10 * time.Millisecond},
		{5, 0, 0, 50 * time.Millisecond},
		{90, 0, 0, 50 * time.Millisecond},
		{1, 40 * time.Millisecond, 0, 40 * time.Millisecond},
		{1, time.Hour, 0, 100 * time.Millisecond},
	} {
		if got := r.pause(c.n, c.after, c.random); got != c.want {
			t.Errorf("pause(%d, %v, %v): got %v, want %v", c.n, c.after, c.random, got, c.want)
		}
	}
}

func TestConfigTellsAllFaultsAtOnce(t *testing.T) {
	_, err := New(Config{URLs: []string{"localhost"}, Timeout: -1, Retry: Retry{Tries: -1}})
	for _, want := range []string{"URLs[0]", "Project", "Timeout", "Retry.Tries"} {
		if err == nil || !contains(err.Error(), want) {
			t.Errorf("got %v, want it to name %s", err, want)
		}
	}
	err = WriterConfig{MaxBatchRows: 1001, MaxInFlight: 9, MaxBufferedBytes: 1}.Validate()
	for _, want := range []string{"MaxBatchRows", "MaxInFlight", "MaxBufferedBytes"} {
		if err == nil || !contains(err.Error(), want) {
			t.Errorf("got %v, want it to name %s", err, want)
		}
	}
	if err := (WriterConfig{}).Validate(); err != nil {
		t.Errorf("the zero WriterConfig: got %v, want nil", err)
	}
}
