package server

import (
	"strings"

	"featurestore/api"
	"featurestore/consistency"
)

// readPolicy takes the levels from the body, else the header, else the views.
func (s *Server) readPolicy(l *lookup, r *request) error {
	header := r.Request().Header
	l.read.Alternatives, l.read.Fallback = l.plan.read.alternatives, l.plan.read.fallback
	l.read.Forwarded = r.isForwarded()
	if l.scanned.Consistency != nil {
		alternatives, err := decodeAlternatives(l.scanned.Consistency)
		if err != nil {
			return err
		}
		l.read.Alternatives = alternatives
	} else if text := header.Get(api.HeaderConsistency); text != "" {
		alternatives, err := consistency.ParseAlternatives(text)
		if err != nil {
			return api.Problemf(api.CodeInvalidHeader, api.HeaderConsistency, "%v", err)
		}
		if len(alternatives) > 0 {
			l.read.Alternatives = alternatives
		}
	}
	var err error
	if l.read.Fallback, err = l.read.Fallback.ParseOnUnmet(header.Get(api.HeaderOnUnmet)); err != nil {
		return api.Problemf(api.CodeInvalidHeader, api.HeaderOnUnmet, "%v", err)
	}
	l.read.Token, err = s.sessionOf(r)
	if err != nil {
		return err
	}
	l.session.Reset()
	l.session.Merge(l.read.Token)
	return nil
}

// decodeAlternatives reads the body's list of levels.
func decodeAlternatives(raw []byte) ([]consistency.Alternative, error) {
	var list []api.Consistency
	if err := api.Decode(raw, &list); err != nil {
		return nil, api.Problemf(api.CodeInvalidJSON, "consistency", `consistency is a list such as [{"level": "session", "within": "5ms"}]: %v`, err)
	}
	var items []string
	for _, a := range list {
		item := a.Level
		if a.MaxStaleness != "" {
			item += "; max-staleness=" + a.MaxStaleness
		}
		if a.Within != "" {
			item += "; within=" + a.Within
		}
		items = append(items, strings.ReplaceAll(item, ",", " "))
	}
	alternatives, err := consistency.ParseAlternatives(strings.Join(items, ","))
	if err != nil || len(alternatives) == 0 {
		return nil, api.Problemf(api.CodeInvalidValue, "consistency", "not a list of at least one read level: %v", err)
	}
	return alternatives, nil
}
