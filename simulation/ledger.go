package simulation

import (
	"context"
	"fmt"
	"sync"
	"time"

	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/online"
	"featurestore/replication"
	"featurestore/replication/oplog"
)

// ledger keeps every log entry of the deployment, before any store truncates
// it: what rows are compared with at the end.
type ledger struct {
	mu struct {
		sync.Mutex
		entries map[entryName]oplog.Entry
		seen    map[logName]hlc.Timestamp
	}
}

type logName struct {
	shard  feature.Shard
	origin hlc.Origin
}

type entryName struct {
	shard feature.Shard
	hlc.Position
}

func newLedger() *ledger {
	l := &ledger{}
	l.mu.entries, l.mu.seen = map[entryName]oplog.Entry{}, map[logName]hlc.Timestamp{}
	return l
}

// gather notes what a store's logs hold.
func (l *ledger) gather(ctx context.Context, s *online.Store, shard feature.Shard) error {
	for _, p := range s.Heads(shard).Positions() {
		if err := l.follow(ctx, s, shard, p.Origin); err != nil {
			return err
		}
	}
	return nil
}

func (l *ledger) follow(ctx context.Context, s *online.Store, shard feature.Shard, o hlc.Origin) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	name := logName{shard, o}
	for {
		iv, floor, err := s.ReadLog(ctx, shard, o, l.mu.seen[name], 1<<20)
		if err != nil {
			return fmt.Errorf("gather the log of %v: %w", o, err)
		}
		if floor > l.mu.seen[name] {
			return nil // another store has what lies before, and what follows
		}
		if len(iv.Entries) == 0 {
			return nil
		}
		for _, e := range iv.Entries {
			l.mu.entries[entryName{shard, e.Position()}] = e.Entry
		}
		l.mu.seen[name] = iv.Through
	}
}

// all calls visit for every entry that was gathered.
func (l *ledger) all(visit func(feature.Shard, oplog.Entry)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for name, e := range l.mu.entries {
		visit(name.shard, e)
	}
}

// entry returns the one at a position, if it was gathered.
func (l *ledger) entry(shard feature.Shard, p hlc.Position) (oplog.Entry, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e, ok := l.mu.entries[entryName{shard, p}]
	return e, ok
}

// record returns the store with a truncation that gathers first.
func (l *ledger) record(s *online.Store) replication.Store { return recorded{s, l} }

type recorded struct {
	*online.Store
	ledger *ledger
}

// Truncate implements replication.Store.
func (r recorded) Truncate(ctx context.Context, shard feature.Shard, through hlc.Position, minAge time.Duration) error {
	if err := r.ledger.gather(ctx, r.Store, shard); err != nil {
		return err
	}
	return r.Store.Truncate(ctx, shard, through, minAge)
}

// Cut implements replication.Store.
func (r recorded) Cut(ctx context.Context, shard feature.Shard, end hlc.Position) error {
	if err := r.ledger.gather(ctx, r.Store, shard); err != nil {
		return err
	}
	return r.Store.Cut(ctx, shard, end)
}

// TruncateTo implements replication.Store.
func (r recorded) TruncateTo(ctx context.Context, shard feature.Shard, maxBytes int64, maxAge time.Duration) error {
	if err := r.ledger.gather(ctx, r.Store, shard); err != nil {
		return err
	}
	return r.Store.TruncateTo(ctx, shard, maxBytes, maxAge)
}
