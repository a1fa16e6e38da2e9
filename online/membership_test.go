package online

import (
	"errors"
	"testing"

	"github.com/dgraph-io/badger/v4"
)

func TestTheMembershipIsKept(t *testing.T) {
	h := openHouse(t)
	if m := h.Membership(); m != nil {
		t.Errorf("a new store has %q", m)
	}
	published := h.published.Load()
	for _, m := range []string{"first", "second"} {
		if err := h.SetMembership(t.Context(), []byte(m)); err != nil {
			t.Fatal(err)
		}
		if got := string(h.Membership()); got != m {
			t.Errorf("it is %q, want %q", got, m)
		}
	}
	if got := h.published.Load(); got != published {
		t.Errorf("the snapshot of lookups moved from %d to %d", published, got)
	}
	h.append(write(change(1, 1, setRate(1))))
	h.restart()
	if got := string(h.Membership()); got != "second" {
		t.Errorf("after a restart it is %q", got)
	}
	if err := h.SetMembership(t.Context(), make([]byte, valueThreshold)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("a large one: %v, want %v", err, ErrTooLarge)
	}
	if err := h.SetMembership(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	h.restart()
	if m := h.Membership(); m != nil {
		t.Errorf("after none was set it is %q", m)
	}
	h.disk.commit = func(*badger.Txn, uint64) error { return errDisk }
	if err := h.SetMembership(t.Context(), []byte("third")); !errors.Is(err, ErrReadOnly) || h.Membership() != nil {
		t.Errorf("on a failed disk: %v, it is %q", err, h.Membership())
	}
}

func TestARegistryIsAdoptedWhenItIsNewer(t *testing.T) {
	one, other := openHouse(t), openHouse(t)
	encoded := func(h *house) (uint64, []byte) {
		t.Helper()
		revision, b, err := h.EncodedRegistry()
		if err != nil {
			t.Fatal(err)
		}
		return revision, b
	}
	apply := func(h *house, project string, features int) {
		t.Helper()
		if _, err := h.Apply(t.Context(), definitions(t, project, features), nil); err != nil {
			t.Fatal(err)
		}
	}
	apply(one, "rides", 1)
	apply(one, "rides", 2)
	apply(other, "food", 1)
	revision, newer := encoded(one)
	_, older := encoded(other)
	if err := one.AdoptRegistry(t.Context(), older); err != nil {
		t.Fatal(err)
	}
	if got := one.Registry().Projects(); len(got) != 1 || got[0] != "rides" {
		t.Errorf("an older registry was adopted: %v", got)
	}
	for range 2 {
		if err := other.AdoptRegistry(t.Context(), newer); err != nil {
			t.Fatal(err)
		}
		if got := other.Registry(); got.Revision() != revision || got.Projects()[0] != "rides" {
			t.Errorf("revision %d of %v, want %d of rides", got.Revision(), got.Projects(), revision)
		}
	}
	other.restart()
	if got := other.Registry(); got.Revision() != revision {
		t.Errorf("after a restart it is revision %d, want %d", got.Revision(), revision)
	}
	if err := other.AdoptRegistry(t.Context(), []byte("no registry")); err == nil {
		t.Error("what is no registry was adopted")
	}
}
