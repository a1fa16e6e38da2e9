package server

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"featurestore/api"
	"featurestore/meta"
)

// home returns the store that changes definitions and membership, and whether
// that is another one. A request that came from another store is not sent on.
func (s *Server) home(r *request) (home meta.Member, away bool, err error) {
	m := s.cfg.Coordinator.Membership()
	if m.Home == "" || m.Home == meta.StoreID(s.cfg.Store) {
		return meta.Member{}, false, nil
	}
	home, _ = m.Member(m.Home)
	if r.isForwarded() {
		return home, true, api.Problemf(api.CodeHomeUnreachable, "", "store %s sent this here, but for store %s the home is %s; the membership is on its way",
			r.Request().Header.Get(api.HeaderForwarded), s.cfg.Store, m.Home)
	}
	return home, true, nil
}

// atHome sends the request to the home and returns its answer. Errors have code
// api.CodeHomeUnreachable.
func (s *Server) atHome(r *request, home meta.Member) (*http.Response, error) {
	answer, err := s.ask(r.context(), r, home)
	if err != nil {
		return nil, api.Problemf(api.CodeHomeUnreachable, "", "store %s in region %s at %q: %v; if it is lost, featurestore members take-home makes another store the home",
			home.Store, home.Region, home.URL, err)
	}
	return answer, nil
}

// relayHome has the home answer the request. Errors are those of atHome.
func (s *Server) relayHome(r *request, home meta.Member) error {
	answer, err := s.atHome(r, home)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	return s.relay(r, answer)
}

// applyAtHome applies definitions at the home, and waits, as long as the
// request has time, until they are in force here: who applies and then pushes
// to the same store finds the new view.
func (s *Server) applyAtHome(r *request, home meta.Member) error {
	answer, err := s.atHome(r, home)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return s.relay(r, answer)
	}
	raw, err := io.ReadAll(io.LimitReader(answer.Body, int64(s.cfg.Limits.BodyBytes)))
	var plan api.Plan
	if err == nil {
		err = json.Unmarshal(raw, &plan)
	}
	if err != nil {
		return fmt.Errorf("read what store %s applied: %w", home.Store, err)
	}
	plan.Pending = !s.awaitRevision(r, plan)
	r.Response().Header().Set("ETag", etag(plan.Revision))
	return r.json(http.StatusOK, plan)
}

// registryInterval is how often a wait for definitions looks. Applies are rare.
const registryInterval = 5 * time.Millisecond

// awaitRevision reports whether the project came to the plan's revision here
// while the request had time, of which a tenth is left for the answer.
func (s *Server) awaitRevision(r *request, plan api.Plan) bool {
	limit := time.NewTimer(time.Until(r.deadline()) * 9 / 10)
	defer limit.Stop()
	look := time.NewTicker(registryInterval)
	defer look.Stop()
	for {
		if c, ok := s.cfg.Online.Registry().Catalog(plan.Project); ok && c.Revision() >= plan.Revision {
			return true
		}
		select {
		case <-look.C:
		case <-limit.C:
			return false
		case <-r.context().Done():
			return false
		}
	}
}
