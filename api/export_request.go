package api

import (
	"encoding/json"
	"fmt"
)

// MediaArrowStream is the media type of an Arrow IPC stream.
const MediaArrowStream = "application/vnd.apache.arrow.stream"

// Trailers of an answer that is an Arrow stream: what is known at its end. An answer
// without them was cut short.
const (
	TrailerExportRows    = "Featurestore-Export-Rows"    // rows of the stream
	TrailerExportSHA256  = "Featurestore-Export-Sha256"  // of the stream's bytes, in hex
	TrailerExportMatched = "Featurestore-Export-Matched" // ExportManifest.Matched as JSON, of training sets
)

// MetadataExport is the key of an export's schema under which its manifest stands, as
// far as it is known before its first row.
const MetadataExport = "featurestore.export"

// ExportRequest asks for an export. It has a service or features for a training set, or
// one of Snapshot, Changes and Rows.
type ExportRequest struct {
	// Service, or Features as view:feature, are what is added to entity rows.
	Service  string   `json:"service,omitempty"`
	Features []string `json:"features,omitempty"`
	// EntityRows are the rows of a training set; nil where they come otherwise.
	EntityRows *EntityRows `json:"entity_rows,omitempty"`
	// KeysOf asks history for them.
	KeysOf *ExportKeysOf `json:"keys_of,omitempty"`
	// Aliases are views under other names, for Features to name.
	Aliases map[string]ExportAlias `json:"aliases,omitempty"`
	// EventTime is their column of times; "": event_timestamp.
	EventTime string `json:"event_time,omitempty"`
	// KnownAsOf leaves out what was accepted later, AsServedIn takes what this region
	// had; "" for neither.
	KnownAsOf  string `json:"known_as_of,omitempty"`
	AsServedIn string `json:"as_served_in,omitempty"`
	FullNames  bool   `json:"full_feature_names,omitempty"`
	// Differences compares what the region had with what was true; it needs AsServedIn.
	Differences bool `json:"differences,omitempty"`

	// Snapshot, Changes and Rows name a view: its current rows, those of the entities
	// that changed, or all that was written to it.
	Snapshot string `json:"snapshot,omitempty"`
	Changes  string `json:"changes,omitempty"`
	Rows     string `json:"rows,omitempty"`
	// ServedAt makes a snapshot what is served at this time, by the view's ttl.
	ServedAt string `json:"served_at,omitempty"`
	// Since is the history of an earlier manifest: what changes and rows come after.
	Since *HistoryManifest `json:"since,omitempty"`

	// Out is the file that a job writes, in the store's folder of exports, with an
	// ending that says its format; "" where the answer is the export.
	Out string `json:"out,omitempty"`
}

// EntityRows are rows in JSON: one object a row, or one list a column.
type EntityRows struct {
	Rows    []json.RawMessage `json:"rows,omitempty"`
	Columns json.RawMessage   `json:"columns,omitempty"`
}

// Table returns the columns in the order in which they are named first, each with a value
// for each row; nil is a value that a row lacks. Errors are Problems that name the
// field.
func (e *EntityRows) Table() (names []string, columns [][]json.RawMessage, err error) {
	switch {
	case (e.Rows == nil) == (e.Columns == nil):
		return nil, nil, Problemf(CodeInvalidRequest, "entity_rows", "give rows, a list of objects, or columns, an object of lists")
	case e.Columns != nil:
		return e.byColumn()
	}
	at := map[string]int{}
	for i, raw := range e.Rows {
		field := fmt.Sprintf("entity_rows.rows[%d]", i)
		s := NewScanner(raw)
		if !s.NextIs('{') {
			return nil, nil, Problemf(CodeInvalidRequest, field, "want an object of values by column")
		}
		err := members(&s, func(name string) error {
			c, known := at[name]
			if !known {
				c = len(names)
				names, columns = append(names, string(append([]byte(nil), name...))), append(columns, nil)
				at[names[c]] = c
			}
			for len(columns[c]) < i {
				columns[c] = append(columns[c], nil)
			}
			v, err := value(&s, 1)
			columns[c] = append(columns[c], v)
			return err
		})
		if err != nil {
			return nil, nil, Problemf(CodeInvalidJSON, field, "%v", plain(err))
		}
	}
	for c := range columns {
		for len(columns[c]) < len(e.Rows) {
			columns[c] = append(columns[c], nil)
		}
	}
	return names, columns, nil
}

func (e *EntityRows) byColumn() (names []string, columns [][]json.RawMessage, err error) {
	s := NewScanner(e.Columns)
	if !s.NextIs('{') {
		return nil, nil, Problemf(CodeInvalidRequest, "entity_rows.columns", "want an object of lists, one a column")
	}
	err = members(&s, func(name string) error {
		name = string(append([]byte(nil), name...))
		field := "entity_rows.columns." + name
		if !s.NextIs('[') {
			return Problemf(CodeInvalidRequest, field, "want a list of values")
		}
		column := []json.RawMessage{}
		err := elements(&s, func(int) error {
			v, err := value(&s, 2)
			column = append(column, v)
			return err
		})
		if err != nil {
			return err
		}
		if len(columns) > 0 && len(column) != len(columns[0]) {
			return Problemf(CodeInvalidRequest, field, "it has %d values, column %s has %d: want as many", len(column), names[0], len(columns[0]))
		}
		names, columns = append(names, name), append(columns, column)
		return nil
	})
	return names, columns, err
}

// ExportJob is what a store keeps of a job that makes an export, until that has ended: to
// begin it again when the store's process has died.
type ExportJob struct {
	ID      string        `json:"id"`
	Project string        `json:"project"`
	Request ExportRequest `json:"request"`
	// EntityRowsSent says that they came as an Arrow stream, which is kept beside.
	EntityRowsSent bool `json:"entity_rows_sent"`
	// Commit of history and Definitions, as package feature/definition encodes them, are
	// what it was begun with.
	Commit      uint64 `json:"commit"`
	Definitions []byte `json:"definitions"`
	// Lives are how often it began to run and the process died while it ran, the one in
	// which it runs included.
	Lives int `json:"lives,omitempty"`
}
