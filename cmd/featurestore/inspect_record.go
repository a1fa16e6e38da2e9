package main

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"featurestore/api"
	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/online"
)

// describeRecord turns a record into what is printed of it.
func describeRecord(r online.Record) map[string]any {
	switch {
	case r.Err != nil:
		return map[string]any{"kind": "corrupt", "key": hex.EncodeToString(r.Key), "error": r.Err.Error()}
	case r.Store != nil:
		id := r.Store.Identity
		return map[string]any{
			"kind": "store", "store": id.Store, "region": id.Region, "deployment": id.Deployment, "incarnation": id.Incarnation,
			"origin": id.Origin.String(), "clock_limit": describeTimestamp(r.Store.ClockLimit), "stopped_in_order": r.Store.Clean,
		}
	case r.Progress != nil:
		m := describePosition(r.Progress.Shard, r.Progress.Position)
		m["kind"] = "progress"
		if r.Progress.Entry > 0 {
			m["last_entry"] = describeTimestamp(r.Progress.Entry)
		}
		return m
	case r.Shard != nil:
		return map[string]any{
			"kind": "shard", "shard": describeShard(r.Shard.Shard), "horizon": describeTimestamp(r.Shard.Horizon),
			"rebuilding": r.Shard.Note != nil,
		}
	case r.Membership != nil:
		return map[string]any{"kind": "membership", "bytes": len(r.Membership.Encoded)}
	case r.Floor != nil:
		m := describePosition(r.Floor.Shard, r.Floor.Position)
		m["kind"] = "floor"
		return m
	case r.Registry != nil:
		m := map[string]any{"kind": "registry", "revision": r.Registry.Revision}
		if r.Registry.Registry != nil {
			m["projects"] = describeProjects(r.Registry.Registry)
		}
		return m
	case r.Row != nil:
		m := map[string]any{"kind": "row", "shard": describeShard(r.Row.Shard), "view": r.Row.View, "key": describeKey(r.Row.Key)}
		describeRow(m, r.Row.Row)
		return m
	case r.Entry != nil:
		return describeEntry(r.Entry)
	case r.Request != nil:
		positions := []any{}
		for _, p := range r.Request.Receipt.Positions {
			positions = append(positions, describePosition(p.Shard, p.Position))
		}
		return map[string]any{
			"kind": "request", "id": hex.EncodeToString(r.Request.ID[:]), "digest": hex.EncodeToString(r.Request.Digest[:]),
			"shards": r.Request.Shards, "positions": positions, "superseded": len(r.Request.Receipt.Superseded),
		}
	}
	return map[string]any{"kind": "unknown", "key": hex.EncodeToString(r.Key)}
}

func describeProjects(r *feature.Registry) map[string]any {
	out := map[string]any{}
	for _, name := range r.Projects() {
		c, ok := r.Catalog(name)
		if !ok {
			continue
		}
		views := map[string]any{}
		for _, v := range c.Views() {
			views[v.Name] = v.ID
		}
		out[name] = map[string]any{"revision": c.Revision(), "views": views}
	}
	return out
}

func describeEntry(r *online.EntryRecord) map[string]any {
	e := r.Entry
	m := describePosition(r.Shard, e.Position())
	m["kind"], m["of"], m["log_only"] = "entry", e.Kind.String(), e.LogOnly
	m["previous"] = describeTimestamp(e.Prev)
	deps, rows := []any{}, []any{}
	for _, d := range e.Deps {
		deps = append(deps, map[string]any{"origin": d.Origin.String(), "at": describeTimestamp(d.At)})
	}
	for _, row := range e.Rows {
		one := map[string]any{"view": row.View, "key": describeKey(row.Key)}
		describeRow(one, row.Delta)
		rows = append(rows, one)
	}
	m["deps"], m["rows"] = deps, rows
	if q := e.Request; q != nil {
		m["request"] = map[string]any{"id": hex.EncodeToString(q.ID[:]), "digest": hex.EncodeToString(q.Digest[:]), "shards": q.Shards}
	}
	return m
}

// describeRow adds a row's cells and tombstone to m.
func describeRow(m map[string]any, r feature.Row) {
	cells := []any{}
	for _, c := range r.Cells {
		one := map[string]any{
			"feature": c.Feature, "rule": c.Rule.String(), "value": describeValue(c.Read()), "version": describeVersion(c.Version),
		}
		if c.Siblings != nil {
			describeSiblings(one, c.Siblings)
		}
		cells = append(cells, one)
	}
	m["cells"] = cells
	if !r.Tombstone.IsZero() {
		m["deleted"] = describeVersion(r.Tombstone.ByEvent)
	}
}

// describeSiblings adds what a cell holds beside the value that is served.
func describeSiblings(m map[string]any, s *feature.SiblingSet) {
	beside, replaced := []any{}, []string{}
	for _, x := range s.Beside {
		beside = append(beside, map[string]any{"value": describeValue(x.Value), "version": describeVersion(x.Version)})
	}
	for _, p := range s.Replaced {
		replaced = append(replaced, p.String())
	}
	m["beside"], m["replaced"] = beside, replaced
}

func describeVersion(v feature.Version) map[string]any {
	m := map[string]any{
		"event_time": time.Unix(0, v.EventTime).UTC().Format(time.RFC3339Nano), "at": describeTimestamp(v.At), "origin": v.Origin.String(),
	}
	if v.Generation != 0 {
		m["generation"] = v.Generation
	}
	return m
}

func describeKey(k feature.Key) any {
	values, err := feature.DecodeKey(k)
	if err != nil {
		return "corrupt: " + hex.EncodeToString(k)
	}
	out := make([]json.RawMessage, len(values))
	for i, v := range values {
		out[i] = describeValue(v)
	}
	return out
}

func describeValue(v feature.Value) json.RawMessage { return api.AppendValue(nil, v) }

func describePosition(s feature.Shard, p hlc.Position) map[string]any {
	return map[string]any{"shard": describeShard(s), "origin": p.Origin.String(), "at": describeTimestamp(p.At)}
}

func describeShard(s feature.Shard) string { return fmt.Sprintf("%d/%d", s.Group, s.Partition) }

// describeTimestamp prints a timestamp as logs and answers do.
func describeTimestamp(t hlc.Timestamp) string { return t.String() }
