package server

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"featurestore/api"
	"featurestore/consistency"
	"featurestore/feature"
	"featurestore/meta"
	"featurestore/offline/export"
	"featurestore/offline/jobs"
)

// Exports makes exports of the history that a store keeps; *export.Exports does.
type Exports interface {
	// Begin resolves a request. EntityRows is an Arrow stream of them, nil for none;
	// it is read while the export runs. Fresh waits, until ctx ends, for a history
	// with all that the store has now. The caller closes what it gets.
	Begin(ctx context.Context, project string, r *api.ExportRequest, entityRows io.Reader, fresh bool) (*export.Begun, error)
}

// ExportJobs are exports that write files in a folder of the store; *export.Jobs are.
type ExportJobs interface {
	// Start begins one that writes r.Out. EntityRows, nil for none, are read before it
	// returns; fresh is as in Exports.Begin.
	Start(ctx context.Context, project string, r *api.ExportRequest, entityRows io.Reader, fresh bool) (jobs.Job, error)
}

// startExport serves POST /v1/projects/{project}/exports: an export as a job that writes a
// file, for what takes longer than anybody waits. It answers with the job.
func (s *Server) startExport(r *request) error {
	if s.cfg.ExportJobs == nil {
		return errNoHistory(s)
	}
	asked, entityRows, err := r.exportRequest()
	if err != nil {
		return err
	}
	session, err := s.awaitSeen(r)
	if err != nil {
		return err
	}
	job, err := started(s.cfg.ExportJobs.Start(r.context(), r.Param("project"), asked, entityRows, session))
	if err != nil {
		return export.Problem(err)
	}
	if err := s.mergeSession(r); err != nil {
		return err
	}
	r.Response().Header().Set("Location", "/v1/projects/"+r.Param("project")+"/jobs/"+string(job.ID))
	return s.answerJob(r, http.StatusAccepted, job)
}

// maxTrailer is the longest trailer that is sent: net/http's client takes 4 KiB of all of
// them together.
const maxTrailer = 2 << 10

// export serves POST /v1/projects/{project}/export: an Arrow stream of a training set, or
// of what a view has. A client that reads slowly slows what is made.
func (s *Server) export(r *request) error {
	if s.cfg.Exports == nil {
		return errNoHistory(s)
	}
	asked, entityRows, err := r.exportRequest()
	if err != nil {
		return err
	}
	if asked.Out != "" {
		return api.Problemf(api.CodeInvalidRequest, "out", "this answers with the rows themselves; POST …/exports starts a job that writes a file")
	}
	session, err := s.awaitSeen(r)
	if err != nil {
		return err
	}
	begun, err := s.cfg.Exports.Begin(r.context(), r.Param("project"), asked, entityRows, session)
	if err != nil {
		return export.Problem(err)
	}
	defer begun.Close()
	if err := s.mergeSession(r); err != nil {
		return err
	}
	header := r.Response().Header()
	header.Set("Content-Type", api.MediaArrowStream)
	header[api.HeaderServedBy] = s.servedBy
	header.Set("Trailer", strings.Join([]string{api.TrailerExportRows, api.TrailerExportSHA256, api.TrailerExportMatched}, ", "))
	out := &patient{r: r, controller: http.NewResponseController(r.Response())}
	m, err := export.Stream(r.Request().Context(), begun, out, out.flush)
	if err != nil {
		header.Del("Trailer")
		return export.Problem(err)
	}
	header.Set(api.TrailerExportRows, strconv.FormatInt(m.Rows, 10))
	header.Set(api.TrailerExportSHA256, m.SHA256)
	if matched, err := json.Marshal(m.Matched); err == nil && len(m.Matched) > 0 && len(matched) <= maxTrailer {
		header.Set(api.TrailerExportMatched, string(matched))
	}
	return nil
}

func errNoHistory(s *Server) error {
	return api.Problemf(api.CodeNoHistory, "", "store %s runs without the setting history", s.cfg.Store)
}

