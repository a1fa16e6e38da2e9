package consistency

import (
	"slices"

	"featurestore/feature"
)

// Target is a shard that a request reads or writes, with what its group allows.
type Target struct {
	Shard     feature.Shard
	Placement feature.Placement
}

// Targets collects shards, each once, without allocating when space allows.
func Targets(dst []Target, t Target) []Target {
	if slices.Contains(dst, t) {
		return dst
	}
	return append(dst, t)
}
