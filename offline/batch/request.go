package batch

import (
	"fmt"
	"strings"
	"time"

	"featurestore/api"
	"featurestore/feature"
)

// Request says what to materialize.
type Request struct {
	Project string
	// Views are names, each once; none is every view of the project that has a batch
	// source.
	Views []string
	// Window writes the rows with event times from From up to but not including To,
	// whether they were written before or not. Without it, every row is written that was
	// not, whatever its event time.
	Window   bool
	From, To time.Time
	// Again allows a window over views whose features count or collect, for which the
	// same row another time is not the same.
	Again bool
	// SkipBadRows leaves out rows that cannot be read.
	SkipBadRows bool
}

// plan is a request whose views were found.
type plan struct {
	Request
	views []*feature.ResolvedView
}

// check finds the views of a request, or says what is wrong with it. Errors are
// Problems.
func (m *Materializer) check(r Request) (*plan, error) {
	catalog, ok := m.cfg.Registry().Catalog(r.Project)
	if !ok {
		return nil, api.Problemf(api.CodeProjectNotFound, "", "project %s", feature.Clip(r.Project))
	}
	p := &plan{Request: r}
	if r.Window && !r.From.Before(r.To) {
		return nil, api.Problemf(api.CodeInvalidValue, "from", "from %s is not before to %s", r.From.UTC().Format(time.RFC3339Nano), r.To.UTC().Format(time.RFC3339Nano))
	}
	if len(r.Views) == 0 {
		for _, v := range catalog.Views() {
			if v.BatchSource != nil {
				p.views = append(p.views, v)
			}
		}
		if len(p.views) == 0 {
			return nil, api.Problemf(api.CodeBatchSource, "views", "no view of project %s has a batch_source; add one to its definition", r.Project)
		}
	}
	for _, name := range r.Views {
		v, ok := catalog.View(name)
		switch {
		case !ok:
			return nil, catalog.NoView(name)
		case v.BatchSource == nil:
			return nil, api.Problemf(api.CodeBatchSource, "views", "view %s has no batch_source; add one to its definition", name)
		}
		p.views = append(p.views, v)
	}
	if r.Window && !r.Again {
		for _, v := range p.views {
			if counts := counting(v); len(counts) > 0 {
				return nil, api.Problemf(api.CodeBatchSource, "from", "view %s has %s, and a window writes rows another time that were written before: leave the window out, and each row counts once; or ask for it again",
					v.Name, strings.Join(counts, ", "))
			}
		}
	}
	return p, nil
}

// counting are the features of a view for which a row that is written twice is not the
// same as one that is written once.
func counting(v *feature.ResolvedView) (out []string) {
	for i := range v.Fields {
		switch f := &v.Fields[i]; f.Rule {
		case feature.Counter, feature.Siblings, feature.WriteTime:
			out = append(out, fmt.Sprintf("%s under the rule %s", f.Name, f.Rule))
		}
	}
	return out
}
