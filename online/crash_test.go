package online

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/replication/oplog"
)

// Set in the environment of a process that writes until it is killed.
const victimDir = "ONLINE_TEST_VICTIM"

const (
	victimWriters  = 8
	victimEntities = 50
)

// victim appends from several goroutines and prints a line for each
// acknowledged write: its entity, then the position's timestamp.
func victim(dir string) int {
	s, err := Open(testConfig(dir))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	go func() { _ = s.Run(context.Background()) }()
	var out sync.Mutex
	var wg sync.WaitGroup
	for range victimWriters {
		wg.Go(func() {
			for {
				id := rand.Int64N(victimEntities)
				// A second row in every write shows one that is not whole.
				w := write(change(id, 1, addTrips(1)), change(id+victimEntities, 1, addTrips(1)))
				r, err := s.Append(context.Background(), w)
				if err != nil {
					fmt.Fprintln(os.Stderr, err)
					os.Exit(1)
				}
				out.Lock()
				fmt.Printf("%d %d\n", id, r.Positions[0].Position.At)
				out.Unlock()
			}
		})
	}
	wg.Wait()
	return 0
}

type acknowledged struct {
	id int64
	at hlc.Timestamp
}

// S1, S2, S4, S5: whatever the moment of a kill, what was acknowledged is there,
// the log is whole, and rows are exactly its join. Run more rounds with
// -kill.rounds.
func TestNothingAcknowledgedIsLostToAKill(t *testing.T) {
	if testing.Short() {
		t.Skip("starts and kills processes")
	}
	dir := t.TempDir()
	var acks []acknowledged
	for round := range *killRounds {
		acks = append(acks, killVictim(t, dir, 1+rand.IntN(1500))...)
		verifyAfterKill(t, dir, acks, round)
	}
}

// killVictim kills a writing process once it has acknowledged n writes, and
// returns all that it had by then.
func killVictim(t *testing.T, dir string, n int) []acknowledged {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), victimDir+"="+dir)
	var faults strings.Builder
	cmd.Stderr = &faults
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var acks []acknowledged
	lines := bufio.NewScanner(stdout)
	for lines.Scan() {
		var a acknowledged
		if _, err := fmt.Sscanf(lines.Text(), "%d %d", &a.id, &a.at); err != nil {
			break // torn by the kill
		}
		acks = append(acks, a)
		if len(acks) == n {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := cmd.Wait(); len(acks) < n {
		t.Fatalf("victim ended by itself after %d writes: %v %s", len(acks), err, faults.String())
	}
	return acks
}

func verifyAfterKill(t *testing.T, dir string, acks []acknowledged, round int) {
	t.Helper()
	s, err := Open(testConfig(dir))
	if err != nil {
		t.Fatalf("round %d: %v", round, err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	log := map[hlc.Timestamp]oplog.Entry{}
	twin := map[string]feature.Row{}
	for e, err := range s.Entries(t.Context(), shardA, s.Identity().Origin, 0) {
		if err != nil {
			t.Fatalf("round %d: log: %v", round, err)
		}
		if len(e.Rows) != 2 {
			t.Errorf("round %d: entry %v has %d rows, want the 2 of its write", round, e.Position(), len(e.Rows))
		}
		e = clone(t, e)
		log[e.At] = e
		for _, r := range e.Rows {
			twin[string(r.Key)] = feature.JoinRow(twin[string(r.Key)], r.Delta)
		}
	}
	for _, a := range acks {
		e, ok := log[a.at]
		if !ok || string(e.Rows[0].Key) != string(entity(a.id)) {
			t.Fatalf("round %d: acknowledged write of entity %d at %v is not in the log: found %+v", round, a.id, a.at, e)
		}
		if !s.Progress(shardA).CoversPosition(e.Position()) {
			t.Fatalf("round %d: progress %v does not cover %v", round, s.Progress(shardA), e.Position())
		}
	}
	compareWithTwin(t, s, twin)
}

// S3: compareWithTwin wants the rows of view 1 in shard A to be those of twin.
func compareWithTwin(t testing.TB, s *Store, twin map[string]feature.Row) {
	t.Helper()
	found := 0
	for r, err := range s.Scan(t.Context(), shardA, 1) {
		if err != nil {
			t.Fatalf("scan: %v", err)
		}
		row, err := feature.DecodeRow(r.Row)
		if err != nil {
			t.Fatalf("row of %x: %v", []byte(r.Key), err)
		}
		if want := twin[string(r.Key)]; !row.Equal(want) {
			t.Fatalf("row of %x is\n%+v, the log joins to\n%+v", []byte(r.Key), row, want)
		}
		found++
	}
	if found != len(twin) {
		t.Fatalf("%d rows, the log makes %d", found, len(twin))
	}
}
