package simulation

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/synctest"

	"featurestore/fault"
)

var (
	seeds = flag.Int("sim.seeds", 20, "random scenarios to run")
	plant = flag.Bool("sim.faults", false, "plant faults, too, and want each to be found")
	first = flag.Uint64("sim.first", 1, "the first seed")
	tries = flag.Int("sim.tries", 600, "scenarios in which each planted fault must be found")
)

// TestSeeds runs random scenarios of a group that every region writes. One that
// fails prints itself as a script.
func TestSeeds(t *testing.T) { runSeeds(t, Draw) }

// TestLeaderlessSeeds runs random scenarios of clients that write and read at
// quorum.
func TestLeaderlessSeeds(t *testing.T) { runSeeds(t, DrawLeaderless) }

// TestLeaderSeeds runs random scenarios of a leader group.
func TestLeaderSeeds(t *testing.T) { runSeeds(t, DrawLeader) }

func runSeeds(t *testing.T, draw func(seed uint64) []string) {
	for i := range *seeds {
		seed := *first + uint64(i)
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			if err := runLines(t, draw(seed), 0); err != nil {
				t.Errorf("seed %d: %v\n\nas a script:\n\n%s", seed, err, strings.Join(draw(seed), "\n"))
			}
		})
	}
}

// runLines runs a scenario in a bubble, and returns what was broken.
func runLines(t *testing.T, lines []string, faults fault.Set) (err error) {
	dir := scratch(t)
	synctest.Test(t, func(t *testing.T) {
		s := &Scenario{Dir: dir, Drivers: Drivers, Faults: faults, Logger: logger(t)}
		if err = run(context.Background(), s, lines); err != nil {
			t.Log(err) // before the bubble complains of what was left running
		}
	})
	return err
}

func run(ctx context.Context, s *Scenario, lines []string) (err error) {
	defer func() {
		if closing := s.Close(); err == nil {
			err = closing
		}
	}()
	for i, line := range lines {
		if _, err := s.Do(ctx, line); err != nil {
			return fmt.Errorf("line %d: %w", i+1, err)
		}
	}
	return nil
}

// TestMain lets flags be read before the tests.
func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(m.Run())
}
