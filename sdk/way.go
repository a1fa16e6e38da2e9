package sdk

import (
	"context"
	"slices"
	"time"
)

// way is one request's way from store to store.
type way struct {
	client  *Client
	request *request
	// at is the store to ask next, tried are those that were asked.
	at    *remote
	tried []*remote
	// lost counts the tries without an answer, in a row.
	lost int
	// moved says that a write went on elsewhere although the store before may
	// have it.
	moved bool
}

// begin finds the first store for a request.
func (c *Client) begin(ctx context.Context, r *request) *way {
	w := &way{client: c, request: r}
	if r.store != "" {
		w.at = c.stores.at(r.store)
		return w
	}
	var moved bool
	if w.at, moved = c.stores.pick(time.Now(), !r.read, nil); moved {
		c.metrics.moved(ctx, r.read)
	}
	return w
}

// ask makes a try, with the tokens of the session that it returns; the first
// one of a read may be hedged. The error says that no store would do better.
func (w *way) ask(ctx context.Context, try int) (t attempt, tokens []string, err error) {
	tokens, failed, err := w.client.tokens(ctx, w.request, w.at)
	var second *remote
	switch {
	case err != nil:
		return t, nil, err
	case failed != nil:
		t = *failed
	case w.request.hedge > 0 && try == 1:
		t, second = w.client.hedged(ctx, w.at, w.request, tokens)
	default:
		t = w.client.attempt(ctx, w.at, w.request, tokens)
	}
	for _, r := range []*remote{w.at, second} {
		if r != nil && !slices.Contains(w.tried, r) {
			w.tried = append(w.tried, r)
		}
	}
	switch t.outcome.sign(w.request.read) {
	case silent, mute, gone:
		w.lost++
	default:
		w.lost = 0
	}
	return t, tokens, nil
}

// next goes to the next store where v allows it, and reports whether the
// request was not there yet, so that it need not wait. A write that may be
// stored stays, unless the Config allows otherwise and its store is away.
func (w *way) next(v verdict, mayBeStored bool) bool {
	elsewhere := v.elsewhere
	if mayBeStored {
		elsewhere = w.client.cfg.WriteElsewhere && w.lost >= silences
	}
	if !elsewhere || w.request.store != "" {
		return false
	}
	before := w.at
	w.at, _ = w.client.stores.pick(time.Now(), !w.request.read, w.tried)
	w.moved = w.moved || mayBeStored && w.at != before
	return !slices.Contains(w.tried, w.at)
}
