package main

import (
	"time"

	"featurestore/sdk"
)

// event is what one line says to the views. A push to a view takes the fields
// that name it, and leaves alone the features whose field is absent: the zero
// Counter, Set and Optional.
type event struct {
	Customer int64     `key:"CustomerID"`
	Item     string    `key:"StockCode"`
	At       time.Time `feature:"@event_time"`

	Lines         sdk.Counter[int64] `feature:"customer_stats:lines"`
	Purchases     sdk.Counter[int64] `feature:"customer_stats:purchases"`
	Cancellations sdk.Counter[int64] `feature:"customer_stats:cancellations"`
	// Exact to the penny, as no float64 is.
	Spend       sdk.Counter[sdk.Decimal] `feature:"customer_stats:spend"`
	LastSeen    time.Time                `feature:"customer_stats:last_seen"`
	Countries   sdk.Set[string]          `feature:"customer_stats:countries"`
	LastCountry sdk.Optional[string]     `feature:"customer_stats:last_country"`

	Description sdk.Optional[string]  `feature:"item_stats:description"`
	Price       sdk.Optional[float64] `feature:"item_stats:price"`
	MaxPrice    sdk.Optional[float64] `feature:"item_stats:max_price"`
	MinPrice    sdk.Optional[float64] `feature:"item_stats:min_price"`
	Sold        sdk.Counter[int64]    `feature:"item_stats:sold"`
	Returned    sdk.Counter[int64]    `feature:"item_stats:returned"`
	Adjusted    sdk.Counter[int64]    `feature:"item_stats:adjusted"`

	PairUnits sdk.Counter[int64]       `feature:"customer_item:units"`
	PairSpend sdk.Counter[sdk.Decimal] `feature:"customer_item:spend"`
	LastPrice sdk.Optional[float64]    `feature:"customer_item:last_price"`

	CancelledInvoice string  `feature:"item_cancellation:invoice"`
	CancelledUnits   int64   `feature:"item_cancellation:units"`
	CancelledPrice   float64 `feature:"item_cancellation:price"`
}

// eventOf says what a line means.
func eventOf(l *line) event {
	e := event{
		Customer: l.customer, Item: l.item, At: l.at,
		Lines: sdk.Increment[int64](1), Spend: sdk.Increment(sdk.Decimal(l.amount)), LastSeen: l.at,
		PairUnits: sdk.Increment(l.units), PairSpend: sdk.Increment(sdk.Decimal(l.amount)),
		CancelledInvoice: l.invoice, CancelledUnits: -l.units, CancelledPrice: l.price,
	}
	if l.units > 0 {
		e.Purchases = sdk.Increment(l.units)
	} else {
		e.Cancellations = sdk.Increment[int64](1)
	}
	// The file does not know every country: that is a null, and no country.
	if l.country == "Unspecified" {
		e.LastCountry = sdk.NullOf[string]()
	} else {
		e.LastCountry = sdk.Some(l.country)
		e.Countries = sdk.Add(l.country)
	}
	if l.description != "" {
		e.Description = sdk.Some(l.description)
	}
	// A price of zero, or below, is a correction and not a price.
	if l.price > 0 {
		price := sdk.Some(l.price)
		e.Price, e.MaxPrice, e.MinPrice, e.LastPrice = price, price, price, price
	}
	switch {
	case l.cancelled():
		e.Returned = sdk.Increment(-l.units)
	case l.units > 0 && l.price > 0:
		e.Sold = sdk.Increment(l.units)
	default:
		e.Adjusted = sdk.Increment(l.units)
	}
	return e
}
