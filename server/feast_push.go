package server

import (
	"net/http"

	"featurestore/api"
	"featurestore/feature"
)

// feastPush serves POST /push: rows for every view that a push source feeds,
// all of them or none. The answer is empty.
func (s *Server) feastPush(r *request) error {
	err := s.feastWrite(r, api.ScanFeastPush, func(c *feature.Catalog, name string) ([]*feature.ResolvedView, error) {
		return pushedViews(c, "", name)
	})
	if err != nil || r.isPart() {
		return err
	}
	return r.NoContent(http.StatusOK)
}

// feastWriteView serves POST /write-to-online-store: rows for one view. The
// answer is null.
func (s *Server) feastWriteView(r *request) error {
	err := s.feastWrite(r, api.ScanFeastWrite, func(c *feature.Catalog, name string) ([]*feature.ResolvedView, error) {
		return pushedViews(c, name, "")
	})
	if err != nil || r.isPart() {
		return err
	}
	return r.Blob(http.StatusOK, api.MediaJSON, []byte("null"))
}

// feastWrite stores the rows of a data frame in the views of its target. What
// its clients call created is not read: of two rows with one event time the
// later in the frame counts, and of two requests the later.
func (s *Server) feastWrite(r *request, scan func([]byte, int) (*api.ScannedFeastWrite, error),
	viewsOf func(*feature.Catalog, string) ([]*feature.ResolvedView, error),
) error {
	catalog, err := s.feastCatalog(r)
	if err != nil {
		return err
	}
	// An idempotency key belongs to a project, also where the path names none.
	r.SetParamNames("project")
	r.SetParamValues(catalog.Project())
	body, err := r.readBody(feastTypes...)
	if err != nil {
		return err
	}
	scanned, err := scan(body, s.cfg.Limits.Rows)
	if err != nil {
		return err
	}
	id, err := r.idempotency(body)
	if err != nil {
		return err
	}
	views, unknown := viewsOf(catalog, scanned.Target)
	if answer, err := s.repeated(r, id, views, 0); answer != nil || err != nil {
		return r.answerFeastWrite(answer, err) // which does not count rows
	}
	if unknown != nil {
		return unknown
	}
	rows, err := feastRows(views, scanned, s.cfg.Limits, s.cfg.Now().UnixNano())
	if err != nil {
		return err
	}
	answer, err := s.write(r, write{views: views, rows: rows, logOnly: scanned.To == api.ToOffline, idempotency: id})
	return r.answerFeastWrite(answer, err)
}

// answerFeastWrite sends what a part of a write came to; the dialect itself tells
// clients nothing of a write that is done.
func (r *request) answerFeastWrite(answer *api.PushResponse, err error) error {
	if err != nil || !r.isPart() {
		return err
	}
	return r.json(http.StatusOK, answer)
}

// feastRows returns the changes that a data frame means for the views.
func feastRows(views []*feature.ResolvedView, scanned *api.ScannedFeastWrite, limits Limits, now int64) (*rows, error) {
	frame, err := newFrame(scanned, limits)
	if err != nil {
		return nil, err
	}
	rules := rowRules{feast: true, now: now, most: limits.Changes}
	if rules.eventTime, err = eventTimeColumn(views, frame); err != nil {
		return nil, err
	}
	if err := rules.checkOnce(views, frame); err != nil {
		return nil, err
	}
	return convert(views, rules, frame)
}
