package featurestore

import (
	"slices"
	"strings"
	"testing"
)

// A room is a package, or a package and those beneath it where its path ends
// in "/...".
type room struct {
	path string
	may  []string // rooms its code imports
	test []string // rooms its tests import besides
	pure bool     // no I/O, no goroutine
}

// anything stands for every room and every library that has a home.
const anything = "*"

// rooms is the layout. Reading order: from the ground to the roof.
var rooms = []room{
	{path: "."},

	// Words and formats: what everything else speaks of.
	{path: "hlc", pure: true},
	{path: "fault", pure: true},
	{path: "feature", may: []string{"hlc"}, pure: true},
	{path: "feature/definition", may: []string{"hlc", "feature"}},
	{path: "feature/ondemand", may: []string{"hlc", "feature"}, test: []string{"feature/definition"}},
	{path: "replication/oplog", may: []string{"hlc", "feature"}, pure: true},
	{path: "meta", may: []string{"hlc", "feature", "replication/oplog"}},

	// Mechanisms: none imports another.
	{
		path: "online", // keeps the registry as feature/definition writes it
		may:  []string{"hlc", "fault", "feature", "feature/definition", "replication/oplog", "meta"},
		test: []string{"feature/ondemand"},
	},
	{
		path: "consistency",
		may:  []string{"hlc", "fault", "feature", "replication/oplog", "meta"},
		test: []string{"feature/definition", "online"},
		pure: true,
	},
	{
		path: "replication",
		may:  []string{"hlc", "fault", "feature", "replication/oplog", "meta"},
		test: []string{"feature/definition", "online", "consistency"},
	},
	{
		path: "simulation", // clusters in virtual time, and the checkers of their histories
		may:  []string{"hlc", "fault", "feature", "feature/definition", "replication/oplog", "meta", "online", "consistency", "replication"},
	},
	{path: "offline/pit", may: []string{"hlc", "feature"}}, // the point-in-time join
	{path: "offline/jobs"},                                 // work that takes longer than a request
	{path: "offline/source", may: []string{"hlc", "feature"}, test: []string{"feature/definition"}},
	{path: "offline/bucket", test: []string{"offline/bucket/buckettest"}}, // files in an S3-compatible object store
	{path: "offline/bucket/buckettest", may: []string{"offline/bucket"}},  // a server in the process, and the contract of files
	{
		path: "offline/history", // the log, for ever: Parquet files and what counts of them
		may:  []string{"hlc", "feature", "replication/oplog", "meta"},
		test: []string{"online", "offline/source", "offline/bucket", "offline/bucket/buckettest"},
	},
	{
		path: "offline/training", // training sets: history through the point-in-time join
		may:  []string{"hlc", "feature", "feature/ondemand", "offline/history", "offline/pit", "offline/source"},
		test: []string{"online", "feature/definition"},
	},
	{
		path: "offline",
		may:  []string{"hlc", "feature", "feature/ondemand", "replication/oplog", "meta", "offline/source"},
		test: []string{"feature/definition", "online"},
	},
	{
		path: "offline/served", // a sample of what was served, as Parquet
		may:  []string{"hlc", "feature", "offline/history"},
	},

	{
		path: "offline/verify", // what was served, recomputed from history
		may:  []string{"hlc", "feature", "feature/definition", "feature/ondemand", "offline/history", "offline/training", "offline/served"},
		test: []string{"online", "replication/oplog", "meta"},
	},

	// Edges: what the world and other stores talk to.
	{path: "relay"}, // links between regions on one machine: delay, loss, cuts
	{path: "api", may: []string{"hlc", "feature"}, test: []string{"feature/definition"}},
	{path: "probe", may: []string{"api"}, pure: true},                            // what a canary saw, judged
	{path: "offline/outside", may: []string{"feature", "offline/source", "api"}}, // files of others, read by a child process
	{
		path: "offline/batch", // files of others become rows, through the edge
		may:  []string{"feature", "offline/bucket", "offline/jobs", "offline/outside", "api"},
		test: []string{"hlc", "feature/definition", "online", "offline/source", "offline/bucket/buckettest", "consistency", "meta"},
	},
	{
		path: "offline/sql", // the same join, as text for engines that read the files
		may:  []string{"hlc", "feature", "offline/history", "offline/training"},
		test: []string{"online", "feature/definition", "offline/source"},
	},
	{
		path: "offline/export", // what leaves a history, whichever way
		may:  []string{"hlc", "feature", "feature/definition", "offline/bucket", "offline/jobs", "offline/history", "offline/pit", "offline/training", "offline/sql", "api"},
		test: []string{"online", "offline/bucket/buckettest"},
	},
	{
		path: "server",
		may: []string{
			"hlc", "feature", "feature/definition", "feature/ondemand", "replication/oplog", "meta",
			"online", "consistency", "replication", "offline", "offline/jobs", "offline/source", "offline/served", "offline/export", "api", "offline/batch",
		},
		test: []string{"offline/history"},
	},
	{path: "replication/peer/wire"}, // generated
	{
		path: "replication/peer",
		may:  []string{"hlc", "feature", "replication/oplog", "meta", "replication", "replication/peer/wire"},
		test: []string{"relay"},
	},
	{
		path: "offline/flight",
		may:  []string{"hlc", "feature", "offline", "offline/pit", "offline/export", "api"},
		test: []string{"online", "feature/definition", "offline/history"},
	},

	// One running store, and its clients. Their tests run the real server.
	{
		path: "replica",
		may: []string{
			"hlc", "feature", "feature/definition", "feature/ondemand", "replication/oplog", "meta",
			"online", "consistency", "replication", "offline", "offline/jobs", "offline/source", "offline/bucket", "offline/history", "offline/pit", "offline/export", "offline/served", "offline/batch", "offline/outside",
			"api", "server", "replication/peer", "offline/flight", "relay", "fault",
		},
		test: []string{"offline/verify", "sdk", "probe", "offline/bucket/buckettest"},
	},
	{
		path: "sdk",
		may:  []string{"hlc", "feature", "api"},
		test: []string{"feature/definition", "server", "online", "consistency", "replica"},
	},
	{
		path: "sdk/training",
		may:  []string{"hlc", "feature", "api", "sdk"},
		test: []string{"feature/definition", "server", "online", "offline", "replica"},
	},

	// Programs. The command sees formats where it prints them (inspect).
	{
		path: "cmd/featurestore",
		may: []string{
			"hlc", "feature", "feature/definition", "feature/ondemand", "replication/oplog",
			"online", "consistency", "offline/source", "offline/outside", "offline/bucket", "offline/history", "offline/pit", "offline/training", "offline/sql", "offline/export", "api", "probe", "sdk", "sdk/training", "replica", "relay", "meta", "offline/verify",
		},
		test: []string{"server", "simulation", "offline/bucket/buckettest"},
	},
	{path: "benchmarks/...", may: []string{anything}},
	{path: "examples/...", may: []string{anything}},
}

