package server

import (
	"net/http"

	"featurestore/api"
	"featurestore/feature"
)

// push serves POST /v1/projects/{project}/push.
func (s *Server) push(r *request) error {
	catalog, err := s.catalog(r)
	if err != nil {
		return err
	}
	body, err := r.readBody(api.MediaJSON)
	if err != nil {
		return err
	}
	push, err := api.ScanPush(body, s.cfg.Limits.Rows)
	if err != nil {
		return err
	}
	id, err := r.idempotency(body)
	if err != nil {
		return err
	}
	var src rowSource = pushRows{push}
	if push.Columns != nil {
		if src, err = newColumns(push.Columns); err != nil {
			return err
		}
	}
	views, unknown := pushedViews(catalog, push.View, push.PushSource)
	if answer, err := s.repeated(r, id, views, src.len()); answer != nil || err != nil {
		return r.answerWrite(answer, err)
	}
	if unknown != nil {
		return unknown
	}
	logOnly, err := logOnly(views, push.To)
	if err != nil {
		return err
	}
	rules := rowRules{eventTime: api.EventTimeField, generation: push.Generation, now: s.cfg.Now().UnixNano(), most: s.cfg.Limits.Changes}
	rows, err := convert(views, rules, src)
	if err != nil {
		return err
	}
	source, err := api.ParseSource(r.Request().Header.Get(api.HeaderSource))
	if err == nil && source != nil {
		err = rows.mark(views[0], source, rules.now)
	}
	if err != nil {
		return err
	}
	if source != nil && source.NoteID != "" {
		logOnly = false
	}
	return r.answerWrite(s.write(r, write{views: views, rows: rows, logOnly: logOnly, idempotency: id, source: source}))
}

// answerWrite sends what a write came to.
func (r *request) answerWrite(answer *api.PushResponse, err error) error {
	if err != nil {
		return err
	}
	return r.json(http.StatusOK, answer)
}

// pushedViews returns the view named, or every view that the source feeds.
func pushedViews(c *feature.Catalog, view, source string) ([]*feature.ResolvedView, error) {
	if source != "" {
		views := c.PushSource(source)
		if len(views) == 0 {
			return nil, c.NoPushSource(source)
		}
		return views, nil
	}
	v, ok := c.View(view)
	if !ok {
		return nil, c.NoView(view)
	}
	return []*feature.ResolvedView{v}, nil
}

// logOnly decides whether rows are kept for history without being served. The
// log has every row, so "offline" is that and nothing more.
func logOnly(views []*feature.ResolvedView, to string) (bool, error) {
	switch to {
	case api.ToOffline:
		return true, nil
	case api.ToOnline, api.ToBoth:
		return false, nil
	}
	for _, v := range views[1:] {
		if v.Online != views[0].Online {
			return false, api.Problemf(api.CodeInvalidRequest, "to",
				"views %s and %s of this push source differ in whether they are online; say to", views[0].Name, v.Name)
		}
	}
	return !views[0].Online, nil
}
