package flight

import (
	"context"
	"errors"
	"net/http"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"featurestore/api"
	"featurestore/offline/export"
)

// errBusy reports that as many streams run as may.
var errBusy = errors.New("too many streams run at once: try again when one has ended")

// outcomes are the codes of errors that are none of exports.
var outcomes = []struct {
	err  error
	code codes.Code
}{
	{errStalled, codes.DeadlineExceeded},
	{errBusy, codes.ResourceExhausted},
	{context.Canceled, codes.Canceled},
	{context.DeadlineExceeded, codes.DeadlineExceeded},
}

// ofProblems are the codes of gRPC for those of REST.
var ofProblems = map[api.Code]codes.Code{
	api.CodeHistoryGone: codes.NotFound,
	api.CodeNoHistory:   codes.Unavailable,
	api.CodeOverloaded:  codes.ResourceExhausted,
	api.CodeCorruptData: codes.DataLoss,
}

// ofStatus are those of REST's statuses, for all other problems.
var ofStatus = map[int]codes.Code{
	http.StatusBadRequest: codes.InvalidArgument, http.StatusUnprocessableEntity: codes.InvalidArgument,
	http.StatusNotFound: codes.NotFound, http.StatusConflict: codes.FailedPrecondition,
	http.StatusRequestEntityTooLarge: codes.ResourceExhausted, http.StatusServiceUnavailable: codes.Unavailable,
}

// statusOf returns the error that a client is told. Details of those that blame the
// store go to its log.
func (s *Server) statusOf(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := status.FromError(err); ok { // gRPC's own, of a client that left
		return err
	}
	for _, o := range outcomes {
		if errors.Is(err, o.err) {
			return status.Error(o.code, err.Error())
		}
	}
	var p *api.Problem
	if !errors.As(export.Problem(err), &p) {
		s.cfg.Logger.Error("a Flight request failed", "error", err)
		return status.Error(codes.Internal, "the store failed; its log says more")
	}
	code, ok := ofProblems[p.Code]
	if !ok {
		if code, ok = ofStatus[p.Status]; !ok {
			code = codes.Unknown
		}
	}
	text := p.Detail
	switch {
	case p.Field != "":
		text = p.Field + ": " + text
	case p.Code == api.CodeHistoryGone:
		text += "; ask for the flight again, and use its new tickets"
	case p.Code == api.CodeCorruptData:
		s.cfg.Logger.Error("a Flight stream met a damaged file", "error", err)
	}
	return status.Error(code, text)
}
