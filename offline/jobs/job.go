package jobs

import (
	"errors"
	"fmt"
	"time"
)

// ID names a job, within the deployment: it begins with Config.Prefix.
type ID string

// Kind is what a job does: "materialize", "export".
type Kind string

// State is where a job is in its life.
type State string

// The states. The last three are final.
const (
	Waiting  State = "waiting"
	Running  State = "running"
	Done     State = "done"
	Failed   State = "failed"
	Canceled State = "canceled"
)

// HasEnded reports whether s is final.
func (s State) HasEnded() bool { return s == Done || s == Failed || s == Canceled }

// Job is what is known of a job at one moment.
type Job struct {
	ID      ID
	Kind    Kind
	Project string
	// Of says what it works on, in a few words, such as a view's name.
	Of    string
	State State
	// Done of Total units of work; Total is 0 while it is not known, and may grow.
	// Unit is what they are, such as "bytes".
	Done, Total int64
	Unit        string
	// Detail is what the work tells of itself, nil when it tells nothing. It is not
	// changed after it was given.
	Detail any
	// Err is why the job failed, nil in every other state.
	Err error
	// Created is when it was started, Started when it got to run, Ended when it
	// ended; zero before.
	Created, Started, Ended time.Time
}

// Spec says what a job is to do.
type Spec struct {
	Kind    Kind
	Project string
	Of      string
	Unit    string
	// ID is that of an earlier life of the process in which the job was started; "" gives
	// it a new one.
	ID ID
	// Locks name what no other job may work on meanwhile, "" never among them.
	Locks []string
	// Work does it, until ctx ends. What it returns after ctx was canceled by
	// Cancel makes the job canceled, unless that is nil: then it was done already.
	// It may keep report no longer than it runs.
	Work Work
	// Dropped is called in place of Work when the job is canceled before it runs; nil
	// for nothing.
	Dropped func()
}

// ErrUnknown says that there is no such job, or none any more.
var ErrUnknown = errors.New("no such job")

// ErrFull says that too many jobs wait already. Nothing was started.
var ErrFull = errors.New("too many jobs are waiting")

// ErrClosed says that no jobs are run any more. Nothing was started.
var ErrClosed = errors.New("jobs are not run any more")

// ErrBusy says that another job has a lock; see BusyError. Nothing was started.
var ErrBusy = errors.New("another job is at it")

// BusyError is an ErrBusy with the job that has the lock.
type BusyError struct {
	Lock string
	By   ID
}

// Error names both.
func (e *BusyError) Error() string {
	return fmt.Sprintf("%s is worked on by job %s: wait for it, or cancel it", e.Lock, e.By)
}

// Is reports whether target is ErrBusy.
func (e *BusyError) Is(target error) bool { return target == ErrBusy }
