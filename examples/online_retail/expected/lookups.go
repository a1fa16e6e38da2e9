package main

import (
	"strconv"
	"strings"
	"time"
)

// lookup is a question: the features of some entities.
type lookup struct {
	name     string
	service  string
	features []string
	// entities are pairs: customer 0 and item "" are not asked for.
	entities   []entity
	quantities []int64
}

type entity struct {
	customer int64
	item     string
}

var basketV1 = []string{
	"customer_stats:lines", "customer_stats:cancellations", "customer_stats:last_seen", "customer_value:average_line",
	"item_stats:price", "item_stats:sold", "customer_item:units", "customer_item:spend", "basket:line_value", "basket:price_vs_max",
}

// lookups are the ten questions, each for the sake of its last word.
var lookups = []lookup{
	{
		name:     "the customer with the most cancellations",
		features: []string{"customer_stats:lines", "customer_stats:purchases", "customer_stats:cancellations", "customer_stats:spend", "customer_stats:last_seen"},
		entities: []entity{{customer: 14911}},
	},
	{
		name:     "customers who took back all they bought",
		features: []string{"customer_stats:purchases", "customer_stats:cancellations", "customer_stats:spend"},
		entities: []entity{{customer: 12346}, {customer: 16446}},
	},
	{
		name:     "customers of two countries, and of an unspecified one",
		features: []string{"customer_stats:countries", "customer_stats:last_country", "customer_stats:last_seen"},
		entities: []entity{{customer: 12431}, {customer: 12417}, {customer: 12743}, {customer: 12363}},
	},
	{
		name:     "a customer beside one that nobody knows",
		features: []string{"customer_stats:spend", "customer_stats:last_country", "customer_value:average_line"},
		entities: []entity{{customer: 17850}, {customer: 99999}},
	},
	{
		name:     "items with outlier prices",
		features: []string{"item_stats:description", "item_stats:price", "item_stats:max_price", "item_stats:min_price"},
		entities: []entity{{item: "POST"}, {item: "AMAZONFEE"}, {item: "M"}, {item: "m"}, {item: "B"}, {item: "85123A"}},
	},
	{
		name:     "items sold and returned by the ten thousands, and adjusted",
		features: []string{"item_stats:sold", "item_stats:returned", "item_stats:adjusted"},
		entities: []entity{{item: "23843"}, {item: "23166"}, {item: "84826"}, {item: "21134"}, {item: "BANK CHARGES"}},
	},
	{
		name:     "customers and items, one pair of which never met",
		features: []string{"customer_item:units", "customer_item:spend", "customer_item:last_price"},
		entities: []entity{{14911, "22423"}, {17841, "79321"}, {12346, "23166"}, {12346, "85123A"}},
	},
	{
		name:     "cancellations outside their ttl, and an item without any",
		features: []string{"item_cancellation:invoice", "item_cancellation:units", "item_cancellation:price", "item_stats:price"},
		entities: []entity{{item: "85123A"}, {item: "22423"}, {item: "21134"}},
	},
	{
		name:       "what a model reads, computed values among it",
		service:    "basket_v1",
		features:   basketV1,
		entities:   []entity{{14911, "22423"}, {17850, "85123A"}, {99999, "POST"}, {12346, "no such item"}},
		quantities: []int64{12, 6, 1, 3},
	},
	{
		name:     "spend to the tenth of a penny",
		features: []string{"customer_stats:spend", "customer_value:average_line"},
		entities: []entity{{customer: 13952}, {customer: 15618}, {customer: 16198}, {customer: 13405}},
	},
}

// answers computes every lookup from the lines.
func answers(lines []line) []any {
	checkTime(time.Now())
	var out []any
	for _, q := range lookups {
		rows := make([]any, len(q.entities))
		for i, e := range q.entities {
			rows[i] = answer(q, e, i, lines)
		}
		out = append(out, map[string]any{"name": q.name, "request": q.request(), "features": q.features, "rows": rows})
	}
	return out
}

// request is the question as the body of a native lookup.
func (q lookup) request() map[string]any {
	body, columns := map[string]any{}, map[string]any{}
	var customers, items []any
	for _, e := range q.entities {
		if e.customer != 0 {
			customers = append(customers, e.customer)
		}
		if e.item != "" {
			items = append(items, e.item)
		}
	}
	if customers != nil {
		columns["CustomerID"] = customers
	}
	if items != nil {
		columns["StockCode"] = items
	}
	body["entities"] = columns
	if q.service != "" {
		body["service"] = q.service
	} else {
		body["features"] = q.features
	}
	if q.quantities != nil {
		body["request"] = map[string]any{"quantity": q.quantities}
	}
	return body
}

// answer computes the row of one entity.
func answer(q lookup, e entity, row int, lines []line) map[string]any {
	id := strconv.FormatInt(e.customer, 10)
	customer := where(lines, func(l *line) bool { return l.customer == id })
	item := where(lines, func(l *line) bool { return l.item == e.item })
	pair := where(customer, func(l *line) bool { return l.item == e.item })
	values, statuses, times := []any{}, []any{}, []any{}
	for _, ref := range q.features {
		view, feature, _ := strings.Cut(ref, ":")
		var f fact
		switch view {
		case "customer_stats":
			f = customerStats(customer, feature)
		case "item_stats":
			f = itemStats(item, feature)
		case "customer_item":
			f = customerItem(pair, feature)
		case "item_cancellation":
			f = itemCancellation(item, feature)
		case "customer_value":
			f = derived(func(in []float64) float64 { return in[0] / in[1] }, customerStats(customer, "spend"), customerStats(customer, "lines"))
		case "basket":
			price, highest := itemStats(item, "price"), itemStats(item, "max_price")
			f = derived(func(in []float64) float64 {
				if feature == "line_value" {
					return in[0] * float64(q.quantities[row])
				}
				return in[0] / in[1]
			}, price, highest)
		}
		values, statuses = append(values, f.value), append(statuses, f.status)
		if f.at == "" {
			times = append(times, nil)
		} else {
			times = append(times, f.at)
		}
	}
	key := map[string]any{}
	if e.customer != 0 {
		key["CustomerID"] = e.customer
	}
	if e.item != "" {
		key["StockCode"] = e.item
	}
	return map[string]any{"entity": key, "values": values, "statuses": statuses, "event_times": times}
}
