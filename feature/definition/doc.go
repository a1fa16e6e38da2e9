// Package definition reads and writes definitions as YAML, and the registry as
// a store keeps it.
//
// Invariants:
//
//	Y1. Parse(Format(d)) is d, ids left out.
//	Y2. DecodeRegistry(EncodeRegistry(r)) is r, checks left out.
//	Y3. An unknown key, a repeated key and a value of the wrong type are errors
//	    that name file, line and column: nothing is skipped silently.
//	Y4. Any input ends in a value or an error, in time and memory that the
//	    limits below bound: no panic, no expansion of aliases without end.
//
// The definitions of one project, with every key (only project is needed):
//
//	project: rides
//	groups:
//	  - {name: default, placement: multi_leader, regions: [eu, us], home: [],
//	     partitions: 1, durability: local,
//	     read: {level: session, max_staleness: 1s, fallback: ["wait:30ms", forward, fail]},
//	     write: {concern: region_quorum, timeout: 500ms, on_timeout: error,
//	             require_live: {members: 1, max_lag: 10s}}}
//	entities:
//	  - {name: driver, description: text, tags: {k: v},
//	     join_keys: [{name: driver_id, type: int64}]}
//	views:
//	  - name: driver_stats
//	    description, owner: text      tags: {k: v}
//	    entity: driver                # or entities: [driver, city]
//	    ttl: 24h                      # Go durations, and days: 30d, 1d12h
//	    group: default
//	    online, offline: true
//	    features:
//	      - {name: trips, type: int64, conflict: counter, default: 0,
//	         description: text, tags: {k: v}, renamed_from: rides}
//	    push_source: driver_push
//	    batch_source: {path: data/*.parquet, event_time: event_timestamp,
//	                   created: created, columns: {trips: n_trips}}
//	    read, write: as in groups
//	    staleness_objective, max_future, max_lateness: 5m
//	on_demand:
//	  - {name: surge, description: text, owner: text, tags: {k: v},
//	     inputs: ["driver_stats:conv_rate"], request: [{name: demand, type: float64}],
//	     features: [{name: score, type: float64, expr: "conv_rate * demand", description: text}]}
//	services:
//	  - {name: driver_v1, description: text, owner: text, tags: {k: v},
//	     features: ["driver_stats:trips", "surge:score"]}
//
// Defaults of features are YAML scalars and lists, read by the feature's type:
// integers exactly, floats with .nan and .inf, timestamps in RFC 3339, bytes in
// base64, uuid, decimal and json as text. Anchors and aliases work; merge keys
// and tags do not.
package definition
