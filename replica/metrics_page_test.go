package replica

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"

	"featurestore/offline/bucket"
	"featurestore/offline/export"
	"featurestore/offline/flight"
	"featurestore/offline/history"
	"featurestore/offline/served"
	"featurestore/online"
	"featurestore/probe"
	"featurestore/replication"
	"featurestore/replication/peer"
	"featurestore/sdk"
	"featurestore/server"
)

var update = flag.Bool("update", false, "rewrite recorded output")

const metricsPage = "../docs/metrics.md"

// TestMetricsPageIsCurrent makes the instruments of every room and compares
// the page with what they say of themselves.
func TestMetricsPageIsCurrent(t *testing.T) {
	want := metricsHead
	for _, room := range []struct {
		name, about string
		make        func(metric.Meter) error
	}{
		{"server", "Requests at the REST edge.", func(m metric.Meter) error { return withServer(t, m) }},
		{"online", "Rows, the log and the disk.", func(m metric.Meter) error { return withStore(t, m) }},
		{"replication", "The exchange of logs with stores of other regions; a store alone has its part of them.", func(m metric.Meter) error { return withNode(t, m) }},
		{"replication/peer", "Connections to stores of other regions.", func(m metric.Meter) error { return withPeers(m) }},
		{"offline/history", "History, of a store that keeps one.", func(m metric.Meter) error { return withHistory(t, m) }},
		{"offline/bucket", "Its bucket, where it lies in one.", func(m metric.Meter) error {
			_, err := bucket.Open(t.Context(), "s3://lake/rides?region=eu", bucket.Options{Meter: m})
			return err
		}},
		{"offline/flight", "Arrow Flight, of a store that serves its history.", withFlight},
		{"offline/served", "The log of what is served, of a store that keeps one.", func(m metric.Meter) error {
			_, err := served.New(served.Config{Files: history.NewDisk(t.TempDir()), Region: "eu", Store: "eu-1", Meter: m})
			return err
		}},
		{"sdk", "The Go client; they are in the client's process, where it is given a meter.", func(m metric.Meter) error {
			_, err := sdk.New(sdk.Config{URLs: []string{"http://127.0.0.1:1"}, Project: "rides", Meter: m})
			return err
		}},
		{"probe", "What `featurestore probe` saw; they are at its `--metrics-listen`.", func(m metric.Meter) error {
			_, err := probe.NewRecorder(probe.Config{Regions: []string{"eu"}, Meter: m})
			return err
		}},
	} {
		m := &instrumentList{}
		if err := room.make(m); err != nil {
			t.Fatal(err)
		}
		if len(m.list) == 0 {
			t.Fatalf("room %s made no instrument", room.name)
		}
		want += fmt.Sprintf("\n## %s\n\n%s\n\n| name | kind | unit | meaning |\n|---|---|---|---|\n", room.name, room.about)
		slices.SortFunc(m.list, func(a, b instrument) int { return strings.Compare(a.name, b.name) })
		for _, i := range m.list {
			if i.unit == "" || i.meaning == "" {
				t.Errorf("%s: it has unit %q and meaning %q; it needs both", i.name, i.unit, i.meaning)
			}
			want += fmt.Sprintf("| `%s` | %s | %s | %s |\n", i.name, i.kind, i.unit, i.meaning)
		}
	}
	if *update {
		if err := os.WriteFile(metricsPage, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(metricsPage)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s is not current; run make golden. It should be:\n%s", metricsPage, want)
	}
}

const metricsHead = `# Metrics

Every instrument, from what the code says of it: this page is written by
` + "`make golden`" + ` and checked by a test.

A store serves them at ` + "`/metrics`" + ` for Prometheus, and sends them by OTLP where
` + "`otlp_endpoint`" + ` is set. Prometheus writes dots as underscores, spells out the
units s and By, and adds ` + "`_total`" + ` to counters: what is here
` + "`featurestore.server.request.duration`" + ` is there
` + "`featurestore_server_request_duration_seconds`" + `, and
` + "`featurestore.server.refused`" + ` is ` + "`featurestore_server_refused_total`" + `. Histograms
of one unit have the same buckets. Beside these there are the Go runtime's
(` + "`go_…`" + `) and, for Prometheus only, the process's (` + "`process_…`" + `).
`

func withStore(t *testing.T, m metric.Meter) error {
	r, _ := start(t, Config{})
	c := r.onlineConfig()
	c.Dir, c.Meter = t.TempDir(), m
	s, err := online.Open(c)
	if err != nil {
		return err
	}
	return s.Close()
}

func withServer(t *testing.T, m metric.Meter) error {
	r, _ := start(t, Config{})
	c, err := r.serverConfig(pageSecret)
	if err != nil {
		return err
	}
	c.Meter = m
	_, err = server.New(c)
	return err
}

var pageSecret = []byte("a secret of thirty-two characters")

func withNode(t *testing.T, m metric.Meter) error {
	r, _ := start(t, Config{})
	c := r.replicationConfig(pageSecret, unconnected{})
	c.Meter = m
	_, err := replication.New(c)
	return err
}

func withHistory(t *testing.T, m metric.Meter) error {
	r, _ := start(t, Config{})
	h, err := history.Open(t.Context(), history.Config{Files: history.NewDisk(t.TempDir())})
	if err != nil {
		return err
	}
	defer h.Close()
	c := r.ingestConfig(h)
	c.Meter = m
	_, err = history.NewIngester(c)
	return err
}

func withFlight(m metric.Meter) error {
	s, err := flight.New(flight.Config{Source: export.Source{}, Listen: "127.0.0.1:0", Meter: m})
	if err != nil {
		return err
	}
	return s.Close()
}

func withPeers(m metric.Meter) error {
	p, err := peer.New(peer.Config{Secret: pageSecret, Listen: "127.0.0.1:0", Meter: m})
	if err != nil {
		return err
	}
	return p.Close()
}

// instrument is what one says of itself.
type instrument struct{ name, kind, unit, meaning string }

// instrumentList is a meter that notes what is made of it.
type instrumentList struct {
	noop.Meter
	list []instrument
}

// described is what the configurations of all kinds have.
type described interface {
	Unit() string
	Description() string
}

func (l *instrumentList) note(name, kind string, c described) {
	l.list = append(l.list, instrument{name, kind, c.Unit(), c.Description()})
}

func (l *instrumentList) Int64Counter(name string, o ...metric.Int64CounterOption) (metric.Int64Counter, error) {
	c := metric.NewInt64CounterConfig(o...)
	l.note(name, "counter", &c)
	return l.Meter.Int64Counter(name, o...)
}

func (l *instrumentList) Float64Counter(name string, o ...metric.Float64CounterOption) (metric.Float64Counter, error) {
	c := metric.NewFloat64CounterConfig(o...)
	l.note(name, "counter", &c)
	return l.Meter.Float64Counter(name, o...)
}

func (l *instrumentList) Int64UpDownCounter(name string, o ...metric.Int64UpDownCounterOption) (metric.Int64UpDownCounter, error) {
	c := metric.NewInt64UpDownCounterConfig(o...)
	l.note(name, "up-down counter", &c)
	return l.Meter.Int64UpDownCounter(name, o...)
}

func (l *instrumentList) Int64Histogram(name string, o ...metric.Int64HistogramOption) (metric.Int64Histogram, error) {
	c := metric.NewInt64HistogramConfig(o...)
	l.note(name, "histogram", &c)
	return l.Meter.Int64Histogram(name, o...)
}

func (l *instrumentList) Float64Histogram(name string, o ...metric.Float64HistogramOption) (metric.Float64Histogram, error) {
	c := metric.NewFloat64HistogramConfig(o...)
	l.note(name, "histogram", &c)
	return l.Meter.Float64Histogram(name, o...)
}

func (l *instrumentList) Int64Gauge(name string, o ...metric.Int64GaugeOption) (metric.Int64Gauge, error) {
	c := metric.NewInt64GaugeConfig(o...)
	l.note(name, "gauge", &c)
	return l.Meter.Int64Gauge(name, o...)
}

func (l *instrumentList) Float64Gauge(name string, o ...metric.Float64GaugeOption) (metric.Float64Gauge, error) {
	c := metric.NewFloat64GaugeConfig(o...)
	l.note(name, "gauge", &c)
	return l.Meter.Float64Gauge(name, o...)
}

func (l *instrumentList) Int64ObservableGauge(name string, o ...metric.Int64ObservableGaugeOption) (metric.Int64ObservableGauge, error) {
	c := metric.NewInt64ObservableGaugeConfig(o...)
	l.note(name, "gauge", &c)
	return l.Meter.Int64ObservableGauge(name, o...)
}

func (l *instrumentList) Float64ObservableGauge(name string, o ...metric.Float64ObservableGaugeOption) (metric.Float64ObservableGauge, error) {
	c := metric.NewFloat64ObservableGaugeConfig(o...)
	l.note(name, "gauge", &c)
	return l.Meter.Float64ObservableGauge(name, o...)
}

func (l *instrumentList) Int64ObservableCounter(name string, o ...metric.Int64ObservableCounterOption) (metric.Int64ObservableCounter, error) {
	c := metric.NewInt64ObservableCounterConfig(o...)
	l.note(name, "counter", &c)
	return l.Meter.Int64ObservableCounter(name, o...)
}

func (l *instrumentList) Float64ObservableCounter(name string, o ...metric.Float64ObservableCounterOption) (metric.Float64ObservableCounter, error) {
	c := metric.NewFloat64ObservableCounterConfig(o...)
	l.note(name, "counter", &c)
	return l.Meter.Float64ObservableCounter(name, o...)
}

func (l *instrumentList) Int64ObservableUpDownCounter(name string, o ...metric.Int64ObservableUpDownCounterOption) (metric.Int64ObservableUpDownCounter, error) {
	c := metric.NewInt64ObservableUpDownCounterConfig(o...)
	l.note(name, "up-down counter", &c)
	return l.Meter.Int64ObservableUpDownCounter(name, o...)
}
