package server

import (
	"context"
	"net/http"

	"featurestore/api"
	"featurestore/meta"
)

// Members changes who takes part in the deployment.
type Members interface {
	// Change makes the change and returns the membership with it, as soon as it
	// is durable. It runs at the home, and meta.Assume at the store that becomes
	// it. Errors match meta.ErrRefused, or are ctx's.
	Change(ctx context.Context, c meta.Change) (*meta.Membership, error)
}

// members serves GET /v1/members.
func (s *Server) members(r *request) error {
	return r.json(http.StatusOK, membersOf(s.cfg.Coordinator.Membership()))
}

// changeMembers serves POST /v1/members, at the home or through it.
func (s *Server) changeMembers(r *request) error {
	body, err := r.readBody(api.MediaJSON)
	if err != nil {
		return err
	}
	var asked api.MemberChange
	if err := api.Decode(body, &asked); err != nil {
		return err
	}
	change := meta.Change{
		Action: meta.Action(asked.Action), Store: meta.StoreID(asked.Store), Region: meta.Region(asked.Region), Address: asked.Address,
		Abandon: asked.Abandon,
	}
	if change.Action == meta.Promote {
		return api.Problemf(api.CodeInvalidRequest, "action", "leaders are promoted by POST /v1/projects/{project}/groups/{group}/promote")
	}
	if err := change.Validate(); err != nil {
		return api.Problemf(api.CodeInvalidRequest, "action", "%v", err)
	}
	home, away, err := s.changedAt(r, change)
	if err != nil {
		return err
	}
	if away {
		return s.relayHome(r, home)
	}
	if s.cfg.Members == nil {
		return api.Problemf(api.CodeMembershipRefused, "", "store %s is alone: it was started without peers, so there is no deployment to change", s.cfg.Store)
	}
	m, err := s.cfg.Members.Change(r.context(), change)
	if err != nil {
		return err
	}
	return r.json(http.StatusOK, membersOf(m))
}

// changedAt returns the store that makes a change, and whether that is another
// one: the home, and for who shall be the home only that store itself.
func (s *Server) changedAt(r *request, change meta.Change) (at meta.Member, away bool, err error) {
	if change.Action != meta.Assume {
		return s.home(r)
	}
	if string(change.Store) != s.cfg.Store {
		return meta.Member{}, false, api.Problemf(api.CodeInvalidRequest, "store", "this is store %s; ask store %s itself, at its own URL, to take over", s.cfg.Store, change.Store)
	}
	return meta.Member{}, false, nil
}

func membersOf(m *meta.Membership) api.Members {
	out := api.Members{MembershipVersion: versionOf(m.Version()), Members: []api.Member{}}
	for _, x := range m.Members {
		member := api.Member{
			Store: string(x.Store), Region: string(x.Region), State: x.State.String(),
			Address: x.Address, URL: x.URL, Since: x.Since,
		}
		if x.Origin != 0 {
			member.Origin = x.Origin.String()
		}
		out.Members = append(out.Members, member)
	}
	for _, seal := range m.Seals {
		out.Ended = append(out.Ended, api.EndedLog{Origin: seal.Origin.String(), Store: string(seal.Store)})
	}
	return out
}

func versionOf(v meta.Version) api.MembershipVersion {
	return api.MembershipVersion{Epoch: v.Epoch, Revision: v.Revision, Home: string(v.Home)}
}

// regions serves GET /v1/regions.
func (s *Server) regions(r *request) error {
	out := api.Regions{Region: s.cfg.Region, Store: s.cfg.Store, Regions: []api.RegionInfo{}}
	m := s.cfg.Coordinator.Membership()
	for _, x := range m.Members {
		info := api.RegionInfo{Region: string(x.Region), Store: string(x.Store), State: x.State.String(), URL: x.URL}
		if info.Store == s.cfg.Store {
			info.Self, info.URL = true, s.cfg.URL
		}
		info.Leads = s.leads(m, x.Store)
		out.Regions = append(out.Regions, info)
	}
	return r.json(http.StatusOK, out)
}
