package online

import (
	"slices"

	"featurestore/feature"
	"featurestore/meta"
)

// shardList is what a registry means for the regions, worked out once.
type shardList struct {
	registry *feature.Registry
	groups   []*feature.Group
	byRegion map[meta.Region][]feature.Shard
}

// Shards returns the shards that stores of a region hold, in order, by the
// definitions in force: all partitions of the groups that name the region, or
// none. The slice is shared and must not be modified.
func (s *Store) Shards(region meta.Region) []feature.Shard {
	registry := s.Registry()
	list := s.shardLists.Load()
	if list == nil || list.registry != registry {
		list = &shardList{registry: registry, groups: registry.Groups(), byRegion: map[meta.Region][]feature.Shard{}}
	}
	if shards, ok := list.byRegion[region]; ok {
		return shards
	}
	// Lists are replaced, never changed, so that they are read without a lock.
	next := &shardList{registry: registry, groups: list.groups, byRegion: map[meta.Region][]feature.Shard{region: shardsIn(list.groups, region)}}
	for r, shards := range list.byRegion {
		next.byRegion[r] = shards
	}
	s.shardLists.Store(next)
	return next.byRegion[region]
}

func shardsIn(groups []*feature.Group, region meta.Region) []feature.Shard {
	shards := []feature.Shard{}
	for _, g := range groups {
		if len(g.Regions) > 0 && !slices.Contains(g.Regions, string(region)) {
			continue
		}
		for partition := range max(g.Partitions, 1) {
			shards = append(shards, feature.Shard{Group: g.ID, Partition: partition})
		}
	}
	slices.SortFunc(shards, feature.Shard.Compare)
	return shards
}
