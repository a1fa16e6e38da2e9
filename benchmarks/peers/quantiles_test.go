package main

import (
	"slices"
	"testing"
	"time"
)

func TestQuantilesAreOfTheNearestRank(t *testing.T) {
	var hundred []time.Duration
	for i := range 100 {
		hundred = append(hundred, time.Duration(i+1)*time.Millisecond)
	}
	slices.Reverse(hundred)
	for _, c := range []struct {
		claim   string
		samples [][]time.Duration
		want    quantiles
	}{
		{"none", nil, quantiles{}},
		{"one", [][]time.Duration{{3}}, quantiles{3, 3, 3}},
		{"two clients, unsorted", [][]time.Duration{hundred[:40], hundred[40:]}, quantiles{millis(50 * time.Millisecond), millis(99 * time.Millisecond), millis(100 * time.Millisecond)}},
	} {
		if got := quantilesOf(c.samples...); got != c.want {
			t.Errorf("%s: got %v, want %v", c.claim, got, c.want)
		}
	}
}
