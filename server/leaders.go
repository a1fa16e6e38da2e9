package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"featurestore/api"
	"featurestore/consistency"
	"featurestore/feature"
	"featurestore/meta"
)

// A request writes the shards of leader groups at their leaders. What this store
// does not lead it sends on: the whole request, with a list of the shards whose
// rows are to be written of it. Its rows are checked here first, all of them, so
// that a request with a bad row writes nothing anywhere; what is stored at one
// leader stays stored when another one cannot be reached.

// ledPart is some shards of a write, which one store leads.
type ledPart struct {
	leader meta.Member
	shards []feature.Shard
}

// String lists the shards as HeaderPart does: "3/0,3/17".
func (p ledPart) String() string {
	names := make([]string, len(p.shards))
	for i, s := range p.shards {
		names[i] = strconv.Itoa(int(s.Group)) + "/" + strconv.Itoa(int(s.Partition))
	}
	return strings.Join(names, ",")
}

// parsePart is the inverse of ledPart.String.
func parsePart(text string) (p ledPart, err error) {
	for name := range strings.SplitSeq(text, ",") {
		group, partition, _ := strings.Cut(name, "/")
		g, err1 := strconv.ParseUint(group, 10, 16)
		n, err2 := strconv.ParseUint(partition, 10, 16)
		if err1 != nil || err2 != nil {
			return ledPart{}, api.Problemf(api.CodeInvalidHeader, api.HeaderPart, "%q is no list of shards such as 3/0,3/17", feature.Clip(text))
		}
		p.shards = append(p.shards, feature.Shard{Group: feature.GroupID(g), Partition: uint16(n)})
	}
	return p, nil
}

// only is the part of a write that concerns some shards.
func (w write) only(shards []feature.Shard) write {
	rows := *w.rows
	rows.changes, rows.of = nil, nil
	for i := range w.rows.changes {
		if slices.Contains(shards, w.rows.changes[i].Shard) {
			rows.changes, rows.of = append(rows.changes, w.rows.changes[i]), append(rows.of, w.rows.of[i])
		}
	}
	w.rows = &rows
	return w
}

func isLed(v *feature.ResolvedView) bool { return v.Group.Placement == feature.Leader }

// parts divides a write by who leads its shards; those that nobody leads, or this
// store, have no leader. One part is first.
func (s *Server) parts(w write) (out []ledPart) {
	for _, target := range w.targets() {
		leader, _ := s.cfg.Coordinator.LedElsewhere(target)
		i := slices.IndexFunc(out, func(p ledPart) bool { return p.leader.Store == leader.Store })
		if i < 0 {
			i, out = len(out), append(out, ledPart{leader: leader})
		}
		out[i].shards = append(out[i].shards, target.Shard)
	}
	return out
}

// leaderPause is how long passes before another look at who leads, after one who
// was taken for a leader said that it is not.
const leaderPause = 50 * time.Millisecond

// writeParts stores each part of a write at its leader.
func (s *Server) writeParts(ctx context.Context, r *request, w write, asked concerns, token consistency.Token) (*api.PushResponse, error) {
	for {
		if r.isForwarded() || !slices.ContainsFunc(w.views, isLed) {
			return s.writeHere(ctx, r, w, asked, token)
		}
		parts := s.parts(w)
		switch {
		case len(parts) == 0:
			return s.writeHere(ctx, r, w, asked, token)
		case len(parts) == 1 && parts[0].leader.Store == "":
			out, err := s.writeHere(ctx, r, w, asked, token)
			if errors.Is(err, consistency.ErrNotLeader) && r.pausesFor(ctx, leaderPause) { // it leads since this was waited for
				continue
			}
			return out, err
		}
		if not := s.redirect(r, w, parts); not != nil {
			return nil, not
		}
		answers, faults := make([]*api.PushResponse, len(parts)), make([]error, len(parts))
		var group errgroup.Group
		for i, p := range parts {
			group.Go(func() error {
				if p.leader.Store != "" {
					answers[i], faults[i] = s.writeAt(ctx, r, p)
					return nil
				}
				answers[i], faults[i] = s.writeHere(ctx, r, w.only(p.shards), asked, token)
				return nil
			})
		}
		_ = group.Wait() // none fails
		if len(parts) == 1 && errors.Is(faults[0], api.CodeNotLeader) && r.pausesFor(ctx, leaderPause) {
			continue
		}
		return s.joinAnswers(w, parts, answers, faults)
	}
}

