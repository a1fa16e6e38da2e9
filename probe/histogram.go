package probe

import (
	"math"
	"time"

	"featurestore/api"
)

// Buckets of a Histogram: each is a twentieth wider than the one before, from
// 10 µs to about half an hour, so that what is read off is at most 5% too much.
const (
	finest      = 10 * time.Microsecond
	growth      = 1.05
	bucketCount = 392
)

// Histogram counts durations in buckets of fixed bounds. The zero Histogram is
// empty.
type Histogram struct {
	counts [bucketCount]uint64
	total  uint64
	most   time.Duration
}

// Add counts a duration; less than nothing is nothing.
func (h *Histogram) Add(d time.Duration) {
	d = max(d, 0)
	h.counts[bucketOf(d)]++
	h.total++
	h.most = max(h.most, d)
}

func bucketOf(d time.Duration) int {
	if d <= finest {
		return 0
	}
	n := int(math.Ceil(math.Log(float64(d)/float64(finest)) / math.Log(growth)))
	return min(n, bucketCount-1)
}

// bound is the longest duration of a bucket.
func bound(bucket int) time.Duration {
	return time.Duration(float64(finest) * math.Pow(growth, float64(bucket)))
}

// Count is how many durations were added.
func (h *Histogram) Count() uint64 { return h.total }

// Max is the longest, 0 of none.
func (h *Histogram) Max() time.Duration { return h.most }

// Quantile is what the part q of all do not exceed; 0 of none.
func (h *Histogram) Quantile(q float64) time.Duration {
	want := uint64(math.Ceil(q * float64(h.total)))
	var sum uint64
	for i, n := range h.counts {
		if sum += n; n > 0 && sum >= want {
			return min(bound(i), h.most)
		}
	}
	return h.most
}

// Above is the part that is longer than d: 1 - F(d). A bucket that d falls into
// is divided evenly. Of none it is 0.
func (h *Histogram) Above(d time.Duration) float64 {
	if h.total == 0 || d >= h.most {
		return 0
	}
	if d < 0 {
		return 1
	}
	at, above := bucketOf(d), 0.0
	for i := at; i < bucketCount; i++ {
		n := float64(h.counts[i])
		if i == at {
			low, high := time.Duration(0), min(bound(i), h.most)
			if i > 0 {
				low = bound(i - 1)
			}
			n *= min(1, max(0, float64(high-d)/float64(max(high-low, 1))))
		}
		above += n
	}
	return above / float64(h.total)
}

// Report is the histogram as it is printed and read back.
func (h *Histogram) Report() api.ProbeTimes {
	t := api.ProbeTimes{
		Count: h.total, P50Ms: ms(h.Quantile(.5)), P95Ms: ms(h.Quantile(.95)), P99Ms: ms(h.Quantile(.99)), MaxMs: ms(h.most),
	}
	for i, n := range h.counts {
		if n > 0 {
			t.Buckets = append(t.Buckets, api.ProbeBucket{Bucket: i, Count: n})
		}
	}
	return t
}

// HistogramOf reads back what Report made; buckets that cannot be are left out.
func HistogramOf(t api.ProbeTimes) *Histogram {
	h := &Histogram{most: duration(t.MaxMs)}
	for _, b := range t.Buckets {
		if b.Bucket >= 0 && b.Bucket < bucketCount {
			h.counts[b.Bucket] += b.Count
			h.total += b.Count
		}
	}
	return h
}

func ms(d time.Duration) float64 { return math.Round(float64(d)/1e3) / 1e3 }

// duration rounds: 264.513 ms is a little less in binary.
func duration(ms float64) time.Duration {
	return time.Duration(math.Round(ms * float64(time.Millisecond)))
}

// Stale is the probability that a read of the given members, each with its lag
// from the write's region, misses a write that was acknowledged t before: the
// chance that none of them has it.
func Stale(t time.Duration, members ...*Histogram) float64 {
	none := 1.0
	for _, h := range members {
		none *= h.Above(t)
	}
	return none
}
