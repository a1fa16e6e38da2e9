package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"featurestore/api"
)

// promote is what the flags of promote say.
type promote struct {
	client    client
	out       output
	group     string
	partition int
	yes       bool
	wait      time.Duration
	request   api.PromoteRequest
}

func newPromote(a *app) *cobra.Command {
	var p promote
	cmd := &cobra.Command{
		Use:   "promote --group GROUP --to REGION",
		Short: "Hand a leader group over to another region",
		Long: `Promote makes a region's store the leader of a group whose placement is leader:
of all its shards, or of one --partition. Any store may be asked; the home
changes who leads.

The leader writes no more, the next one takes over all it wrote, and begins:
nothing is lost. Promote waits until it has begun, and says how long that took.
Meanwhile writes wait, or are answered with NO_LEADER.

With --force it does not wait for the leader, which is away. The other members
decide where its log ends: they take no more of it, and of what the leader
wrote the most that any of them has counts. What it alone has is lost, unless
it comes back: then it hands that over. Without --yes, --force changes nothing
and says what may be lost, and how that was counted.

Leaders are listed by featurestore regions --leaders.`,
		Example: `  featurestore promote --group accounts --to us
  featurestore promote --group accounts --to us --partition 7
  featurestore promote --group accounts --to us --force --yes`,
		Args: wantArgs(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error { return p.run(cmd.Context(), a) },
	}
	f := cmd.Flags()
	f.StringVar(&p.group, "group", "", "group whose leaders change")
	f.StringVar(&p.request.To, "to", "", "region whose store is to lead")
	f.IntVar(&p.partition, "partition", -1, "shard to hand over; -1 is all of them")
	f.BoolVar(&p.request.Force, "force", false, "the leaders are away: end their terms without them")
	f.BoolVar(&p.yes, "yes", false, "with --force, what may be lost may be lost")
	f.DurationVar(&p.wait, "wait", 30*time.Second, "time to wait until the new leader has begun")
	wantFlags(cmd, "--to REGION, the region whose store is to lead", "to") // the last one is asked for first
	wantFlags(cmd, "--group GROUP, the group whose leaders change", "group")
	p.client.register(a, cmd)
	p.client.registerProject(a, cmd)
	p.out.register(cmd)
	return cmd
}

func (p *promote) run(ctx context.Context, a *app) error {
	switch {
	case p.partition > int(^uint16(0)):
		return fmt.Errorf("--partition is %d: give a partition of the group, or -1 for all of them", p.partition)
	case p.yes && !p.request.Force:
		return errors.New("--yes is of no use without --force")
	case p.partition >= 0:
		partition := uint16(p.partition)
		p.request.Partition = &partition
	}
	if err := p.client.resolveProject(ctx); err != nil {
		return err
	}
	if p.request.Force {
		p.request.DryRun = true
		asked, err := p.send(ctx)
		if err != nil {
			return err
		}
		if !p.out.json() {
			if _, err := fmt.Fprint(a.out, outlook(&asked)); err != nil {
				return err
			}
		} else if !p.yes {
			return errors.Join(p.out.print(a.out, asked), p.unsure(&asked))
		}
		if !p.yes {
			return p.unsure(&asked)
		}
		p.request.DryRun = false
	}
	begun := time.Now()
	asked, err := p.send(ctx)
	if err != nil {
		return err
	}
	after, err := p.await(ctx, &asked, begun)
	if err != nil {
		return err
	}
	took := time.Since(begun)
	if p.out.json() {
		return p.out.print(a.out, map[string]any{"store": asked.Store, "took_ms": took.Milliseconds(), "before": asked.Leaders, "after": after})
	}
	_, err = fmt.Fprint(a.out, promoted(&asked, after, p.request.Force, took))
	return err
}

func (p *promote) unsure(asked *api.Promotion) error {
	return fmt.Errorf("nothing was changed: say --yes if %s may be given up", strings.Join(lossOf(asked.Leaders.Shards), "; "))
}

func (p *promote) send(ctx context.Context) (api.Promotion, error) {
	var out api.Promotion
	body, err := json.Marshal(p.request)
	if err == nil {
		err = p.client.post(ctx, p.client.path("groups", p.group, "promote"), nil, body, &out)
	}
	return out, err
}

// promoteInterval is how often promote looks whether the next leader has begun.
const promoteInterval = 20 * time.Millisecond

// await returns the leaders of the shards that were to change, once they have.
func (p *promote) await(ctx context.Context, asked *api.Promotion, begun time.Time) (*api.Leaders, error) {
	look := time.NewTicker(promoteInterval)
	defer look.Stop()
	var last error
	for {
		var now api.Leaders
		if last = p.client.get(ctx, p.client.path("groups", p.group, "leaders"), &now); last == nil {
			now.Shards = slices.DeleteFunc(now.Shards, func(x api.LedShard) bool {
				return !slices.ContainsFunc(asked.Leaders.Shards, func(y api.LedShard) bool { return x.Partition == y.Partition })
			})
			i := slices.IndexFunc(now.Shards, func(x api.LedShard) bool { return x.Store != asked.Store || x.State != "open" || x.Has == "" })
			if i < 0 {
				return &now, nil
			}
			last = standing(asked, &now.Shards[i])
		}
		if waited := time.Since(begun); waited >= p.wait {
			return nil, fmt.Errorf("not over after %v, and going on: %w; see featurestore regions --leaders", waited.Round(time.Millisecond), last)
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// standing says how far a hand-over is.
func standing(asked *api.Promotion, x *api.LedShard) error {
	switch {
	case x.State == "stopping":
		return fmt.Errorf("partition %d: store %s has not stopped, or store %s has not all it wrote", x.Partition, x.Store, asked.Store)
	case x.State == "deposed":
		return fmt.Errorf("partition %d: not enough members have said that they take no more of the log of store %s", x.Partition, x.Store)
	case x.Store == asked.Store:
		return fmt.Errorf("partition %d: store %s has not all of the terms before", x.Partition, x.Store)
	}
	return fmt.Errorf("partition %d: store %s leads in term %d", x.Partition, x.Store, x.Term)
}

// outlook says what a promotion by force would do, and how it was counted.
func outlook(p *api.Promotion) string {
	var b strings.Builder
	t := newTable("partition", "term", "store", "complete up to")
	for _, x := range p.Leaders.Shards {
		leader := x.Store + " (leads)"
		if !x.Live {
			leader = x.Store + " (leads, away)"
		}
		t.AppendRow([]any{x.Partition, x.Term, leader, orDash(x.Has)})
		for _, y := range x.Others {
			name := y.Store
			if !y.Live {
				name += " (away)"
			}
			t.AppendRow([]any{x.Partition, x.Term, name, orDash(y.Has)})
		}
	}
	fmt.Fprintf(&b, "what is known of the logs to be ended, of the leaders as heard last:\n%s", render(t))
	for _, counted := range distinctLines(p.Leaders.Shards, func(x *api.LedShard) string {
		live := 0
		for _, y := range x.Others {
			if y.Live {
				live++
			}
		}
		return fmt.Sprintf("durability %s of group %s: an acknowledgement names %s of %s; a term ends once %d of the %d others take no more of its log, of which %d in reach\n",
			p.Leaders.Durability, p.Leaders.Group, plural(x.Distinct, "member"), strconv.Itoa(len(x.Others)+1), min(x.SealQuorum, len(x.Others)), len(x.Others), live)
	}) {
		b.WriteString(counted)
	}
	for _, loss := range lossOf(p.Leaders.Shards) {
		fmt.Fprintf(&b, "may be lost: %s\n", loss)
	}
	return b.String()
}

// lossOf says what a promotion by force may lose.
func lossOf(shards []api.LedShard) []string {
	return distinctLines(shards, func(x *api.LedShard) string {
		if x.Live {
			return fmt.Sprintf("what store %s alone has, though it is in reach: without --force nothing is lost", x.Store)
		}
		if x.Keeps {
			return fmt.Sprintf("what fewer than %s have of the writes of store %s; what was acknowledged at the durability is kept", plural(x.Distinct, "member"), x.Store)
		}
		return fmt.Sprintf("whatever store %s alone has, acknowledged or not: only with %s taking no more of its log nothing acknowledged would be missing, and %s", x.Store, plural(len(x.Others)+2-x.Distinct, "other"), have(len(x.Others)))
	})
}

func have(others int) string {
	if others == 1 {
		return "there is 1"
	}
	return fmt.Sprintf("there are %d", others)
}

// promoted says who leads now, and where the terms before ended.
func promoted(asked *api.Promotion, after *api.Leaders, forced bool, took time.Duration) string {
	var b strings.Builder
	fmt.Fprintf(&b, "store %s leads %s of group %s, after %v\n", asked.Store, plural(len(after.Shards), "shard"), after.Group, took.Round(time.Millisecond))
	t := newTable("partition", "term", "leader", "before", "ended at", "the new leader had")
	for i := range after.Shards {
		x := &after.Shards[i]
		before, ended, had := "-", "-", "-"
		if x.Before != nil {
			before, ended = x.Before.Store, orDash(x.Before.Final)
		}
		for _, y := range asked.Leaders.Shards {
			if y.Partition == x.Partition && x.Before != nil && y.Origin == x.Before.Origin {
				had = orDash(hadOf(&y, asked.Store))
			}
		}
		t.AppendRow([]any{x.Partition, x.Term, x.Store, before, ended, had})
	}
	b.WriteString(render(t))
	if !forced {
		b.WriteString("nothing was lost\n")
	}
	return b.String()
}

// hadOf is up to where a store was heard to have all of a log.
func hadOf(x *api.LedShard, store string) string {
	for _, y := range x.Others {
		if y.Store == store {
			return y.Has
		}
	}
	return ""
}

// distinctLines are what is to be said of shards, each once.
func distinctLines(shards []api.LedShard, say func(*api.LedShard) string) (out []string) {
	for i := range shards {
		if line := say(&shards[i]); !slices.Contains(out, line) {
			out = append(out, line)
		}
	}
	return out
}

// plural counts things, such as "2 members".
func plural(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}
