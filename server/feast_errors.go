package server

import (
	"net/http"
	"strconv"
	"strings"

	"featurestore/api"
)

// Feast's clients read the body of every error as JSON. One that is a string
// which itself holds JSON of this form they raise as the exception it names.
const feastErrorModule = "feast.errors"

// feastClasses are the exceptions that clients raise; others are FeastError.
var feastClasses = map[api.Code]string{
	api.CodeProjectNotFound:    "ProjectObjectNotFoundException",
	api.CodeViewNotFound:       "FeatureViewNotFoundException",
	api.CodeFeatureNotFound:    "FeastObjectNotFoundException",
	api.CodeServiceNotFound:    "FeatureServiceNotFoundException",
	api.CodeEntityNotFound:     "EntityNotFoundException",
	api.CodePushSourceNotFound: "PushSourceNotFoundException",
}

// feastMalformed are the codes of requests that cannot be taken as they are:
// 422 with a list of places, as Feast's server answers what its schema refuses.
var feastMalformed = map[api.Code]bool{
	api.CodeInvalidRequest: true, api.CodeInvalidHeader: true, api.CodeInvalidJSON: true, api.CodeUnknownField: true,
	api.CodeDuplicateKey: true, api.CodeInvalidValue: true, api.CodeInvalidRows: true,
}

// writeFeastError answers with p in Feast's form.
func (r *request) writeFeastError(p *problem) error {
	if feastMalformed[p.Code] {
		return r.json(http.StatusUnprocessableEntity, api.FeastFaults{Detail: feastFaults(p)})
	}
	return r.Blob(p.Status, api.MediaJSON, feastException(p))
}

// feastException renders the JSON string that holds the exception for p. It is
// spaced as Python prints it.
func feastException(p *problem) []byte {
	class, message := feastClasses[p.Code], p.Detail
	if class == "" {
		class, message = "FeastError", p.Error()
	}
	inner := append([]byte(nil), `{"module": "`+feastErrorModule+`", "class": "`+class+`", "message": `...)
	inner = append(api.AppendString(inner, message), '}')
	return api.AppendString(nil, text(inner))
}

// feastFaults lists what p says is wrong, and where.
func feastFaults(p *problem) []api.FeastFault {
	if len(p.Rows) == 0 {
		return []api.FeastFault{{Loc: feastPlace(p), Msg: p.Detail, Type: p.Code}}
	}
	faults := make([]api.FeastFault, 0, len(p.Rows)+1)
	for _, row := range p.Rows {
		code := row.Code
		if code == "" {
			code = api.CodeInvalidValue
		}
		loc := []any{"body", "df"}
		if row.Field != "" {
			loc = append(loc, row.Field)
		}
		faults = append(faults, api.FeastFault{Loc: append(loc, row.Row), Msg: row.Message, Type: code})
	}
	return append(faults, api.FeastFault{Loc: []any{"body", "df"}, Msg: p.Detail, Type: p.Code})
}

// feastPlace turns a field such as entities.driver_id[3] into the list that
// leads to it from the body. Names may hold dots, so only the first divides.
func feastPlace(p *problem) []any {
	if p.Code == api.CodeInvalidHeader || p.Field == "Content-Encoding" {
		return []any{"header", p.Field}
	}
	part, rest, nested := strings.Cut(p.Field, ".")
	switch {
	case p.Field == "":
		return []any{"body"}
	case !nested:
		return appendPlace([]any{"body"}, part)
	case part == "query":
		return []any{"query", rest}
	case part == "request":
		part = "request_context"
	}
	return appendPlace([]any{"body", part}, rest)
}

// appendPlace appends a name, and its index if one follows in brackets.
func appendPlace(loc []any, name string) []any {
	if open := strings.LastIndexByte(name, '['); open > 0 && strings.HasSuffix(name, "]") {
		if i, err := strconv.Atoi(name[open+1 : len(name)-1]); err == nil {
			return append(loc, name[:open], i)
		}
	}
	return append(loc, name)
}
