package main

import (
	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/online"
)

// vectors gathers the progress records of a directory, which come shard by
// shard, into one vector a shard.
type vectors struct {
	shard  feature.Shard
	vector hlc.Vector
}

// add takes the next record, and returns the line of the shard that has ended
// with it, nil while none has.
func (v *vectors) add(r online.Record) map[string]any {
	p := r.Progress
	if r.Err != nil || p == nil || len(v.vector) > 0 && p.Shard != v.shard {
		line := v.end()
		if r.Err == nil && p != nil {
			v.add(r)
		}
		return line
	}
	if v.vector == nil {
		v.vector = hlc.Vector{}
	}
	v.shard = p.Shard
	v.vector[p.Position.Origin] = p.Position.At
	return nil
}

// end returns the line of the shard at hand, nil for none.
func (v *vectors) end() map[string]any {
	if len(v.vector) == 0 {
		return nil
	}
	positions := map[string]any{}
	for _, p := range v.vector.Positions() {
		positions[p.Origin.String()] = describeTimestamp(p.At)
	}
	line := map[string]any{"kind": "vector", "shard": describeShard(v.shard), "positions": positions}
	v.vector = nil
	return line
}

// ofOrigin reports whether a line is about an origin, or about none.
func ofOrigin(line map[string]any, origin string) bool {
	switch line["kind"] {
	case "progress", "entry", "store":
		return line["origin"] == origin
	case "vector":
		_, ok := line["positions"].(map[string]any)[origin]
		return ok
	}
	return true
}
