package online

import (
	"errors"
	"slices"
	"sync"
	"testing"

	"featurestore/feature"
	"featurestore/meta"
)

// I1: once SetWriting has returned, the head of the own log stands still.
func TestNothingIsWrittenAfterWritesAreRefused(t *testing.T) {
	h := openHouse(t)
	h.append(write(change(1, 1, addTrips(1))))
	var writers sync.WaitGroup
	for range 8 {
		writers.Go(func() {
			for {
				if _, err := h.Append(t.Context(), write(change(1, 1, addTrips(1)))); err != nil {
					if !errors.Is(err, ErrNotWriting) {
						t.Errorf("Append: %v, want ErrNotWriting", err)
					}
					return
				}
			}
		})
	}
	if err := h.SetWriting(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	head := h.own(shardA)
	writers.Wait()
	if got := h.own(shardA); got != head {
		t.Errorf("the head moved from %v to %v", head, got)
	}
	if err := h.SetWriting(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	h.append(write(change(1, 1, addTrips(1))))
}

func TestShardsAreThoseOfTheRegionsGroups(t *testing.T) {
	groups := []*feature.Group{{ID: 2, Partitions: 2, Regions: []string{"eu", "us"}}, {ID: 1}, {ID: 3, Regions: []string{"ap"}}}
	for region, want := range map[meta.Region][]feature.Shard{
		"eu": {{Group: 1}, {Group: 2}, {Group: 2, Partition: 1}},
		"ap": {{Group: 1}, {Group: 3}},
		"sa": {{Group: 1}},
	} {
		if got := shardsIn(groups, region); !slices.Equal(got, want) {
			t.Errorf("%s holds %v, want %v", region, got, want)
		}
	}
}
