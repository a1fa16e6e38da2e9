package replica

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"featurestore/offline/export"
	"featurestore/offline/flight"
	"featurestore/offline/history"
	"featurestore/offline/outside"
	"featurestore/offline/served"
	"featurestore/replication"
)

// Setting is one name under which a Config is set: key of the file, variable
// of the environment, and flag.
type Setting struct {
	// Key is the name in the file, such as log_level.
	Key string
	// Default is shown in help; "" for none.
	Default string
	// Help says in one line what the setting does.
	Help string
	// Switch says that the flag needs no value.
	Switch bool
	// path says that a relative value in a file is taken from the file's folder.
	path bool
	// list turns a list in a file into text; nil takes none.
	list func([]any) (string, error)
	set  func(c *Config, text string) error
}

// Flag returns the setting's name as a flag, such as log-level.
func (s Setting) Flag() string { return strings.ReplaceAll(s.Key, "_", "-") }

const variablePrefix = "FEATURESTORE_"

// Settings returns every setting, in the order in which help shows them.
func Settings() []Setting { return slices.Clone(settings) }

var settings = []Setting{
	{Key: "region", Help: "place of this store, such as eu", set: text(func(c *Config) *string { return &c.Region })},
	{Key: "store", Help: "name of this store, such as eu-1", set: text(func(c *Config) *string { return &c.Store })},
	{Key: "data", path: true, Help: "directory of everything the store keeps", set: text(func(c *Config) *string { return &c.Data })},
	{Key: "listen", Default: DefaultListen, Help: "address that answers REST requests", set: text(func(c *Config) *string { return &c.Listen })},
	{Key: "allow_insecure", Default: "false", Switch: true, Help: "listen beyond loopback although requests are not authenticated", set: func(c *Config, s string) (err error) {
		c.AllowInsecure, err = strconv.ParseBool(s)
		return plain(err, s, "true or false")
	}},
	{Key: "url", Help: "where clients and other stores reach listen, if that does not say", set: text(func(c *Config) *string { return &c.URL })},
	{Key: "peer_listen", Help: "address where stores of other regions reach this one, such as 127.0.0.1:9080", set: text(func(c *Config) *string { return &c.PeerListen })},
	{Key: "peer_address", Help: "what they are told of it, if that differs", set: text(func(c *Config) *string { return &c.PeerAddress })},
	{Key: "peers", list: peersText, Help: "stores of other regions, as us=127.0.0.1:9081,ap=127.0.0.1:9082, or in the file a list of {region, address}", set: func(c *Config, s string) (err error) {
		c.Peers, err = parsePeers(s)
		return err
	}},
	{Key: "peer_compress", Default: "false", Switch: true, Help: "compress what is sent to other regions", set: func(c *Config, s string) (err error) {
		c.PeerCompress, err = strconv.ParseBool(s)
		return plain(err, s, "true or false")
	}},
	{Key: "history", Default: "false", Switch: true, Help: "keep all rows as Parquet files in the data directory, for training sets", set: func(c *Config, s string) (err error) {
		c.History, err = strconv.ParseBool(s)
		return plain(err, s, "true or false")
	}},
	{Key: "history_bucket", Help: "keep them in an S3 bucket instead, such as s3://lake/rides?region=eu-central-1 or ?endpoint=http://127.0.0.1:9000", set: text(func(c *Config) *string { return &c.HistoryBucket })},
	{Key: "history_every", Default: plainDuration(history.DefaultMaxAge), Help: "how long rows may wait for their history", set: duration(func(c *Config) *time.Duration { return &c.HistoryEvery })},
	{Key: "history_retain", Default: "0s", Help: "how long rows stay in history, by event time; 0s is for ever", set: duration(func(c *Config) *time.Duration { return &c.HistoryRetain })},
	{Key: "export_memory", Default: plainBytes(export.DefaultMemory), Help: "memory for each export that runs, at least 64MiB; the rest goes through files", set: func(c *Config, s string) (err error) {
		c.Exports.Memory, err = ParseBytes(s)
		return err
	}},
	{Key: "export_threads", Default: strconv.Itoa(DefaultExportThreads), Help: "goroutines of each export that work at once", set: count(func(c *Config) *int { return &c.Exports.Threads })},
	{Key: "export_running", Default: strconv.Itoa(export.DefaultRunning), Help: "exports that run at once; one more is refused", set: count(func(c *Config) *int { return &c.Exports.Running })},
	{Key: "export_dir", path: true, Help: "folder of the files that export jobs write; without it, exports in the data directory", set: text(func(c *Config) *string { return &c.Exports.Dir })},
	{Key: "max_export_bytes", Default: plainBytes(export.DefaultStreamBytes), Help: "entity rows that are sent as an Arrow stream", set: func(c *Config, s string) (err error) {
		c.Exports.MaxBytes, err = ParseBytes(s)
		return err
	}},
	{Key: "max_export_rows", Default: strconv.Itoa(export.DefaultStreamRows), Help: "how many such rows", set: func(c *Config, s string) (err error) {
		c.Exports.MaxRows, err = strconv.ParseInt(s, 10, 64)
		return plain(err, s, "a whole number")
	}},
	{Key: "batch_sources", path: true, Help: "folder, or bucket such as s3://lake/sources, that batch sources of definitions are read from; none are without it", set: text(func(c *Config) *string { return &c.BatchSources })},
	{Key: "batch_memory", Default: plainBytes(outside.DefaultMemoryBytes), Help: "memory for reading a file of a batch source, in a process of its own", set: func(c *Config, s string) (err error) {
		c.BatchMemory, err = ParseBytes(s)
		return err
	}},
	{Key: "flight_listen", Help: "address that serves history over Arrow Flight, such as 127.0.0.1:8815; needs history", set: text(func(c *Config) *string { return &c.FlightListen })},
	{Key: "flight_streams", Default: strconv.Itoa(flight.DefaultStreams), Help: "Flight streams that run at once; of them export_running join rows", set: count(func(c *Config) *int { return &c.FlightStreams })},
	{Key: "served_log", Default: "0", Help: "part of the lookups whose answers are logged in the data directory, for verify, 0 to 1", set: func(c *Config, s string) (err error) {
		c.ServedLog, err = strconv.ParseFloat(s, 64)
		return plain(err, s, "a number from 0 to 1")
	}},
	{Key: "served_log_max_bytes", Default: plainBytes(served.DefaultMaxBytes), Help: "size of that log; the oldest go", set: func(c *Config, s string) (err error) {
		c.ServedLogMaxBytes, err = ParseBytes(s)
		return err
	}},
	{Key: "served_log_retain", Default: plainDuration(served.DefaultRetain), Help: "how long it stays", set: duration(func(c *Config) *time.Duration { return &c.ServedLogRetain })},
	{Key: "log_min_age", Default: plainDuration(replication.DefaultLogMinAge), Help: "how long log entries stay that every store has", set: duration(func(c *Config) *time.Duration { return &c.Replication.LogMinAge })},
	{Key: "log_max_age", Default: plainDuration(replication.DefaultLogMaxAge), Help: "how long they stay for a store that is away; it is rebuilt when it misses some", set: duration(func(c *Config) *time.Duration { return &c.Replication.LogMaxAge })},
	{Key: "log_max_bytes", Default: plainBytes(replication.DefaultLogMaxBytes), Help: "how much of a shard's log stays for a store that is away", set: func(c *Config, s string) (err error) {
		c.Replication.LogMaxBytes, err = ParseBytes(s)
		return err
	}},
	{Key: "tombstone_grace", Default: plainDuration(replication.DefaultGrace), Help: "how long every store must be past a delete before it is forgotten", set: duration(func(c *Config) *time.Duration { return &c.Replication.Grace })},
	{Key: "max_clock_skew", Default: plainDuration(replication.DefaultMaxSkew), Help: "by how much clocks of stores may differ; one that is further off stops writing", set: duration(func(c *Config) *time.Duration { return &c.Replication.MaxSkew })},
	{Key: "secret_file", path: true, Default: "<data>/secret", Help: "file with the secret that signs session tokens", set: text(func(c *Config) *string { return &c.SecretFile })},
	{Key: "definitions", path: true, Help: "file or folder of definitions, applied at start", set: text(func(c *Config) *string { return &c.Definitions })},
	{Key: "feast_project", Help: "project of Feast's own paths, which name none; needed when there are several", set: text(func(c *Config) *string { return &c.FeastProject })},
	{Key: "hot_bytes", Default: "128MiB", Help: "memory for rows, besides their index; -1 for none", set: func(c *Config, s string) (err error) {
		c.HotBytes, err = ParseBytes(s)
		return err
	}},
	{Key: "heap_bytes", Default: "256MiB", Help: "where the garbage collector begins to work harder; -1 for never; GOMEMLIMIT overrides", set: func(c *Config, s string) (err error) {
		c.HeapBytes, err = ParseBytes(s)
		return err
	}},
	{Key: "timeout", Default: "2s", Help: "time for a request that names no timeout", set: duration(func(c *Config) *time.Duration { return &c.Timeout })},
	{Key: "max_timeout", Default: "1m", Help: "longest timeout that a request may name", set: duration(func(c *Config) *time.Duration { return &c.MaxTimeout })},
	{Key: "max_body_bytes", Default: "8MiB", Help: "largest body of a request", set: size(func(c *Config) *int { return &c.Limits.BodyBytes })},
	{Key: "max_held_bytes", Default: "64MiB", Help: "bodies of all requests together", set: size(func(c *Config) *int { return &c.Limits.HeldBytes })},
	{Key: "max_in_flight", Default: "4096", Help: "requests answered at once", set: count(func(c *Config) *int { return &c.Limits.InFlight })},
	{Key: "max_rows", Default: "10000", Help: "rows of one push, entities of one delete", set: count(func(c *Config) *int { return &c.Limits.Rows })},
	{Key: "max_entities", Default: "1000", Help: "entities of one lookup", set: count(func(c *Config) *int { return &c.Limits.Entities })},
	{Key: "max_features", Default: "1000", Help: "features of one lookup", set: count(func(c *Config) *int { return &c.Limits.Features })},
	{Key: "max_answer_bytes", Default: "32MiB", Help: "rows that one lookup reads, and the values of its answer", set: size(func(c *Config) *int { return &c.Limits.AnswerBytes })},
	{Key: "max_changes", Default: "100000", Help: "rows of one push times the views that each feeds", set: count(func(c *Config) *int { return &c.Limits.Changes })},
	{Key: "drain", Default: DefaultDrain.String(), Help: "time for requests in flight when the store stops", set: duration(func(c *Config) *time.Duration { return &c.Drain })},
	{Key: "log_level", Default: "info", Help: "debug, info, warn or error", set: func(c *Config, s string) error {
		return plain(c.LogLevel.UnmarshalText([]byte(s)), s, "debug, info, warn or error")
	}},
	{Key: "log_format", Default: string(LogText), Help: "text or json", set: func(c *Config, s string) error {
		c.LogFormat = LogFormat(s)
		return nil
	}},
	{Key: "otlp_endpoint", Help: "collector of traces and metrics by gRPC, such as http://127.0.0.1:4317", set: text(func(c *Config) *string { return &c.OTLP.Endpoint })},
	{Key: "otlp_interval", Default: DefaultOTLPInterval.String(), Help: "time between two sendings of metrics", set: duration(func(c *Config) *time.Duration { return &c.OTLP.Interval })},
	{Key: "otlp_trace_ratio", Default: "0.01", Help: "part of the requests that are traced, 0 to 1", set: func(c *Config, s string) error {
		r, err := strconv.ParseFloat(s, 64)
		c.OTLP.TraceRatio = &r
		return plain(err, s, "a number from 0 to 1")
	}},
}

