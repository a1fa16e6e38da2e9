package online

import (
	"bytes"
	"context"
	"fmt"
	"math"

	"github.com/dgraph-io/badger/v4"
)

// The membership document is kept as package meta encodes it:
//
//	u8 format | bytes | u32 crc32c
const membershipFormat = 1

func membershipKey() []byte { return []byte{byte(kindMembership)} }

// Membership returns the document that was kept last, nil for none. It is
// shared, and must not be modified.
func (s *Store) Membership() []byte {
	if m := s.membership.Load(); m != nil {
		return *m
	}
	return nil
}

// SetMembership keeps another document, nil for none, and returns when it is
// durable. What the document says, and which of two is newer, is the caller's.
// Errors are ErrTooLarge, ErrDiskFull, ErrReadOnly and ErrClosed; the document
// before stays then, but after ErrReadOnly either may be there when the store
// is opened anew.
func (s *Store) SetMembership(ctx context.Context, encoded []byte) (err error) {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := s.reading(); err != nil {
		return err
	}
	defer s.done(&err)
	key := membershipKey()
	value := seal(append([]byte{membershipFormat}, encoded...), 0, key)
	if len(value) >= valueThreshold {
		return &TooLargeError{What: "membership", Bytes: len(value), Limit: valueThreshold - 1}
	}
	// One at a time, so that memory and disk hold the same one afterwards.
	s.setting.Lock()
	defer s.setting.Unlock()
	if err := s.disk.health(); err != nil {
		return err
	}
	// Nobody reads it in a snapshot, so nothing is published.
	if _, err := s.disk.put([]*badger.Entry{badger.NewEntry(key, value)}); err != nil {
		return fmt.Errorf("keep the membership: %w", err)
	}
	kept := bytes.Clone(encoded)
	s.membership.Store(&kept)
	return nil
}

func (s *Store) loadMembership() error {
	txn := s.db.NewTransactionAt(math.MaxUint64, false)
	defer txn.Discard()
	value, err := getCopy(txn, membershipKey())
	if value == nil || err != nil {
		return err
	}
	encoded, err := decodeMembership(membershipKey(), value)
	if err == nil && len(encoded) > 0 {
		s.membership.Store(&encoded)
	}
	return err
}

func decodeMembership(key, value []byte) ([]byte, error) {
	if len(value) > 0 && value[0] != membershipFormat {
		return nil, fmt.Errorf("%w: the membership has %d, this version reads %d", ErrFormat, value[0], membershipFormat)
	}
	body, err := unseal(key, value)
	if err != nil {
		return nil, err
	}
	if len(body) == 0 {
		return nil, corrupt(key, "no format")
	}
	return body[1:], nil
}
