package online

import (
	"context"
	"fmt"
	"math"

	"github.com/dgraph-io/badger/v4"

	"featurestore/feature"
	"featurestore/feature/definition"
)

// The registry is stored as definition.EncodeRegistry writes it, cut in parts
// that Badger keeps with their keys: under each revision, part by part,
//
//	u8 format | u8 1 in the last part, else 0 | bytes | u32 crc32c
//
// The greatest revision is the one in force.
const (
	registryFormat    = 1
	registryPartBytes = 128 << 10
)

// SetLine says of which line the definitions are that Apply puts in force from now
// on (feature.Registry.In); zero: of that of the definitions before them.
func (s *Store) SetLine(line feature.Line) { s.line.Store(&line) }

// Registry returns the definitions in force; never nil. It is immutable.
func (s *Store) Registry() *feature.Registry { return s.registry.Load() }

// Apply makes d the whole of its project and returns what that changed. The
// registry in force has it once Apply returns, and keeps it. Expect is the
// project's revision the caller planned against, nil for any.
//
// Errors are those of feature.Registry.Apply, and of Append where they concern
// the queue, the disk and size; nothing changed then.
func (s *Store) Apply(ctx context.Context, d feature.Definitions, expect *uint64) (feature.Plan, error) {
	var plan feature.Plan
	err := s.queue.run(ctx, 0, func(context.Context, *committer) (err error) {
		plan, err = s.applyDefinitions(d, expect)
		return err
	})
	if err != nil {
		return feature.Plan{}, err
	}
	return plan, nil
}

// applyDefinitions runs in the committer: nobody else changes the registry.
func (s *Store) applyDefinitions(d feature.Definitions, expect *uint64) (feature.Plan, error) {
	registry := s.registry.Load()
	if line := s.line.Load(); line != nil {
		registry = registry.In(*line)
	}
	next, plan, err := registry.Apply(d, expect)
	if err != nil || plan.IsEmpty() {
		return plan, err
	}
	if err := s.putRegistry(next); err != nil {
		return feature.Plan{}, err
	}
	s.cfg.Logger.Info("definitions applied", "project", plan.Project, "revision", next.Revision(), "changes", len(plan.Changes))
	return plan, nil
}

// putRegistry makes a registry durable, then puts it in force.
func (s *Store) putRegistry(next *feature.Registry) error {
	if err := s.disk.health(); err != nil {
		return err
	}
	entries, err := s.registryEntries(next)
	if err != nil {
		return err
	}
	outdated, err := s.otherRevisions(next.Revision())
	if err != nil {
		return err
	}
	at, err := s.disk.put(entries, outdated...)
	if err != nil {
		return fmt.Errorf("commit registry revision %d: %w", next.Revision(), err)
	}
	s.published.Store(at)
	s.registry.Store(next)
	return nil
}

// EncodedRegistry returns the definitions in force as AdoptRegistry takes them,
// and their version.
func (s *Store) EncodedRegistry() (version feature.RegistryVersion, encoded []byte, err error) {
	r := s.registry.Load()
	if encoded, err = definition.EncodeRegistry(r); err != nil {
		return feature.RegistryVersion{}, nil, fmt.Errorf("encode registry revision %d: %w", r.Revision(), err)
	}
	return r.Version(), encoded, nil
}

// AdoptRegistry puts the definitions of another store in force, whole, when
// their version is greater than that of those here, and does nothing
// otherwise. Their revision may be smaller: what was numbered here under a home
// that another one took over from is void then, and the log says so. It returns when they are durable. Errors are those of Append that
// concern queue, disk and size, and of reading what is no registry.
func (s *Store) AdoptRegistry(ctx context.Context, encoded []byte) error {
	next, err := definition.DecodeRegistry(encoded)
	if err != nil {
		return fmt.Errorf("adopt registry: %w", err)
	}
	next = next.With(s.cfg.Checks)
	return s.queue.run(ctx, len(encoded), func(context.Context, *committer) error {
		old := s.registry.Load().Version()
		if next.Version().Compare(old) <= 0 {
			return nil
		}
		if err := s.putRegistry(next); err != nil {
			return err
		}
		s.cfg.Logger.Info("definitions of another store taken over", "revision", next.Revision())
		if next.Version().Line != old.Line && old.Revision > next.Began() {
			s.cfg.Logger.Warn("definitions that this store had are void: another home took over, and went on without them; apply them again",
				"void_after_revision", next.Began(), "void_up_to_revision", old.Revision, "of", old.Home, "home", next.Version().Home)
		}
		return nil
	})
}

