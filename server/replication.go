package server

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"time"

	"featurestore/api"
	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/meta"
	"featurestore/replication"
)

// Replication tells how the exchange of logs with other stores goes.
type Replication interface {
	// View returns what is known now. The caller owns it.
	View() replication.View
}

// view is what is known of replication now.
func (s *Server) view() replication.View {
	view := replication.View{Registry: s.cfg.Online.Registry().Revision()}
	if s.cfg.Replication != nil {
		view = s.cfg.Replication.View()
	}
	if view.Membership == nil {
		view.Membership = s.cfg.Coordinator.Membership()
	}
	return view
}

// replication serves GET /v1/replication.
func (s *Server) replication(r *request) error {
	self := s.cfg.Online.Identity().Origin
	closed, err := s.cfg.Online.Closed()
	if err != nil {
		return err
	}
	view := s.view()
	out := api.Replication{
		Region: s.cfg.Region, Store: s.cfg.Store, Origin: self.String(),
		Shards: []api.ShardReplication{}, Peers: []api.PeerReplication{},
		Membership: versionOf(view.Membership.Version()), RegistryRevision: view.Registry,
	}
	now := s.cfg.Now()
	shards := s.shards()
	o := origins{membership: view.Membership, self: self, store: meta.StoreID(s.cfg.Store), closed: closed, now: now}
	for _, x := range shards {
		one := api.ShardReplication{
			Group: x.group.Name, GroupID: uint16(x.group.ID), Partition: x.Partition, LogBytes: view.LogBytes[x.Shard],
			Origins: o.of(x.Shard, s.cfg.Online.Progress(x.Shard)),
		}
		if x.group.Placement == feature.Leader {
			leader := leaderOf(view.Membership, x.Shard)
			one.Leader = &leader
		}
		if safe := s.cfg.Coordinator.SafeTime(x.Shard); safe > 0 {
			one.SafeTime, one.SafeLagMs = safe.String(), lagMs(now, safe)
		} else {
			one.SafeLagMs = api.UnknownStalenessMs
		}
		out.Shards = append(out.Shards, one)
	}
	for _, p := range view.Peers {
		out.Peers = append(out.Peers, peerOf(p, shards, o))
	}
	return r.json(http.StatusOK, out)
}

// groupShard is a shard with its group.
type groupShard struct {
	feature.Shard
	group *feature.Group
}

// shards returns the shards of all projects' groups, in order.
func (s *Server) shards() []groupShard {
	var groups []*feature.Group
	registry := s.cfg.Online.Registry()
	for _, project := range registry.Projects() {
		if c, ok := registry.Catalog(project); ok {
			groups = append(groups, c.Groups()...)
		}
	}
	slices.SortFunc(groups, func(a, b *feature.Group) int { return cmp.Compare(a.ID, b.ID) })
	var out []groupShard
	for _, g := range slices.CompactFunc(groups, func(a, b *feature.Group) bool { return a.ID == b.ID }) {
		for partition := range max(g.Partitions, 1) {
			out = append(out, groupShard{feature.Shard{Group: g.ID, Partition: partition}, g})
		}
	}
	return out
}

// origins tells how far the store has come in each origin's log. Its own log
// is complete up to closed, also where it has written nothing.
type origins struct {
	membership *meta.Membership
	self       hlc.Origin
	store      meta.StoreID
	closed     hlc.Timestamp
	now        time.Time
}

// isOver reports whether a log has ended, and a vector has all that counts of it:
// there is nothing to tell of it any more.
func (s origins) isOver(shard feature.Shard, p hlc.Position) bool {
	end, ended := s.membership.End(shard, p.Origin)
	return ended && p.Origin != s.self && p.At >= end.Final
}

