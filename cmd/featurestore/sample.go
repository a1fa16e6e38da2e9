package main

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	"featurestore/api"
	"featurestore/feature"
	"featurestore/feature/definition"
)

//go:embed template/rides.yaml
var sampleDefinitions []byte

// The sample: generated, from this seed. Nothing in it is real.
const (
	sampleSeed    = 20260821
	sampleDrivers = 100
	firstDriver   = 1001
	sampleEvery   = 250 * time.Millisecond
)

var sampleTags = []string{"quick", "clean", "friendly", "quiet", "late", "talkative"}

// sample pushes generated rows of drivers to a store.
type sample struct {
	definitions feature.Definitions
	client      client
	random      *rand.Rand
}

func newSample(url string) (*sample, error) {
	d, err := definition.Parse("sample", bytes.NewReader(sampleDefinitions))
	if err != nil {
		return nil, err
	}
	return &sample{
		definitions: d,
		client:      client{url: url, project: d.Project, timeout: 10 * time.Second},
		random:      rand.New(rand.NewPCG(sampleSeed, 0)),
	}, nil
}

// load pushes one row for each driver, with the events spread over the last
// hour, and gives the regions some time to get them.
func (s *sample) load(ctx context.Context) error {
	rows := make([]map[string]json.RawMessage, sampleDrivers)
	for i := range rows {
		age := time.Duration(s.random.Int64N(int64(time.Hour)))
		rows[i] = s.row(firstDriver+i, 1+s.random.IntN(500), time.Now().Add(-age))
	}
	err := s.push(ctx, http.Header{api.HeaderWriteConcern: {"all"}}, rows...)
	if errors.Is(err, api.CodeConcernTimeout) {
		return nil // they are on their way
	}
	return err
}

// keepArriving pushes one driver's row a tick until ctx ends. A row that is
// refused, because the store is busy or its definitions were changed, does not
// end a store that someone is trying out: the first of a series is reported.
func (s *sample) keepArriving(ctx context.Context, report io.Writer) {
	tick := time.NewTicker(sampleEvery)
	defer tick.Stop()
	failing := false
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			row := s.row(firstDriver+s.random.IntN(sampleDrivers), 1, now)
			err := s.push(ctx, nil, row)
			if err != nil && !failing && ctx.Err() == nil {
				fmt.Fprintf(report, "sample rows are refused: %v\n", err)
			}
			failing = err != nil
		}
	}
}

func (s *sample) row(driver, trips int, at time.Time) map[string]json.RawMessage {
	tags := []byte{'['}
	for i, n := range s.random.Perm(len(sampleTags))[:1+s.random.IntN(2)] {
		if i > 0 {
			tags = append(tags, ',')
		}
		tags = api.AppendString(tags, sampleTags[n])
	}
	rate := float32(s.random.IntN(1000)) / 1000
	return map[string]json.RawMessage{
		"driver_id":        strconv.AppendInt(nil, int64(driver), 10),
		"conv_rate":        api.AppendValue(nil, feature.OfFloat32(rate)),
		"trips":            fmt.Appendf(nil, `{"increment":%d}`, trips),
		"tags":             append(tags, ']'),
		api.EventTimeField: api.AppendTime(nil, at.Truncate(time.Millisecond).UnixNano()),
	}
}

func (s *sample) push(ctx context.Context, header http.Header, rows ...map[string]json.RawMessage) error {
	body, err := json.Marshal(api.PushRequest{View: "driver_stats", Rows: rows})
	if err != nil {
		return err
	}
	return s.client.post(ctx, s.client.path("push"), header, body, nil)
}