func (s *Store) registryEntries(r *feature.Registry) ([]*badger.Entry, error) {
	encoded, err := definition.EncodeRegistry(r)
	if err != nil {
		return nil, fmt.Errorf("encode registry revision %d: %w", r.Revision(), err)
	}
	if limit := s.disk.maxBytes - 16<<10; len(encoded) > limit {
		return nil, &TooLargeError{What: "registry", Bytes: len(encoded), Limit: limit}
	}
	var entries []*badger.Entry
	for part := uint16(0); ; part++ {
		body := encoded[:min(len(encoded), registryPartBytes)]
		encoded = encoded[len(body):]
		last := byte(0)
		if len(encoded) == 0 {
			last = 1
		}
		key := appendRegistryKey(nil, r.Revision(), part)
		value := seal(append([]byte{registryFormat, last}, body...), 0, key)
		entries = append(entries, badger.NewEntry(key, value))
		if last == 1 {
			return entries, nil
		}
	}
}

// otherRevisions returns the keys of revisions that are kept no longer: at most a
// few of the oldest at a time, and all beyond the one that is to be in force.
func (s *Store) otherRevisions(newest uint64) ([][]byte, error) {
	const most = 16
	var keys [][]byte
	txn := s.db.NewTransactionAt(math.MaxUint64, false)
	defer txn.Discard()
	it := txn.NewIterator(badger.IteratorOptions{Prefix: []byte{byte(kindRegistry)}})
	defer it.Close()
	for it.Rewind(); it.Valid() && len(keys) < most; it.Next() {
		k, err := decodeKey(it.Item().Key())
		if err != nil {
			return nil, err
		}
		if k.revision+registryRevisionsKept > newest {
			break
		}
		keys = append(keys, it.Item().KeyCopy(nil))
	}
	for it.Seek(appendRegistryKey(nil, newest, math.MaxUint16)); it.Valid(); it.Next() {
		keys = append(keys, it.Item().KeyCopy(nil))
	}
	return keys, nil
}

// loadRegistry reads the latest revision; an empty registry when there is none.
func (s *Store) loadRegistry() (*feature.Registry, error) {
	txn := s.db.NewTransactionAt(math.MaxUint64, false)
	defer txn.Discard()
	encoded, err := latestRegistry(txn)
	if err != nil {
		return nil, fmt.Errorf("load registry: %w", err)
	}
	r := feature.NewRegistry()
	if encoded != nil {
		if r, err = definition.DecodeRegistry(encoded); err != nil {
			return nil, fmt.Errorf("load registry: %w", err)
		}
	}
	return r.With(s.cfg.Checks), nil
}

// latestRegistry returns the encoded registry of the greatest revision, nil
// when there is none.
func latestRegistry(txn *badger.Txn) ([]byte, error) {
	it := txn.NewIterator(badger.IteratorOptions{Reverse: true, Prefix: []byte{byte(kindRegistry)}})
	it.Seek(appendRegistryKey(nil, math.MaxUint64, math.MaxUint16))
	if !it.Valid() {
		it.Close()
		return nil, nil
	}
	newest, err := decodeKey(it.Item().Key())
	it.Close()
	if err != nil {
		return nil, err
	}
	var encoded []byte
	for part := uint16(0); ; part++ {
		key := appendRegistryKey(nil, newest.revision, part)
		value, err := getCopy(txn, key)
		if err != nil {
			return nil, err
		}
		body, last, err := decodeRegistryPart(key, value)
		if err != nil {
			return nil, err
		}
		encoded = append(encoded, body...)
		if last {
			return encoded, nil
		}
	}
}

func decodeRegistryPart(key, value []byte) (body []byte, last bool, err error) {
	if len(value) == 0 {
		return nil, false, corrupt(key, "the part is missing")
	}
	if value[0] != registryFormat {
		return nil, false, fmt.Errorf("%w: the registry has %d, this version reads %d", ErrFormat, value[0], registryFormat)
	}
	if body, err = unseal(key, value); err != nil {
		return nil, false, err
	}
	if len(body) < 2 || body[1] > 1 {
		return nil, false, corrupt(key, "%d bytes of a part", len(body))
	}
	return body[2:], body[1] == 1, nil
}
