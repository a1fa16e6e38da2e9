package replica

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"featurestore/api"
	"featurestore/offline/history"
	"featurestore/offline/served"
	"featurestore/offline/verify"
)

const contested = `
project: rides
entities: [{name: driver, join_keys: [{name: driver_id, type: int64}]}]
views:
  - name: driver_stats
    entity: driver
    ttl: 1s
    features:
      - {name: rate, type: float64}
      - {name: trips, type: int64, conflict: counter}
      - {name: tags, type: "list<string>", conflict: set}
      - {name: best, type: int64, conflict: max}
      - {name: seen, type: int64, conflict: write_time, default: 7}
      - {name: pick, type: string, conflict: siblings}
on_demand:
  - {name: twice, inputs: ["driver_stats:rate"], request: [{name: times, type: float64}], features: [{name: rate, type: float64, expr: "rate * times"}]}
services:
  - name: all
    features: ["driver_stats:rate", "driver_stats:trips", "driver_stats:tags", "driver_stats:best", "driver_stats:seen", "driver_stats:pick", "twice:rate"]
`

// What two stores serve while everybody writes the same few rows in both is what their
// histories say that they must have served, to the cell: whatever a lookup was in the middle
// of.
func TestWhatIsServedUnderWritesIsWhatHistorySays(t *testing.T) {
	definitions := filepath.Join(t.TempDir(), "rides.yaml")
	if err := os.WriteFile(definitions, []byte(contested), 0o600); err != nil {
		t.Fatal(err)
	}
	all := deployment(t, "eu", "us")
	var stores []*running
	for _, region := range []string{"eu", "us"} {
		c := all[region]
		c.History, c.HistoryEvery, c.ServedLog = true, 20*time.Millisecond, 1
		if region == "eu" {
			c.Definitions = definitions
		}
		stores = append(stores, run(t, c))
	}
	awaitReady(t, stores...)
	post := func(ctx context.Context, x *running, path, body string, headers ...string) error {
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, x.URL()+"/v1/projects/rides/"+path, bytes.NewReader([]byte(body)))
		if err != nil {
			return err
		}
		r.Header.Set("Content-Type", api.MediaJSON)
		for i := 0; i+1 < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			return err
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			return fmt.Errorf("%s at %s: %s", path, x.cfg.Store, answer.Status)
		}
		return nil
	}
	everywhere := func() {
		t.Helper()
		for _, x := range stores {
			limit, done := context.WithTimeout(t.Context(), 2*time.Minute)
			defer done()
			for {
				err := post(limit, x, "push", `{"view": "driver_stats", "rows": [{"driver_id": 99, "rate": 1}]}`, api.HeaderWriteConcern, "all", api.HeaderTimeout, "10s")
				if err == nil {
					break
				}
				if limit.Err() != nil {
					t.Fatal(err)
				}
			}
		}
	}
	everywhere() // the definitions are
	const keys, writes, lookups = 3, 60, 120
	work, ctx := errgroup.WithContext(t.Context())
	for n, x := range stores {
		for w := range 2 {
			random := rand.New(rand.NewPCG(uint64(n), uint64(w)))
			work.Go(func() error {
				for i := range writes {
					key := random.IntN(keys)
					row := fmt.Sprintf(`{"driver_id": %d, "rate": %d, "trips": %d, "tags": {"add": ["t%d"], "remove": ["t%d"]}, "best": %d, "seen": %d, "pick": "p%d"}`,
						key, i, random.IntN(3), random.IntN(5), random.IntN(5), random.IntN(1000), i, i)
					body, path := fmt.Sprintf(`{"view": "driver_stats", "rows": [%s]}`, row), "push"
					if random.IntN(20) == 0 {
						body, path = fmt.Sprintf(`{"view": "driver_stats", "entities": {"driver_id": [%d]}}`, key), "delete"
					}
					if err := post(ctx, x, path, body, api.HeaderWriteConcern, "local", api.HeaderTimeout, "30s"); err != nil {
						return err
					}
				}
				return nil
			})
			asking := rand.New(rand.NewPCG(uint64(n), uint64(w)+10))
			work.Go(func() error {
				for range lookups {
					body := fmt.Sprintf(`{"service": "all", "entities": {"driver_id": [%d, 0, 1]}, "request": {"times": [2, 3, 4]}}`, asking.IntN(keys+1))
					if err := post(ctx, x, "lookup", body, api.HeaderTimeout, "30s"); err != nil {
						return err
					}
				}
				return nil
			})
		}
	}
	if err := work.Wait(); err != nil {
		t.Fatal(err)
	}
	everywhere()
	for _, x := range stores {
		x.stop()
		if err := <-x.done; err != nil {
			t.Fatal(err)
		}
		r, err := verify.Run(t.Context(), verify.Config{
			History: history.NewDisk(HistoryDir(x.cfg.Data)), Served: history.NewDisk(ServedDir(x.cfg.Data)), Lookups: 1 << 20, TempDir: t.TempDir(),
		})
		if err != nil {
			t.Fatal(err)
		}
		if r.Lookups != 2*lookups || r.Compared() != 2*lookups*3*7 {
			t.Errorf("%s: %d lookups and %d cells are compared, want %d and %d: %+v", x.cfg.Store, r.Lookups, r.Compared(), 2*lookups, 2*lookups*3*7, r.Features)
		}
		for _, d := range r.Defects {
			t.Errorf("%s: request %s: %s:%s of driver %s is %s, history says %s", x.cfg.Store, d.Request, d.View, d.Feature, d.Key, d.Served, d.Recomputed)
		}
		moved, n := 0, 0
		for l, err := range served.Read(t.Context(), history.NewDisk(ServedDir(x.cfg.Data)), time.Time{}, time.Time{}) {
			if err != nil {
				t.Fatal(err)
			}
			for _, row := range l.Rows {
				if n++; !row.From.Equal(row.Until) {
					moved++
				}
			}
		}
		t.Logf("%s: while %d of %d rows were read something came", x.cfg.Store, moved, n)
	}
}