func (s origins) of(shard feature.Shard, progress hlc.Vector) []api.OriginReplication {
	positions := slices.DeleteFunc(progress.Positions(), func(p hlc.Position) bool { return s.isOver(shard, p) })
	if progress[s.self] == 0 {
		positions = append(positions, hlc.Position{Origin: s.self})
	}
	out := make([]api.OriginReplication, 0, len(positions))
	for _, p := range positions {
		o := api.OriginReplication{Origin: p.Origin.String(), Self: p.Origin == s.self}
		if t, ofTerm := s.membership.TermOf(p.Origin); ofTerm {
			o.Self = t.Leader == s.store
		}
		_, o.Term = s.membership.ShardOf(p.Origin)
		if writer, ok := s.membership.WriterOf(p.Origin); ok {
			o.Store = string(writer)
			if m, ok := s.membership.Member(writer); ok && !s.membership.IsEnded(p.Origin) {
				o.Region = string(m.Region)
			}
		}
		through := p.At
		if o.Self {
			through = max(through, s.closed)
		}
		if p.At > 0 {
			o.Applied = p.At.String()
		}
		o.Closed, o.LagMs = through.String(), lagMs(s.now, through)
		out = append(out, o)
	}
	return out
}

func lagMs(now time.Time, at hlc.Timestamp) int64 { return max(0, now.UnixMilli()-at.Millis()) }

func peerOf(p replication.PeerView, shards []groupShard, o origins) api.PeerReplication {
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1e3 }
	out := api.PeerReplication{
		Store: string(p.Member.Store), Region: string(p.Member.Region), State: p.Member.State.String(), URL: p.Member.URL,
		Live: p.Live, RoundTripMs: ms(p.RoundTrip), ClockOffsetMs: ms(p.ClockOffset),
		Membership: versionOf(p.Membership), RegistryRevision: p.Registry,
		Following: []string{}, Acked: []api.ShardAcked{},
	}
	if !p.Heard.IsZero() {
		out.Heard = p.Heard.UTC().Format(time.RFC3339Nano)
	}
	for _, o := range p.Following {
		out.Following = append(out.Following, o.String())
	}
	for _, x := range shards {
		acked := api.ShardAcked{Group: x.group.Name, Partition: x.Partition, Origins: map[string]string{}}
		for _, at := range p.Progress[x.Shard].Positions() {
			if !o.isOver(x.Shard, at) {
				acked.Origins[at.Origin.String()] = at.At.String()
			}
		}
		if len(acked.Origins) > 0 {
			out.Acked = append(out.Acked, acked)
		}
	}
	return out
}

// verify serves POST /v1/replication/verify.
func (s *Server) verify(r *request) error {
	if s.cfg.Verify == nil {
		return api.Problemf(api.CodeInvalidRequest, "", "store %s is alone: there is no other to compare its rows with", s.cfg.Store)
	}
	report, err := s.cfg.Verify(r.context())
	if err != nil {
		return err
	}
	out := api.Verification{Equal: true, Shards: []api.ShardVerified{}}
	for _, x := range report.Shards {
		one := api.ShardVerified{
			Partition: x.Shard.Partition, Peer: string(x.Peer), UpTo: x.Cut.String(), Differing: x.Differing, Skipped: x.Err,
		}
		if g := s.cfg.Online.Registry().Group(x.Shard.Group); g != nil {
			one.Group = g.Name
		}
		for _, row := range x.Examples {
			one.Examples = append(one.Examples, s.rowName(row))
		}
		out.Equal = out.Equal && x.Differing == 0
		out.Shards = append(out.Shards, one)
	}
	return r.json(http.StatusOK, out)
}

// rowName names a row for people, such as "driver_stats 1001".
func (s *Server) rowName(row replication.AuditedRow) string {
	name := fmt.Sprintf("view %d", row.View)
	registry := s.cfg.Online.Registry()
	for _, project := range registry.Projects() {
		c, _ := registry.Catalog(project)
		if v, ok := c.ViewByID(row.View); ok {
			name = v.Name
		}
	}
	values, err := feature.DecodeKey(row.Key)
	if err != nil {
		return fmt.Sprintf("%s key %x", name, []byte(row.Key))
	}
	for _, v := range values {
		name += " " + v.String()
	}
	return name
}
