package probe

import (
	"context"
	"encoding/json"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"featurestore/api"
)

func TestQuantilesAreWithinABucket(t *testing.T) {
	var h Histogram
	if h.Quantile(.99) != 0 || h.Above(0) != 0 || h.Max() != 0 {
		t.Error("an empty histogram tells times")
	}
	for n := range 1000 {
		h.Add(time.Duration(n+1) * time.Millisecond)
	}
	for _, q := range []float64{.01, .5, .95, .99, 1} {
		got, want := float64(h.Quantile(q)), q*1000*float64(time.Millisecond)
		if got < want || got > growth*want {
			t.Errorf("quantile %g: got %v, want %v to 5%% more", q, time.Duration(got), time.Duration(want))
		}
		if above := h.Above(time.Duration(want)); math.Abs(above-(1-q)) > .03 {
			t.Errorf("above %v: got %g, want about %g", time.Duration(want), above, 1-q)
		}
	}
	if h.Count() != 1000 || h.Max() != time.Second {
		t.Errorf("got %d up to %v", h.Count(), h.Max())
	}
	h.Add(-1)
	h.Add(1000 * time.Hour)
	if h.Count() != 1002 || h.Quantile(0) > finest {
		t.Error("what is out of range is not in the outermost buckets")
	}
}

func TestAHistogramIsReadBackAsItWas(t *testing.T) {
	var h Histogram
	for range 500 {
		h.Add(time.Duration(rand.ExpFloat64() * float64(30*time.Millisecond)).Round(time.Microsecond))
	}
	text, err := json.Marshal(h.Report())
	if err != nil {
		t.Fatal(err)
	}
	var back api.ProbeTimes
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	if got := HistogramOf(back); *got != h {
		t.Errorf("got %v, want %v", got.Report(), h.Report())
	}
	if got := HistogramOf(api.ProbeTimes{Buckets: []api.ProbeBucket{{Bucket: -1, Count: 1}, {Bucket: 1 << 20, Count: 1}}}); got.Count() != 0 {
		t.Error("buckets that cannot be were counted")
	}
}

func TestMillisecondsAreReadBackToTheMicrosecond(t *testing.T) {
	for d := time.Duration(0); d < 2*time.Second; d += time.Microsecond {
		if back := duration(ms(d)); back != d {
			t.Fatalf("%v was printed as %v ms and read back as %v", d, ms(d), back)
		}
	}
}

// TestPredictionIsThatOfTheDistribution compares with lags drawn from one whose
// tail is known: of two independent members, both lack it with the product.
func TestPredictionIsThatOfTheDistribution(t *testing.T) {
	const mean = 40 * time.Millisecond
	random := rand.New(rand.NewPCG(1, 2))
	var a, b Histogram
	for range 50_000 {
		a.Add(time.Duration(random.ExpFloat64() * float64(mean)))
		b.Add(time.Duration(random.ExpFloat64() * float64(mean)))
	}
	for _, after := range After {
		one := math.Exp(-float64(after) / float64(mean))
		if got := Stale(after, &a); math.Abs(got-one) > .02 {
			t.Errorf("after %v, one member: got %g, want %g", after, got, one)
		}
		if got := Stale(after, &a, &b); math.Abs(got-one*one) > .02 {
			t.Errorf("after %v, two members: got %g, want %g", after, got, one*one)
		}
	}
}

// TestStaleSharesStandBesidePredictions holds J3: the one is made of lags alone,
// the other of reads alone.
func TestStaleSharesStandBesidePredictions(t *testing.T) {
	r, err := NewRecorder(Config{Regions: []string{"eu", "us"}})
	if err != nil {
		t.Fatal(err)
	}
	w := Write{Number: 7, Asked: "eu", Origin: "eu", Concern: "local", Acked: 100 * at}
	r.Wrote(context.Background(), w)
	for n := range 4 {
		r.Lagged(context.Background(), w, "us", time.Duration(n)*20*at) // 0, 20, 40, 60 ms
		seen := int64(7)
		if n == 0 {
			seen = 0
		}
		r.Sampled(w, 4, 1, Read{Region: "us", Served: "us", Sent: 110 * at, Seen: seen, Told: map[string]time.Duration{"eu": 30 * at}})
	}
	report := r.Report(time.Second)
	var found bool
	for _, s := range report.Stale {
		if s.To == "us" && s.Members == 1 && s.Reads > 0 {
			found = true
			if s.AfterMs != 10 || s.Measured != .25 || s.Reads != 4 || math.Abs(s.Predicted-.75) > .01 {
				t.Errorf("got %+v, want 25%% measured and 75%% predicted after 10 ms", s)
			}
		}
	}
	if !found {
		t.Errorf("nothing was measured: %+v", report.Stale)
	}
	for _, p := range report.Pairs {
		if p.To == "us" && (p.Staleness.MaxMs != 10 || p.Told.MaxMs != 30) {
			t.Errorf("got staleness %g ms and told %g ms, want 10 and 30", p.Staleness.MaxMs, p.Told.MaxMs)
		}
	}
}
