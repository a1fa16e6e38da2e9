package replica

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"featurestore/api"
	"featurestore/offline/bucket"
	"featurestore/offline/bucket/buckettest"
	"featurestore/offline/history"
)

// pushOne pushes a row of a driver, which is to be accepted.
func pushOne(t *testing.T, x *Replica, driver int) {
	t.Helper()
	body := fmt.Sprintf(`{"view": "driver_stats", "rows": [{"driver_id": %d, "rate": 0.5}]}`, driver)
	answer, err := http.Post(x.URL()+"/v1/projects/rides/push", api.MediaJSON, bytes.NewReader([]byte(body)))
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		t.Fatalf("push: %s", answer.Status)
	}
}

// rowsIn counts the rows of a history in a bucket.
func rowsIn(t *testing.T, url string) (rows int64) {
	t.Helper()
	b, err := bucket.Open(t.Context(), url, bucket.Options{})
	if err != nil {
		t.Fatal(err)
	}
	r, err := history.NewReader(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for _, view := range r.Views() {
		for _, f := range r.Files(view, history.AllTime) {
			rows += f.Rows
		}
	}
	return rows
}

// await waits for what is to come within a minute.
func await(t *testing.T, what string, is func() bool) {
	t.Helper()
	look, limit := time.NewTicker(10*time.Millisecond), time.Now().Add(time.Minute)
	defer look.Stop()
	for ; !is(); <-look.C {
		if time.Now().After(limit) {
			t.Fatalf("it does not come in a minute: %s", what)
		}
	}
}

func inBucket(url string, log *lockedText) Config {
	return Config{History: true, HistoryBucket: url, HistoryEvery: 10 * time.Millisecond, LogOutput: log}
}

// Two stores on one bucket: the second takes the history over and keeps it; the first
// says so, and serves on.
func TestTheSecondStoreOnABucketTakesItsHistoryOver(t *testing.T) {
	url := buckettest.New(t).URL("h")
	var logs [2]lockedText
	first, _ := start(t, inBucket(url, &logs[0]))
	if _, err := first.store.Apply(t.Context(), parsedBy(t, keptRides), nil); err != nil {
		t.Fatal(err)
	}
	pushOne(t, first, 1)
	await(t, "the first store's row", func() bool { return rowsIn(t, url) == 1 })
	if _, err := os.Stat(HistoryDir(first.cfg.Data)); !os.IsNotExist(err) {
		t.Errorf("there is a folder for it as well: %v", err)
	}
	c := inBucket(url, &logs[1])
	c.Region, c.Store = "eu", "eu-2"
	second, _ := start(t, c)
	if _, err := second.store.Apply(t.Context(), parsedBy(t, keptRides), nil); err != nil {
		t.Fatal(err)
	}
	pushOne(t, first, 2)
	await(t, "that the first keeps none any more", func() bool { return strings.Contains(logs[0].String(), "history is not kept any more") })
	pushOne(t, first, 3)
	pushOne(t, second, 4)
	await(t, "the second store's row", func() bool { return rowsIn(t, url) == 2 })
}

// A store of another region is refused, and takes nothing over.
func TestAnotherRegionsStoreDoesNotTakeAHistoryOver(t *testing.T) {
	url := buckettest.New(t).URL("h")
	var log lockedText
	first, _ := start(t, inBucket(url, &log))
	c := inBucket(url, &lockedText{})
	c.Region, c.Store, c.Data, c.Listen = "us", "us-1", t.TempDir(), "127.0.0.1:0"
	if _, err := New(c); !errors.Is(err, history.ErrRegion) {
		t.Fatalf("got %v, want ErrRegion", err)
	}
	if _, err := first.store.Apply(t.Context(), parsedBy(t, keptRides), nil); err != nil {
		t.Fatal(err)
	}
	pushOne(t, first, 1)
	await(t, "the first store's row", func() bool { return rowsIn(t, url) == 1 })
}

// While its bucket is away a store serves, also one that begins then; afterwards
// nothing is missing.
func TestAStoreServesWhileItsBucketIsAway(t *testing.T) {
	s := buckettest.New(t)
	url := s.URL("h")
	away := func(buckettest.Request) buckettest.Fault { return buckettest.Drop }
	var log lockedText
	c := inBucket(url, &log)
	c.Data = t.TempDir()
	s.SetFault(away)
	x, stop := start(t, c)
	if _, err := x.store.Apply(t.Context(), parsedBy(t, keptRides), nil); err != nil {
		t.Fatal(err)
	}
	pushOne(t, x, 1)
	if !strings.Contains(log.String(), "history cannot be reached") {
		t.Errorf("it does not say that history cannot be reached:\n%s", log.String())
	}
	if err := stop(); err != nil { // an end while it waits
		t.Fatal(err)
	}
	x, _ = start(t, c)
	pushOne(t, x, 2)
	s.SetFault(nil)
	await(t, "both rows", func() bool { return rowsIn(t, url) == 2 })
	s.SetFault(away)
	pushOne(t, x, 3)
	await(t, "that it falls behind", func() bool { return strings.Contains(log.String(), "history falls behind") })
	pushOne(t, x, 4)
	s.SetFault(nil)
	await(t, "all rows", func() bool { return rowsIn(t, url) == 4 })
}

// What is wrong with the setting, or with who may write there, is told at the start.
func TestABucketThatCannotHoldAHistoryIsRefused(t *testing.T) {
	s := buckettest.New(t)
	for _, c := range []struct {
		url  string
		edit func()
		says string
	}{
		{"s3://lake/h?endpoint=nowhere", nil, "history_bucket: "},
		{strings.Replace(s.URL("h"), "lake", "pond", 1), nil, "no such bucket"},
		{s.URL("h"), func() { t.Setenv("AWS_ACCESS_KEY_ID", "nobody") }, "access denied"},
		{s.URL("h"), func() { t.Setenv("AWS_ACCESS_KEY_ID", buckettest.AccessKey); s.SetUnconditional(true) }, "If-None-Match"},
	} {
		if c.edit != nil {
			c.edit()
		}
		x := inBucket(c.url, &lockedText{})
		x.Region, x.Store, x.Data, x.Listen = "eu", "eu-1", t.TempDir(), "127.0.0.1:0"
		if _, err := New(x); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: got %v, want %q", c.url, err, c.says)
		}
	}
	c := Config{Region: "eu", Store: "eu-1", Data: t.TempDir(), HistoryBucket: s.URL("h")}
	if err := c.Validate(); err == nil || !strings.Contains(err.Error(), "history is not") {
		t.Errorf("got %v, want that history is not set", err)
	}
}
