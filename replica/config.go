package replica

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"path/filepath"
	"strconv"
	"time"

	"featurestore/consistency"
	"featurestore/meta"
	"featurestore/offline/bucket"
	"featurestore/offline/flight"
	"featurestore/offline/history"
	"featurestore/offline/outside"
	"featurestore/offline/served"
	"featurestore/online"
	"featurestore/replication"
	"featurestore/server"
)

// Config says what a store is called, where it keeps its data, where it
// listens, and what it may take. Region, Store and Data are required.
type Config struct {
	// Region and Store name the place and the store; see meta.Region.Validate.
	Region string
	Store  string
	// Data is the directory of everything the store keeps; made when absent.
	Data string
	// Listen is the address of the REST edge; default DefaultListen. Port 0
	// takes a free port: see Replica.Addr.
	Listen string
	// AllowInsecure lets Listen name an address beyond loopback. Requests are
	// not authenticated: whoever reaches the address can read and write.
	AllowInsecure bool
	// URL is where clients and other stores reach Listen, for a store that does
	// not know: behind a proxy, or listening on every address. "" is Listen.
	URL string

	// PeerListen is the address where stores of other regions reach this one; ""
	// is a store that replicates to no other. PeerAddress is what they are told,
	// where it differs.
	PeerListen, PeerAddress string
	// Peers are the stores of other regions at the beginning. Later the
	// membership says who they are; these addresses are used all the same.
	Peers []Peer
	// Listener and PeerListener are used instead of opening Listen and
	// PeerListen, for who must know the addresses before there are stores.
	Listener, PeerListener net.Listener
	// Home is the region whose store begins the deployment; "" is the first by
	// name of all that the configuration names.
	Home string
	// PeerCompress compresses what is sent to peers.
	PeerCompress bool
	// Replication says how long the log is kept, and for how long deletes are
	// remembered; its zero fields are the defaults of replication.Timing.
	Replication replication.Timing
	// Wall is the store's clock; nil is time.Now.
	Wall func() time.Time
	// Forward carries requests that another store answers better; nil is a
	// transport of its own. Links are what featurestore dev can change.
	Forward http.RoundTripper
	Links   Links

	// SecretFile holds the secret that signs session tokens, shared by the
	// stores of a deployment. "" is the file "secret" in Data, made with 32
	// random bytes when it is not there.
	SecretFile string
	// History keeps every row that is written as Parquet files in the folder history
	// of Data, for training sets. HistoryEvery is how long what was read of the log may wait for
	// its commit; 0 is history.DefaultMaxAge. HistoryRetain is for how long rows
	// stay, by event time; 0: for ever. HistoryBucket is the URL of a bucket, as
	// package bucket reads it, that holds history in the place of Data; "" for none.
	History                     bool
	HistoryBucket               string
	HistoryEvery, HistoryRetain time.Duration
	// Exports bound what exports of history may take.
	Exports Exports
	// BatchSources is the folder, or the URL of a bucket's prefix, beneath which the files
	// of batch sources lie; "" reads none. BatchMemory bounds what reading a file may take; 0 is
	// outside.DefaultMemoryBytes.
	BatchSources string
	BatchMemory  int64
	// Reader is the program that reads files of batch sources, where it is not this one:
	// see outside.Config.
	Reader outside.Config
	// FlightListen is the address that serves history over Arrow Flight; "" serves it to
	// nobody. Port 0 takes a free port: see Replica.FlightAddr. FlightStreams bounds
	// the streams that run at once; 0 is flight.DefaultStreams.
	FlightListen  string
	FlightStreams int
	// ServedLog is the fraction of lookups whose answers are logged in the folder served of
	// Data, 0 to 1; ServedLogMaxBytes and ServedLogRetain bound the folder, 0 being the
	// defaults of served.Config. A lookup waits for its file for HistoryEvery.
	ServedLog         float64
	ServedLogMaxBytes int64
	ServedLogRetain   time.Duration
	// Definitions is a file or a folder that is applied at start; "" for none.
	Definitions string
	// FeastProject is the project that the paths of Feast's clients serve; "" is
	// the only one there is.
	FeastProject string

	// HotBytes bounds the rows kept in memory; 0 is online.DefaultHotBytes,
	// negative is none.
	HotBytes int64
	// HeapBytes is where the garbage collector of the whole process begins to
	// work harder; the hot tier is not counted in it. 0 is DefaultHeapBytes,
	// negative leaves the collector alone, and so does GOMEMLIMIT in the
	// environment.
	HeapBytes int64
	// Timeout and MaxTimeout of requests, and Limits of what they may cost; zero
	// values are the defaults of server.Config.
	Timeout    time.Duration
	MaxTimeout time.Duration
	Limits     server.Limits
	// Drain bounds how long requests in flight may go on when the store stops;
	// 0 is DefaultDrain.
	Drain time.Duration

	// LogLevel is the least severe level that is logged; default info.
	LogLevel slog.Level
	// LogFormat is LogText or LogJSON; "" is text.
	LogFormat LogFormat
	// LogOutput receives logs; nil is silent.
	LogOutput io.Writer

	// OTLP says where traces and metrics are sent besides /metrics.
	OTLP OTLP
}

