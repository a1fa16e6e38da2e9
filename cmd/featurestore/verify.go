package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"featurestore/api"
)

func newVerifyReplicas(a *app) *cobra.Command {
	var c client
	var out output
	cmd := &cobra.Command{
		Use:   "verify-replicas",
		Short: "Compare the rows of stores",
		Long: `Verify-replicas has the store of --url compare its rows with those of each other
store, shard by shard, and prints how many differ that no write on its way
explains. None should, ever: one that does is damaged on disk, or a defect of
the program. "up to" is the position up to which rows were compared.

Exit codes: 0 every row that was compared is equal; 1 rows differ, none could be
compared, or an error.`,
		Example: `  featurestore verify-replicas
  featurestore verify-replicas --timeout 10m --output json`,
		Args: wantArgs(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			v, err := verifyReplicas(cmd.Context(), &c)
			if err != nil {
				return err
			}
			if out.json() {
				err = out.print(a.out, v)
			} else {
				_, err = fmt.Fprint(a.out, verificationTable(v))
			}
			return errors.Join(err, unequal(v))
		},
	}
	c.register(a, cmd)
	out.register(cmd)
	return cmd
}

func verifyReplicas(ctx context.Context, c *client) (*api.Verification, error) {
	var v api.Verification
	_, err := c.call(ctx, http.MethodPost, "/v1/replication/verify", nil, nil, &v)
	return &v, err
}

// unequal is the error that the command ends with, nil for none.
func unequal(v *api.Verification) error {
	switch n := differing(v); {
	case n > 0:
		return fmt.Errorf("%s differ; keep the data of both stores and tell whoever operates them", counted(n, "row"))
	case len(v.Shards) > 0 && !slices.ContainsFunc(v.Shards, func(s api.ShardVerified) bool { return s.Skipped == "" }):
		return errors.New("no shard could be compared; the table says why")
	}
	return nil
}

func differing(v *api.Verification) int {
	n := 0
	for _, s := range v.Shards {
		n += s.Differing
	}
	return n
}

func verificationTable(v *api.Verification) string {
	if len(v.Shards) == 0 {
		return "no other store holds a shard of this one\n"
	}
	t := newTable("group", "partition", "peer", "up to", "differing", "")
	for _, s := range v.Shards {
		until, differ, note := "-", "-", s.Skipped
		if s.Skipped == "" {
			until, differ, note = s.UpTo, strconv.Itoa(s.Differing), strings.Join(s.Examples, ", ")
		}
		t.AppendRow([]any{s.Group, strconv.Itoa(int(s.Partition)), s.Peer, until, differ, note})
	}
	return render(t)
}