// A library is a module of others, with the rooms that are its home. Its
// choice is argued in docs/adr/0007-libraries.md.
type library struct {
	path string
	home []string // rooms whose code imports it
	test []string // rooms whose tests import it besides
}

// libraries is in alphabetical order; the longest path that fits an import counts.
var libraries = []library{
	{path: "cel.dev/cel-go", home: []string{"feature/ondemand"}},
	{path: "github.com/VictoriaMetrics/fastcache", test: []string{"online"}},  // what the hot tier is measured against
	{path: "github.com/anishathalye/porcupine", home: []string{"simulation"}}, // judges histories
	{path: "github.com/apache/arrow/go/v17", home: []string{"offline/...", "sdk/training"}, test: []string{"cmd/featurestore", "offline/pit", "offline/source", "offline/history", "offline/training", "offline/export", "offline/served", "offline/flight", "replica"}},
	{path: "github.com/aws/aws-sdk-go-v2", home: []string{"offline/bucket"}},
	{path: "github.com/aws/smithy-go", home: []string{"offline/bucket"}},
	{path: "github.com/cockroachdb/apd/v3", home: []string{"feature"}},
	{path: "github.com/dgraph-io/badger/v4", home: []string{"online"}},
	{path: "github.com/getkin/kin-openapi", test: []string{"api", "server"}},
	{path: "github.com/goccy/go-yaml", home: []string{"feature/definition", "replica"}},
	{path: "github.com/google/uuid", home: []string{"feature", "api", "offline/source"}}, // where values become text
	{path: "github.com/jedib0t/go-pretty/v6", home: []string{"cmd/featurestore"}},
	{path: "github.com/klauspost/compress", home: []string{"replication/peer"}},
	{path: "github.com/knadh/koanf", home: []string{"replica"}},
	{path: "github.com/labstack/echo/v4", home: []string{"server"}},
	{path: "github.com/mattn/go-isatty", home: []string{"cmd/featurestore"}},
	{path: "github.com/prometheus/client_golang", home: []string{"replica"}},
	{path: "github.com/redis/go-redis/v9", home: []string{"benchmarks/..."}},
	{path: "github.com/rogpeppe/go-internal", test: []string{anything}},
	{path: "github.com/spf13/cobra", home: []string{"cmd/featurestore"}},
	{path: "github.com/spf13/pflag", home: []string{"cmd/featurestore"}},
	{path: "github.com/vbauerster/mpb/v8", home: []string{"cmd/featurestore"}},
	{path: "github.com/zeebo/xxh3", home: []string{"feature", "meta", "offline/pit", "online", "replication"}},
	{path: "go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp", home: []string{"server"}},
	{path: "go.opentelemetry.io/contrib/instrumentation/runtime", home: []string{"replica"}},
	{
		path: "go.opentelemetry.io/otel", // the API: instruments and spans
		home: []string{"online", "consistency", "replication", "replication/peer", "offline", "offline/bucket", "offline/history", "offline/served", "offline/flight", "probe", "server", "sdk", "replica", "offline/batch"},
	},
	{path: "go.opentelemetry.io/otel/exporters", home: []string{"replica"}},
	{
		path: "go.opentelemetry.io/otel/sdk",
		home: []string{"replica"},
		test: []string{"online", "consistency", "replication", "replication/peer", "offline", "offline/bucket", "offline/history", "offline/served", "offline/flight", "server", "sdk"},
	},
	{path: "go.opentelemetry.io/proto/otlp", test: []string{"replica"}}, // a collector to export to
	{path: "go.uber.org/goleak", test: []string{anything}},
	{path: "golang.org/x/sync", home: []string{"online", "replication", "replication/peer", "offline/...", "offline/history", "server", "sdk", "replica", "cmd/featurestore"}},
	{path: "google.golang.org/grpc", home: []string{"replication/peer", "replication/peer/wire", "offline/flight"}, test: []string{"replica", "cmd/featurestore"}},
	{path: "google.golang.org/protobuf", home: []string{"replication/peer", "replication/peer/wire"}, test: []string{"offline/flight"}},
	{path: "pgregory.net/rapid", test: []string{anything}},
}

func TestRoomsImportOnlyWhatTheTableNames(t *testing.T) {
	for _, fault := range checkRooms(loadTree(t)) {
		t.Error(fault)
	}
}

// TestTableKeepsTheDesign checks the table itself, so that a row which is
// loosened in passing does not loosen the design with it.
func TestTableKeepsTheDesign(t *testing.T) {
	mechanisms := []string{"online", "offline", "replication", "consistency"}
	for i, r := range rooms {
		var below []string
		for _, b := range rooms[:i] {
			below = append(below, b.path)
		}
		for _, to := range r.may {
			if slices.Contains(mechanisms, r.path) && slices.Contains(mechanisms, to) {
				t.Errorf("mechanism %s may import mechanism %s: let it declare the interface it needs", r.path, to)
			}
			if to != anything && !slices.Contains(below, to) {
				t.Errorf("%s may import %s, which does not stand before it: rows go from the ground up", r.path, to)
			}
		}
	}
	if !slices.IsSortedFunc(libraries, func(a, b library) int { return strings.Compare(a.path, b.path) }) {
		t.Error("libraries are not in alphabetical order")
	}
}