// OTLP configures sending telemetry to a collector by gRPC.
type OTLP struct {
	// Endpoint is a URL such as http://127.0.0.1:4317; https uses TLS. "" sends
	// nothing, and makes no spans.
	Endpoint string
	// Interval between two sendings of metrics; 0 is DefaultOTLPInterval.
	Interval time.Duration
	// TraceRatio is the part of requests without a sampled parent that are
	// traced, 0 to 1; nil is DefaultTraceRatio.
	TraceRatio *float64
}

// LogFormat is how a log record is written.
type LogFormat string

// The log formats.
const (
	LogText LogFormat = "text" // key=value
	LogJSON LogFormat = "json" // one JSON object a line
)

// Defaults of Config.
const (
	DefaultListen       = "127.0.0.1:8080"
	DefaultHotBytes     = online.DefaultHotBytes
	DefaultHeapBytes    = 256 << 20
	DefaultDrain        = 10 * time.Second
	DefaultOTLPInterval = 15 * time.Second
	DefaultTraceRatio   = 0.01
)

// Validate reports every fault of c, joined; nil when there is none. It looks
// at no file and opens no socket.
func (c Config) Validate() error {
	var errs []error
	fault := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	errs = append(errs, meta.Region(c.Region).Validate(), meta.StoreID(c.Store).Validate())
	fault(c.Data == "", "data is empty: name the directory that holds the store's data")
	if err := checkListen("listen", c.withDefaults().Listen, c.AllowInsecure); err != nil {
		errs = append(errs, err)
	}
	errs = append(errs, c.validatePeers(), c.validateLog(), c.validateFlight())
	if c.URL != "" {
		u, err := url.Parse(c.URL)
		fault(err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "", "url is %q: write it as http://features.eu.example:8080", c.URL)
	}
	fault(c.LogFormat != "" && c.LogFormat != LogText && c.LogFormat != LogJSON, "log_format is %q: use text or json", c.LogFormat)
	if bucket.IsURL(c.BatchSources) {
		if _, err := bucket.Parse(c.BatchSources); err != nil {
			errs = append(errs, fmt.Errorf("batch_sources: %w", err))
		}
	}
	if c.HistoryBucket != "" {
		fault(!c.History, "history_bucket is set, and history is not: add history: true, for the store to keep one there")
		if _, err := bucket.Parse(c.HistoryBucket); err != nil {
			errs = append(errs, fmt.Errorf("history_bucket: %w", err))
		}
	}
	fault(c.HistoryEvery < 0, "history_every is %v: it must be positive, or zero for %v", c.HistoryEvery, history.DefaultMaxAge)
	fault(c.HistoryRetain < 0, "history_retain is %v: it must be positive, or zero for ever", c.HistoryRetain)
	errs = append(errs, c.Exports.validate())
	fault(c.BatchMemory < 0, "batch_memory is %d: it must be positive, or zero for %d", c.BatchMemory, int64(outside.DefaultMemoryBytes))
	fault(!(c.ServedLog >= 0 && c.ServedLog <= 1), "served_log is %v: it must be 0 to 1", c.ServedLog)
	fault(c.ServedLogMaxBytes < 0, "served_log_max_bytes is %d: it must be positive, or zero for %d", c.ServedLogMaxBytes, served.DefaultMaxBytes)
	fault(c.ServedLogRetain < 0, "served_log_retain is %v: it must be positive, or zero for %v", c.ServedLogRetain, served.DefaultRetain)
	fault(c.Drain < 0, "drain is %v: it must be positive, or zero for %v", c.Drain, DefaultDrain)
	fault(c.OTLP.Interval < 0, "otlp_interval is %v: it must be positive, or zero for %v", c.OTLP.Interval, DefaultOTLPInterval)
	if r := c.OTLP.TraceRatio; r != nil {
		fault(!(*r >= 0 && *r <= 1), "otlp_trace_ratio is %v: it must be 0 to 1", *r)
	}
	if c.OTLP.Endpoint != "" {
		u, err := url.Parse(c.OTLP.Endpoint)
		fault(err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "",
			"otlp_endpoint is %q: write it as http://127.0.0.1:4317, or https for TLS", c.OTLP.Endpoint)
	}
	if c.Region != "" && c.Store != "" && c.Data != "" {
		edge := c.server()
		// Stand-ins for what New builds, so that only the settings are judged.
		edge.Online, edge.Coordinator, edge.Signer = &online.Store{}, &consistency.Coordinator{}, &consistency.Signer{}
		errs = append(errs, edge.Validate(), c.online().Validate())
	}
	return errors.Join(errs...)
}

