package api

import "featurestore/feature"

// Plan is the answer of POST /v1/projects/{project}/plan and apply: what
// applying the definitions would change, or has changed.
type Plan struct {
	Project string `json:"project"`
	// From is the revision planned against, 0 for a new project.
	From uint64 `json:"from"`
	// Revision is the project's once the plan is applied: pass From, not
	// Revision, as expect of the apply.
	Revision uint64 `json:"revision"`
	// Applied says that it has been.
	Applied bool `json:"applied"`
	// Pending says that the store asked has not got it yet, from the one that
	// applied it: requests there still follow the definitions before.
	Pending bool     `json:"pending,omitempty"`
	Changes []Change `json:"changes"`
	// Summary is the plan for people, a line a change.
	Summary string `json:"summary"`
}

// Change is one difference of a plan.
type Change struct {
	Op     string `json:"op"` // add, change, rename or drop
	Object string `json:"object"`
	Field  string `json:"field,omitempty"`
	From   string `json:"from,omitempty"`
	To     string `json:"to,omitempty"`
	Note   string `json:"note,omitempty"`
}

// PlanOf returns the JSON form of a plan.
func PlanOf(p feature.Plan, applied bool) Plan {
	out := Plan{
		Project: p.Project, From: p.From, Revision: p.From, Applied: applied && !p.IsEmpty(),
		Changes: []Change{}, Summary: p.String(),
	}
	if !p.IsEmpty() {
		out.Revision++
	}
	for _, c := range p.Changes {
		out.Changes = append(out.Changes, Change{
			Op: c.Op.String(), Object: c.Object, Field: c.Field, From: c.From, To: c.To, Note: c.Note,
		})
	}
	return out
}
