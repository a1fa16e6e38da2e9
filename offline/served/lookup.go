package served

import (
	"featurestore/feature"
	"featurestore/hlc"
)

// Status says what a served cell is, in the words of the REST contract.
type Status string

// The statuses.
const (
	Present       Status = "PRESENT"
	NullValue     Status = "NULL_VALUE"
	NotFound      Status = "NOT_FOUND"
	OutsideMaxAge Status = "OUTSIDE_MAX_AGE"
	// Given is that of a value which came with the request.
	Given Status = "GIVEN"
)

// Lookup is what one answer said. It is not changed once it was offered.
type Lookup struct {
	// Request is the request's id, At when it was answered, in nanoseconds since the
	// Unix epoch: ages are by it.
	Request string
	At      int64
	// Region and Store answered; they are the log's own.
	Region, Store string
	Project       string
	// Revision is that of the project's definitions which the answer went by.
	Revision uint64
	// Asked and Met are read levels; Degraded says that less was met than asked.
	Asked, Met string
	Degraded   bool
	// Joined says that the rows are those of several stores, joined for this answer:
	// they are of no one vector.
	Joined bool
	Rows   []Row
}

// Row is what an answer took of one view for one entity of the lookup: of one stored row,
// or of one computation.
type Row struct {
	// Entity is the place among the lookup's entities, from 0.
	Entity int
	View   string
	// ID and Key name the stored row; ID is 0 for what is computed.
	ID    feature.ViewID
	Key   feature.Key
	Shard feature.Shard
	// Everything up to From was in the row that was read, and nothing beyond Until.
	// They are equal where nothing came meanwhile. Shared; not to be modified.
	From, Until hlc.Vector
	// Cells are the features: those of the answer, and what was read for
	// computations.
	Cells []Cell
}

// Cell is one feature of a row.
type Cell struct {
	Feature string
	ID      feature.FeatureID // 0 where it is not stored
	// Answered says that the cell stands in the answer.
	Answered bool
	Status   Status
	// Value is what was answered: the default where the status says so.
	Value feature.Value
	Type  feature.Type
	// EventTime is in nanoseconds since the Unix epoch; Timed says that there is one.
	EventTime int64
	Timed     bool
}

// cells counts them.
func (l *Lookup) cells() (n int) {
	for i := range l.Rows {
		n += len(l.Rows[i].Cells)
	}
	return n
}

// sizeBytes is about what a lookup takes in memory.
func (l *Lookup) sizeBytes() int64 {
	n := 256 + len(l.Request)
	for i := range l.Rows {
		n += 160 + len(l.Rows[i].Key)
		for j := range l.Rows[i].Cells {
			n += 128 + len(l.Rows[i].Cells[j].Value.Text())
		}
	}
	return int64(n)
}