// checkListen wants host:port, and a host that only this machine reaches
// unless insecure.
func checkListen(setting, address string, insecure bool) error {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("%s is %q: write it as host:port, such as %s", setting, address, DefaultListen)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("%s is %q: the port must be a number from 0 to 65535", setting, address)
	}
	if host == "localhost" || insecure {
		return nil
	}
	if ip, err := netip.ParseAddr(host); err == nil && ip.IsLoopback() {
		return nil
	}
	return fmt.Errorf("%s is %q, which other machines reach, and requests are not authenticated: listen on 127.0.0.1, or set allow_insecure: true where the network is trusted", setting, address)
}

func (c Config) withDefaults() Config {
	if c.Listen == "" {
		c.Listen = DefaultListen
	}
	if c.HeapBytes == 0 {
		c.HeapBytes = DefaultHeapBytes
	}
	if c.Drain == 0 {
		c.Drain = DefaultDrain
	}
	c.Exports = c.Exports.withDefaults()
	if c.HistoryEvery == 0 {
		c.HistoryEvery = history.DefaultMaxAge
	}
	if c.BatchMemory == 0 {
		c.BatchMemory = outside.DefaultMemoryBytes
	}
	if c.FlightStreams == 0 {
		c.FlightStreams = flight.DefaultStreams
	}
	if c.ServedLogMaxBytes == 0 {
		c.ServedLogMaxBytes = served.DefaultMaxBytes
	}
	if c.ServedLogRetain == 0 {
		c.ServedLogRetain = served.DefaultRetain
	}
	if c.LogFormat == "" {
		c.LogFormat = LogText
	}
	if c.OTLP.Interval == 0 {
		c.OTLP.Interval = DefaultOTLPInterval
	}
	return c
}

// OnlineDir returns the directory within data that holds rows and log.
func OnlineDir(data string) string { return filepath.Join(data, "online") }

// online returns the configuration of the store beneath, without telemetry.
func (c Config) online() online.Config {
	return online.Config{Dir: OnlineDir(c.Data), Region: c.Region, Store: c.Store, HotBytes: c.HotBytes, Wall: c.Wall}
}

// server returns the configuration of the edge, without telemetry.
func (c Config) server() server.Config {
	return server.Config{Region: c.Region, Store: c.Store, FeastProject: c.FeastProject, Timeout: c.Timeout, MaxTimeout: c.MaxTimeout, Limits: c.Limits, Stall: c.Exports.Stall}
}
