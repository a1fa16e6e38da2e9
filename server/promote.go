package server

import (
	"net/http"

	"featurestore/api"
	"featurestore/consistency"
	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/meta"
	"featurestore/replication"
)

// leaders serves GET /v1/projects/{project}/groups/{name}/leaders.
func (s *Server) leaders(r *request) error {
	g, err := s.ledGroup(r)
	if err != nil {
		return err
	}
	view := s.view()
	return r.json(http.StatusOK, s.leadersOf(g, &view, func(feature.Shard) bool { return true }))
}

// promote serves POST /v1/projects/{project}/groups/{name}/promote, at the home
// or through it.
func (s *Server) promote(r *request) error {
	body, err := r.readBody(api.MediaJSON)
	if err != nil {
		return err
	}
	var asked api.PromoteRequest
	if err := api.Decode(body, &asked); err != nil {
		return err
	}
	home, away, err := s.home(r)
	if err != nil {
		return err
	}
	if away {
		return s.relayHome(r, home)
	}
	g, err := s.ledGroup(r)
	if err != nil {
		return err
	}
	out, change, err := s.promotion(g, &asked)
	if err != nil || asked.DryRun {
		return orJSON(r, err, out)
	}
	m, err := s.cfg.Members.Change(r.context(), change)
	if err != nil {
		return err
	}
	out.MembershipVersion, out.Begun = versionOf(m.Version()), true
	return r.json(http.StatusOK, out)
}

func orJSON(r *request, err error, v any) error {
	if err != nil {
		return err
	}
	return r.json(http.StatusOK, v)
}

// promotion is what a promotion would change, and the change that begins it. It
// is refused while those it needs are out of reach: nobody would lead meanwhile.
func (s *Server) promotion(g *feature.Group, asked *api.PromoteRequest) (api.Promotion, meta.Change, error) {
	none := func(err error) (api.Promotion, meta.Change, error) { return api.Promotion{}, meta.Change{}, err }
	if s.cfg.Members == nil {
		return none(api.Problemf(api.CodeMembershipRefused, "", "store %s is alone: it was started without peers, and leads all there is", s.cfg.Store))
	}
	view := s.view()
	to := view.Membership.Members.Active().In(meta.Region(asked.To))
	if len(to) == 0 {
		return none(api.Problemf(api.CodeMembershipRefused, "to", "region %q has no active store; those that have are %v", feature.Clip(asked.To), view.Membership.Members.Active().Regions()))
	}
	change := meta.Change{Action: meta.Promote, Store: to[0].Store, Group: g.ID, Partition: -1, Force: asked.Force}
	if asked.Partition != nil {
		change.Partition = int(*asked.Partition)
	}
	next, err := view.Membership.Apply(change, meta.Rules{Groups: []*feature.Group{g}, Distinct: consistency.Distinct})
	if err != nil {
		return none(err)
	}
	out := api.Promotion{
		MembershipVersion: versionOf(view.Membership.Version()), Store: string(change.Store),
		Leaders: s.leadersOf(g, &view, func(shard feature.Shard) bool {
			before, led := view.Membership.Term(shard)
			after, _ := next.Term(shard)
			return led && before.Since != after.Since
		}),
	}
	if !s.isLive(&view, change.Store) {
		return none(api.Problemf(api.CodeMembershipRefused, "to", "store %s is not in reach of store %s, the home, so it could not begin to lead: promote another, or heal the link", change.Store, s.cfg.Store))
	}
	for _, x := range out.Leaders.Shards {
		if !asked.Force && !x.Live {
			return none(api.Problemf(api.CodeMembershipRefused, "to", "store %s, which leads partition %d, is not in reach, and a hand-over in order waits until it has stopped: heal the link, or promote by force, which may lose what it alone has", x.Store, x.Partition))
		}
	}
	return out, change, nil
}