func keys() []string {
	out := make([]string, len(settings))
	for i, s := range settings {
		out[i] = s.Key
	}
	return out
}

func settingOf(key string) (Setting, bool) {
	i := slices.IndexFunc(settings, func(s Setting) bool { return s.Key == key })
	if i < 0 {
		return Setting{}, false
	}
	return settings[i], true
}

func text(field func(*Config) *string) func(*Config, string) error {
	return func(c *Config, s string) error {
		*field(c) = s
		return nil
	}
}

func duration(field func(*Config) *time.Duration) func(*Config, string) error {
	return func(c *Config, s string) (err error) {
		*field(c), err = time.ParseDuration(s)
		return plain(err, s, "a duration such as 500ms or 10s")
	}
}

func count(field func(*Config) *int) func(*Config, string) error {
	return func(c *Config, s string) (err error) {
		*field(c), err = strconv.Atoi(s)
		return plain(err, s, "a whole number")
	}
}

func size(field func(*Config) *int) func(*Config, string) error {
	return func(c *Config, s string) error {
		n, err := ParseBytes(s)
		*field(c) = int(n)
		return err
	}
}

// plain says what would be right instead of how a parser failed.
func plain(err error, got, want string) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%q is not %s", got, want)
}

// ParseBytes reads "1048576", "1MiB", "1MB".
func ParseBytes(s string) (int64, error) {
	number := strings.TrimRight(s, "BKMGTikmgt ")
	unit := strings.TrimSpace(s[len(number):])
	scale, ok := map[string]int64{
		"": 1, "B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40,
		"KB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12,
	}[unit]
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || !ok || n > 1<<53/scale || n < -1<<53/scale {
		return 0, fmt.Errorf("%q is not a size such as 64MiB", s)
	}
	return n * scale, nil
}

// plainDuration writes a duration as people do: 24h, not 24h0m0s.
func plainDuration(d time.Duration) string {
	text := d.String()
	for _, zero := range []string{"m0s", "h0m"} {
		if whole, cut := strings.CutSuffix(text, zero); cut {
			text = whole + zero[:1]
		}
	}
	return text
}

// plainBytes writes a size as ParseBytes reads it, in the largest whole unit.
func plainBytes(n int64) string {
	units := []string{"", "KiB", "MiB", "GiB", "TiB"}
	for len(units) > 1 && n >= 1024 && n%1024 == 0 {
		n, units = n/1024, units[1:]
	}
	return strconv.FormatInt(n, 10) + units[0]
}
