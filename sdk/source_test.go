package sdk_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"featurestore/sdk"
)

// shop has one push source over views of customers, of items, and of both.
const shop = `
project: rides
entities:
  - {name: customer, join_keys: [{name: customer_id, type: int64}]}
  - {name: item, join_keys: [{name: sku, type: string}]}
views:
  - {name: customer, entity: customer, push_source: lines, features: [{name: spend, type: decimal, conflict: counter}, {name: last_sku, type: string}]}
  - {name: item, entity: item, push_source: lines, features: [{name: last_buyer, type: int64}]}
  - {name: pair, entities: [customer, item], push_source: lines, features: [{name: units, type: int64, conflict: counter}]}
`

// line is what an invoice line says to all of them.
type line struct {
	Customer sdk.Optional[int64]      `key:"customer_id"`
	SKU      string                   `key:"sku"`
	Spend    sdk.Counter[sdk.Decimal] `feature:"customer:spend"`
	LastSKU  sdk.Optional[string]     `feature:"customer:last_sku"`
	Buyer    int64                    `feature:"item:last_buyer"`
	Units    sdk.Counter[int64]       `feature:"pair:units"`
}

// customer and item are what is looked up of them.
type customer struct {
	ID      int64                    `key:"customer_id"`
	Spend   sdk.Counter[sdk.Decimal] `feature:"customer:spend"`
	LastSKU string                   `feature:"customer:last_sku"`
}

type item struct {
	SKU   string              `key:"sku,omitzero"`
	Buyer sdk.Optional[int64] `feature:"item:last_buyer"`
}

func newShop(t *testing.T) *sdk.Client {
	t.Helper()
	s, err := startStore(shop)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.stop(); err != nil {
			t.Errorf("stop the store: %v", err)
		}
	})
	return newClient(t, s.url)
}

func one[T any](t *testing.T, c *sdk.Client, key T) T {
	t.Helper()
	r, err := sdk.Lookup[T](t.Context(), c, sdk.Features(), sdk.Keys(key))
	if err != nil {
		t.Fatal(err)
	}
	return r.Rows[0]
}

func TestADecimalCounterIsExactAndNotCountedTwice(t *testing.T) {
	c := newShop(t)
	for _, by := range []sdk.Decimal{"0.10", "0.20", "-1000000000000000.01"} {
		if _, err := sdk.Push(t.Context(), c, sdk.View("customer"), customer{ID: 1, Spend: sdk.Increment(by), LastSKU: "A"}); err != nil {
			t.Fatal(err)
		}
	}
	row := one(t, c, customer{ID: 1})
	if _, err := sdk.Push(t.Context(), c, sdk.View("customer"), row); err != nil {
		t.Fatal(err)
	}
	if got := one(t, c, customer{ID: 1}); got.Spend.Total != "-999999999999999.71" || got.Spend.Status != sdk.Present {
		t.Errorf("got %+v, want the exact sum once", got.Spend)
	}
	// A zero that is said makes a total; one that is not leaves none.
	for id, by := range map[int64]sdk.Decimal{2: "0", 3: ""} {
		if _, err := sdk.Push(t.Context(), c, sdk.View("customer"), customer{ID: id, Spend: sdk.Increment(by), LastSKU: "A"}); err != nil {
			t.Fatal(err)
		}
		if got := one(t, c, customer{ID: id}).Spend; got.Total != by || (got.Status == sdk.Present) != (by == "0") {
			t.Errorf("incremented by %q: got %+v", by, got)
		}
	}
	_, err := sdk.Push(t.Context(), c, sdk.View("customer"), customer{ID: 1, Spend: sdk.Increment[sdk.Decimal]("ten")})
	if err == nil || !strings.Contains(err.Error(), `row 0: customer.Spend: "ten" is not a decimal number`) {
		t.Errorf("got %v, want the field and what a decimal is", err)
	}
}

