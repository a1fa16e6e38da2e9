package consistency

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/meta"
)

// replicaAt is a store whose progress of one foreign origin arrives at a set
// time: what a coordinator sees of replication.
type replicaAt struct {
	self    Origins
	arrives time.Time
	vector  hlc.Vector
	lag     time.Duration
}

func (r *replicaAt) Replica(feature.Shard) Replica {
	progress := hlc.Vector{r.self.Self: r.self.SelfAt}
	if !time.Now().Before(r.arrives) {
		progress = progress.Merge(r.vector)
	}
	return Replica{Progress: progress, Origins: r.self}
}

func (r *replicaAt) Heads(s feature.Shard) hlc.Vector { return r.Replica(s).Progress }

// Closed lags until what is on its way has arrived.
func (r *replicaAt) Closed() hlc.Timestamp {
	if !r.arrives.IsZero() && !time.Now().Before(r.arrives) {
		return hlc.FromTime(time.Now())
	}
	return hlc.FromTime(time.Now().Add(-r.lag))
}

func (r *replicaAt) Wait(ctx context.Context, _ feature.Shard, v hlc.Vector) error {
	for !r.Replica(feature.Shard{}).Progress.Covers(v) {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Millisecond):
		}
	}
	return nil
}

var (
	shard  = feature.Shard{Group: 1}
	target = []Target{{Shard: shard}}
)

func newCoordinator(t *testing.T, store Store) *Coordinator {
	t.Helper()
	self := meta.Member{Store: "eu-1", Region: "eu", State: meta.Active}
	c, err := NewCoordinator(Config{
		Store: store, Self: self, Now: func() int64 { return time.Now().UnixNano() },
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func tokenOf(p hlc.Position) Token {
	var t Token
	t.Note(shard, p)
	return t
}

func TestReadLevels(t *testing.T) {
	other := hlc.Position{Origin: 2, At: hlc.New(1_000, 0)}
	own := hlc.Position{Origin: 1, At: hlc.New(2_000, 0)}
	future := hlc.Position{Origin: 1, At: hlc.New(9_000, 0)}
	for _, tt := range []struct {
		name    string
		ask     string
		token   Token
		arrives time.Duration // of what the token names
		lag     time.Duration
		unmet   Unmet
		want    error
		met     Level
		waited  time.Duration
	}{
		{name: "eventual serves what is here", ask: "eventual", token: tokenOf(other), arrives: time.Hour, met: Eventual},
		{name: "session without a token waits for nothing", ask: "session", arrives: time.Hour, met: Session},
		{name: "own writes are here", ask: "session", token: tokenOf(own), arrives: time.Hour, met: Session},
		{name: "session waits for what is on its way", ask: "session", token: tokenOf(other), arrives: 20 * time.Millisecond, met: Session, waited: 20 * time.Millisecond},
		{name: "session fails when it does not come", ask: "session", token: tokenOf(other), arrives: time.Hour, want: ErrBehind, waited: 30 * time.Millisecond},
		{name: "degrades only when asked", ask: "session", token: tokenOf(other), arrives: time.Hour, unmet: Degrade, met: Eventual, waited: 30 * time.Millisecond},
		{name: "a preference list takes the next", ask: "session; within=5ms, eventual", token: tokenOf(other), arrives: time.Hour, met: Eventual, waited: 5 * time.Millisecond},
		{name: "a write that cannot exist is lost at once", ask: "session", token: tokenOf(future), arrives: time.Hour, want: ErrSessionLost},
		{name: "a lost session never degrades", ask: "session", token: tokenOf(future), arrives: time.Hour, unmet: Degrade, want: ErrSessionLost},
		{name: "bounded within its bound", ask: "bounded; max-staleness=2s", lag: time.Second, arrives: time.Hour, met: Bounded},
		{name: "a store alone is behind nobody", ask: "bounded; max-staleness=2s", lag: 3 * time.Second, arrives: time.Hour, met: Bounded},
		{name: "bounded honours the token too", ask: "bounded; max-staleness=2s", token: tokenOf(other), arrives: time.Hour, want: ErrBehind, waited: 30 * time.Millisecond},
		{name: "leader needs a leader group", ask: "leader", want: ErrLevelNotOffered},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := &replicaAt{
					self:    Origins{Self: 1, SelfAt: hlc.New(2_000, 0)},
					arrives: time.Now().Add(tt.arrives), vector: hlc.Vector{other.Origin: other.At}, lag: tt.lag,
				}
				alternatives, err := ParseAlternatives(tt.ask)
				if err != nil {
					t.Fatal(err)
				}
				r := Read{Alternatives: alternatives, Token: tt.token, Fallback: DefaultFallback}
				r.Fallback.Unmet = tt.unmet
				met, err := newCoordinator(t, store).AdmitRead(t.Context(), &r, target)
				if !errors.Is(err, tt.want) {
					t.Fatalf("got error %v, want %v", err, tt.want)
				}
				if err == nil && met.Met.Level != tt.met {
					t.Errorf("met %v, want %v", met.Met.Level, tt.met)
				}
				if met.Degraded != (tt.unmet == Degrade && tt.want == nil) {
					t.Errorf("degraded %v", met.Degraded)
				}
				if met.Waited != tt.waited {
					t.Errorf("waited %v, want %v", met.Waited, tt.waited)
				}
			})
		})
	}
}

func TestFloorIsCoveredByTimeOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var token Token
		token.raiseFloor(floor{group: shard.Group, at: hlc.FromTime(time.Now())})
		r := Read{Alternatives: []Alternative{{Level: Session}}, Token: token}
		store := &replicaAt{self: Origins{Self: 1, SelfAt: 1}}
		if _, err := newCoordinator(t, store).AdmitRead(t.Context(), &r, target); err != nil {
			t.Errorf("a floor that everything passed: %v", err)
		}
		store.lag = time.Second
		r.Fallback.Wait = 500 * time.Millisecond
		if _, err := newCoordinator(t, store).AdmitRead(t.Context(), &r, target); !errors.Is(err, ErrBehind) {
			t.Errorf("a floor beyond the safe time: got %v, want ErrBehind", err)
		}
		r.Fallback.Wait = 2 * time.Second
		met, err := newCoordinator(t, store).AdmitRead(t.Context(), &r, target)
		if err != nil || met.Waited < 400*time.Millisecond {
			t.Errorf("a floor that the safe time passes in half a second: %v after %v", err, met.Waited)
		}
	})
}

func TestWritesAreOrderedAfterWhatTheirSessionSaw(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		other := hlc.Position{Origin: 2, At: hlc.New(1_000, 0)}
		store := &replicaAt{self: Origins{Self: 1, SelfAt: 1}, arrives: time.Now().Add(20 * time.Millisecond), vector: hlc.Vector{2: other.At}}
		c := newCoordinator(t, store)
		w := Write{Concern: Concern{Kind: RegionQuorum}, Token: tokenOf(other), Wait: 10 * time.Millisecond}
		if err := c.AdmitWrite(t.Context(), &w, target); !errors.Is(err, ErrDependencyUnavailable) {
			t.Errorf("before it arrives: got %v, want ErrDependencyUnavailable", err)
		}
		if err := c.AdmitWrite(t.Context(), &w, target); err != nil {
			t.Errorf("as it arrives: %v", err)
		}
		if deps := w.Token.Dependencies(shard, 1); !deps.Equal(hlc.Vector{2: other.At}) {
			t.Errorf("dependencies are %v", deps)
		}
		if deps := w.Token.Dependencies(shard, 2); len(deps) != 0 {
			t.Errorf("an origin depends on itself: %v", deps)
		}
	})
}

func TestConcernThatCannotBeMetIsRefusedBeforeWriting(t *testing.T) {
	c := newCoordinator(t, &replicaAt{})
	for concern, want := range map[string]error{
		"local": nil, "region_quorum": nil, "quorum": nil, "each_region": nil, "all": nil,
		"any:1": ErrNotEnoughLive, "regions:1": ErrNotEnoughLive,
	} {
		parsed, err := ParseConcern(concern)
		if err != nil {
			t.Fatal(err)
		}
		w := Write{Concern: parsed}
		if err := c.AdmitWrite(t.Context(), &w, target); !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", concern, err, want)
		}
		got, err := c.Acknowledge(t.Context(), &w, []ShardPosition{{Shard: shard, Position: hlc.Position{Origin: 1, At: 1}}})
		if met := want == nil; got.Met != met || err != nil {
			t.Errorf("%s: by the only member, met %v, want %v: %v", concern, got.Met, met, err)
		}
	}
}
