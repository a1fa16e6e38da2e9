package export

import (
	"errors"
	"os"

	"featurestore/api"
	"featurestore/feature"
	"featurestore/offline/history"
	"featurestore/offline/pit"
	"featurestore/offline/training"
)

// codes maps the errors of exports to those of REST.
var codes = []struct {
	err  error
	code api.Code
}{
	{ErrNoHistory, api.CodeNoHistory},
	{history.ErrClosed, api.CodeNoHistory},
	{history.ErrFenced, api.CodeNoHistory},
	{os.ErrDeadlineExceeded, api.CodeDeadlineExceeded}, // entity rows that do not come
	{ErrBusy, api.CodeOverloaded},
	{ErrBehind, api.CodeBehind},
	{ErrNoProject, api.CodeProjectNotFound},
	{ErrRetained, api.CodeHistoryGone},
	{history.ErrGone, api.CodeHistoryGone},
	{history.ErrNotExist, api.CodeHistoryGone},
	{history.ErrCorrupt, api.CodeCorruptData},
	{ErrOtherHistory, api.CodeInvalidValue},
	{training.ErrRequest, api.CodeInvalidRequest},
	{pit.ErrRequest, api.CodeInvalidRequest},
	{pit.ErrEntityRows, api.CodeInvalidValue},
	{ErrStream, api.CodeInvalidValue},
	{ErrFormat, api.CodeInvalidValue},
}

// Problem returns an error as REST tells it, with the field at fault; an error that it
// knows nothing of as it is.
func Problem(err error) error {
	var p *api.Problem
	if err == nil || errors.As(err, &p) {
		return err
	}
	code, field := api.Code(""), ""
	var of *FieldError
	if errors.As(err, &of) {
		code, field, err = api.CodeInvalidValue, of.Field, of.Err
	}
	var large *TooLargeError
	if errors.As(err, &large) {
		code = api.CodePayloadTooLarge
		if large.What == "rows" {
			code = api.CodeTooManyRows
		}
	} else if known, ok := api.CodeOf(err); ok && !errors.Is(err, feature.ErrCorrupt) {
		code = known
	} else {
		for _, c := range codes {
			if errors.Is(err, c.err) {
				code = c.code
				break
			}
		}
	}
	if code == "" {
		return err
	}
	if errors.Is(err, ErrStream) && field == "" {
		field = "entity_rows"
	}
	return api.Problemf(code, field, "%v", err)
}
