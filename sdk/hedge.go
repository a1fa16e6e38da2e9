package sdk

import (
	"context"
	"sync"
	"time"

	"featurestore/api"
)

// attempt is one try at one store: an answer, or why there is none.
type attempt struct {
	at      *remote
	answer  *answer
	problem *api.Problem
	outcome outcome
	err     error
}

// attempt asks a store once, and remembers how it was.
func (c *Client) attempt(ctx context.Context, at *remote, r *request, tokens []string) attempt {
	t := attempt{at: at}
	t.answer, t.problem, t.outcome, t.err = c.try(ctx, at.url, r, tokens)
	c.stores.asked(at, t.outcome.sign(r.read), t.outcome.took, time.Now())
	return t
}

// hedged asks a store and, when it has not answered after r.hedge, the next
// nearest too (K11). The first answer is returned, or what became of the first
// store when both fail; second is the other store, nil when it was not asked.
// Both tries are over when it returns.
func (c *Client) hedged(ctx context.Context, at *remote, r *request, tokens []string) (t attempt, second *remote) {
	c.hedges.asked()
	ctx, cancel := context.WithCancel(ctx)
	var tries sync.WaitGroup
	defer tries.Wait()
	defer cancel()
	start, results := time.Now(), make(chan attempt, 2)
	tries.Go(func() { results <- c.attempt(ctx, at, r, tokens) })
	timer := time.NewTimer(r.hedge)
	defer timer.Stop()
	select {
	case t = <-results:
		return t, nil
	case <-timer.C:
	}
	if second = c.stores.second(time.Now(), []*remote{at}); second == nil || !c.hedges.take() {
		c.metrics.hedged(ctx, "refused")
		return <-results, nil
	}
	tries.Go(func() { results <- c.attempt(ctx, second, r, tokens) })
	t = <-results
	other, both := attempt{}, false
	if !t.final() {
		other, both = <-results, true
		if other.final() || other.at == at {
			t, other = other, t
		}
	}
	cancel()
	tries.Wait()
	if !both {
		other = <-results
	}
	other.answer.free()
	if t.answer != nil {
		t.answer.lone, t.answer.hedged = false, t.at == second
	}
	if t.final() && t.at == second {
		c.stores.slow(at, time.Since(start), time.Now())
		c.metrics.hedged(ctx, "won")
	} else {
		c.metrics.hedged(ctx, "lost")
	}
	return t, second
}

// final reports whether no other store could say better.
func (t attempt) final() bool { return t.answer != nil || !t.outcome.judge(true, false).retry }

// maxHedges is how many hedges may be saved up for a bad moment.
const maxHedges = 10

// hedgeBudget lets a part of the requests hedge: one, and then that part of
// those that were made since.
type hedgeBudget struct {
	part float64
	mu   struct {
		sync.Mutex
		saved float64
	}
}

func newHedgeBudget(part float64) *hedgeBudget {
	b := &hedgeBudget{part: part}
	b.mu.saved = 1
	return b
}

// asked counts a request that may hedge.
func (b *hedgeBudget) asked() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mu.saved = min(maxHedges, b.mu.saved+b.part)
}

// take reports whether a hedge may be made now.
func (b *hedgeBudget) take() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.mu.saved < 1 {
		return false
	}
	b.mu.saved--
	return true
}
