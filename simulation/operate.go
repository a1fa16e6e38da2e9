package simulation

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"featurestore/fault"
	"featurestore/feature"
	"featurestore/meta"
	"featurestore/replication"
)

// operate carries out what operators do to stores, members and definitions.
func (s *Scenario) operate(ctx context.Context, command string, a arguments) (string, error) {
	region := a.region(0)
	switch command {
	case "copy":
		return "", s.cluster.Copy(region, a.region(1))
	case "save":
		return "", s.cluster.Save(region)
	case "restore":
		return "", s.cluster.Restore(region)
	case "lose":
		s.tails = false
		return "", s.cluster.Lose(region)
	case "add":
		return "", s.cluster.Start(ctx, region)
	case "invite", "remove", "evict":
		return "", s.change(ctx, region, command, a.named["abandon"] != "")
	case "left":
		return "", s.left(ctx, region)
	case "renew":
		return "", s.renew(ctx, region)
	case "await":
		return "", s.await(ctx, region, a.at(1))
	case "home":
		r, err := s.replica(region)
		if err == nil {
			_, err = r.Node.TakeHome(ctx)
		}
		return "", err
	case "promote":
		return "", s.promote(ctx, region, a)
	case "apply":
		return "", s.apply(ctx, region, cmp.Or(a.named["feature"], "z"))
	case "log":
		return s.log(ctx, region)
	}
	return "", fmt.Errorf("no command %q", command)
}

func (s *Scenario) replica(region meta.Region) (*Replica, error) {
	if r := s.cluster.Replica(region); r != nil {
		return r, nil
	}
	return nil, fmt.Errorf("no store runs in %s", region)
}

// plant switches rules off, by the names of their faults.
func (s *Scenario) plant(names []string) error {
	for _, name := range names {
		i := slices.IndexFunc(fault.All(), func(f fault.Fault) bool { return f.String() == name })
		if i < 0 {
			return fmt.Errorf("no fault %q", name)
		}
		s.Faults |= fault.Of(fault.All()[i])
	}
	return nil
}

// groups are what a cluster's options say of the group of its views.
func (a arguments) groups() ([]feature.Group, error) {
	partitions, err := a.number("partitions")
	live, err2 := a.number("live")
	lag, err3 := a.duration("maxlag", 0)
	if err := errors.Join(err, err2, err3); err != nil {
		return nil, err
	}
	g := feature.Group{Name: feature.DefaultGroup, Preset: a.named["preset"], Durability: a.named["durability"]}
	for _, p := range []feature.Placement{feature.Leader, feature.Leaderless} {
		if a.named["placement"] == p.String() {
			g.Placement = p
		}
	}
	if home := a.named["home"]; home != "" {
		g.Home = strings.Split(home, ",")
	}
	if partitions != nil {
		g.Partitions = uint16(*partitions)
	}
	if live != nil {
		g.Write.RequireLive = feature.RequireLive{Members: int(*live), MaxLag: lag}
	}
	if held := a.named["held"]; held != "" {
		g.Regions = strings.Split(held, ",")
	}
	_, placed := a.named["placement"]
	g, err = g.Expand(placed, false)
	return []feature.Group{g}, err
}

// change invites, drains or evicts the store of a region, at the home. Abandon
// gives up groups that it alone holds.
func (s *Scenario) change(ctx context.Context, region meta.Region, how string, abandon bool) error {
	home, err := s.home()
	if err != nil {
		return err
	}
	_, err = home.Node.Change(ctx, func(m *meta.Membership, r meta.Rules) (*meta.Membership, error) {
		switch how {
		case "invite":
			return m.Invite(meta.Member{Store: storeOf(region), Region: region, Address: string(region)})
		case "evict":
			return m.Evict(storeOf(region), r, abandon)
		}
		return m.Remove(storeOf(region), r)
	})
	return err
}

// promote makes the store of a region the leader, in order or by force.
func (s *Scenario) promote(ctx context.Context, region meta.Region, a arguments) error {
	home, err := s.home()
	if err != nil {
		return err
	}
	_, err = home.Node.Change(ctx, func(m *meta.Membership, r meta.Rules) (*meta.Membership, error) {
		return m.Promote(r.Groups[0], -1, storeOf(region), a.at(1) == "force")
	})
	if errors.Is(err, meta.ErrRefused) && slices.Contains(a.plain, "maybe") {
		return nil
	}
	return err
}

func (s *Scenario) home() (*Replica, error) {
	for _, r := range s.cluster.running() {
		if r.Node.Membership().Home == storeOf(r.Region) {
			return r, nil
		}
	}
	return nil, errors.New("the home does not run")
}

// renew waits until a removed store has retired, and begins it anew.
func (s *Scenario) renew(ctx context.Context, region meta.Region) error {
	if err := s.ended(ctx, region); err != nil {
		return err
	}
	return s.cluster.Renew(ctx, region)
}

