package main

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"featurestore/api"
	"featurestore/probe"
	"featurestore/sdk"
)

// A canary is the row of a probe as one region shows it. Its values are numbers
// that rise, written as event times.
type canary interface {
	region() string
	// write returns the region in whose log the write stands.
	write(ctx context.Context, number int64, concern string) (origin string, err error)
	// read returns the number that is shown, 0 for none.
	read(ctx context.Context, options sdk.ReadOptions) (int64, sdk.Met, error)
}

// visibleWithin is how long a write is waited for in another region. A longer lag
// counts as that.
const visibleWithin = 2 * time.Second

// prober writes and reads in rounds, and tells a Recorder. One round goes on at a
// time: the canary has one writer, so that the newest acknowledged number is known.
type prober struct {
	canaries []canary
	recorder *probe.Recorder
	bound    time.Duration // of bounded reads
	interval time.Duration // from round to round, at least
	begun    time.Time
	number   int64

	mu struct {
		sync.Mutex
		concerns, levels []string                 // those that are offered
		fastest          map[string]time.Duration // answers, by region: the way there and back
		lastError        error
	}
	travelled probe.Session // what the session of travel saw
}

func newProber(canaries []canary, recorder *probe.Recorder, bound, interval time.Duration, placement string) *prober {
	p := &prober{canaries: canaries, recorder: recorder, bound: bound, interval: interval, begun: time.Now()}
	p.mu.concerns, p.mu.fastest = []string{"local", "quorum", "all"}, map[string]time.Duration{}
	p.mu.levels = []string{"eventual", "bounded", "session", "quorum"}
	if placement == "leader" {
		p.mu.levels = append(p.mu.levels, "leader")
	} else {
		recorder.NotOffered("leader", "the group has no leader")
	}
	return p
}

func (p *prober) now() time.Duration { return time.Since(p.begun) }

// run begins rounds for so long, or until ctx ends, or until nothing is left to
// write. No request is cut short by the end of the time: it would seem to fail.
// It returns why no write was ever acknowledged, nil where one was.
func (p *prober) run(ctx context.Context, lasting time.Duration) error {
	traveller := sdk.WithSession(ctx)
	written := 0
	for n := 0; ctx.Err() == nil && p.now() < lasting; n++ {
		concern := p.concern(n / len(p.canaries))
		if concern == "" {
			break
		}
		begun := time.Now()
		at := p.canaries[n%len(p.canaries)]
		if p.round(ctx, at, concern) {
			written++
			p.travel(traveller, at)
		}
		if pause(ctx, p.interval-time.Since(begun)) != nil {
			break
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if written == 0 {
		return p.mu.lastError
	}
	return nil
}

// concern is the nth of those that are offered, "" when none is.
func (p *prober) concern(n int) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.mu.concerns) == 0 {
		return ""
	}
	return p.mu.concerns[n%len(p.mu.concerns)]
}

// round writes once, and reads in every region until the write is seen.
func (p *prober) round(ctx context.Context, from canary, concern string) bool {
	p.number = max(p.number+1, time.Now().UnixMilli())
	w := probe.Write{Number: p.number, Asked: from.region(), Concern: concern, Sent: p.now()}
	session := sdk.WithSession(ctx)
	var err error
	if w.Origin, err = from.write(session, w.Number, concern); err != nil {
		p.refused(ctx, "write "+concern, err, func() { p.recorder.WriteFailed(concern, w.Asked) })
		return false
	}
	w.Acked = p.now()
	p.recorder.Wrote(ctx, w)
	token := sdk.SessionToken(session)
	var all sync.WaitGroup
	for _, c := range p.canaries {
		all.Go(func() { p.awaitWrite(sdk.WithSessionToken(ctx, token), c, w) })
		all.Go(func() { p.sample(ctx, c, w, "eventual", 1, sdk.ReadOptions{Level: sdk.Eventual}) })
		if majority := len(p.canaries)/2 + 1; majority > 1 {
			all.Go(func() {
				p.sample(ctx, c, w, unrepaired, majority, sdk.ReadOptions{Level: sdk.Quorum, Members: majority, Repair: sdk.NoRepair})
			})
		}
		all.Go(func() { p.promises(ctx, c) })
	}
	all.Wait()
	return true
}

// unrepaired is what reads at quorum are called that wait for no repair.
const unrepaired = "quorum; repair=none"

