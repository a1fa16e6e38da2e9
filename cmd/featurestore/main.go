package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
)

// The exit codes (L1).
const (
	exitError       = 1
	exitChanges     = 2
	exitInterrupted = 130
)

func main() {
	os.Exit(run(os.Args[1:]))
}

// run is main without the exit, so that what is deferred is done.
func run(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// A second signal ends the process at once. What comes within a second is
	// the first one again: a supervisor may signal the process and its group.
	context.AfterFunc(ctx, func() { time.AfterFunc(time.Second, stop) })
	return execute(ctx, &app{in: os.Stdin, out: os.Stdout, err: os.Stderr, environ: os.Environ()}, args)
}

// app is the world as commands see it.
type app struct {
	in       io.Reader
	out, err io.Writer
	environ  []string
}

// variable returns a variable of the environment, "" when it is not set.
func (a *app) variable(name string) string {
	for _, entry := range a.environ {
		if value, ok := strings.CutPrefix(entry, name+"="); ok {
			return value
		}
	}
	return ""
}

// errChanges makes plan exit with exitChanges and print nothing.
var errChanges = errors.New("there are changes")

// execute runs one command line and returns its exit code.
func execute(ctx context.Context, a *app, args []string) int {
	root := newRoot(a)
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errChanges):
		return exitChanges
	case errors.Is(err, context.Canceled) && ctx.Err() != nil:
		fmt.Fprintf(a.err, "%s: interrupted\n", title(cmd))
		return exitInterrupted
	}
	printError(a.err, title(cmd), err)
	var noted *notedError
	if errors.As(err, &noted) {
		fmt.Fprintf(a.err, "%s\n", noted.note)
	}
	return exitError
}

// notedError is an error, and what is true after it, told on a line below.
type notedError struct {
	error
	note string
}

// Unwrap returns the error without the note.
func (e *notedError) Unwrap() error { return e.error }

// title is the command's path as errors begin with it: "featurestore: push".
func title(cmd *cobra.Command) string { return strings.ReplaceAll(cmd.CommandPath(), " ", ": ") }

// printError prints one fault on one line, several below their heading.
func printError(w io.Writer, title string, err error) {
	lines := strings.Split(strings.TrimSpace(err.Error()), "\n")
	var refused *refusedError
	switch {
	case errors.As(err, &refused) && len(refused.parts()) > 0:
		fmt.Fprintf(w, "%s: %s\n", title, lines[0])
		lines = refused.parts()
	case len(lines) == 1:
		fmt.Fprintf(w, "%s: %s\n", title, lines[0])
		return
	default:
		fmt.Fprintf(w, "%s: %d faults\n", title, len(lines))
	}
	for _, line := range lines {
		fmt.Fprintf(w, "  %s\n", line)
	}
}
