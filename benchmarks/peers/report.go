package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// report is what a run found, as JSON.
type report struct {
	Started string   `json:"started"`
	Machine string   `json:"machine"`
	Disk    string   `json:"disk"`
	Results []result `json:"results"`
}

func (r report) writeJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// writeTables prints the tables as Markdown: writes, lag, reads after writes.
func (r report) writeTables(w io.Writer) {
	writes := table{{"", "clients", "writes/s", "ack p50 / p99, ms", "processor, µs a write", "of the client", "processors of others", "replica behind after, ms", "disk sync p50 / p99, ms"}}
	lag := table{{"", "ack p50 / p99, ms", "shown after sending p50 / p99, ms", "after the ack p50 / p99, ms", "one poll p50, ms"}}
	reads := table{{"", "read", "clients", "stale", "of", "share", "read p50 / p99, ms", "waited", "longest wait, ms"}}
	for _, c := range r.Results {
		for _, x := range c.Writes {
			writes.add(c.Name, x.Clients, fmt.Sprintf("%.0f", x.PerSecond), x.Ack,
				fmt.Sprintf("%.0f", x.Processor.value()), fmt.Sprintf("%.0f", x.ClientProcessor.value()), fmt.Sprintf("%.1f", x.Others), x.Behind, c.Sync)
		}
		if c.Lag.Samples > 0 {
			lag.add(c.Name, c.Lag.Ack, c.Lag.FromSent, c.Lag.FromAcked, c.Lag.Poll.P50)
		}
		for _, x := range c.Reads {
			level := "plain"
			if x.Session {
				level = "session"
			}
			reads.add(c.Name, level, x.Clients, x.Stale, x.Reads, fmt.Sprintf("%.2f %%", 100*x.share()), x.Read, x.Waited, x.Longest)
		}
	}
	for _, t := range []table{writes, lag, reads} {
		if len(t) > 1 {
			t.print(w)
		}
	}
}

type table [][]string

func (t *table) add(cells ...any) {
	var line []string
	for _, c := range cells {
		line = append(line, fmt.Sprint(c))
	}
	*t = append(*t, line)
}

func (t table) print(w io.Writer) {
	for i, line := range t {
		_, _ = fmt.Fprintf(w, "| %s |\n", strings.Join(line, " | "))
		if i == 0 {
			_, _ = fmt.Fprintln(w, strings.Repeat("|---", len(line))+"|")
		}
	}
	_, _ = fmt.Fprintln(w)
}

// String prints two digits that say something.
func (d millis) String() string {
	switch v := d.value(); {
	case v >= 10:
		return fmt.Sprintf("%.0f", v)
	case v >= 1:
		return fmt.Sprintf("%.1f", v)
	default:
		return fmt.Sprintf("%.2f", v)
	}
}

func (q quantiles) String() string { return q.P50.String() + " / " + q.P99.String() }
