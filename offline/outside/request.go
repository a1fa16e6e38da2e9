package outside

import (
	"errors"
	"fmt"

	"featurestore/feature"
)

// Request says what to read of a file, and what its rows are to become.
type Request struct {
	// Name is the file's in errors; its ending tells the format, see offline/source.
	Name string
	// Columns are the join keys and features to read. A feature whose column the file
	// lacks is left alone.
	Columns []Column
	// EventTime is the column of event times. Every row has one.
	EventTime string
	// Created is a column by which the rows of a batch are ordered, "" for none.
	Created string
	// After is the place (offline/source, Batch.At) up to which rows are passed over.
	After int64
	// Cuts are places, rising, that batches end at.
	Cuts []int64
	// LeaveOut are places of rows to pass over, rising.
	LeaveOut []int64
	// Window selects rows by event time: From up to but not including To, in nanoseconds
	// since the Unix epoch.
	Window   bool
	From, To int64
	// Check counts and judges rows without handing them out.
	Check bool
	// BatchRows and BatchBytes bound a batch; 0 is the default of offline/source.
	BatchRows, BatchBytes int
	// Probe names one column, which alone is read, and nothing said of it: to see
	// whether that can be read.
	Probe string
	// MemoryBytes is Config.MemoryBytes.
	MemoryBytes int64
}

// Column is a join key or a feature, and the column of the file that it is in.
type Column struct {
	Name   string
	Column string
	Type   string
	Key    bool
	// SkipNull leaves the feature alone where the file has a null: counters and others
	// that merge have no null.
	SkipNull bool
	// Named says that the definition names the column: then the file must have it.
	Named bool
}

// validate finds what would make no sense of a file.
func (r *Request) validate() error {
	switch {
	case r.Name == "":
		return errors.New("Name is empty")
	case r.EventTime == "":
		return errors.New("EventTime is empty")
	case r.Window && r.From >= r.To:
		return fmt.Errorf("From %d is not before To %d", r.From, r.To)
	}
	types := map[string]string{}
	for _, c := range r.Columns {
		if was, twice := types[c.Column]; twice && was != c.Type {
			return fmt.Errorf("column %s cannot be both %s and %s", c.Column, was, c.Type)
		}
		types[c.Column] = c.Type
		if _, err := feature.ParseType(c.Type); err != nil {
			return fmt.Errorf("column %s: %w", c.Column, err)
		}
	}
	return nil
}
