package served

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"

	"featurestore/feature"
	"featurestore/hlc"
)

// Columns of a file, in this order. Values stand twice: as text for people and engines,
// and as package feature encodes them, by which they are compared.
const (
	colLookup   = iota // numbers the lookups of a file, from 0
	colServedAt        // when it was answered
	colRequest         // the request's id
	colRegion
	colStore
	colProject
	colRevision // of the project's definitions
	colAsked    // the read level that was asked for, and the one that was met
	colMet
	colDegraded
	colJoined // the rows are those of several stores
	colEntity // the place among the lookup's entities
	colView
	colViewID    // 0: computed on demand
	colGroup     // the shard of the stored row
	colPartition //
	colKey       // its encoded entity key
	colFrom      // up to where each log was in it, as origin@timestamp, by comma
	colUntil     // and beyond where nothing was; null: the same
	colFeature
	colFeatureID // 0: not stored
	colAnswered  // false: it was read for a computation
	colStatus
	colText  // the value; null where it is null
	colValue // the same, encoded
	colType
	colEvent // event time
	columnCount
)

// formatKey and format are in each file's metadata.
const (
	formatKey = "featurestore.served"
	format    = "1"
)

var instant = &arrow.TimestampType{Unit: arrow.Nanosecond, TimeZone: "UTC"}

var schema = func() *arrow.Schema {
	fields := make([]arrow.Field, columnCount)
	set := func(t arrow.DataType, nullable bool, names map[int]string) {
		for i, name := range names {
			fields[i] = arrow.Field{Name: name, Type: t, Nullable: nullable}
		}
	}
	set(arrow.PrimitiveTypes.Int64, false, map[int]string{
		colLookup: "lookup", colRevision: "revision", colEntity: "entity", colViewID: "view_id", colGroup: "group",
		colPartition: "partition", colFeatureID: "feature_id",
	})
	set(instant, false, map[int]string{colServedAt: "served_at"})
	set(arrow.BinaryTypes.String, false, map[int]string{
		colRequest: "request_id", colRegion: "region", colStore: "store", colProject: "project", colAsked: "level_asked", colMet: "level_met",
		colView: "view", colFrom: "vector", colFeature: "feature", colStatus: "status", colType: "type",
	})
	set(arrow.FixedWidthTypes.Boolean, false, map[int]string{colDegraded: "degraded", colJoined: "joined", colAnswered: "answered"})
	set(arrow.BinaryTypes.String, true, map[int]string{colUntil: "vector_until", colText: "value"})
	set(arrow.BinaryTypes.Binary, true, map[int]string{colValue: "value_encoded", colKey: "entity_key"})
	set(instant, true, map[int]string{colEvent: "event_timestamp"})
	meta := arrow.NewMetadata([]string{formatKey}, []string{format})
	return arrow.NewSchema(fields, &meta)
}()

// appendLookup appends a lookup as rows.
func appendLookup(b *array.RecordBuilder, number int64, l *Lookup) {
	ints := func(i int, n int64) { b.Field(i).(*array.Int64Builder).Append(n) }
	texts := func(i int, s string) { b.Field(i).(*array.StringBuilder).Append(s) }
	truths := func(i int, v bool) { b.Field(i).(*array.BooleanBuilder).Append(v) }
	var from string
	var encoded []byte
	for i := range l.Rows {
		r := &l.Rows[i]
		if i == 0 || !r.From.Equal(l.Rows[i-1].From) { // rows of one shard share it
			from = vectorText(r.From)
		}
		until := ""
		if !r.Until.Equal(r.From) {
			until = vectorText(r.Until)
		}
		for j := range r.Cells {
			c := &r.Cells[j]
			ints(colLookup, number)
			b.Field(colServedAt).(*array.TimestampBuilder).Append(arrow.Timestamp(l.At))
			texts(colRequest, l.Request)
			texts(colRegion, l.Region)
			texts(colStore, l.Store)
			texts(colProject, l.Project)
			ints(colRevision, int64(l.Revision))
			texts(colAsked, l.Asked)
			texts(colMet, l.Met)
			truths(colDegraded, l.Degraded)
			truths(colJoined, l.Joined)
			ints(colEntity, int64(r.Entity))
			texts(colView, r.View)
			ints(colViewID, int64(r.ID))
			ints(colGroup, int64(r.Shard.Group))
			ints(colPartition, int64(r.Shard.Partition))
			binary(b, colKey, r.Key, r.Key == nil)
			texts(colFrom, from)
			if until == "" {
				b.Field(colUntil).AppendNull()
			} else {
				texts(colUntil, until)
			}
			texts(colFeature, c.Feature)
			ints(colFeatureID, int64(c.ID))
			truths(colAnswered, c.Answered)
			texts(colStatus, string(c.Status))
			if c.Value.IsNull() {
				b.Field(colText).AppendNull()
			} else {
				texts(colText, c.Value.String())
			}
			encoded = feature.AppendValue(encoded[:0], c.Value)
			binary(b, colValue, encoded, c.Value.IsNull())
			texts(colType, c.Type.String())
			if c.Timed {
				b.Field(colEvent).(*array.TimestampBuilder).Append(arrow.Timestamp(c.EventTime))
			} else {
				b.Field(colEvent).AppendNull()
			}
		}
	}
}

func binary(b *array.RecordBuilder, i int, data []byte, null bool) {
	if null {
		b.Field(i).AppendNull()
		return
	}
	b.Field(i).(*array.BinaryBuilder).Append(data)
}

// vectorText writes a vector as origin@timestamp, numbers, in order of origin.
func vectorText(v hlc.Vector) string {
	var b []byte
	for i, p := range v.Positions() {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendUint(b, uint64(p.Origin), 10)
		b = strconv.AppendUint(append(b, '@'), uint64(p.At), 10)
	}
	return string(b)
}

// parseVector is its inverse.
func parseVector(text string) (hlc.Vector, error) {
	v := hlc.Vector{}
	if text == "" {
		return v, nil
	}
	for part := range strings.SplitSeq(text, ",") {
		origin, at, ok := strings.Cut(part, "@")
		o, err := strconv.ParseUint(origin, 10, 32)
		if err != nil || !ok {
			return nil, fmt.Errorf("%q is no position such as 3@17", part)
		}
		n, err := strconv.ParseUint(at, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%q is no position such as 3@17", part)
		}
		v[hlc.Origin(o)] = hlc.Timestamp(n)
	}
	return v, nil
}
