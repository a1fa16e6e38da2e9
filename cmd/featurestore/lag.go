package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"featurestore/api"
)

// lag is what the flags of lag say.
type lag struct {
	client client
	out    output
	all    bool
	watch  bool
	count  int
	every  time.Duration
}

func newLag(a *app) *cobra.Command {
	var l lag
	cmd := &cobra.Command{
		Use:   "lag",
		Short: "Show how far stores are behind each other",
		Long: `Lag shows how far a store has come in the log of each other store: a row for
each, its own first, and one more for what it writes of leader groups, which are
logs of their own. --all asks every store of the deployment, at the URLs that
the one of --url names.

  at          the store that answers
  of          the store whose log it is
  lag         how long ago the last moment is of which nothing is missing there
  applied     the last write that is readable there
  acked       other stores, of all, that are known to have everything applied
  log         what the logs of the store take on disk
  round trip  to the store whose log it is, and back
  clock       of that store, against the one that answers

With --watch, it draws the table anew every second until it is interrupted, or
--count times. Where the output is no terminal, it prints once, or --count
times.`,
		Example: `  featurestore lag
  featurestore lag --all --watch
  featurestore lag --all --output json`,
		Args: wantArgs(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error { return l.run(cmd.Context(), a) },
	}
	f := cmd.Flags()
	f.BoolVar(&l.all, "all", false, "ask every store of the deployment")
	f.BoolVar(&l.watch, "watch", false, "go on until interrupted")
	f.IntVar(&l.count, "count", 0, "with --watch, so many times; 0 is until interrupted")
	f.DurationVar(&l.every, "every", time.Second, "with --watch, time between two tables")
	l.client.register(a, cmd)
	l.out.register(cmd)
	return cmd
}

func (l *lag) run(ctx context.Context, a *app) error {
	switch {
	case l.count < 0:
		return fmt.Errorf("--count is %d: give how often, or 0 for until it is interrupted", l.count)
	case l.every <= 0:
		return fmt.Errorf("--every is %v: give a time such as 1s", l.every)
	case !l.watch && l.count > 0:
		return errors.New("--count is of no use without --watch")
	}
	onScreen := terminal(a.out) && !l.out.json()
	times := l.times(onScreen)
	for n := 1; ; n++ {
		text, err := l.draw(ctx)
		if err != nil {
			return err
		}
		if l.watch && onScreen {
			text = clearScreen + text
		}
		if _, err := fmt.Fprint(a.out, text); err != nil {
			return err
		}
		if n == times {
			return nil
		}
		timer := time.NewTimer(l.every)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
	}
}

// times is how often to print, 0 for until interrupted.
func (l *lag) times(onScreen bool) int {
	if l.watch && (onScreen || l.count > 0) {
		return l.count
	}
	return 1
}

// clearScreen empties a terminal and goes to its first place.
const clearScreen = "\x1b[2J\x1b[H"

// draw asks the stores once and prints what they tell.
func (l *lag) draw(ctx context.Context) (string, error) {
	stores, err := l.stores(ctx)
	if err != nil {
		return "", err
	}
	var rows []lagRow
	var silent []string
	for _, s := range stores {
		var answer api.Replication
		if err := s.get(ctx, "/v1/replication", &answer); err != nil {
			if len(stores) == 1 || ctx.Err() != nil {
				return "", err
			}
			silent = append(silent, err.Error()) // the others can be shown
			continue
		}
		rows = append(rows, lagRows(&answer)...)
	}
	var b strings.Builder
	if l.out.json() {
		err := l.out.print(&b, lagJSON(rows, silent))
		return b.String(), err
	}
	b.WriteString(lagTable(rows))
	for _, s := range silent {
		b.WriteString(s + "\n")
	}
	return b.String(), nil
}

// stores returns a client of each store to ask.
func (l *lag) stores(ctx context.Context) ([]client, error) {
	if !l.all {
		return []client{l.client}, nil
	}
	var list api.Regions
	if err := l.client.get(ctx, "/v1/regions", &list); err != nil {
		return nil, err
	}
	stores := []client{l.client} // which may name itself otherwise
	for _, r := range list.Regions {
		if !r.Self && r.URL != "" && r.State != "removed" {
			stores = append(stores, client{url: r.URL, timeout: l.client.timeout})
		}
	}
	return stores, nil
}

func lagTable(rows []lagRow) string {
	t := newTable("at", "of", "lag", "applied", "acked", "log", "round trip", "clock")
	for _, r := range rows {
		of := r.ofRegion + "/" + r.ofStore
		switch {
		case r.ofStore == "":
			of = "origin " + r.origin
		case r.terms:
			of += " leading"
		}
		applied, acked, log, trip, clock := "-", "-", "-", "-", "-"
		if r.applied > 0 {
			applied = r.applied.Time().Format("2006-01-02 15:04:05.000")
		}
		if r.peers > 0 {
			acked = fmt.Sprintf("%d of %d", r.have, r.peers)
		}
		if r.logBytes >= 0 {
			log = byteSize(r.logBytes)
		}
		if r.link != nil {
			trip, clock = "away", ""
			if r.link.Live {
				trip, clock = fmt.Sprintf("%.1f ms", r.link.RoundTripMs), fmt.Sprintf("%+.1f ms", r.link.ClockOffsetMs)
			}
		}
		t.AppendRow([]any{r.region + "/" + r.store, of, fmt.Sprintf("%d ms", r.lag.Milliseconds()), applied, acked, log, trip, clock})
	}
	return render(t)
}

func lagJSON(rows []lagRow, silent []string) map[string]any {
	list := make([]map[string]any, len(rows))
	for i, r := range rows {
		m := map[string]any{
			"region": r.region, "store": r.store, "of_region": r.ofRegion, "of_store": r.ofStore, "origin": r.origin, "leading": r.terms,
			"lag_ms": r.lag.Milliseconds(), "acked": r.have, "peers": r.peers,
		}
		if r.applied > 0 {
			m["applied"] = r.applied.String()
		}
		if r.logBytes >= 0 {
			m["log_bytes"] = r.logBytes
		}
		if r.link != nil {
			m["live"], m["round_trip_ms"], m["clock_offset_ms"] = r.link.Live, r.link.RoundTripMs, r.link.ClockOffsetMs
		}
		list[i] = m
	}
	if silent == nil {
		silent = []string{}
	}
	return map[string]any{"rows": list, "no_answer": silent}
}

// byteSize prints a number of bytes for people, such as "1.5 MiB".
func byteSize(n int64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	size, unit := float64(n), 0
	for size >= 1024 && unit < len(units)-1 {
		size, unit = size/1024, unit+1
	}
	if unit == 0 {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.1f %s", size, units[unit])
}
