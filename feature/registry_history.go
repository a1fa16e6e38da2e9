package feature

import (
	"fmt"
	"slices"
	"strings"
)

// remember adds an apply to the history, without touching the array that
// other registries share.
func (p *project) remember(plan Plan) {
	a := Applied{Revision: p.catalog.revision}
	for i, c := range plan.Changes {
		if i == maxHistoryLines {
			a.Changes = append(a.Changes, fmt.Sprintf("and %d more", len(plan.Changes)-i))
			break
		}
		a.Changes = append(a.Changes, shorten(c.String()))
	}
	p.history = append(slices.Clone(p.history[max(0, len(p.history)+1-maxHistory):]), a)
}

// changesSince returns what was applied after revision, as far as remembered.
func (p *project) changesSince(revision uint64) []string {
	var out []string
	if len(p.history) > 0 && p.history[0].Revision > revision+1 {
		out = append(out, fmt.Sprintf("changes up to revision %d are no longer remembered", p.history[0].Revision-1))
	}
	for _, a := range p.history {
		if a.Revision > revision {
			out = append(out, a.Changes...)
		}
	}
	return out
}

// shorten bounds a remembered line: a default or an expression may be long.
func shorten(line string) string {
	if len(line) <= maxHistoryBytes {
		return line
	}
	return strings.ToValidUTF8(line[:maxHistoryBytes], "") + "…"
}
