package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"featurestore/api"
)

// link is what the flags of link say.
type link struct {
	client client
	out    output
	both   bool
	cut    bool
	heal   bool
	delay  time.Duration
	loss   float64
}

func newLink(a *app) *cobra.Command {
	var l link
	cmd := &cobra.Command{
		Use:   "link FROM TO",
		Short: "Slow, spoil, cut or heal a link of dev",
		Long: `Link shows or changes what happens between two regions of featurestore dev that
run on this machine: how late what FROM sends comes to TO, how much of it is
lost, and whether anything comes through. It is one direction; --both changes
the other as well. Without a change it shows the link.

What is not named stays as it is: --heal ends a cut and keeps the delay.`,
		Example: `  featurestore link eu us
  featurestore link eu us --delay 80ms --loss 0.01
  featurestore link eu us --both --cut
  featurestore link eu us --both --heal`,
		Args: wantArgs(2, 2, "two regions, such as eu us"),
		RunE: func(cmd *cobra.Command, args []string) error { return l.run(cmd, a, args[0], args[1]) },
	}
	f := cmd.Flags()
	f.DurationVar(&l.delay, "delay", 0, "how late everything comes, such as 80ms")
	f.Float64Var(&l.loss, "loss", 0, "part of what is sent that is lost, 0 to 1")
	f.BoolVar(&l.cut, "cut", false, "let nothing through")
	f.BoolVar(&l.heal, "heal", false, "let everything through again")
	f.BoolVar(&l.both, "both", false, "the way back as well")
	l.client.register(a, cmd)
	l.out.register(cmd)
	return cmd
}

func (l *link) run(cmd *cobra.Command, a *app, from, to string) error {
	switch {
	case from == to:
		return fmt.Errorf("%s and %s are one region: give two", from, to)
	case l.cut && l.heal:
		return errors.New("--cut and --heal are given together: one is right")
	case l.delay < 0:
		return fmt.Errorf("--delay is %v: give a time such as 80ms, or 0 for none", l.delay)
	case !(l.loss >= 0 && l.loss <= 1):
		return fmt.Errorf("--loss is %v: give a part from 0 to 1", l.loss)
	}
	ways := [][2]string{{from, to}}
	if l.both {
		ways = append(ways, [2]string{to, from})
	}
	changed := cmd.Flags().Changed
	change := l.cut || l.heal || changed("delay") || changed("loss")
	t := newTable("from", "to", "delay", "loss", "cut")
	for _, w := range ways {
		path := "/v1/links/" + url.PathEscape(w[0]) + "/" + url.PathEscape(w[1])
		var is api.Link
		if err := l.client.get(cmd.Context(), path, &is); err != nil {
			return err
		}
		if change {
			if changed("delay") {
				is.Delay = l.delay.String()
			}
			if changed("loss") {
				is.Loss = l.loss
			}
			is.Cut = l.cut || is.Cut && !l.heal
			if err := l.put(cmd.Context(), path, &is); err != nil {
				return err
			}
		}
		if l.out.json() {
			line := map[string]any{"from": w[0], "to": w[1], "delay": is.Delay, "loss": is.Loss, "cut": is.Cut}
			if err := l.out.print(a.out, line); err != nil {
				return err
			}
		}
		cut := "no"
		if is.Cut {
			cut = "yes"
		}
		t.AppendRow([]any{w[0], w[1], orNone(is.Delay), fmt.Sprintf("%g %%", 100*is.Loss), cut})
	}
	if l.out.json() {
		return nil
	}
	_, err := fmt.Fprint(a.out, render(t))
	return err
}

// put sends a link and reads what is in force.
func (l *link) put(ctx context.Context, path string, is *api.Link) error {
	body, err := json.Marshal(is)
	if err != nil {
		return err
	}
	_, err = l.client.call(ctx, http.MethodPut, path, http.Header{"Content-Type": {api.MediaJSON}}, body, is)
	return err
}

func orNone(text string) string {
	if text == "" || text == "0s" {
		return "none"
	}
	return text
}
