package main

import (
	"cmp"
	"slices"
	"time"

	"featurestore/api"
	"featurestore/hlc"
)

// lagRow is how far one store has come in the log of another, or in all that it
// wrote as a leader: all shards together.
type lagRow struct {
	region, store     string // which has
	ofRegion, ofStore string // what this one wrote; "" when not known
	origin            string // "" for all of its terms together
	self              bool
	terms             bool          // its logs of leader groups' terms
	lag               time.Duration // of the shard that lags most
	// applied is the last position of any shard, zero for nothing yet.
	applied hlc.Timestamp
	// have counts the other stores, of peers, that have all of it.
	have, peers int
	// logBytes is what the store's logs take, in the row of its own; -1 when not
	// known.
	logBytes int64
	// link is the peer that wrote it as the store sees it, nil for none.
	link *api.PeerReplication
}

// lagRows turns what a store tells of its replication into rows, those of its
// own origin first, then by region, store and origin.
func lagRows(r *api.Replication) []lagRow {
	rows := map[string]*lagRow{} // by origin, or by whose terms
	var logBytes int64
	for _, s := range r.Shards {
		logBytes += s.LogBytes
		for _, o := range s.Origins {
			key := lagKey(&o)
			row := rows[key]
			if row == nil {
				row = &lagRow{region: r.Region, store: r.Store, ofRegion: o.Region, ofStore: o.Store, origin: o.Origin, self: o.Self, terms: o.Term, logBytes: -1}
				if o.Self {
					row.ofRegion, row.ofStore = r.Region, r.Store
				}
				if o.Term {
					row.origin = ""
				}
				rows[key] = row
			}
			row.lag = max(row.lag, time.Duration(o.LagMs)*time.Millisecond)
			row.applied = max(row.applied, position(o.Applied))
		}
	}
	out := make([]lagRow, 0, len(rows))
	for key, row := range rows {
		if row.self && !row.terms && logBytes > 0 {
			row.logBytes = logBytes
		}
		for i, p := range r.Peers {
			if p.State == "removed" {
				continue
			}
			if row.ofStore == p.Store {
				row.link = &r.Peers[i]
			}
			row.peers++
			if hasAll(r, p, key) {
				row.have++
			}
		}
		out = append(out, *row)
	}
	slices.SortFunc(out, func(a, b lagRow) int {
		return cmp.Or(-compareBool(a.self, b.self), cmp.Compare(a.ofRegion, b.ofRegion), cmp.Compare(a.ofStore, b.ofStore), compareBool(a.terms, b.terms), cmp.Compare(a.origin, b.origin))
	})
	return out
}

// lagKey names the row of a log: all terms of a store are one.
func lagKey(o *api.OriginReplication) string {
	if o.Term {
		return "terms of " + o.Store
	}
	return o.Origin
}

// hasAll reports whether a peer has told that it has all that the store has of
// the logs of a row.
func hasAll(r *api.Replication, p api.PeerReplication, key string) bool {
	type shard struct {
		group     string
		partition uint16
	}
	acked := map[shard]map[string]string{}
	for _, a := range p.Acked {
		acked[shard{a.Group, a.Partition}] = a.Origins
	}
	for _, s := range r.Shards {
		for _, o := range s.Origins {
			if lagKey(&o) == key && position(acked[shard{s.Group, s.Partition}][o.Origin]) < position(o.Applied) {
				return false
			}
		}
	}
	return true
}

// position reads a position of an answer; what cannot be read, or is not there,
// is the first.
func position(text string) hlc.Timestamp {
	t, err := hlc.Parse(text)
	if err != nil {
		return 0
	}
	return t
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}
