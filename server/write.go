package server

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"featurestore/api"
	"featurestore/consistency"
	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/online"
)

// A write is the checked rows of one request, to be stored together.
type write struct {
	views   []*feature.ResolvedView
	rows    *rows
	logOnly bool
	// idempotency names the request, nil when it need not be recognized.
	idempotency *online.Idempotency
	// source is where the rows are from, nil where nobody says.
	source *api.Source
}

// write stores w as its request's headers ask: after what its session has
// seen, once for its idempotency key, acknowledged by its concern. It serves
// both dialects.
func (s *Server) write(r *request, w write) (*api.PushResponse, error) {
	asked, err := r.concerns(w.views)
	if err != nil {
		return nil, err
	}
	token, err := s.sessionOf(r)
	if err != nil {
		return nil, err
	}
	if w.idempotency != nil {
		w.idempotency.Shards = len(w.targets()) // of all of it, whatever part is asked for here
	}
	if text := r.Request().Header.Get(api.HeaderPart); text != "" {
		p, err := parsePart(text)
		if err != nil {
			return nil, err
		}
		w = w.only(p.shards)
	}
	out, err := s.writeParts(r.context(), r, w, asked, token)
	if err != nil {
		return nil, err
	}
	return out, s.answered(r, asked, out)
}

// writeHere stores w in this store, and waits for those who must have it.
func (s *Server) writeHere(ctx context.Context, r *request, w write, asked concerns, token consistency.Token) (*api.PushResponse, error) {
	targets := w.targets()
	for _, c := range asked.list {
		admit := consistency.Write{Concern: c, RequireLive: asked.require, Token: token, Wait: asked.wait}
		if err := s.cfg.Coordinator.AdmitWrite(ctx, &admit, targets); err != nil {
			return nil, err
		}
	}
	w, err := s.unwritten(ctx, w)
	if err != nil {
		return nil, err
	}
	var receipt online.Receipt
	if changes, of := w.stored(); len(changes) > 0 {
		stored := online.Write{
			Changes: changes, Rows: of, LogOnly: w.logOnly, Idempotency: w.idempotency,
			Deps: s.dependencies(&token, targets),
			Seen: s.cfg.Coordinator.Seen(&token),
		}
		receipt, err = onceDue(ctx, func(ctx context.Context) (online.Receipt, error) { return s.cfg.Online.Append(ctx, stored) })
		if err != nil {
			return nil, w.refused(err)
		}
		if err := s.markLogOnly(ctx, &w); err != nil {
			return nil, err
		}
	}
	return s.acknowledge(r, w.rows.n, asked, token, receipt)
}

// onceDue appends a write, and waits where what it depends on is stamped too far
// ahead of the clock here: a store that was killed begins up to a second ahead.
// Where ctx ends before that, the error matches hlc.ErrAhead.
func onceDue(ctx context.Context, add func(context.Context) (online.Receipt, error)) (online.Receipt, error) {
	for {
		receipt, err := add(ctx)
		var ahead *hlc.AheadError
		if !errors.As(err, &ahead) {
			return receipt, err
		}
		wait := max(ahead.Ahead-ahead.MaxSkew, time.Millisecond)
		if end, limited := ctx.Deadline(); limited && time.Until(end) < wait {
			return receipt, err
		}
		select {
		case <-ctx.Done():
			return receipt, err
		case <-time.After(wait):
		}
	}
}

// repeated answers a request of n rows that was done before under its
// idempotency key; nil when it was not. Nothing of its rows is looked at: what
// was applied meanwhile may have dropped their view or a feature, and the
// first answer holds all the same.
func (s *Server) repeated(r *request, id *online.Idempotency, views []*feature.ResolvedView, n int) (*api.PushResponse, error) {
	if id == nil {
		return nil, nil
	}
	receipt, found, err := s.cfg.Online.Repeated(id)
	if !found || err != nil {
		return nil, err
	}
	asked, err := r.concerns(views)
	if err != nil {
		return nil, err
	}
	token, err := s.sessionOf(r)
	if err != nil {
		return nil, err
	}
	out, err := s.acknowledge(r, n, asked, token, receipt)
	if err != nil {
		return nil, err
	}
	return out, s.answered(r, asked, out)
}

// targets are the shards that the write touches, each once.
func (w write) targets() []consistency.Target {
	var out []consistency.Target
	placement := map[feature.GroupID]feature.Placement{}
	for _, v := range w.views {
		placement[v.Group.ID] = v.Group.Placement
	}
	for i := range w.rows.changes {
		shard := w.rows.changes[i].Shard
		out = consistency.Targets(out, consistency.Target{Shard: shard, Placement: placement[shard.Group]})
	}
	return out
}

// refused names the row when the store refused one change.
func (w write) refused(err error) error {
	var change *online.ChangeError
	if errors.As(err, &change) {
		return w.rows.changeFault(change.Index, err)
	}
	return err
}

func (s *Server) dependencies(t *consistency.Token, targets []consistency.Target) map[feature.Shard]hlc.Vector {
	if t.IsEmpty() {
		return nil
	}
	var out map[feature.Shard]hlc.Vector
	for _, target := range targets {
		if deps := t.Dependencies(target.Shard, s.cfg.Coordinator.OwnLog(target)); len(deps) > 0 {
			if out == nil {
				out = map[feature.Shard]hlc.Vector{}
			}
			out[target.Shard] = deps
		}
	}
	return out
}

