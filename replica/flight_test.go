package replica

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/arrow/flight"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"featurestore/api"
)

// flightRows reads the rows of a view with a stock client, part by part.
func flightRows(t *testing.T, address string, path ...string) (rows int64, err error) {
	t.Helper()
	c, err := flight.NewClientWithMiddleware(address, nil, nil, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	info, err := c.GetFlightInfo(t.Context(), &flight.FlightDescriptor{Type: flight.DescriptorPATH, Path: path})
	if err != nil {
		return 0, err
	}
	for _, e := range info.Endpoint {
		stream, err := c.DoGet(t.Context(), e.Ticket)
		if err != nil {
			return rows, err
		}
		r, err := flight.NewRecordReader(stream)
		if err != nil {
			return rows, err
		}
		for r.Next() {
			rows += r.Record().NumRows()
		}
		if err := r.Err(); err != nil {
			return rows, err
		}
		r.Release()
	}
	return rows, nil
}

// A store serves its history over Flight, beside REST, and no more once it has stopped.
func TestAStoreServesItsHistoryOverFlight(t *testing.T) {
	definitions := filepath.Join(t.TempDir(), "rides.yaml")
	if err := os.WriteFile(definitions, []byte(keptRides), 0o600); err != nil {
		t.Fatal(err)
	}
	r, stop := start(t, Config{Definitions: definitions, History: true, HistoryEvery: 10 * time.Millisecond, FlightListen: "127.0.0.1:0"})
	address := r.FlightAddr().String()
	const pushed = 7
	for i := range pushed {
		body := fmt.Sprintf(`{"view": "driver_stats", "rows": [{"driver_id": %d, "rate": 0.5}]}`, i)
		answer, err := http.Post(r.URL()+"/v1/projects/rides/push", api.MediaJSON, bytes.NewReader([]byte(body)))
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			t.Fatalf("push: %s", answer.Status)
		}
	}
	look, limit := time.NewTicker(10*time.Millisecond), time.Now().Add(time.Minute)
	defer look.Stop()
	for rows := int64(0); rows < pushed; <-look.C {
		var err error
		// Definitions come to history a moment after they are in force.
		if rows, err = flightRows(t, address, "rides", "driver_stats"); err != nil && status.Code(err) != codes.Unavailable {
			t.Fatal(err)
		}
		if time.Now().After(limit) {
			t.Fatalf("%d rows after a minute, %d were written", rows, pushed)
		}
	}
	if _, err := flightRows(t, address, "rides", "driver_stat"); status.Code(err) != codes.NotFound || !strings.Contains(err.Error(), "driver_stats") {
		t.Errorf("a view that is not there: %v", err)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := flightRows(t, address, "rides", "driver_stats"); status.Code(err) != codes.Unavailable {
		t.Errorf("after its stop: %v", err)
	}
}

// What cannot be served is told before anything listens.
func TestFlightSettingsAreJudged(t *testing.T) {
	for _, tc := range []struct {
		c    Config
		want string
	}{
		{Config{FlightListen: "127.0.0.1:0"}, "flight_listen is set and history is not"},
		{Config{FlightListen: "0.0.0.0:8815", History: true}, "flight_listen is \"0.0.0.0:8815\", which other machines reach"},
		{Config{FlightListen: "8815", History: true}, "write it as host:port"},
		{Config{FlightStreams: -1}, "flight_streams is -1"},
	} {
		tc.c.Region, tc.c.Store, tc.c.Data = "eu", "eu-1", t.TempDir()
		if err := tc.c.Validate(); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%+v: got %v, want %q", tc.c.FlightListen, err, tc.want)
		}
	}
	if err := (Config{Region: "eu", Store: "eu-1", Data: t.TempDir(), History: true, AllowInsecure: true, FlightListen: "0.0.0.0:8815"}).Validate(); err != nil {
		t.Errorf("where the network is trusted: %v", err)
	}
	taken, _ := start(t, Config{})
	_, err := New(Config{Region: "eu", Store: "eu-2", Data: t.TempDir(), Listen: "127.0.0.1:0", History: true, FlightListen: taken.Addr().String()})
	if err == nil || !strings.Contains(err.Error(), "set flight_listen to another address") {
		t.Errorf("an address that is taken: %v", err)
	}
}
