package main

import (
	"encoding/json"
	"math"
	"slices"
	"time"
)

// quantiles are the 50th and 99th of a hundred, and the greatest.
type quantiles struct {
	P50 millis `json:"p50_ms"`
	P99 millis `json:"p99_ms"`
	Max millis `json:"max_ms"`
}

// millis and micros are durations that print as numbers in their unit.
type (
	millis time.Duration
	micros time.Duration
)

func (d millis) value() float64 { return float64(d) / float64(time.Millisecond) }

// MarshalJSON prints milliseconds with three decimals.
func (d millis) MarshalJSON() ([]byte, error) { return json.Marshal(round(d.value())) }

func (d micros) value() float64 { return float64(d) / float64(time.Microsecond) }

// MarshalJSON prints microseconds with three decimals.
func (d micros) MarshalJSON() ([]byte, error) { return json.Marshal(round(d.value())) }

func round(v float64) float64 { return math.Round(v*1000) / 1000 }

// quantilesOf returns those of all samples together, by the nearest rank; zero
// of none.
func quantilesOf(samples ...[]time.Duration) quantiles {
	all := slices.Concat(samples...)
	if len(all) == 0 {
		return quantiles{}
	}
	slices.Sort(all)
	at := func(q float64) millis {
		return millis(all[int(math.Ceil(q*float64(len(all))))-1])
	}
	return quantiles{P50: at(0.5), P99: at(0.99), Max: at(1)}
}
