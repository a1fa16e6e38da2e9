package online

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/dgraph-io/badger/v4"

	"featurestore/feature"
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
		version, b, err := h.EncodedRegistry()
		if err != nil {
			t.Fatal(err)
		}
		return version.Revision, b
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

// A home that another one took over from has applied more than that one, unseen:
// none of it stays, after a restart neither.
func TestTheRegistryOfALaterHomeHoldsWhateverItsRevision(t *testing.T) {
	var log bytes.Buffer
	old := openHouse(t, func(c *Config) { c.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
	next := openHouse(t)
	apply := func(h *house, features int) {
		t.Helper()
		if _, err := h.Apply(t.Context(), definitions(t, "rides", features), nil); err != nil {
			t.Fatal(err)
		}
	}
	encoded := func(h *house) []byte {
		t.Helper()
		_, b, err := h.EncodedRegistry()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	old.SetLine(feature.Line{Epoch: 1, Home: "eu-1"})
	apply(old, 1)
	if err := next.AdoptRegistry(t.Context(), encoded(old)); err != nil {
		t.Fatal(err)
	}
	next.SetLine(feature.Line{Epoch: 2, Home: "us-1"})
	apply(next, 2)
	for features := range 3 {
		apply(old, 3+features)
	}
	if err := next.AdoptRegistry(t.Context(), encoded(old)); err != nil {
		t.Fatal(err)
	}
	want := next.Registry().Version()
	if want != (feature.RegistryVersion{Line: feature.Line{Epoch: 2, Home: "us-1"}, Revision: 2}) {
		t.Fatalf("the successor has %v", want)
	}
	if log.Reset(); old.Registry().Revision() != 4 {
		t.Fatalf("the home before has revision %d, want 4", old.Registry().Revision())
	}
	if err := old.AdoptRegistry(t.Context(), encoded(next)); err != nil {
		t.Fatal(err)
	}
	if text := log.String(); !strings.Contains(text, "void_after_revision=1") || !strings.Contains(text, "void_up_to_revision=4") {
		t.Errorf("it logs %q, want which of its revisions are void", text)
	}
	for _, when := range []string{"at once", "after a restart"} {
		if got := old.Registry().Version(); got != want {
			t.Errorf("%s the home before has %v, want %v", when, got, want)
		}
		old.restart()
	}
}