// left waits until a removed store has left in order, and takes it away.
func (s *Scenario) left(ctx context.Context, region meta.Region) error {
	if err := s.ended(ctx, region); err != nil {
		return err
	}
	if err := s.cluster.Stop(region); !errors.Is(err, replication.ErrDrained) {
		return fmt.Errorf("the store in %s should have left in order: %w", region, err)
	}
	return nil
}

// ended waits until a store has ended by itself.
func (s *Scenario) ended(ctx context.Context, region meta.Region) error {
	r, err := s.replica(region)
	if err != nil {
		return err
	}
	select {
	case <-r.done:
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(2 * time.Minute):
		return fmt.Errorf("the store in %s has not ended in two minutes: %s", region, s.cluster.describe())
	}
	// What it wrote counts, if at all, by what others took over.
	for _, shard := range r.Store.Shards(region) {
		if err := s.cluster.ledger.gather(ctx, r.Store, shard); err != nil {
			return err
		}
	}
	return nil
}

// patience is how long a store that is waited for has: longer than any step
// of joining takes in a script.
const patience = 20 * time.Second

// await waits until a store has come to a state. When it has not, the error is
// what the store says.
func (s *Scenario) await(ctx context.Context, region meta.Region, state string) error {
	r, err := s.replica(region)
	if err != nil {
		return err
	}
	for end := time.Now().Add(patience); time.Now().Before(end); {
		x, ok := r.Node.Membership().Member(storeOf(region))
		if ok && x.State.String() == state && (state != meta.Active.String() || r.Node.NotWriting() == "") {
			return nil
		}
		if err := sleep(ctx, 20*time.Millisecond); err != nil {
			return err
		}
	}
	return fmt.Errorf("the store in %s is not %s: %s", region, state, r.Node.NotWriting())
}

// errHomeUnreachable is what the edge answers while the home is away.
var errHomeUnreachable = errors.New("the home is not in reach")

// apply applies more definitions as the edge does: at the home, wherever that
// is, and until they are in force where it was asked.
func (s *Scenario) apply(ctx context.Context, region meta.Region, name string) error {
	r, err := s.replica(region)
	if err != nil {
		return err
	}
	x, _ := r.Node.Membership().Member(r.Node.Membership().Home)
	home := s.cluster.Replica(x.Region)
	if home == nil || s.cluster.Network.Link(region, x.Region).Cut || s.cluster.Network.Link(x.Region, region).Cut {
		return errHomeUnreachable
	}
	d := s.cluster.cfg.Definitions
	d.Views = slices.Clone(d.Views)
	d.Views[0].Fields = append(slices.Clone(d.Views[0].Fields), feature.Field{Name: name, Type: feature.ScalarOf(feature.Int64), Rule: feature.EventTime})
	if _, err := home.Store.Apply(ctx, d, nil); err != nil {
		return err
	}
	return s.cluster.until(ctx, "the definitions are in force", func() bool {
		return r.Store.Registry().Version().Compare(home.Store.Registry().Version()) >= 0
	})
}

// patch joins a row into a store past its log.
func (s *Scenario) patch(ctx context.Context, a arguments) error {
	r, err := s.replica(a.region(0))
	driver, err2 := a.number("driver")
	x, err3 := a.number("x")
	if err := errors.Join(err, err2, err3); err != nil || driver == nil || x == nil {
		return errors.Join(err, errors.New("want a region, driver=N and x=N"))
	}
	view, err := r.view(*driver)
	if err != nil {
		return err
	}
	row, err := r.row(ctx, *driver)
	if err != nil {
		return err
	}
	f, _ := view.Field("x")
	cell, _ := row.Cell(f.ID)
	cell.Feature, cell.Rule, cell.Value = f.ID, f.Rule, feature.OfInt64(*x)
	cell.Version.EventTime++
	key := keyOf(*driver)
	return r.Store.PatchRow(ctx, view.Shard(key), view.ID, key, feature.Row{Cells: []feature.Cell{cell}})
}

// log tells how many entries of each store's log a store keeps, by region.
func (s *Scenario) log(ctx context.Context, region meta.Region) (string, error) {
	r, err := s.replica(region)
	if err != nil {
		return "", err
	}
	entries := map[string]int{}
	for _, shard := range r.Store.Shards(region) {
		for _, p := range r.Store.Heads(shard).Positions() {
			name := "ended"
			if x, ok := r.Node.Membership().ByOrigin(p.Origin); ok {
				name = string(x.Region)
			}
			_, floor, err := r.Store.ReadLog(ctx, shard, p.Origin, 0, 1)
			if err != nil {
				return "", err
			}
			iv, _, err := r.Store.ReadLog(ctx, shard, p.Origin, floor, 64<<20)
			if err != nil {
				return "", err
			}
			entries[name] += len(iv.Entries)
		}
	}
	var words []string
	for _, name := range slices.Sorted(maps.Keys(entries)) {
		words = append(words, fmt.Sprintf("%s=%d", name, entries[name]))
	}
	return strings.Join(words, " "), nil
}