// K1.
func TestACounterIsPushedAsACounter(t *testing.T) {
	c := newShop(t)
	type plain struct {
		ID    int64  `key:"customer_id"`
		Spend string `feature:"customer:spend"`
	}
	_, err := sdk.Push(t.Context(), c, sdk.View("customer"), plain{ID: 1, Spend: "1.50"})
	if !errors.Is(err, sdk.ErrMismatch) || !strings.Contains(err.Error(), "plain.Spend") || !strings.Contains(err.Error(), "use sdk.Counter[sdk.Decimal]") {
		t.Errorf("a plain string: got %v, want the type to use", err)
	}
	type whole struct {
		ID    int64              `key:"customer_id"`
		Spend sdk.Counter[int64] `feature:"customer:spend"`
	}
	_, err = sdk.Push(t.Context(), c, sdk.View("customer"), whole{ID: 1})
	if !errors.Is(err, sdk.ErrMismatch) || !strings.Contains(err.Error(), "use sdk.Counter[sdk.Decimal]") {
		t.Errorf("a counter of integers: got %v, want the type to use", err)
	}
	type optional struct {
		Customer int64               `key:"customer_id"`
		SKU      string              `key:"sku"`
		Units    sdk.Optional[int64] `feature:"pair:units"`
	}
	_, err = sdk.Push(t.Context(), c, sdk.View("pair"), optional{Customer: 1})
	if !errors.Is(err, sdk.ErrMismatch) || !strings.Contains(err.Error(), "use sdk.Counter[int64]") {
		t.Errorf("an optional integer: got %v, want the type to use", err)
	}
	if got := one(t, c, plain{ID: 1}); got.Spend != "" {
		t.Errorf("got spend %q, want that of nobody; a plain string is good enough to look up", got.Spend)
	}
}

func TestARowOfASourceNeedsTheKeysOfWhatItSays(t *testing.T) {
	c := newShop(t)
	lines := sdk.PushSource("lines")
	known := line{Customer: sdk.Some[int64](7), SKU: "A", Spend: sdk.Increment[sdk.Decimal]("2.50"), LastSKU: sdk.Some("A"), Buyer: 7, Units: sdk.Increment[int64](1)}
	nobody := line{SKU: "B", Buyer: -1}
	if _, err := sdk.Push(t.Context(), c, lines, known, nobody); err != nil {
		t.Fatal(err)
	}
	if got := one(t, c, customer{ID: 7}); got.Spend.Total != "2.50" || got.LastSKU != "A" {
		t.Errorf("customer 7: got %+v", got)
	}
	if got := one(t, c, customer{ID: 0}); got.Spend.Status != sdk.NotFound {
		t.Errorf("customer 0: got %+v, want none", got)
	}
	if got := one(t, c, item{SKU: "B"}); got.Buyer != (sdk.Optional[int64]{Value: -1, Valid: true, Status: sdk.Present, EventTime: got.Buyer.EventTime}) {
		t.Errorf("item B: got %+v", got)
	}
	// What it says of a customer is not dropped because nobody is named.
	nobody.SKU, nobody.LastSKU = "C", sdk.Some("C")
	_, err := sdk.Push(t.Context(), c, lines, nobody)
	if !errors.Is(err, sdk.ErrInvalidRows) || !strings.Contains(err.Error(), "row 0: customer_id: the join key is missing; customer needs one of type int64") {
		t.Errorf("got %v, want the missing key", err)
	}
	if got := one(t, c, item{SKU: "C"}); got.Buyer.Valid {
		t.Errorf("item C: got %+v; the row was refused", got)
	}
	_, err = sdk.Lookup[item](t.Context(), c, sdk.Features(), sdk.Keys(item{}))
	if err == nil || !strings.Contains(err.Error(), "sku[0]: the key is absent") {
		t.Errorf("lookup of an absent key: got %v", err)
	}
}

// K7. Customers and items have no key in common, so that every row might be of
// an entity of every other.
func TestASourceOfSeveralEntitiesKeepsTheOrderOfEach(t *testing.T) {
	c := newShop(t)
	w := newWriter[line](t, c, sdk.PushSource("lines"), sdk.WriterConfig{MaxBatchRows: 7, MaxDelay: time.Millisecond, MaxInFlight: 4})
	ctx := within(t, time.Minute)
	const customers, skus, rows = 3, 5, 600
	for i := range rows {
		sku := fmt.Sprint(i % skus)
		// No event time: the later written wins.
		if _, err := w.Push(ctx, line{Customer: sdk.Some(int64(i % customers)), SKU: sku, LastSKU: sdk.Some(sku), Buyer: int64(i)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	for id := range customers {
		want := fmt.Sprint((rows - customers + id) % skus)
		if got := one(t, c, customer{ID: int64(id)}); got.LastSKU != want {
			t.Errorf("customer %d: got %s, want the last, %s", id, got.LastSKU, want)
		}
	}
	for n := range skus {
		if got, want := one(t, c, item{SKU: fmt.Sprint(n)}).Buyer.Value, int64(rows-skus+n); got != want {
			t.Errorf("item %d: got %d, want the last, %d", n, got, want)
		}
	}
}
