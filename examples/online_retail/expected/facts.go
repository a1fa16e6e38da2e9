package main

import (
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"
)

// fact is the value of one feature, and what is said about it.
type fact struct {
	value  any // nil for none
	status string
	at     string // "" for no event time
}

// absent is what is served of a feature that was never written.
var absent = fact{status: "NOT_FOUND"}

func present(value any, at string) fact { return fact{value: value, status: "PRESENT", at: at} }

// outside is what is served of a value that is older than its view's ttl.
func outside(f fact) fact {
	if f.status == "NOT_FOUND" {
		return f
	}
	return fact{status: "OUTSIDE_MAX_AGE", at: f.at}
}

// sum adds the numbers of the lines that count. Its event time is that of the
// last line that counted, for the lines come in the order of their times.
func sum(lines []line, number func(line) (n int64, counts bool)) fact {
	total, out := int64(0), absent
	for _, l := range lines {
		if n, counts := number(l); counts {
			total += n
			out = present(total, l.at)
		}
	}
	return out
}

// spend adds the amounts. A sum of decimals has as many digits after the point
// as the addend that has most: two, or three after a tenth of a penny.
func spend(lines []line) fact {
	total, digits, out := new(big.Rat), 2, absent
	for _, l := range lines {
		amount := l.amount()
		if !strings.HasSuffix(amount.FloatString(3), "0") {
			digits = 3
		}
		total.Add(total, amount)
		out = present(total.FloatString(digits), l.at)
	}
	return out
}

// last takes the value of the last line that has one. Of the lines of one
// minute that is the last in the file.
func last(lines []line, value func(line) (v any, has bool)) fact {
	out := absent
	for _, l := range lines {
		if v, has := value(l); has {
			out = present(v, l.at)
			if v == nil {
				out.status = "NULL_VALUE"
			}
		}
	}
	return out
}

func lastPrice(lines []line) fact {
	return last(lines, func(l line) (any, bool) { return l.price, l.price > 0 })
}

// extreme takes the price that none beats, as of the last line that has it.
func extreme(lines []line, beats func(a, b float64) bool) fact {
	out := absent
	for _, l := range lines {
		if l.price > 0 && (out == absent || !beats(out.value.(float64), l.price)) {
			out = present(l.price, l.at)
		}
	}
	return out
}

func countries(lines []line) fact {
	var seen []string
	out := absent
	for _, l := range lines {
		if l.country == "Unspecified" {
			continue
		}
		if !slices.Contains(seen, l.country) {
			seen = append(seen, l.country)
		}
		out.at = l.at
	}
	if len(seen) == 0 {
		return absent
	}
	slices.Sort(seen)
	return present(seen, out.at)
}

// customerStats computes the view of that name from the lines of a customer.
func customerStats(lines []line, feature string) fact {
	switch feature {
	case "lines":
		return sum(lines, func(line) (int64, bool) { return 1, true })
	case "purchases":
		return sum(lines, func(l line) (int64, bool) { return l.units, l.units > 0 })
	case "cancellations":
		return sum(lines, func(l line) (int64, bool) { return 1, l.units < 0 })
	case "spend":
		return spend(lines)
	case "last_seen":
		return last(lines, func(l line) (any, bool) { return l.at, true })
	case "countries":
		return countries(lines)
	case "last_country":
		return last(lines, func(l line) (any, bool) {
			if l.country == "Unspecified" {
				return nil, true
			}
			return l.country, true
		})
	}
	panic("customer_stats has no " + feature)
}

// itemStats computes the view of that name from the lines of an item.
func itemStats(lines []line, feature string) fact {
	sold := func(l line) bool { return !l.cancelled() && l.units > 0 && l.price > 0 }
	switch feature {
	case "description":
		return last(lines, func(l line) (any, bool) { return l.description, l.description != "" })
	case "price":
		return lastPrice(lines)
	case "max_price":
		return extreme(lines, func(a, b float64) bool { return a > b })
	case "min_price":
		return extreme(lines, func(a, b float64) bool { return a < b })
	case "sold":
		return sum(lines, func(l line) (int64, bool) { return l.units, sold(l) })
	case "returned":
		return sum(lines, func(l line) (int64, bool) { return -l.units, l.cancelled() })
	case "adjusted":
		return sum(lines, func(l line) (int64, bool) { return l.units, !sold(l) && !l.cancelled() })
	}
	panic("item_stats has no " + feature)
}

// customerItem computes the view of that name from the lines of a pair.
func customerItem(lines []line, feature string) fact {
	switch feature {
	case "units":
		return sum(lines, func(l line) (int64, bool) { return l.units, true })
	case "spend":
		return spend(lines)
	case "last_price":
		return lastPrice(lines)
	}
	panic("customer_item has no " + feature)
}

// itemCancellation computes the view of that name from the lines of an item.
// Its ttl is 90 days, and the file ends in 2011.
func itemCancellation(lines []line, feature string) fact {
	cancelled := where(lines, func(l *line) bool { return l.cancelled() })
	return outside(last(cancelled, func(l line) (any, bool) {
		switch feature {
		case "invoice":
			return l.invoice, true
		case "units":
			return -l.units, true
		case "price":
			return l.price, true
		}
		panic("item_cancellation has no " + feature)
	}))
}

// derived is what a formula makes of facts: null when one is missing, and as
// old as the oldest of them.
func derived(formula func(inputs []float64) float64, from ...fact) fact {
	out := fact{status: "NULL_VALUE"}
	var inputs []float64
	for _, f := range from {
		if f.at != "" && (out.at == "" || f.at < out.at) {
			out.at = f.at
		}
		if f.value != nil {
			inputs = append(inputs, number(f.value))
		}
	}
	if len(inputs) == len(from) {
		return present(formula(inputs), out.at)
	}
	return out
}

func number(v any) float64 {
	switch v := v.(type) {
	case int64:
		return float64(v)
	case string:
		f, err := strconv.ParseFloat(v, 64)
		if err != nil {
			panic(err)
		}
		return f
	}
	return v.(float64)
}

// checkTime ends the program when the machine's clock makes the answers about
// ttl uncertain.
func checkTime(now time.Time) {
	if y := now.Year(); y < 2013 || y > 2100 {
		panic("the clock says " + now.String() + "; the answers about ttl hold from 2013 to 2100")
	}
}
