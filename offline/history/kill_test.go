package history

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"featurestore/feature"
	"featurestore/offline/bucket"
	"featurestore/offline/bucket/buckettest"
	"featurestore/online"
)

// victimDir, when set, makes the test binary a victim in that directory, whose history
// lies there as well, or in the bucket of victimBucket.
const (
	victimDir    = "HISTORY_VICTIM_DIR"
	victimBucket = "HISTORY_VICTIM_BUCKET"
)

func victimFiles(dir, url string) (Files, error) {
	if url == "" {
		return NewDisk(filepath.Join(dir, "history")), nil
	}
	return bucket.Open(context.Background(), url, bucket.Options{Dir: dir})
}

func openVictim(dir string) (*online.Store, error) {
	return online.Open(online.Config{
		Dir: filepath.Join(dir, "store"), Store: "eu-1", Region: "eu", Deployment: "test", HotBytes: -1, MemTableBytes: 8 << 20,
	})
}

// victim writes, ingests and compacts until it is killed.
func victim(dir string) error {
	ctx := context.Background()
	s, err := openVictim(dir)
	if err != nil {
		return err
	}
	go func() { _ = s.Run(ctx) }()
	if _, err := s.Apply(ctx, rides(), nil); err != nil {
		return err
	}
	files, err := victimFiles(dir, os.Getenv(victimBucket))
	if err != nil {
		return err
	}
	h, err := Open(ctx, Config{Files: files, CompactFiles: 2, Keep: time.Nanosecond, WholeEvery: 4})
	if err != nil {
		return err
	}
	in, err := NewIngester(IngestConfig{Log: s, History: h, Region: "eu", MaxAge: time.Millisecond, Poll: time.Millisecond, Look: time.Millisecond})
	if err != nil {
		return err
	}
	u, err := NewUpkeep(UpkeepConfig{History: h, Registry: s.Registry, Every: 5 * time.Millisecond})
	if err != nil {
		return err
	}
	ended := make(chan error, 3)
	go func() { ended <- in.Run(ctx) }()
	go func() { ended <- u.Run(ctx) }()
	fmt.Println("ready")
	go func() {
		c, _ := s.Registry().Catalog("rides")
		v, _ := c.View("driver_stats")
		f, _ := v.Field("rate")
		for i := int64(0); ; i++ {
			key, err := feature.AppendKeyValue(nil, feature.OfInt64(i%10))
			if err == nil {
				_, err = s.Append(ctx, online.Write{Changes: []online.Placed{{Shard: v.Shard(key), Change: feature.Change{
					View: v.ID, Key: key, EventTime: i % 3 * 86400e9,
					Assignments: []feature.Assignment{{Feature: f.ID, Type: f.Type, Value: feature.OfFloat64(float64(i))}},
				}}}})
			}
			if err != nil {
				ended <- err
				return
			}
		}
	}()
	return <-ended
}

// Z3 with a real process, killed at random moments, over one store and history.
func TestHistoryIsTheLogAfterKills(t *testing.T) { killVictims(t, "") }

func TestHistoryInABucketIsTheLogAfterKills(t *testing.T) {
	killVictims(t, buckettest.New(t).URL("h"))
}

func killVictims(t *testing.T, url string) {
	dir := t.TempDir()
	random := rand.New(rand.NewPCG(1, 9))
	for range 4 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), victimDir+"="+dir, victimBucket+"="+url)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		line, err := bufio.NewReader(out).ReadString('\n')
		if err != nil || line != "ready\n" {
			t.Fatalf("the victim said %q: %v", line, errors.Join(err, cmd.Wait()))
		}
		<-time.After(time.Duration(20+random.IntN(300)) * time.Millisecond)
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		var exit *exec.ExitError
		if err := cmd.Wait(); !errors.As(err, &exit) || exit.Exited() {
			t.Fatalf("the victim ended by itself: %v", err)
		}
	}
	store, err := openVictim(dir)
	if err != nil {
		t.Fatal(err)
	}
	s := &storeHouse{TB: t, Store: store}
	s.runs()
	d, err := victimFiles(dir, url)
	if err != nil {
		t.Fatal(err)
	}
	h := open(t, d)
	if len(h.Progress(s.Shards("eu")[0])) == 0 {
		t.Fatal("nothing was in history before the kills")
	}
	mustCatchUp(t, ingester(t, s, h))
	r := h.Reader()
	defer r.Close()
	wantLog(t, s, r)
}