// awaitWrite reads in the session of the write, which is answered as soon as the
// write is there: so its lag is measured.
func (p *prober) awaitWrite(ctx context.Context, c canary, w probe.Write) {
	options := sdk.ReadOptions{Prefer: []sdk.Alternative{{Level: sdk.Session, Within: visibleWithin}}, OnUnmet: sdk.Fail}
	sent := p.now()
	read, err := p.read(ctx, c, "session", options, probe.Session{Wrote: w.Number})
	switch {
	case errors.Is(err, sdk.ErrBehind):
		p.recorder.Lagged(ctx, w, c.region(), p.now()-w.Acked)
	case err == nil:
		took := read.Answered - read.Sent
		way := p.way(c.region(), took)
		if read.Waited == 0 { // it was there
			p.recorder.Lagged(ctx, w, c.region(), 0)
			return
		}
		// The wait is told in whole milliseconds, rounded up.
		p.recorder.Lagged(ctx, w, c.region(), sent-w.Acked+min(read.Waited, took-way))
	}
}

// way is how long a question to a region and its answer take at least.
func (p *prober) way(region string, took time.Duration) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if least, ok := p.mu.fastest[region]; !ok || took < least {
		p.mu.fastest[region] = took
	}
	return p.mu.fastest[region]
}

// sample reads again and again after the write, to tell how many such reads miss
// it. What was seen twice is taken for seen at all later times.
func (p *prober) sample(ctx context.Context, c canary, w probe.Write, level string, members int, options sdk.ReadOptions) {
	var last probe.Read
	for i, hits := 0, 0; i < len(probe.After); i++ {
		if hits == 2 {
			last.Sent = w.Acked + probe.After[i]
			p.recorder.Sampled(w, i, members, last)
			continue
		}
		if pause(ctx, w.Acked+probe.After[i]-p.now()) != nil {
			return
		}
		for i+1 < len(probe.After) && w.Acked+probe.After[i+1] <= p.now() {
			i++ // the read before took so long
		}
		read, err := p.read(ctx, c, level, options, probe.Session{})
		if err != nil {
			return
		}
		p.way(c.region(), read.Answered-read.Sent)
		p.recorder.Sampled(w, i, members, read)
		if last = read; read.Seen >= w.Number {
			hits++
		}
	}
}

// promises reads once at each level that promises more.
func (p *prober) promises(ctx context.Context, c canary) {
	for _, options := range []sdk.ReadOptions{
		{Level: sdk.Bounded, MaxStaleness: p.bound},
		{Level: sdk.Quorum, Repair: sdk.BlockingRepair},
		{Level: sdk.Leader},
	} {
		_, _ = p.read(ctx, c, string(options.Level), options, probe.Session{}) // it was recorded
	}
}

// travel reads in a session that goes from region to region.
func (p *prober) travel(ctx context.Context, c canary) {
	read, err := p.read(ctx, c, "session", sdk.ReadOptions{Level: sdk.Session}, p.travelled)
	if err == nil {
		p.travelled.Read = max(p.travelled.Read, read.Seen)
	}
}

var errNotOffered = errors.New("not offered")

// read reads once and tells the Recorder.
func (p *prober) read(ctx context.Context, c canary, level string, options sdk.ReadOptions, session probe.Session) (probe.Read, error) {
	if !p.offered(level) {
		return probe.Read{}, errNotOffered
	}
	r := probe.Read{
		Region: c.region(), Level: level, Members: options.Members, Bound: options.MaxStaleness,
		Blocking: options.Repair == sdk.BlockingRepair, Session: session, Sent: p.now(),
	}
	seen, met, err := c.read(ctx, options)
	r.Answered = p.now()
	if err != nil {
		p.refused(ctx, level, err, func() { p.recorder.ReadFailed(level, r.Region) })
		return r, err
	}
	r.Seen, r.Met, r.Served = seen, string(met.Level), met.Region
	r.Degraded, r.Forwarded, r.Waited, r.Told = met.Degraded, met.Forwarded, met.Waited, met.Staleness
	p.recorder.Read(ctx, r)
	return r, nil
}

func (p *prober) offered(level string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range p.mu.levels {
		if l == level || level == unrepaired && l == "quorum" {
			return true
		}
	}
	return false
}

// refused takes what a group does not offer out of the round, and counts anything
// else as a failure. The end of the probe is none.
func (p *prober) refused(ctx context.Context, what string, err error, failed func()) {
	if ctx.Err() != nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mu.lastError = err
	if !errors.Is(err, api.CodeInvalidRequest) && !errors.Is(err, api.CodeInvalidHeader) {
		failed()
		return
	}
	p.recorder.NotOffered(what, reason(err))
	p.mu.levels = without(p.mu.levels, what)
	p.mu.concerns = without(p.mu.concerns, strings.TrimPrefix(what, "write "))
}

// reason is what the store said, or else the error.
func reason(err error) string {
	var e *sdk.Error
	if errors.As(err, &e) && e.Problem != nil && e.Problem.Detail != "" {
		return e.Problem.Detail
	}
	return err.Error()
}

func without(list []string, what string) []string {
	var out []string
	for _, l := range list {
		if l != what {
			out = append(out, l)
		}
	}
	return out
}

// pause waits, or returns why ctx ended.
func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
