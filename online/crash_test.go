package online

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/dgraph-io/badger/v4"

	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/replication/oplog"
)

// Set in the environment of a process that writes until it is killed: its
// directory, and whether it acknowledges too early.
const (
	victimDir   = "ONLINE_TEST_VICTIM"
	victimFault = "ONLINE_TEST_VICTIM_FAULT"
)

const (
	victimWriters  = 8
	victimEntities = 50
	// victimRemote is an origin whose log the victim joins meanwhile; an
	// acknowledged join is printed with this entity.
	victimRemote hlc.Origin = 1
	joined       int64      = -1
)

// victim appends from several goroutines and prints a line for each
// acknowledged write: its entity, then the position's timestamp.
func victim(dir string, faulty bool) int {
	s, err := Open(testConfig(dir))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if faulty {
		s.disk.commit = tooEarly(s, filepath.Join(dir, "later"))
	}
	go func() { _ = s.Run(context.Background()) }()
	var out sync.Mutex
	var wg sync.WaitGroup
	if !faulty {
		wg.Go(func() { joinForEver(s, &out) })
	}
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
				if faulty {
					continue // said before
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

// joinForEver joins a log that goes on where the store has it, some entries at
// a time.
func joinForEver(s *Store, out *sync.Mutex) {
	for {
		iv := oplog.Interval{Shard: shardA, Origin: victimRemote, After: s.Progress(shardA)[victimRemote]}
		iv.Through = iv.After
		for range 1 + rand.IntN(5) {
			l, err := oplog.DecodeLogged(oplog.Append(nil, remoteEntry(iv.Through+1)))
			if err != nil {
				panic(err)
			}
			iv.Entries = append(iv.Entries, l)
			iv.Through++
		}
		done := make(chan error, 1)
		s.Join(iv, func(err error) { done <- err })
		if err := <-done; err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		out.Lock()
		fmt.Printf("%d %d\n", joined, iv.Through)
		out.Unlock()
	}
}

// remoteEntry is the entry of victimRemote's log at a timestamp.
func remoteEntry(at hlc.Timestamp) oplog.Entry {
	e := oplog.Entry{Kind: oplog.Delta, At: at, Origin: victimRemote, Prev: at - 1}
	for i := range int64(2) {
		c := change(3*victimEntities+2*int64(at%10)+i, int64(at), setRate(float64(at)))
		delta, err := c.Delta(feature.Row{}, at, victimRemote)
		if err != nil {
			panic(err)
		}
		e.Rows = append(e.Rows, oplog.Row{View: 1, Key: c.Key, Delta: delta})
	}
	return e
}

// tooEarly is a commit that acknowledges its writes, lets a sync's time go by,
// and then makes them durable.
func tooEarly(s *Store, scratch string) func(*badger.Txn, uint64) error {
	var last hlc.Timestamp
	return func(txn *badger.Txn, at uint64) error {
		prefix := appendEntryPrefix(nil, shardA, s.Identity().Origin)
		it := txn.NewIterator(badger.IteratorOptions{Prefix: prefix})
		for it.Seek(appendEntryKey(nil, shardA, s.Identity().Origin, last+1)); it.Valid(); it.Next() {
			var e oplog.Entry
			err := it.Item().Value(func(value []byte) (err error) {
				e, err = oplog.Decode(value)
				return err
			})
			if err != nil {
				return err
			}
			key, err := feature.DecodeKey(e.Rows[0].Key)
			if err != nil {
				return err
			}
			last = e.At
			fmt.Printf("%d %d\n", key[0].Int(), e.At)
		}
		it.Close()
		return errors.Join(syncSomething(scratch), txn.CommitAt(at, nil))
	}
}

func syncSomething(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = f.WriteString("x")
	return errors.Join(err, f.Sync(), f.Close())
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
		if err := checkAfterKill(t, dir, acks); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
	}
}

// The check of the test above finds a store that acknowledges each commit just
// before it is made. A kill may fall right after a commit, so there are some
// rounds; one or two are enough nearly always.
func TestAKillFindsWhatWasAcknowledgedTooEarly(t *testing.T) {
	if testing.Short() {
		t.Skip("starts and kills processes")
	}
	const rounds = 20
	for range rounds {
		dir := t.TempDir()
		acks := killVictim(t, dir, 1+rand.IntN(300), victimFault+"=1")
		if err := checkAfterKill(t, dir, acks); errors.Is(err, errLost) {
			return
		} else if err != nil {
			t.Fatalf("got %v, want %v", err, errLost)
		}
	}
	t.Fatalf("%d kills of a store that acknowledges too early, and nothing was missed", rounds)
}

// killVictim kills a writing process once it has acknowledged n writes, and
// returns all that it had by then.
func killVictim(t *testing.T, dir string, n int, env ...string) []acknowledged {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(append(os.Environ(), victimDir+"="+dir), env...)
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

var errLost = errors.New("acknowledged write is not there")

// checkAfterKill opens the directory and wants each acknowledged write in the
// log, the log whole, and the rows to be its join.
func checkAfterKill(t *testing.T, dir string, acks []acknowledged) error {
	t.Helper()
	s, err := Open(testConfig(dir))
	if err != nil {
		return err
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	log := map[hlc.Timestamp]oplog.Entry{}
	twin := plain{}
	for e, err := range s.Entries(t.Context(), shardA, s.Identity().Origin, 0) {
		if err != nil {
			return err
		}
		if len(e.Rows) != 2 {
			return fmt.Errorf("entry %v has %d rows, want the 2 of its write", e.Position(), len(e.Rows))
		}
		e = clone(t, e)
		log[e.At] = e
		for _, r := range e.Rows {
			twin[string(r.Key)] = feature.JoinRow(twin[string(r.Key)], r.Delta)
		}
	}
	remote := s.Heads(shardA)[victimRemote]
	for e, err := range s.Entries(t.Context(), shardA, victimRemote, 0) {
		if err != nil {
			return err
		}
		twin.joinEntry(clone(t, e))
	}
	for _, a := range acks {
		if a.id == joined {
			if a.at > remote {
				return fmt.Errorf("%w: a join up to %v, the log ends at %v", errLost, a.at, remote)
			}
			continue
		}
		e, ok := log[a.at]
		if !ok || string(e.Rows[0].Key) != string(entity(a.id)) {
			return fmt.Errorf("%w: entity %d at %v, found %+v", errLost, a.id, a.at, e)
		}
		if !s.Progress(shardA).CoversPosition(e.Position()) {
			return fmt.Errorf("progress %v does not cover %v", s.Progress(shardA), e.Position())
		}
	}
	return differs(t, s, twin)
}

// S3: compareWithTwin wants the rows of view 1 in shard A to be those of twin.
func compareWithTwin(t testing.TB, s *Store, twin map[string]feature.Row) {
	t.Helper()
	if err := differs(t, s, twin); err != nil {
		t.Fatal(err)
	}
}

func differs(t testing.TB, s *Store, twin map[string]feature.Row) error {
	t.Helper()
	found := 0
	for r, err := range s.Scan(t.Context(), shardA, 1) {
		if err != nil {
			return fmt.Errorf("scan: %w", err)
		}
		row, err := feature.DecodeRow(r.Row)
		if err != nil {
			return fmt.Errorf("row of %x: %w", []byte(r.Key), err)
		}
		if want := twin[string(r.Key)]; !row.Equal(want) {
			return fmt.Errorf("row of %x is\n%+v, the log joins to\n%+v", []byte(r.Key), row, want)
		}
		found++
	}
	if found != len(twin) {
		return fmt.Errorf("%d rows, the log makes %d", found, len(twin))
	}
	return nil
}
