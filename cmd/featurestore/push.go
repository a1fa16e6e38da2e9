package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

func newPush(a *app) *cobra.Command {
	l := loader{report: a.err, retries: retries{report: titled{a.err, "featurestore: push: "}}}
	var out output
	var mapping []string
	cmd := &cobra.Command{
		Use:   "push --view VIEW FILE",
		Short: "Load rows from a file",
		Long: `Push loads the rows of a file into a view. The ending of FILE tells its format:

  .csv                     with a header line; an empty field is null
  .jsonl .ndjson           one JSON object a line; what a line lacks is left alone
  .parquet
  .arrow .ipc .feather     Arrow IPC, file or stream

CSV and JSON lines may be packed: .csv.gz. The file needs a column for each join
key, and one for at least one feature; --map names columns that are called
otherwise. Other columns are passed over. Memory stays bounded whatever the
length of the file.

The event time of a row is in the column event_timestamp or event_time, or the
one of --event-time. Without any it is the store's clock.

A counter adds the value to its total, a set adds the elements, max and min
compare it. Nulls of such features are left out: there is no null to add. A row
that has no feature then is passed over.

Rows are sent in batches, in the order of the file. Repeating the command, after
it failed or was interrupted, stores each batch once: the store recognizes
batches of the same file name, place and contents for a day. Keep --batch as it
was. --parallel sends several batches at once; rows of one entity with the same
event time may then be stored in any order.

--again pushes on purpose what was pushed before: counters count it again, and
such a run, when it fails, is not recognized either.

--write-concern says who must have a batch before it counts as stored: local,
any:1, region_quorum, regions:2, quorum, each_region or all; the view's own by
default. A batch that is stored but not acknowledged in time is asked for again,
for as long as --retry-for, and so is one that is not answered, or refused by a
store that cannot take it just now; standard error says that, and why.
The pushes follow on what --session has seen; --session-file keeps the session
in a file, which the next command goes on with.

A row that does not fit is named by file, line and column, and ends the command
with the batches before it stored. With --skip-bad-rows it is left out instead.`,
		Example: `  featurestore push --view driver_stats drivers.csv
  featurestore push --view driver_stats --event-time seen_at --map conv_rate=rate drivers.parquet
  featurestore push --view customer --time-layout "1/2/2006 15:04" --skip-bad-rows retail.csv.gz`,
		Args: wantArgs(1, 1, "the file to push, such as drivers.csv"),
		RunE: func(cmd *cobra.Command, args []string) error {
			l.path = args[0]
			l.columns = map[string]string{}
			for _, m := range mapping {
				name, column, ok := strings.Cut(m, "=")
				if !ok || name == "" || column == "" {
					return fmt.Errorf("--map is %q: write it as feature=column", m)
				}
				l.columns[name] = column
			}
			result, err := l.run(cmd.Context())
			if err != nil {
				return err
			}
			if out.json() {
				return out.print(a.out, result.json())
			}
			_, err = fmt.Fprint(a.out, result)
			return err
		},
	}
	f := cmd.Flags()
	f.StringVar(&l.viewName, "view", "", "view that the rows belong to")
	f.StringVar(&l.eventTime, "event-time", "", "column of event times")
	f.StringArrayVar(&mapping, "map", nil, "feature or join key, and the column it is in: feature=column")
	f.StringArrayVar(&l.options.TimeLayouts, "time-layout", nil, `layout of times that are not RFC 3339, such as "1/2/2006 15:04" (UTC)`)
	f.StringVar(&l.empty, "empty", "null", "what a null in the file does: null stores it, absent leaves the feature alone")
	f.IntVar(&l.options.BatchRows, "batch", 1000, "rows in a batch")
	f.IntVar(&l.parallel, "parallel", 1, "batches sent at once")
	f.BoolVar(&l.again, "again", false, "push what an earlier run stored another time; counters count again")
	f.StringVar(&l.concern, "write-concern", "", "who must have a batch, such as region_quorum; the view's own by default")
	f.DurationVar(&l.retries.lasting, "retry-for", defaultRetryFor, "how long a batch is tried that is not answered, refused for now, or not acknowledged")
	l.session.register(cmd)
	f.BoolVar(&l.skipBad, "skip-bad-rows", false, "leave out rows that do not fit")
	wantFlags(cmd, "--view VIEW, the view that the rows belong to", "view")
	_ = cmd.RegisterFlagCompletionFunc("empty", cobra.FixedCompletions([]string{"null", "absent"}, cobra.ShellCompDirectiveNoFileComp))
	l.client.register(a, cmd)
	l.client.registerProject(a, cmd)
	out.register(cmd)
	return cmd
}

// check reports every fault of the flags.
func (l *loader) check() error {
	switch {
	case l.empty != "null" && l.empty != "absent":
		return fmt.Errorf("--empty is %q: use null or absent", l.empty)
	case l.options.BatchRows < 1:
		return fmt.Errorf("--batch is %d: at least 1", l.options.BatchRows)
	case l.retries.lasting < 0:
		return fmt.Errorf("--retry-for is %v: give a time such as 10s, or 0 for one try", l.retries.lasting)
	case l.parallel < 1 || l.parallel > 64:
		return fmt.Errorf("--parallel is %d: 1 to 64", l.parallel)
	}
	return l.options.Validate()
}
