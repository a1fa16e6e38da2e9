package online

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dgraph-io/badger/v4"

	"featurestore/feature"
	"featurestore/hlc"
)

func TestIdentityIsKept(t *testing.T) {
	h := openHouse(t, func(c *Config) { c.Deployment = "" })
	first := h.Identity()
	if first.Origin == 0 || first.Store != "eu-1" || first.Region != "eu" || len(first.Deployment) != 32 || first.Incarnation != 1 {
		t.Errorf("identity %+v, want names as configured, and drawn deployment and origin", first)
	}
	h.restart()
	if got := h.Identity(); got != first {
		t.Errorf("after a restart %+v, was %+v", got, first)
	}
	if other := openHouse(t); other.Identity().Origin == first.Origin {
		t.Errorf("two stores have the origin %v", first.Origin)
	}
}

func TestADirectoryOfAnotherStoreIsRefused(t *testing.T) {
	h := openHouse(t)
	h.stop()
	for _, tc := range []struct {
		edit func(*Config)
		want string
	}{
		{func(c *Config) { c.Store = "eu-2" }, `was made for store "eu-1", the configuration says "eu-2"`},
		{func(c *Config) { c.Region = "us" }, `was made for region "eu", the configuration says "us"`},
		{func(c *Config) { c.Deployment = "other" }, `was made for deployment "test", the configuration says "other"`},
	} {
		cfg := h.cfg
		tc.edit(&cfg)
		if _, err := Open(cfg); !errors.Is(err, ErrForeign) || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("got %v, want %v with %q", err, ErrForeign, tc.want)
		}
	}
	h.start()
}

func TestADirectoryInUseIsRefused(t *testing.T) {
	h := openHouse(t)
	if _, err := Open(h.cfg); !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), h.cfg.Dir) {
		t.Errorf("got %v, want %v naming %s", err, ErrInUse, h.cfg.Dir)
	}
}

func TestADirectoryOfAnotherProgramIsRefused(t *testing.T) {
	cfg := testConfig(t.TempDir())
	raw(t, cfg, func(txn *badger.Txn) error { return txn.Set([]byte("theirs"), []byte("value")) })
	if _, err := Open(cfg); !errors.Is(err, ErrForeign) {
		t.Errorf("got %v, want %v", err, ErrForeign)
	}
}

func TestAnUnknownFormatIsRefusedNamingBoth(t *testing.T) {
	h := openHouse(t)
	h.stop()
	raw(t, h.cfg, func(txn *badger.Txn) error { return txn.Set(storeKey(), []byte{7, 1, 2, 3}) })
	_, err := Open(h.cfg)
	if !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), "has 7, this version reads 1") {
		t.Errorf("got %v, want %v naming 7 and 1", err, ErrFormat)
	}
}

// raw changes a closed directory behind the store's back.
func raw(t testing.TB, cfg Config, edit func(*badger.Txn) error) {
	t.Helper()
	db, err := openBadger(cfg.withDefaults())
	if err != nil {
		t.Fatal(err)
	}
	txn := db.NewTransactionAt(math.MaxUint64, true)
	defer txn.Discard()
	if err := edit(txn); err != nil {
		t.Fatal(err)
	}
	if err := txn.CommitAt(db.MaxVersion()+1, nil); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestConfigReportsEveryFault(t *testing.T) {
	_, err := Open(Config{Store: strings.Repeat("x", 65), Deployment: strings.Repeat("x", 65), MemTableBytes: 1, Waiters: -1, SnapshotLag: -1})
	for _, want := range []string{"Dir is empty", `Store is "xxx`, `Region is ""`, "Deployment has 65 bytes", "MemTableBytes is 1", "Waiters is -1", "SnapshotLag is -1"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not say %q", err, want)
		}
	}
}

