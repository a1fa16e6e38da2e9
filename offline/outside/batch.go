package outside

import "fmt"

// Batch holds consecutive rows of a file, as a push takes them.
type Batch struct {
	// After and Through say which: those at places after After, up to Through.
	After   int64
	Through int64
	// At are the places of the rows in Body, in their order there.
	At []int64
	// Rows is how many rows there are to push.
	Rows int64
	// Empty counts rows without a feature, Beside those outside the window, and LeftOut
	// those of Request.LeaveOut.
	Empty   int64
	Beside  int64
	LeftOut int64
	// Faults are rows that could not be read, BadRows how many there are: not all are
	// named.
	Faults  []Fault
	BadRows int64
	// Done is how many bytes of the file were read, about.
	Done int64
	// Body is a member of a push request, "rows":[…] or "columns":{…}; empty without
	// rows, and while checking.
	Body []byte
}

// Fault says what is wrong with one row.
type Fault struct {
	At       int64
	Columnar bool // At counts rows, not lines
	Column   string
	Message  string
}

// Place is where the fault is, as in "a.csv:3: column trips".
func (f Fault) Place(name string) string {
	where := fmt.Sprintf("%s:%d", name, f.At)
	if f.Columnar {
		where = fmt.Sprintf("%s: row %d", name, f.At)
	}
	if f.Column != "" {
		where += ": column " + f.Column
	}
	return where
}

// MaxFaults is how many faults of a batch are named.
const MaxFaults = 20

// opened is what the child tells of a file before its rows.
type opened struct {
	// Groups are the rows of each row group of a Parquet file.
	Groups []int64
	// Columnar says that places count rows, not lines.
	Columnar bool
}

// failure is why the child cannot go on.
type failure struct {
	Message string
}
