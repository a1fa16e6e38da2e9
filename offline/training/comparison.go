package training

import (
	"context"
	"iter"
	"time"

	"featurestore/feature"
	"featurestore/offline/history"
)

// Comparison is one entity at one moment, as it was served and as it was (U6): for who
// knows what was served otherwise than by when it was readable.
type Comparison struct{ sides *sides }

// Compare divides an entity's rows at a moment in nanoseconds since the Unix epoch:
// served says which of them were in what was served; those pushed to history alone are
// in none. Rows are in order of event time and version, as Entities yields them, and stay
// the caller's; they must not change while the Comparison is in use.
func Compare(rows []history.Row, at int64, served func(i int) bool) *Comparison {
	s := newSides(rows, true)
	s.at = at
	for i := range rows {
		if rows[i].Version.EventTime <= at {
			s.becomeTrue(i)
		}
		if !rows[i].LogOnly && served(i) {
			s.becomeServed(i)
		}
	}
	return &Comparison{s}
}

// Served is the row that was served, Truth what was true.
func (c *Comparison) Served() feature.Row { return c.sides.served }

// Truth is the other side.
func (c *Comparison) Truth() feature.Row { return c.sides.truth }

// Value returns what is shown of a field in one of the two rows: its default where there
// is none, or one older than the ttl.
func (c *Comparison) Value(r feature.Row, f *feature.Field, ttl time.Duration) feature.Value {
	cell, ok := cellOf(r, f)
	if !ok || !feature.WithinTTL(cell.Version.EventTime, c.sides.at, ttl) {
		return f.Default
	}
	return cell.Read()
}

// Cause returns why a field was served with another value than the true one; Same where it
// was not.
func (c *Comparison) Cause(f *feature.Field, ttl time.Duration) Cause {
	if c.Value(c.sides.served, f, ttl).Equal(c.Value(c.sides.truth, f, ttl)) {
		return Same
	}
	return judge(c.sides.facts(f))
}

// Entities yields the rows of each entity of a view together, in order of entity key, and
// of each those in order of event time and version. What it yields is valid until the next.
// In memory are the rows of one entity, and some of each of at most 32 files; where there
// are more files, runs are made of them in a folder, and removed.
func Entities(ctx context.Context, in *history.Reader, view feature.ViewID, dir string) iter.Seq2[[]history.Row, error] {
	return entities(inOrder(ctx, in, in.Files(view, history.AllTime), dir, fanIn))
}
