package outside

import (
	"cmp"
	"slices"
	"strings"

	"featurestore/api"
	"featurestore/offline/source"
)

// rower turns batches of a file into those of pushes.
type rower struct {
	request  *Request
	columnar bool
	through  int64 // up to where batches were written
	w        *frames
	order    *order // nil while it is of no use

	// Of the batch at hand:
	in    *source.Batch
	times *source.Column
	parts []part
}

// part is one named column of a push.
type part struct {
	name     string
	in       *source.Column
	key      bool
	time     bool
	skipNull bool
}

func (p part) isFeature() bool { return !p.key && !p.time }

func (p part) absent(i int) bool {
	return p.in.Absent != nil && p.in.Absent[i] || p.skipNull && p.in.Values[i].IsNull()
}

// pushed are parts as a push has them.
func pushed(parts []part) []api.PushColumn {
	out := make([]api.PushColumn, len(parts))
	for i, p := range parts {
		out[i] = api.PushColumn{Name: p.name, Values: p.in.Values, Absent: p.absent}
	}
	return out
}

// batch writes what there is of one batch, in several where it goes beyond a cut.
func (r *rower) batch(b *source.Batch, done int64) error {
	r.in = b
	columns := map[string]*source.Column{}
	for i := range b.Columns {
		columns[b.Columns[i].Name] = &b.Columns[i]
	}
	r.parts, r.times = r.parts[:0], columns[r.request.EventTime]
	for _, c := range r.request.Columns {
		if in := columns[c.Column]; in != nil {
			r.parts = append(r.parts, part{name: c.Name, in: in, key: c.Key, skipNull: c.SkipNull})
		}
	}
	if r.times != nil {
		r.parts = append(r.parts, part{name: api.EventTimeField, in: r.times, time: true})
	}
	last := int64(0)
	if n := len(b.At); n > 0 {
		last = b.At[n-1]
	}
	if n := len(b.Faults); n > 0 {
		last = max(last, b.Faults[n-1].At)
	}
	created := columns[r.request.Created]
	if r.order != nil && created != nil {
		r.passedOver(created)
	}
	for r.through < last {
		through := last
		if i, _ := slices.BinarySearch(r.request.Cuts, r.through+1); i < len(r.request.Cuts) {
			through = min(through, r.request.Cuts[i])
		}
		out := r.stretch(through, created)
		out.Done = done
		r.through = through
		body := out.Body
		out.Body = nil // it follows the headers
		r.w.write(frameBatch, out, body)
		if r.w.err != nil {
			return r.w.err
		}
	}
	if r.order != nil {
		return r.order.next()
	}
	return nil
}

// passedOver notes rows that were written before: those that follow have to be later.
func (r *rower) passedOver(created *source.Column) {
	for i, at := range r.in.At {
		if at <= r.request.After && r.times != nil && !r.times.Values[i].IsNull() {
			r.ordered(nil, i, created)
		}
	}
}

// stretch returns the batch of the rows after r.through, up to through.
func (r *rower) stretch(through int64, created *source.Column) *Batch {
	out := &Batch{After: r.through, Through: through}
	for _, f := range r.in.Faults {
		if f.At <= r.through || f.At > through {
			continue
		}
		if r.leavesOut(f.At) {
			out.LeftOut++
			continue
		}
		out.fault(Fault{At: f.At, Columnar: f.Columnar, Column: f.Column, Message: f.Err.Error()})
	}
	var rows []int
	for i, at := range r.in.At {
		if at <= r.through || at > through || !r.takes(out, i) {
			continue
		}
		if r.order == nil || created == nil || r.ordered(out, i, created) {
			rows = append(rows, i)
		}
	}
	if created != nil {
		slices.SortStableFunc(rows, func(a, b int) int { return compareTimes(created, a, b) })
	}
	out.Rows = int64(len(rows))
	slices.SortFunc(out.Faults, func(a, b Fault) int { return cmp.Compare(a.At, b.At) })
	if r.request.Check || len(rows) == 0 {
		return out
	}
	for _, i := range rows {
		out.At = append(out.At, r.in.At[i])
	}
	out.Body = api.AppendPushRows(nil, pushed(r.parts), rows)
	return out
}

// compareTimes orders rows by a column of times, rows without one first.
func compareTimes(c *source.Column, a, b int) int {
	x, y := c.Values[a], c.Values[b]
	switch {
	case x.IsNull() && y.IsNull():
		return 0
	case x.IsNull():
		return -1
	case y.IsNull():
		return 1
	}
	return cmp.Compare(x.Int(), y.Int())
}

// takes reports whether row i is one to push, and counts it if not.
func (r *rower) takes(out *Batch, i int) bool {
	at := r.in.At[i]
	if r.leavesOut(at) {
		out.LeftOut++
		return false
	}
	if r.times == nil || r.times.Values[i].IsNull() {
		out.fault(Fault{At: at, Columnar: r.columnar, Column: r.request.EventTime, Message: "the row has no event time"})
		return false
	}
	if when := r.times.Values[i].Int(); r.request.Window && (when < r.request.From || when >= r.request.To) {
		out.Beside++
		return false
	}
	features := false
	for _, p := range r.parts {
		if p.key && (p.absent(i) || p.in.Values[i].IsNull()) {
			out.fault(Fault{At: at, Columnar: r.columnar, Column: r.columnOf(p), Message: "the row has no join key " + p.name})
			return false
		}
		features = features || p.isFeature() && !p.absent(i)
	}
	if !features {
		out.Empty++
	}
	return features
}

func (r *rower) columnOf(p part) string {
	for _, c := range r.request.Columns {
		if c.Name == p.name {
			return c.Column
		}
	}
	return p.name
}

func (r *rower) leavesOut(at int64) bool {
	_, found := slices.BinarySearch(r.request.LeaveOut, at)
	return found
}

func (b *Batch) fault(f Fault) {
	b.BadRows++
	if len(b.Faults) < MaxFaults {
		f.Message = shortened(f.Message)
		b.Faults = append(b.Faults, f)
	}
}

// maxMessage bounds the message of one fault, in bytes: of a value it has no more than
// feature.Clip leaves, and beside that a sentence.
const maxMessage = 512

func shortened(text string) string {
	if len(text) <= maxMessage {
		return text
	}
	return strings.ToValidUTF8(text[:maxMessage], "") + "…"
}