// patient writes an answer as fast as its client takes it, and gives up on one that takes
// nothing for Config.Stall.
type patient struct {
	r          *request
	controller *http.ResponseController
}

// Write implements io.Writer.
func (p *patient) Write(b []byte) (int, error) {
	_ = p.controller.SetWriteDeadline(time.Now().Add(p.r.server.cfg.Stall)) // fails on no connection, where nothing is slow
	return p.r.Response().Write(b)
}

func (p *patient) flush() error { return p.controller.Flush() }

// upload reads a body that may take long, and gives up on a client that sends nothing for
// Config.Stall.
type upload struct {
	r          *request
	controller *http.ResponseController
}

// Read implements io.Reader.
func (u *upload) Read(b []byte) (int, error) {
	_ = u.controller.SetReadDeadline(time.Now().Add(u.r.server.cfg.Stall)) // as above
	return u.r.Request().Body.Read(b)
}

// exportRequest reads what is asked for: JSON, or the parameters of the query with an
// Arrow stream of entity rows for a body, which is returned.
func (r *request) exportRequest() (*api.ExportRequest, io.Reader, error) {
	media := r.Request().Header.Get("Content-Type")
	asked := new(api.ExportRequest)
	if media != api.MediaArrowStream {
		body, err := r.readBody(api.MediaJSON)
		if err != nil {
			var p *api.Problem
			if errors.As(err, &p) && p.Code == api.CodeUnsupportedMediaType && p.Field == "Content-Type" {
				return nil, nil, api.Problemf(p.Code, p.Field, "%q is not accepted here; send %s, or entity rows as %s", feature.Clip(media), api.MediaJSON, api.MediaArrowStream)
			}
			return nil, nil, err
		}
		// The body's buffer is the request's: what is decoded must not outlive it.
		return asked, nil, api.Decode(body, asked)
	}
	if encoding := r.Request().Header.Get("Content-Encoding"); encoding != "" && encoding != "identity" {
		return nil, nil, api.Problemf(api.CodeUnsupportedMediaType, "Content-Encoding", "%q is not accepted with an Arrow stream, which can be compressed within", feature.Clip(encoding))
	}
	query := r.QueryParams()
	text := map[string]*string{
		"service": &asked.Service, "event_time": &asked.EventTime, "known_as_of": &asked.KnownAsOf, "as_served_in": &asked.AsServedIn, "out": &asked.Out,
	}
	for name, values := range query {
		switch field, ok := text[name]; {
		case len(values) > 1:
			return nil, nil, api.Problemf(api.CodeInvalidRequest, "query."+feature.Clip(name), "it is given %d times: give it once", len(values))
		case ok:
			*field = values[0]
		case name == "features":
			asked.Features = strings.Split(values[0], ",")
		case name == "full_feature_names":
			is, err := strconv.ParseBool(values[0])
			if err != nil {
				return nil, nil, api.Problemf(api.CodeInvalidRequest, "query.full_feature_names", "want true or false, got %q", feature.Clip(values[0]))
			}
			asked.FullNames = is
		default:
			return nil, nil, api.Problemf(api.CodeUnknownField, "query."+feature.Clip(name), "there is no such parameter with an Arrow body; there are service, features, event_time, known_as_of, as_served_in, full_feature_names")
		}
	}
	return asked, &upload{r, http.NewResponseController(r.Response())}, nil
}

// awaitSeen waits until this store has what the request's session has seen, of whatever
// group; it reports whether there is a session.
func (s *Server) awaitSeen(r *request) (bool, error) {
	token, err := s.sessionOf(r)
	if err != nil || token.IsEmpty() {
		return false, err
	}
	registry := s.cfg.Online.Registry()
	var targets []consistency.Target
	for _, shard := range s.cfg.Online.Shards(meta.Region(s.cfg.Region)) {
		t := consistency.Target{Shard: shard}
		if g := registry.Group(shard.Group); g != nil {
			t.Placement = g.Placement
		}
		targets = append(targets, t)
	}
	return true, s.awaitSession(r, targets)
}
