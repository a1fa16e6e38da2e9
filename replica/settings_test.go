package replica

import (
	"reflect"
	"testing"
	"time"

	"featurestore/online"
	"featurestore/server"
)

// effective is what a store built from c works with.
func effective(c Config) Config {
	c = c.withDefaults()
	edge := server.Config{Timeout: c.Timeout, MaxTimeout: c.MaxTimeout, Limits: c.Limits}.WithDefaults()
	c.Timeout, c.MaxTimeout, c.Limits = edge.Timeout, edge.MaxTimeout, edge.Limits
	c.Replication = c.Replication.WithDefaults()
	if c.HotBytes == 0 {
		c.HotBytes = online.DefaultHotBytes
	}
	ratio := DefaultTraceRatio
	if c.OTLP.TraceRatio == nil {
		c.OTLP.TraceRatio = &ratio
	}
	return c
}

// TestHelpShowsTheDefaultsThatHold: to set a setting to its shown default
// changes nothing, and one that shows none has none.
func TestHelpShowsTheDefaultsThatHold(t *testing.T) {
	want := effective(Config{})
	for _, s := range Settings() {
		var c Config
		switch {
		case s.Key == "secret_file" || s.Key == "export_dir":
			continue // its default is a place in words; the tests of secrets and jobs hold it
		case s.Default != "":
			if err := s.set(&c, s.Default); err != nil {
				t.Errorf("%s: its default %q: %v", s.Key, s.Default, err)
			}
		default:
			if err := s.set(&c, ""); err != nil {
				t.Errorf("%s: it shows no default and takes no empty text: %v", s.Key, err)
			}
		}
		if got := effective(c); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: help shows the default %q, which gives\n%+v, while without it there is\n%+v", s.Key, s.Default, got, want)
		}
	}
}

func TestDefaultsReadAsPeopleWriteThem(t *testing.T) {
	for d, want := range map[time.Duration]string{24 * time.Hour: "24h", 90 * time.Minute: "1h30m", 20 * time.Minute: "20m", 500 * time.Millisecond: "500ms", 70 * time.Second: "1m10s"} {
		if got := plainDuration(d); got != want {
			t.Errorf("%v is shown as %s, want %s", d, got, want)
		}
	}
	for n, want := range map[int64]string{10 << 30: "10GiB", 1536: "1536", 3 << 10: "3KiB", 0: "0"} {
		if got := plainBytes(n); got != want {
			t.Errorf("%d is shown as %s, want %s", n, got, want)
		}
	}
}
