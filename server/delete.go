package server

import (
	"featurestore/api"
	"featurestore/feature"
)

// deletion is a request that names rows of one view to be deleted, or erased.
type deletion struct {
	*api.ScannedDelete
	catalog *feature.Catalog
	body    []byte
	rows    rowSource
}

func (s *Server) readDeletion(r *request, scan func(body []byte, maxEntities int) (*api.ScannedDelete, error)) (d deletion, err error) {
	if d.catalog, err = s.catalog(r); err != nil {
		return d, err
	}
	if d.body, err = r.readBody(api.MediaJSON); err != nil {
		return d, err
	}
	if d.ScannedDelete, err = scan(d.body, s.cfg.Limits.Rows); err != nil {
		return d, err
	}
	d.rows, err = newColumns(d.Entities)
	return d, err
}

// deleting is the write that deletes rows of views at an event time.
func (s *Server) deleting(views []*feature.ResolvedView, of rowSource, eventTime int64) (write, error) {
	rows, err := convert(views, rowRules{deletes: true, now: s.cfg.Now().UnixNano(), most: s.cfg.Limits.Changes}, of)
	if err != nil {
		return write{}, err
	}
	for i := range rows.changes {
		rows.changes[i].EventTime = eventTime
	}
	return write{views: views, rows: rows}, nil
}

// delete serves POST /v1/projects/{project}/delete.
func (s *Server) delete(r *request) error {
	d, err := s.readDeletion(r, api.ScanDelete)
	if err != nil {
		return err
	}
	id, err := r.idempotency(d.body)
	if err != nil {
		return err
	}
	views, unknown := pushedViews(d.catalog, d.View, "")
	if answer, err := s.repeated(r, id, views, d.rows.len()); answer != nil || err != nil {
		return r.answerWrite(answer, err)
	}
	if unknown != nil {
		return unknown
	}
	now := s.cfg.Now().UnixNano()
	eventTime := now
	if len(d.EventTime) > 0 && string(d.EventTime) != "null" {
		if eventTime, err = api.DecodeTime(d.EventTime); err != nil {
			return api.Problemf(api.CodeInvalidValue, api.EventTimeField, "%v", err)
		}
	}
	if err := views[0].CheckEventTime(eventTime, now); err != nil {
		code, _ := api.CodeOf(err)
		return api.Problemf(code, api.EventTimeField, "%v", err)
	}
	w, err := s.deleting(views, d.rows, eventTime)
	if err != nil {
		return err
	}
	w.idempotency = id
	return r.answerWrite(s.write(r, w))
}
