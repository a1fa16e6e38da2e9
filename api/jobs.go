package api

import "encoding/json"

// Job is work that goes on after its request was answered.
type Job struct {
	ID   string `json:"id"`
	Kind string `json:"kind"`
	// Of is what it works on, such as a view.
	Of string `json:"of"`
	// State is waiting, running, done, failed or canceled.
	State string `json:"state"`
	// Store is where it runs.
	Store string `json:"store"`
	// Done of Total units of work; Total is 0 while it is not known.
	Done  int64  `json:"done"`
	Total int64  `json:"total"`
	Unit  string `json:"unit,omitempty"`
	// Detail depends on Kind.
	Detail json.RawMessage `json:"detail,omitempty"`
	// Error says why it failed.
	Error *Problem `json:"error,omitempty"`
	// Times are RFC 3339, "" where it has not come to that.
	Created string `json:"created"`
	Started string `json:"started,omitempty"`
	Ended   string `json:"ended,omitempty"`
}

// HasEnded reports whether nothing about the job will change any more.
func (j Job) HasEnded() bool {
	return j.State == JobDone || j.State == JobFailed || j.State == JobCanceled
}

// The states that are final.
const (
	JobDone     = "done"
	JobFailed   = "failed"
	JobCanceled = "canceled"
)

// Jobs answers GET …/jobs: the latest first.
type Jobs struct {
	Jobs []Job `json:"jobs"`
}
