package main

import (
	"compress/gzip"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math/big"
	"os"
	"strconv"
)

// line is one line of the file. Time is text: RFC 3339 in UTC orders as text.
type line struct {
	invoice, item, description string
	units                      int64
	at                         string
	price                      float64
	priceText                  string
	customer                   string // "" for nobody
	country                    string
}

// cancelled reports whether the line takes goods back.
func (l *line) cancelled() bool { return l.invoice[0] == 'C' }

// amount is units times price, exactly.
func (l *line) amount() *big.Rat {
	price, ok := new(big.Rat).SetString(l.priceText)
	if !ok {
		panic("price " + l.priceText + " was read as a number before")
	}
	return price.Mul(price, new(big.Rat).SetInt64(l.units))
}

// where returns the lines that keep keeps, in their order.
func where(lines []line, keep func(*line) bool) []line {
	var out []line
	for i := range lines {
		if keep(&lines[i]) {
			out = append(out, lines[i])
		}
	}
	return out
}

// readLines reads the lines of the first months calendar months, or of all.
func readLines(path string, months int) ([]line, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	records := csv.NewReader(z)
	if _, err := records.Read(); err != nil { // the header
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	var lines []line
	month, seen := "", 0
	for {
		r, err := records.Read()
		if errors.Is(err, io.EOF) {
			return lines, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", path, err)
		}
		l := line{invoice: r[0], item: r[1], description: r[2], at: r[4], priceText: r[5], customer: r[6], country: r[7]}
		if l.at[:7] != month {
			month, seen = l.at[:7], seen+1
		}
		if months > 0 && seen > months {
			return lines, nil
		}
		l.units, err = strconv.ParseInt(r[3], 10, 64)
		if err == nil {
			l.price, err = strconv.ParseFloat(l.priceText, 64)
		}
		if err != nil {
			return nil, fmt.Errorf("read %s: line %d: %w", path, len(lines)+2, err)
		}
		lines = append(lines, l)
	}
}
