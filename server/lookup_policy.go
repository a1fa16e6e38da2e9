package server

import (
	"slices"
	"strconv"
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
	l.read.Alternatives = withRepair(l.read.Alternatives, l.plan.read.repair)
	l.read.Token, err = s.sessionOf(r)
	if err != nil {
		return err
	}
	l.session.Reset()
	l.session.Merge(l.read.Token)
	return nil
}

// withRepair gives reads at level quorum that name no repair that of their views.
func withRepair(list []consistency.Alternative, repair consistency.Repair) []consistency.Alternative {
	for i := range list {
		if list[i].Level == consistency.Quorum && list[i].Repair == consistency.RepairUnset {
			list = slices.Clone(list)
			for j := range list {
				if list[j].Level == consistency.Quorum && list[j].Repair == consistency.RepairUnset {
					list[j].Repair = repair
				}
			}
			return list
		}
	}
	return list
}

// checkFloors refuses lookups that ask for less than their views allow, or would
// take less when they do not get it.
func (s *Server) checkFloors(l *lookup, r *request) error {
	floors := l.plan.read.floors
	if len(floors) == 0 {
		return nil
	}
	members := 1
	for _, t := range l.targets {
		members = max(members, len(s.cfg.Coordinator.Members(t.Shard).Active()))
	}
	for _, a := range l.read.Alternatives {
		if err := floors.Check(a, members); err != nil {
			return api.Problemf(api.CodeInvalidRequest, "consistency", "%v", err)
		}
	}
	if l.read.Fallback.Unmet != consistency.Degrade {
		return nil
	}
	if err := floors.Check(l.read.Fallback.Degraded(), members); err != nil {
		return api.Problemf(api.CodeInvalidHeader, api.HeaderOnUnmet, "degrading: %v", err)
	}
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
		if a.Members != 0 {
			item += "; members=" + strconv.Itoa(a.Members)
		}
		if a.Repair != "" {
			item += "; repair=" + a.Repair
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
