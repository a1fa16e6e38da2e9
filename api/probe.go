package api

// ProbeReport is what featurestore probe prints as JSON, and what featurestore
// advise reads. Times are in milliseconds.
type ProbeReport struct {
	View      string  `json:"view"`
	Placement string  `json:"placement"`
	Seconds   float64 `json:"seconds"`
	// StalenessMs is the bound that reads at bounded asked for.
	StalenessMs float64  `json:"staleness_ms"`
	Regions     []string `json:"regions"`
	// Violations counts promises that were broken; Examples are the first of them.
	Violations uint64           `json:"violations"`
	Examples   []ProbeViolation `json:"violation_examples"`
	// NotOffered says which levels and concerns are not to be had, and why.
	NotOffered map[string]string `json:"not_offered"`
	Reads      []ProbeReads      `json:"reads"`
	Writes     []ProbeWrites     `json:"writes"`
	Pairs      []ProbePair       `json:"pairs"`
	Stale      []ProbeStale      `json:"stale"`
}

// ProbeTimes is a distribution of durations. Buckets are those of
// probe.Histogram, the empty ones left out.
type ProbeTimes struct {
	Count   uint64        `json:"count"`
	P50Ms   float64       `json:"p50_ms"`
	P95Ms   float64       `json:"p95_ms"`
	P99Ms   float64       `json:"p99_ms"`
	MaxMs   float64       `json:"max_ms"`
	Buckets []ProbeBucket `json:"buckets"`
}

// ProbeBucket is how many durations are in one bucket.
type ProbeBucket struct {
	Bucket int    `json:"bucket"`
	Count  uint64 `json:"count"`
}

// ProbeViolation is an answer that broke a promise.
type ProbeViolation struct {
	Kind   string `json:"kind"`
	Level  string `json:"level"`
	Asked  string `json:"asked_region"`
	Served string `json:"served_region"`
	Text   string `json:"text"`
}

// ProbeReads tells of the reads at one level in one region. Failed are those
// without an answer, or with an error: the promise was not kept, and said so.
type ProbeReads struct {
	Level     string     `json:"level"`
	Region    string     `json:"region"`
	Latency   ProbeTimes `json:"latency"`
	Waited    ProbeTimes `json:"waited"`
	Forwarded uint64     `json:"forwarded"`
	Degraded  uint64     `json:"degraded"`
	Failed    uint64     `json:"failed"`
}

// ProbeWrites tells of the writes at one concern in one region.
type ProbeWrites struct {
	Concern string     `json:"concern"`
	Region  string     `json:"region"`
	Latency ProbeTimes `json:"latency"`
	Failed  uint64     `json:"failed"`
}

// ProbePair is how far a region is behind another: Lag from the acknowledgement
// of a write at From, at Concern, until a read in To sees it; Staleness is how old
// the oldest write was that a read at eventual lacked, 0 for none, and Told the
// bound that came with it.
type ProbePair struct {
	Concern   string     `json:"concern"`
	From      string     `json:"from"`
	To        string     `json:"to"`
	Lag       ProbeTimes `json:"lag"`
	Staleness ProbeTimes `json:"staleness"`
	Told      ProbeTimes `json:"told"`
	// ToldUnknown counts answers without a bound.
	ToldUnknown uint64 `json:"told_unknown"`
}

// ProbeStale compares predicted and measured shares of reads in To that miss a
// write acknowledged at From AfterMs before. Members is how many members a read
// joins: 1 is a read at eventual.
type ProbeStale struct {
	Concern   string  `json:"concern"`
	From      string  `json:"from"`
	To        string  `json:"to"`
	Members   int     `json:"members"`
	AfterMs   float64 `json:"after_ms"`
	Predicted float64 `json:"predicted"`
	// Measured is the share of Reads; of 0 reads it says nothing.
	Measured float64 `json:"measured"`
	Reads    uint64  `json:"reads"`
}
