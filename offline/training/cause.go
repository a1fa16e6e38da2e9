package training

// Cause says why what a region served, or could have served, is another value than
// what was true at that time. A cell that differs has exactly one.
type Cause uint8

// The causes. Of a cell that differs, the deciding write is the one that makes the
// difference: without it the region would have had the true value, or the truth would
// be what the region had.
const (
	// Same is the cause of no difference.
	Same Cause = iota
	// ReplicationLag: the deciding write had been accepted and was not readable in
	// the region yet.
	ReplicationLag
	// LateData: the deciding write was accepted after the time in question, with an
	// event time at or before it.
	LateData
	// TTL: both know the same value, of two writes; of one of them it is older than
	// the view's ttl. With a longer one the cell would not differ.
	TTL
	// Conflict: the deciding write was on its way, and is of an event no newer than
	// what the region had: the conflict rule prefers it, by the order of writes, by
	// size, or as a delete. Or both had the same writes, which come to another value
	// in another order: increments of floats are rounded.
	Conflict
	// HistoryOnly: the deciding write was pushed to history alone, and never served.
	HistoryOnly
	// EarlyData: the region showed a write, or the effect of a delete, of an event
	// that was yet to come.
	EarlyData
	causeEnd
)

var causeNames = [causeEnd]string{"same", "replication_lag", "late_data", "ttl", "conflict", "history_only", "early_data"}

// String returns the cause as reports print it, such as replication_lag.
func (c Cause) String() string {
	if c < causeEnd {
		return causeNames[c]
	}
	return "unknown"
}

// Causes returns the causes of differences, in the order in which reports show them.
func Causes() []Cause {
	return []Cause{ReplicationLag, LateData, TTL, Conflict, HistoryOnly, EarlyData}
}

// facts are what judge has to know of a cell whose served and true values differ.
type facts struct {
	// sameValue says that, but for the ttl, the values would be equal.
	sameValue bool
	// early says that the region would have shown something else without writes of
	// events that were yet to come.
	early bool
	// decided says that there is a deciding write; what follows is of it.
	decided bool
	// historyOnly and later say that it was pushed to history alone, and accepted after
	// the time in question.
	historyOnly, later bool
	// contested says that what the region had is of an event no older.
	contested bool
}

// judge returns the cause of a difference. The order of the cases is that in which
// causes exclude one another.
func judge(f facts) Cause {
	switch {
	case f.sameValue:
		return TTL
	case f.early:
		return EarlyData
	case !f.decided:
		return Conflict
	case f.historyOnly:
		return HistoryOnly
	case f.later:
		return LateData
	case f.contested:
		return Conflict
	}
	return ReplicationLag
}
