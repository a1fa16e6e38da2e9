package main

import (
	"context"
	"time"
)

// contender is one line of the table: a system, its settings and what they
// make an acknowledgement say.
type contender struct {
	name  string
	acked string // where a write is when its client hears of it
	start func(ctx context.Context, s *site) (system, error)
}

// contenders in the order in which they run. A further one is a further entry.
var contenders = []contender{
	{"redis-wait", "synced at the primary, in the replica's memory", redis{wait: true}.start},
	{"redis", "synced at the primary", redis{}.start},
	{"mariadb-semisync", "synced at the primary, in the replica's relay log", mariadb{semisync: true}.start},
	{"mariadb-semisync-synced", "synced at the primary and in the replica's relay log", mariadb{semisync: true, syncRelayLog: true}.start},
	{"mariadb", "synced at the primary", mariadb{}.start},
	{"featurestore-any1", "synced at both stores", featurestore{regions: two, concern: "any:1"}.start},
	{"featurestore-local", "synced at the writer's store", featurestore{regions: two, concern: "local"}.start},
	{"featurestore-any1-of-3", "synced at two stores of three", featurestore{regions: three, concern: "any:1"}.start},
	{"featurestore-leader", "synced at the leader and at another store of three", featurestore{regions: three, concern: "any:1", group: "placement: leader, home: [" + three[0] + `], durability: "any:1", write: {timeout: 10s}`}.start},
}

// system is a contender that runs: it takes writes at its primary and answers
// reads at its replica.
type system interface {
	// version of the program and what else a reader of the figures must know.
	version() string
	// client connects to both, on connections of its own.
	client(ctx context.Context) (client, error)
	// sessions reports whether a read may ask for what its client wrote.
	sessions() bool
	// check returns an error when the system did not keep to its settings.
	check(ctx context.Context) error
	// pids of its processes.
	pids() []int
	stop() error
}

// client is one user of a system. It is used by one goroutine at a time.
type client interface {
	// write replaces a row and returns once it is acknowledged.
	write(ctx context.Context, r row) error
	// read returns the stamp of a row at the replica, 0 if it has none, and what
	// the replica says that it waited.
	read(ctx context.Context, id int, session bool) (stamp int64, waited time.Duration, err error)
	close()
}

// row is an entity with its features. The first feature is the stamp, which no
// two writes share, so that a read tells which write it saw.
type row struct {
	id       int
	features [features]float64
}

// ackLimit is how long a write waits for a replica. It is long enough for a
// busy disk, so that a write which is late shows in the figures, not as a fault.
const ackLimit = 10 * time.Second

const (
	entities = 10_000
	features = 10
)

// rowOf returns a row: the stamp, and values of four decimals such as rates and
// averages have, the same on every call.
func rowOf(id int, stamp int64) row {
	r := row{id: id}
	r.features[0] = float64(stamp)
	for i := 1; i < features; i++ {
		r.features[i] = float64((uint64(id)*7919+uint64(stamp)*104729+uint64(i)*1299709)%100_000_000) / 10_000
	}
	return r
}
