package main

import (
	"context"
	"encoding/json"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"featurestore/api"
)

// jobBar shows how far a job is. Off a terminal it shows nothing.
type jobBar struct {
	bars *mpb.Progress
	bar  *mpb.Bar
	last atomic.Pointer[api.MaterializeDetail]
}

func newJobBar(ctx context.Context, a *app, job api.Job) *jobBar {
	b := &jobBar{}
	if !terminal(a.err) {
		return b
	}
	start := time.Now()
	name := decor.Any(func(decor.Statistics) string {
		if d := b.last.Load(); d != nil && d.File != "" {
			return d.File + " "
		}
		return job.Of + " "
	})
	rows := decor.Any(func(decor.Statistics) string {
		d := b.last.Load()
		if d == nil {
			return ""
		}
		return fmt.Sprintf(" %d of %d files, %d rows, %.0f/s", d.FilesDone, d.Files, d.Rows, float64(d.Rows)/time.Since(start).Seconds())
	})
	b.bars = mpb.NewWithContext(ctx, mpb.WithOutput(a.err), mpb.WithRefreshRate(200*time.Millisecond))
	b.bar = b.bars.AddBar(0, mpb.PrependDecorators(name, decor.Percentage()), mpb.AppendDecorators(rows))
	return b
}

// show moves the bar.
func (b *jobBar) show(job api.Job) {
	if b.bar == nil {
		return
	}
	d := &api.MaterializeDetail{}
	if json.Unmarshal(job.Detail, d) == nil {
		b.last.Store(d)
	}
	b.bar.SetTotal(job.Total, false)
	b.bar.SetCurrent(job.Done)
}

// stop ends the bar, complete or not, and waits until it is drawn.
func (b *jobBar) stop(complete bool) {
	if b.bar == nil {
		return
	}
	if complete {
		b.bar.SetTotal(-1, true)
	} else {
		b.bar.Abort(false)
	}
	b.bars.Wait()
}