// acknowledge waits for those who must have a write that is stored here, says
// who does, and adds it to the session.
func (s *Server) acknowledge(r *request, n int, asked concerns, token consistency.Token, receipt online.Receipt) (*api.PushResponse, error) {
	out := &api.PushResponse{
		Accepted: n, Repeated: receipt.Repeated, Superseded: len(receipt.Superseded),
		SupersededRows: receipt.Superseded[:min(len(receipt.Superseded), api.MaxSupersededRows)],
		Position:       api.Position{Region: s.cfg.Region},
		Concern:        api.ConcernMet{Asked: asked.String(), Met: true},
	}
	var last hlc.Timestamp
	positions := make([]consistency.ShardPosition, 0, len(receipt.Positions))
	for _, p := range receipt.Positions {
		token.Note(p.Shard, p.Position)
		positions = append(positions, consistency.ShardPosition{Shard: p.Shard, Position: p.Position})
		last = max(last, p.Position.At)
	}
	if last > 0 {
		out.Position.At = last.String()
	}
	begin := time.Now()
	for _, c := range asked.list {
		w := consistency.Write{Concern: c, Timeout: max(time.Millisecond, asked.timeout-time.Since(begin))}
		got, err := s.cfg.Coordinator.Acknowledge(r.context(), &w, positions)
		if err != nil {
			return nil, err
		}
		out.Concern.Met, out.Concern.Acked = out.Concern.Met && got.Met, acked(got.Acks)
	}
	s.cfg.Coordinator.Trim(&token)
	out.Session = string(s.cfg.Signer.Append(nil, &token))
	return out, nil
}

// answered notes in the headers what a write came to, and returns an error when
// its concern was not met, and that is one.
func (s *Server) answered(r *request, asked concerns, out *api.PushResponse) error {
	h := r.Response().Header()
	h[api.HeaderServedBy] = s.servedBy
	if out.Session != "" {
		h.Set(api.HeaderSession, out.Session)
	}
	if !out.Concern.Met && !asked.degrade {
		p := api.Problemf(api.CodeConcernTimeout, "", "%s not met in time; the rows are applied and go on replicating, and %s", asked, haveThem(out.Concern.Acked.Stores))
		p.Session, p.Concern, p.Position = out.Session, &out.Concern, &out.Position
		return p
	}
	return nil
}

// haveThem counts the stores that have a write.
func haveThem(stores int) string {
	if stores == 1 {
		return "1 store has them"
	}
	return fmt.Sprintf("%d stores have them", stores)
}

func acked(a consistency.Acks) api.Acked {
	out := api.Acked{Stores: a.Stores, Regions: make([]string, 0, len(a.Regions))}
	for _, region := range a.Regions {
		out.Regions = append(out.Regions, string(region))
	}
	return out
}

// concerns are the write concerns of one request: that of its header, or the
// defaults of its views, which may differ.
type concerns struct {
	list    []consistency.Concern
	wait    time.Duration
	degrade bool
	// timeout is the shortest of the views', where one has any, require the
	// strictest.
	timeout time.Duration
	require feature.RequireLive
}

// String lists the concerns.
func (c concerns) String() string {
	var words []string
	for _, concern := range c.list {
		words = append(words, concern.String())
	}
	return strings.Join(words, ", ")
}

func (r *request) concerns(views []*feature.ResolvedView) (concerns, error) {
	out := concerns{wait: consistency.DefaultFallback.Wait, degrade: true, timeout: r.timeout}
	header := r.Request().Header.Get(api.HeaderWriteConcern)
	if len(views) == 0 { // they were dropped since
		views = []*feature.ResolvedView{{Group: &feature.Group{}}}
	}
	for _, v := range views {
		d := v.WriteDefaults()
		onTimeout, err := consistency.ParseOnTimeout(d.OnTimeout)
		if err != nil {
			return out, err
		}
		out.degrade = out.degrade && onTimeout == consistency.OnTimeoutDegrade
		if onTimeout != consistency.OnTimeoutWait {
			out.timeout = min(out.timeout, cmp.Or(d.Timeout, consistency.DefaultConcernTimeout))
		}
		out.demand(d.RequireLive)
		concern, err := consistency.ViewConcern(v)
		if header != "" {
			if concern, err = consistency.ParseConcern(header); err == nil {
				err = consistency.CheckWriteFloors(v, concern)
			}
		}
		if err != nil {
			return out, api.Problemf(api.CodeInvalidHeader, api.HeaderWriteConcern, "%v", err)
		}
		if !slices.Contains(out.list, concern) {
			out.list = append(out.list, concern)
		}
	}
	return out, nil
}

// demand joins what one view requires to that of the others.
func (c *concerns) demand(r feature.RequireLive) {
	if r.Members == 0 {
		return
	}
	if c.require.Members == 0 || r.MaxLag < c.require.MaxLag {
		c.require.MaxLag = r.MaxLag
	}
	c.require.Members = max(c.require.Members, r.Members)
}

// maxIdempotencyKey bounds the header, not what is stored, which is a hash.
const maxIdempotencyKey = 255

// idempotency names the request by its key, within its project, and by what it
// asks for; nil without a key.
func (r *request) idempotency(body []byte) (*online.Idempotency, error) {
	key := r.Request().Header.Get(api.HeaderIdempotency)
	if key == "" {
		return nil, nil
	}
	if len(key) > maxIdempotencyKey {
		return nil, api.Problemf(api.CodeInvalidHeader, api.HeaderIdempotency, "%d characters; at most %d", len(key), maxIdempotencyKey)
	}
	return &online.Idempotency{
		ID:     digest([]byte(r.Param("project")), []byte(key)),
		Digest: digest([]byte(r.Request().URL.Path), body),
	}, nil
}

// digest hashes parts so that no two lists of parts run into each other.
func digest(parts ...[]byte) (out [16]byte) {
	h := sha256.New()
	for _, p := range parts {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(p))))
		h.Write(p)
	}
	copy(out[:], h.Sum(nil))
	return out
}