// S5: a wall clock that stepped back while the store was down, after a clean
// end and after none.
func TestTimestampsRiseAcrossRestarts(t *testing.T) {
	wall := time.Now()
	h := openHouse(t, func(c *Config) { c.Wall = func() time.Time { return wall } })
	last := h.append(write(change(1, 1, addTrips(1)))).Positions[0].Position.At
	for n := range 3 {
		wall = wall.Add(-time.Hour)
		h.restart()
		at := h.append(write(change(1, 1, addTrips(1)))).Positions[0].Position.At
		if at <= last {
			t.Errorf("restart %d: timestamp %v, the one before was %v", n, at, last)
		}
		last = at
	}
	if n := len(h.entries(shardA)); n != 4 {
		t.Errorf("%d entries in the chain, want 4", n)
	}
	var record storeRecord
	h.stop()
	for r, err := range Inspect(t.Context(), h.cfg.Dir, InspectOptions{Prefix: storeKey()}) {
		if err != nil {
			t.Fatal(err)
		}
		record = storeRecord{limit: r.Store.ClockLimit, clean: r.Store.Clean}
	}
	if !record.clean || record.limit <= last || record.limit > last+2 {
		t.Errorf("record %+v, want a clean end and a limit just after %v", record, last)
	}
}

// S2: what an unclean end leaves is refused for inspection and recovered by
// opening it.
func TestAnUncleanEndIsRecovered(t *testing.T) {
	h := openHouse(t)
	h.append(write(change(1, 1, addTrips(1))))
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(h.cfg.Dir)); err != nil { // as a crash would leave it
		t.Fatal(err)
	}
	for _, err := range Inspect(t.Context(), dir, InspectOptions{}) {
		if !errors.Is(err, ErrUnclean) {
			t.Errorf("inspect: %v, want %v", err, ErrUnclean)
		}
	}
	cfg := h.cfg
	cfg.Dir = dir
	s, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	other := &house{TB: t, cfg: cfg}
	other.runs(s)
	defer other.stop()
	if got := read(other.row(shardA, 1, entity(1)), trips); got != feature.OfInt64(1) {
		t.Errorf("trips = %v, want 1", got)
	}
}

func TestAClosedStoreSaysSo(t *testing.T) {
	h := openHouse(t)
	h.append(write(change(1, 1, addTrips(1))))
	h.stop()
	ctx := context.Background()
	_, errs := h.Append(ctx, write(change(1, 1, addTrips(1))))
	var b Batch
	b.Add(shardA, 1, entity(99))
	_, applied := h.Apply(ctx, feature.Definitions{}, nil)
	_, closed := h.Closed()
	all := map[string]error{
		"Append": errs, "Read": h.Read(ctx, &b), "Apply": applied, "Closed": closed, "Health": h.Health(),
		"Wait": h.Wait(ctx, shardA, hlc.Vector{9: 1}),
	}
	for _, err := range h.Scan(ctx, shardA, 1) {
		all["Scan"] = err
	}
	for _, err := range h.Entries(ctx, shardA, h.Identity().Origin, 0) {
		all["Entries"] = err
	}
	for call, err := range all {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("%s: %v, want %v", call, err, ErrClosed)
		}
	}
	if len(all) != 8 {
		t.Errorf("%d calls answered, want 8", len(all))
	}
	if err := h.Close(); err != nil {
		t.Errorf("a second Close: %v", err)
	}
	if err := h.Run(ctx); err == nil {
		t.Error("a second Run did not fail")
	}
}

// Every value lies with its key: the value log holds nothing but its header.
func TestTheValueLogStaysEmpty(t *testing.T) {
	h := openHouse(t)
	h.append(write(change(1, 1, setNote(strings.Repeat("x", MaxRowBytes-1000)))))
	h.stop()
	logs, err := filepath.Glob(filepath.Join(h.cfg.Dir, "*.vlog"))
	if err != nil || len(logs) == 0 {
		t.Fatalf("%d value logs, %v", len(logs), err)
	}
	for _, path := range logs {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Size() > 1<<10 {
			t.Errorf("%s has %d bytes, want a header", path, info.Size())
		}
	}
	h.start()
}

// S2: the options that the promise rests on.
func TestBadgerIsOpenedAsPromised(t *testing.T) {
	h := openHouse(t)
	o := h.db.Opts()
	if !o.SyncWrites || o.DetectConflicts || o.NumVersionsToKeep != 1 || o.ValueThreshold != valueThreshold {
		t.Errorf("options %+v", o)
	}
}
