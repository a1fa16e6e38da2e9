package main

import (
	"compress/gzip"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

// line is one line of the file.
type line struct {
	number      int // in the file; the header is line 1
	invoice     string
	item        string
	description string // "" for none
	units       int64  // negative when taken back, or lost
	at          time.Time
	price       float64
	amount      string // units times price, in decimal
	customer    int64  // 0 for nobody
	country     string
}

// cancelled reports whether the line belongs to a cancelled invoice.
func (l *line) cancelled() bool { return strings.HasPrefix(l.invoice, "C") }

var header = []string{"InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country"}

// lineReader reads a file line by line: all, or what is of its first months.
type lineReader struct {
	records *csv.Reader
	number  int
	months  int // to read; 0 is all
	month   time.Month
	seen    int // months so far
}

// newLineReader reads the header of a CSV text under gzip.
func newLineReader(src io.Reader, months int) (*lineReader, error) {
	z, err := gzip.NewReader(src)
	if err != nil {
		return nil, err
	}
	r := &lineReader{records: csv.NewReader(z), number: 1, months: months}
	r.records.ReuseRecord = true
	got, err := r.records.Read()
	if err == nil && !slices.Equal(got, header) {
		err = fmt.Errorf("the columns are %q, want %q", got, header)
	}
	return r, err
}

// next returns the next line, or io.EOF.
func (r *lineReader) next() (line, error) {
	record, err := r.records.Read()
	if err != nil {
		return line{}, err // the reader names the line
	}
	r.number++
	l := line{number: r.number, invoice: record[0], item: record[1], description: record[2], country: record[7]}
	faults := []error{
		l.set("Quantity", record[3], func(s string) (err error) { l.units, err = strconv.ParseInt(s, 10, 32); return err }),
		l.set("InvoiceDate", record[4], func(s string) (err error) { l.at, err = time.Parse(time.RFC3339, s); return err }),
		l.set("UnitPrice", record[5], func(s string) (err error) { l.price, err = strconv.ParseFloat(s, 64); return err }),
		l.set("UnitPrice", record[5], func(s string) (err error) { l.amount, err = amountOf(l.units, s); return err }),
	}
	if id := record[6]; id != "" {
		faults = append(faults, l.set("CustomerID", id, func(s string) (err error) { l.customer, err = strconv.ParseInt(s, 10, 64); return err }))
	}
	if err := errors.Join(faults...); err != nil {
		return line{}, err
	}
	if l.at.Month() != r.month {
		r.month, r.seen = l.at.Month(), r.seen+1
	}
	if r.months > 0 && r.seen > r.months {
		return line{}, io.EOF
	}
	return l, nil
}

// set reads one field and names it when that fails.
func (l *line) set(name, text string, read func(string) error) error {
	if err := read(text); err != nil {
		return fmt.Errorf("line %d: %s is %q: %w", l.number, name, text, err)
	}
	return nil
}

// amountOf returns units times a price, exactly: a decimal number with at most
// three digits after the point. It has two of them, or three where it needs
// them.
func amountOf(units int64, price string) (string, error) {
	whole, fraction, _ := strings.Cut(price, ".")
	if whole == "" || len(fraction) > 3 {
		return "", errors.New("want a number such as 2.55, with at most three digits after the point")
	}
	mills, err := strconv.ParseInt(whole+(fraction + "000")[:3], 10, 40)
	if err != nil {
		return "", err
	}
	mills *= units
	sign := ""
	if mills < 0 {
		sign, mills = "-", -mills
	}
	return strings.TrimSuffix(fmt.Sprintf("%s%d.%03d", sign, mills/1000, mills%1000), "0"), nil
}
