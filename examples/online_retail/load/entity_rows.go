package main

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"
)

// entityRows writes what a training set is made for: a row for each line of a file,
// with its customer and item, the moment before it, what a request would say, and
// whether it is a cancellation, which is to be learnt.
func entityRows(path, out string, months int) (err error) {
	in, err := os.Open(path)
	if err != nil {
		return err
	}
	defer in.Close()
	lines, err := newLineReader(in, months)
	if err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	f, err := os.Create(out)
	if err != nil {
		return err
	}
	defer func() {
		if err = errors.Join(err, f.Close()); err != nil {
			err = errors.Join(err, os.Remove(out))
		}
	}()
	w := csv.NewWriter(f)
	if err := w.Write([]string{"CustomerID", "StockCode", "event_timestamp", "quantity", "cancelled"}); err != nil {
		return err
	}
	for {
		l, err := lines.next()
		if err == io.EOF {
			w.Flush()
			return w.Error()
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", path, err)
		}
		customer := ""
		if l.customer != 0 {
			customer = strconv.FormatInt(l.customer, 10)
		}
		before := l.at.Add(-1).Format(time.RFC3339Nano)
		if err := w.Write([]string{customer, l.item, before, strconv.FormatInt(l.units, 10), strconv.FormatBool(l.cancelled())}); err != nil {
			return err
		}
	}
}
