package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"featurestore/api"
	"featurestore/offline/source"
)

// loadResult counts what a load did.
type loadResult struct {
	rows       int // that are stored, by this run or an earlier one
	superseded int
	empty      int // rows without a feature
	repeated   int // rows that an earlier run had stored
	bad        int
	took       time.Duration
	ignored    []string
	session    string
	// concern is that of the batch that fewest stores have.
	concern api.ConcernMet
}

func (r *loadResult) add(rows int, answer api.PushResponse) {
	r.rows += rows
	r.superseded += answer.Superseded
	if answer.Repeated {
		r.repeated += rows
	}
	if c := answer.Concern; r.concern.Asked == "" || !c.Met || r.concern.Met && c.Acked.Stores < r.concern.Acked.Stores {
		r.concern = c
	}
}

// perSecond is the rate of rows that were stored now, 0 when there was no time to measure.
func (r *loadResult) perSecond() float64 {
	if r.took <= 0 {
		return 0
	}
	return float64(r.rows-r.repeated) / r.took.Seconds()
}

// String tells the result to people.
func (r *loadResult) String() string {
	var b strings.Builder
	switch pushed := r.rows - r.repeated; {
	case pushed == 0 && r.repeated > 0:
		fmt.Fprintf(&b, "pushed nothing: every batch was stored by an earlier run; --again pushes them anew\n")
	default:
		fmt.Fprintf(&b, "pushed %s in %s, %.0f rows a second\n", counted(pushed, "row"), r.took.Round(time.Millisecond), r.perSecond())
	}
	for _, c := range []struct {
		n         int
		one, many string
	}{
		{r.repeated, "was stored by an earlier run and not again", "were stored by an earlier run and not again"},
		{r.superseded, "was superseded by what was stored; history keeps it", "were superseded by what was stored; history keeps them"},
		{r.empty, "had no feature and was passed over", "had no feature and were passed over"},
		{r.bad, "was bad and left out", "were bad and left out"},
	} {
		switch {
		case c.n == 1:
			fmt.Fprintf(&b, "1 %s\n", c.one)
		case c.n > 1:
			fmt.Fprintf(&b, "%d %s\n", c.n, c.many)
		}
	}
	if len(r.ignored) > 0 {
		fmt.Fprintf(&b, "columns passed over: %s\n", strings.Join(r.ignored, ", "))
	}
	if r.concern.Asked != "" {
		fmt.Fprintln(&b, describeConcern(r.concern))
	}
	if r.session != "" {
		fmt.Fprintf(&b, "session %s\n", r.session)
	}
	return b.String()
}

// describeConcern tells on one line who has a write.
func describeConcern(c api.ConcernMet) string {
	met := "met"
	if !c.Met {
		met = "not met"
	}
	return fmt.Sprintf("write concern %s %s: %s in %s", c.Asked, met, counted(c.Acked.Stores, "store"), strings.Join(c.Acked.Regions, ", "))
}

// counted is a number of things, such as "1 store" and "2 stores".
func counted(n int, thing string) string {
	if n != 1 {
		thing += "s"
	}
	return fmt.Sprintf("%d %s", n, thing)
}

func (r *loadResult) json() map[string]any {
	ignored := r.ignored
	if ignored == nil {
		ignored = []string{}
	}
	return map[string]any{
		"rows": r.rows, "superseded": r.superseded, "repeated": r.repeated, "empty_rows": r.empty, "bad_rows": r.bad,
		"seconds": r.took.Seconds(), "rows_per_second": r.perSecond(), "ignored_columns": ignored, "session": r.session,
		"concern": r.concern,
	}
}

// progress shows how far a load is. Off a terminal it shows nothing.
type progress struct {
	bars *mpb.Progress
	bar  *mpb.Bar
}

func newProgress(ctx context.Context, l *loader, in *source.Reader) *progress {
	if !terminal(l.report) {
		return &progress{}
	}
	start := time.Now()
	_, size := in.Progress()
	rows := decor.Any(func(decor.Statistics) string {
		l.mu.Lock()
		n := l.mu.result.rows
		l.mu.Unlock()
		return fmt.Sprintf(" %d rows, %.0f/s", n, float64(n)/time.Since(start).Seconds())
	})
	bars := mpb.NewWithContext(ctx, mpb.WithOutput(l.report), mpb.WithRefreshRate(200*time.Millisecond))
	return &progress{bars: bars, bar: bars.AddBar(size,
		mpb.PrependDecorators(decor.Name(filepath.Base(l.path)+" "), decor.Percentage()),
		mpb.AppendDecorators(rows),
	)}
}

// at moves the bar.
func (p *progress) at(done, _ int64) {
	if p.bar != nil {
		p.bar.SetCurrent(done)
	}
}

// stop ends the bar, complete or not, and waits until it is drawn.
func (p *progress) stop(complete bool) {
	if p.bar == nil {
		return
	}
	if complete {
		p.bar.SetTotal(-1, true)
	} else {
		p.bar.Abort(false)
	}
	p.bars.Wait()
}