// ledGroup is the group that a request names.
func (s *Server) ledGroup(r *request) (*feature.Group, error) {
	c, err := s.catalog(r)
	if err != nil {
		return nil, err
	}
	g, ok := c.Group(r.Param("name"))
	if !ok {
		return nil, notFound(api.CodeGroupNotFound, c, "group", r.Param("name"))
	}
	if g.Placement != feature.Leader {
		return nil, api.Problemf(api.CodeInvalidRequest, "", "group %s has placement %s; only groups with placement leader have leaders", g.Name, g.Placement)
	}
	return g, nil
}

// leadersOf tells who leads some shards of a group, and what is known to decide
// about the ends of their terms.
func (s *Server) leadersOf(g *feature.Group, view *replication.View, some func(feature.Shard) bool) api.Leaders {
	m := view.Membership
	out := api.Leaders{Group: g.Name, Durability: consistency.Durability(g).String(), Shards: []api.LedShard{}}
	for partition := range max(g.Partitions, 1) {
		shard := feature.Shard{Group: g.ID, Partition: partition}
		if !some(shard) {
			continue
		}
		x := api.LedShard{Partition: partition, ShardLeader: leaderOf(m, shard), Others: []api.LogHolder{}}
		if t, led := m.Term(shard); led {
			x.Live, x.Has = s.isLive(view, t.Leader), textOf(s.has(view, t.Leader, shard, t.Origin))
			d := m.Deciders(t, g, meta.Rules{Distinct: consistency.Distinct})
			x.Distinct, x.SealQuorum, x.Keeps = d.Distinct, d.Quorum, d.Keeps()
			for _, y := range d.Others {
				x.Others = append(x.Others, api.LogHolder{
					Store: string(y.Store), Region: string(y.Region),
					Live: s.isLive(view, y.Store), Has: textOf(s.has(view, y.Store, shard, t.Origin)),
				})
			}
			if n := len(t.Ended); n > 0 {
				e := t.Ended[n-1]
				x.Before = &api.EndedTerm{
					Term: t.Number - 1, Store: string(e.Leader), Origin: e.Origin.String(),
					Final: textOf(e.Final), Salvaged: e.Salvage.As.Origin != 0,
				}
			}
		}
		out.Shards = append(out.Shards, x)
	}
	return out
}

// leaderOf is who leads a shard of a leader group.
func leaderOf(m *meta.Membership, shard feature.Shard) api.ShardLeader {
	t, led := m.Term(shard)
	if !led {
		return api.ShardLeader{State: "choosing"}
	}
	out := api.ShardLeader{Term: t.Number, Store: string(t.Leader), State: t.State.String(), Next: string(t.Next), Origin: t.Origin.String()}
	if x, ok := m.Member(t.Leader); ok {
		out.Region = string(x.Region)
	}
	return out
}

// leads counts the shards that a store leads, by group.
func (s *Server) leads(m *meta.Membership, store meta.StoreID) (out []api.LedGroup) {
	for _, g := range s.cfg.Online.Registry().Groups() {
		if g.Placement != feature.Leader {
			continue
		}
		led := api.LedGroup{Group: g.Name, Of: int(max(g.Partitions, 1))}
		for partition := range max(g.Partitions, 1) {
			if t, ok := m.Term(feature.Shard{Group: g.ID, Partition: partition}); ok && t.Leader == store {
				led.Shards++
			}
		}
		if led.Shards > 0 {
			out = append(out, led)
		}
	}
	return out
}

// isLive reports whether a store is in reach, or this one.
func (s *Server) isLive(view *replication.View, store meta.StoreID) bool {
	for i := range view.Peers {
		if view.Peers[i].Member.Store == store {
			return view.Peers[i].Live
		}
	}
	return store == meta.StoreID(s.cfg.Store)
}

// has is up to where a store was heard to have all of a log.
func (s *Server) has(view *replication.View, store meta.StoreID, shard feature.Shard, o hlc.Origin) hlc.Timestamp {
	if store == meta.StoreID(s.cfg.Store) {
		return s.cfg.Online.Progress(shard)[o]
	}
	for i := range view.Peers {
		if view.Peers[i].Member.Store == store {
			return view.Peers[i].Progress[shard][o]
		}
	}
	return 0
}

// textOf prints a position, "" for none.
func textOf(at hlc.Timestamp) string {
	if at == 0 {
		return ""
	}
	return at.String()
}