// pausesFor waits a while, and reports whether the request has time after it.
func (r *request) pausesFor(ctx context.Context, d time.Duration) bool {
	if r.hasTime() != nil {
		return false
	}
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

// redirect says who leads all of a write, when that is one other store and the
// groups want clients told: nil when it is to be sent on, as what this store itself
// writes of a batch source always is.
func (s *Server) redirect(r *request, w write, parts []ledPart) error {
	told := func(v *feature.ResolvedView) bool { return v.Group.Redirects() }
	if r.route.dialect == "feast" || w.source != nil || len(parts) != 1 || parts[0].leader.Store == "" || len(w.views) == 0 || slices.ContainsFunc(w.views, func(v *feature.ResolvedView) bool { return !told(v) }) {
		return nil
	}
	return &consistency.NotLeaderError{Group: w.views[0].Group.Name, Shard: parts[0].shards[0], Leader: parts[0].leader}
}

// redirectRead says who leads what a lookup asks for at level leader and no other,
// when its groups want clients told: nil when it is to be sent on.
func (s *Server) redirectRead(r *request, l *lookup, f *consistency.ForwardError) error {
	var not *consistency.NotLeaderError
	if r.route.dialect == "feast" || len(l.read.Alternatives) != 1 || !errors.As(f.Unmet, &not) || not.Leader.URL == "" {
		return nil
	}
	for _, target := range l.targets {
		if g := s.cfg.Online.Registry().Group(target.Shard.Group); g == nil || !g.Redirects() {
			return nil
		}
	}
	return not
}

// joinAnswers is what a client is told of the parts of its write.
func (s *Server) joinAnswers(w write, parts []ledPart, answers []*api.PushResponse, faults []error) (*api.PushResponse, error) {
	var out *api.PushResponse
	var session consistency.Token
	var stored []string
	for i, a := range answers {
		if a == nil {
			continue
		}
		stored = append(stored, parts[i].String())
		if t, err := s.cfg.Signer.Decode(a.Session); err == nil {
			session.Merge(t)
		}
		if out == nil {
			first := *a
			out = &first
			continue
		}
		out.Superseded += a.Superseded
		out.SupersededRows = append(out.SupersededRows, a.SupersededRows...)
		out.Repeated = out.Repeated && a.Repeated
		out.Concern.Met = out.Concern.Met && a.Concern.Met
		if a.Concern.Acked.Stores < out.Concern.Acked.Stores {
			out.Concern.Acked = a.Concern.Acked
		}
		if a.Position.At > out.Position.At {
			out.Position = a.Position
		}
	}
	token := string(s.cfg.Signer.Append(nil, &session))
	for _, fault := range faults {
		if fault == nil {
			continue
		}
		if len(stored) == 0 {
			return nil, fault
		}
		var p *api.Problem
		if errors.As(fault, &p) {
			clone := *p
			p = &clone
		} else {
			p = api.NewProblem(codeOf(fault), fault.Error())
		}
		p.Detail += fmt.Sprintf("; the rows of other partitions (%s) are stored: repeat the request with the same Idempotency-Key for the rest", strings.Join(stored, ","))
		p.Session = token
		return nil, p
	}
	slices.Sort(out.SupersededRows)
	out.SupersededRows = slices.Compact(out.SupersededRows)
	out.SupersededRows = out.SupersededRows[:min(len(out.SupersededRows), api.MaxSupersededRows)]
	out.Accepted, out.Session = w.rows.n, token
	return out, nil
}

// writeAt has a leader store one part of the request.
func (s *Server) writeAt(ctx context.Context, r *request, p ledPart) (*api.PushResponse, error) {
	answer, err := s.ask(ctx, r, p.leader, api.HeaderPart, p.String())
	if err != nil {
		return nil, api.Problemf(api.CodeLeaderUnreachable, "",
			"store %s in region %s, which leads, did not answer: %v", p.leader.Store, p.leader.Region, err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, s.relayLimit()))
	if err == nil && answer.StatusCode >= 300 {
		problem := new(api.Problem)
		if err = json.Unmarshal(body, problem); err == nil {
			return nil, problem
		}
	}
	out := new(api.PushResponse)
	if err == nil {
		err = json.Unmarshal(body, out)
	}
	if err != nil {
		return nil, api.Problemf(api.CodeLeaderUnreachable, "",
			"store %s in region %s, which leads, answered %d with what is no answer: %v", p.leader.Store, p.leader.Region, answer.StatusCode, err)
	}
	return out, nil
}

// isPart reports whether another store asks for a part of a request: it is
// answered in the native dialect, whatever the path.
func (r *request) isPart() bool { return r.Request().Header.Get(api.HeaderPart) != "" }
