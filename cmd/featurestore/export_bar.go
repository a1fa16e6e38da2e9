package main

import (
	"context"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// exportBar shows how far an export is. Off a terminal it shows nothing.
type exportBar struct {
	bars *mpb.Progress
	bar  *mpb.Bar
	done atomic.Int64
}

func newExportBar(ctx context.Context, a *app, out string) *exportBar {
	b := &exportBar{}
	if !terminal(a.err) {
		return b
	}
	start := time.Now()
	rows := decor.Any(func(decor.Statistics) string {
		n := b.done.Load()
		return fmt.Sprintf(" %d rows, %.0f/s", n, float64(n)/time.Since(start).Seconds())
	})
	b.bars = mpb.NewWithContext(ctx, mpb.WithOutput(a.err), mpb.WithRefreshRate(barEvery))
	b.bar = b.bars.AddBar(0, mpb.PrependDecorators(decor.Name(filepath.Base(out)+" "), decor.Percentage()), mpb.AppendDecorators(rows))
	return b
}

// watch moves the bar until ctx ends.
func (b *exportBar) watch(ctx context.Context, progress func() (done, total int64)) {
	tick := time.NewTicker(barEvery)
	defer tick.Stop()
	for b.bar != nil {
		select {
		case <-tick.C:
			b.show(progress())
		case <-ctx.Done():
			return
		}
	}
}

// show moves the bar.
func (b *exportBar) show(done, total int64) {
	if b.bar == nil {
		return
	}
	b.done.Store(done)
	b.bar.SetTotal(total, false)
	b.bar.SetCurrent(done)
}

// stop ends the bar, complete or not, and waits until it is drawn.
func (b *exportBar) stop(complete bool) {
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
