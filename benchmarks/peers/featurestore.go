package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// featurestore is a store a region, each a process of its own. Clients write
// at the first region and read at the second.
type featurestore struct {
	regions []string
	concern string
	// group is the YAML of the group's settings; "" takes writes everywhere.
	group string
}

// The first region by name begins the deployment and keeps the list of members;
// clients write at another one.
var (
	two   = []string{"us", "eu"}
	three = []string{"us", "eu", "ap"}
)

var anyRegionWrites = "placement: multi_leader, write: {timeout: " + ackLimit.String() + "}"

type featurestoreSystem struct {
	*site
	concern   string
	of        string
	addresses []string // of the stores, in the order of regions
}

func (c featurestore) start(ctx context.Context, s *site) (system, error) {
	f := &featurestoreSystem{site: s, concern: c.concern}
	out, err := exec.CommandContext(ctx, s.programs.featurestore, "version").Output()
	if err != nil {
		return nil, err
	}
	f.of, _, _ = strings.Cut(strings.TrimSpace(string(out)), "\n")
	definitions, secret := filepath.Join(s.dir, "bench.yaml"), filepath.Join(s.dir, "secret")
	for path, text := range map[string]string{definitions: featurestoreDefinitions(c.group), secret: "a secret of benchmarks, long enough to be one\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			return nil, err
		}
	}
	rest, peers := map[string]string{}, map[string]string{}
	for _, region := range c.regions {
		for _, to := range []map[string]string{rest, peers} {
			port, err := freePort()
			if err != nil {
				return nil, err
			}
			to[region] = "127.0.0.1:" + strconv.Itoa(port)
		}
	}
	for _, region := range c.regions {
		f.addresses = append(f.addresses, rest[region])
		var others []string
		for _, other := range c.regions {
			if other != region {
				others = append(others, other+"="+peers[other])
			}
		}
		if err := s.launch(region, s.programs.featurestore,
			"serve", "--region", region, "--store", region+"-1", "--data", filepath.Join(s.dir, "data-"+region), "--secret-file", secret,
			"--listen", rest[region], "--peer-listen", peers[region], "--peers", strings.Join(others, ","),
			"--definitions", definitions, "--log-level", "warn"); err != nil {
			return nil, err
		}
	}
	return f, f.shown(ctx)
}

func featurestoreDefinitions(group string) string {
	if group == "" {
		group = anyRegionWrites
	}
	var list strings.Builder
	var all []string
	for i := range features {
		fmt.Fprintf(&list, "      - {name: %s, type: float64}\n", featureName(i))
		all = append(all, `"driver_stats:`+featureName(i)+`"`)
	}
	return "project: bench\n" +
		"entities:\n  - {name: driver, join_keys: [{name: driver_id, type: int64}]}\n" +
		"groups:\n  - {name: default, " + group + "}\n" +
		"views:\n  - name: driver_stats\n    entity: driver\n    features:\n" + list.String() +
		"services:\n  - {name: bench, features: [" + strings.Join(all, ", ") + "]}\n"
}

// shown returns once every store takes part: each shows a write of the first
// one to a session.
func (f *featurestoreSystem) shown(ctx context.Context) error {
	for _, address := range f.addresses {
		if err := f.await(ctx, func() error {
			c := f.connect(f.addresses[0], address)
			defer c.close()
			if err := c.write(ctx, rowOf(0, 1)); err != nil {
				return err
			}
			_, _, err := c.read(ctx, 0, true)
			return err
		}); err != nil {
			return err
		}
	}
	return nil
}

func (f *featurestoreSystem) version() string             { return f.of }
func (f *featurestoreSystem) sessions() bool              { return true }
func (f *featurestoreSystem) check(context.Context) error { return nil }

func (f *featurestoreSystem) client(context.Context) (client, error) {
	return f.connect(f.addresses[0], f.addresses[1]), nil
}

func (f *featurestoreSystem) connect(primary, replica string) *featurestoreClient {
	return &featurestoreClient{
		concern: concernHeader + ": " + f.concern + "\r\n" + timeoutHeader + ": " + (2 * ackLimit).String() + "\r\n",
		primary: httpClient{address: primary}, replica: httpClient{address: replica},
	}
}

type featurestoreClient struct {
	concern          string
	primary, replica httpClient
	body             []byte
	token            string // of what this client wrote last
}

const (
	pushPath   = "/v1/projects/bench/push"
	lookupPath = "/v1/projects/bench/lookup"

	concernHeader     = "Featurestore-Write-Concern"
	consistencyHeader = "Featurestore-Consistency"
	sessionHeader     = "Featurestore-Session"
	waitedHeader      = "Featurestore-Waited-Ms"
	timeoutHeader     = "Featurestore-Timeout"
)

func (c *featurestoreClient) write(ctx context.Context, r row) error {
	b := append(c.body[:0], `{"view":"driver_stats","rows":[{"driver_id":`...)
	b = strconv.AppendInt(b, int64(r.id), 10)
	for i, v := range r.features {
		b = append(append(append(b, `,"`...), featureName(i)...), `":`...)
		b = strconv.AppendFloat(b, v, 'f', -1, 64)
	}
	c.body = append(b, "}]}"...)
	a, err := c.primary.post(ctx, pushPath, c.concern, c.body)
	if err != nil {
		return err
	}
	if a.status != http.StatusOK { // so the concern is met
		return fmt.Errorf("push: status %d: %s", a.status, a.body)
	}
	c.token = a.header[sessionHeader]
	return nil
}

func lookupBody(id int) []byte {
	return append(strconv.AppendInt([]byte(`{"service":"bench","entities":{"driver_id":[`), int64(id), 10), "]}}"...)
}

func (c *featurestoreClient) read(ctx context.Context, id int, session bool) (int64, time.Duration, error) {
	headers := consistencyHeader + ": eventual\r\n"
	if session {
		headers = consistencyHeader + ": session; within=2s\r\n" + sessionHeader + ": " + c.token + "\r\n"
	}
	a, err := c.replica.post(ctx, lookupPath, headers, lookupBody(id))
	if err != nil {
		return 0, 0, err
	}
	var found struct {
		Rows []struct{ Values []*float64 }
	}
	if a.status != http.StatusOK {
		return 0, 0, fmt.Errorf("lookup: status %d: %s", a.status, a.body)
	}
	if err := json.Unmarshal(a.body, &found); err != nil {
		return 0, 0, err
	}
	if len(found.Rows) != 1 || len(found.Rows[0].Values) != features {
		return 0, 0, errors.New("lookup: the answer has another shape")
	}
	waitedMs, err := strconv.Atoi(a.header[waitedHeader])
	if err != nil {
		return 0, 0, fmt.Errorf("lookup: %s: %w", waitedHeader, err)
	}
	stamp := int64(0)
	if v := found.Rows[0].Values[0]; v != nil {
		stamp = int64(*v)
	}
	return stamp, time.Duration(waitedMs) * time.Millisecond, nil
}

func (c *featurestoreClient) close() {
	c.primary.close()
	c.replica.close()
}
