package simulation

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/rogpeppe/go-internal/testscript"
)

var verbose = flag.Bool("sim.log", false, "print the logs of simulated stores")

// TestScripts runs each scenario of testdata in a bubble of its own.
func TestScripts(t *testing.T) {
	commands := map[string]func(*testscript.TestScript, bool, []string){}
	for _, name := range strings.Fields(
		`plant cluster link cut heal push delete lookup observe async sleep crash halt restart skew copy save restore lose
		add invite remove left evict renew promote await home apply patch hand log status rest check`,
	) {
		commands[name] = func(ts *testscript.TestScript, neg bool, args []string) { command(ts, neg, name, args) }
	}
	testscript.RunT(bubble{t}, testscript.Params{
		Dir:  "testdata",
		Cmds: commands,
		Setup: func(e *testscript.Env) error {
			s := &Scenario{Dir: scratch(t), Drivers: 8, Logger: logger(t)}
			e.Values[scenarioKey{}] = s
			e.Defer(func() {
				if err := s.Close(); err != nil {
					e.T().Log("close:", err)
				}
			})
			return nil
		},
	})
}

type scenarioKey struct{}

func command(ts *testscript.TestScript, neg bool, name string, args []string) {
	s := ts.Value(scenarioKey{}).(*Scenario)
	out, err := s.Do(context.Background(), strings.Join(append([]string{name}, args...), " "))
	if out != "" {
		ts.Check(write(ts.Stdout(), out+"\n"))
	}
	switch {
	case neg && err == nil:
		ts.Fatalf("it succeeded: %s", out)
	case neg:
		ts.Check(write(ts.Stderr(), err.Error()+"\n"))
	case err != nil:
		ts.Fatalf("%v", err)
	}
}

func write(w interface{ Write([]byte) (int, error) }, text string) error {
	_, err := w.Write([]byte(text))
	return err
}

func logger(t testing.TB) *slog.Logger {
	if !*verbose {
		return nil
	}
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// scratch is a folder in memory where there is such a thing: simulated stores
// sync often.
func scratch(t testing.TB) string {
	t.Helper()
	dir := filepath.Join("/dev/shm", fmt.Sprintf("simulation-%016x", rand.Uint64()))
	if os.Mkdir(dir, 0o700) != nil {
		dir = t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return filepath.Join(dir, "stores")
}

// bubble gives every script a synctest bubble.
type bubble struct{ *testing.T }

// Run implements testscript.T.
func (b bubble) Run(name string, f func(testscript.T)) {
	b.T.Run(name, func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { f(bubble{t}) })
	})
}

// Parallel implements testscript.T: bubbles take turns.
func (b bubble) Parallel() {}

// Verbose implements testscript.T.
func (b bubble) Verbose() bool { return testing.Verbose() }
