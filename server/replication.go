package server

import (
	"cmp"
	"net/http"
	"slices"

	"featurestore/api"
	"featurestore/feature"
	"featurestore/hlc"
)

// replication serves GET /v1/replication.
func (s *Server) replication(r *request) error {
	self := s.cfg.Online.Identity().Origin
	closed, err := s.cfg.Online.Closed()
	if err != nil {
		return err
	}
	out := api.Replication{
		Region: s.cfg.Region, Store: s.cfg.Store, Origin: self.String(),
		Shards: []api.ShardReplication{}, Peers: []api.PeerReplication{},
	}
	for _, g := range s.groups() {
		for partition := range max(g.Partitions, 1) {
			shard := feature.Shard{Group: g.ID, Partition: partition}
			out.Shards = append(out.Shards, api.ShardReplication{
				Group: g.Name, GroupID: uint16(g.ID), Partition: partition,
				Origins: s.origins(s.cfg.Online.Progress(shard), self, closed),
			})
		}
	}
	return r.json(http.StatusOK, out)
}

// groups returns the groups of all projects by id.
func (s *Server) groups() []*feature.Group {
	var out []*feature.Group
	registry := s.cfg.Online.Registry()
	for _, project := range registry.Projects() {
		if c, ok := registry.Catalog(project); ok {
			out = append(out, c.Groups()...)
		}
	}
	slices.SortFunc(out, func(a, b *feature.Group) int { return cmp.Compare(a.ID, b.ID) })
	return slices.CompactFunc(out, func(a, b *feature.Group) bool { return a.ID == b.ID })
}

// origins tells how far the store has come in each origin's log. Its own log
// is complete up to closed, also where it has written nothing.
func (s *Server) origins(progress hlc.Vector, self hlc.Origin, closed hlc.Timestamp) []api.OriginReplication {
	positions := progress.Positions()
	if progress[self] == 0 {
		positions = append(positions, hlc.Position{Origin: self})
	}
	out := make([]api.OriginReplication, 0, len(positions))
	now := s.cfg.Now().UnixMilli()
	for _, p := range positions {
		o := api.OriginReplication{Origin: p.Origin.String(), Self: p.Origin == self}
		through := p.At
		if o.Self {
			through = max(through, closed)
		}
		if p.At > 0 {
			o.Applied = p.At.String()
		}
		o.Closed, o.LagMs = through.String(), max(0, now-through.Millis())
		out = append(out, o)
	}
	return out
}

// regions serves GET /v1/regions.
func (s *Server) regions(r *request) error {
	out := api.Regions{Region: s.cfg.Region, Store: s.cfg.Store}
	out.Regions = append(out.Regions, api.RegionInfo{
		Region: s.cfg.Region, Store: s.cfg.Store, Self: true, State: "active", URL: s.cfg.URL,
	})
	if s.cfg.Others != nil {
		out.Regions = append(out.Regions, s.cfg.Others()...)
	}
	return r.json(http.StatusOK, out)
}
