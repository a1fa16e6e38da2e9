package served

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"pgregory.net/rapid"

	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/offline/history"
)

var noon = time.Date(2026, 8, 21, 12, 0, 0, 0, time.UTC)

// newLog returns a log of every lookup in a folder of the test.
func newLog(t testing.TB, change ...func(*Config)) (*Log, string) {
	t.Helper()
	dir := t.TempDir()
	c := Config{Files: history.NewDisk(dir), Fraction: 1, Region: "eu", Store: "eu-1", Wall: func() time.Time { return noon }}
	for _, f := range change {
		f(&c)
	}
	l, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return l, dir
}

// finish writes what was offered.
func finish(t testing.TB, l *Log) {
	t.Helper()
	ctx, end := context.WithCancel(t.Context())
	end()
	if err := l.Run(ctx); err != nil {
		t.Fatal(err)
	}
}

func readAll(t testing.TB, dir string, from, to time.Time) (all []*Lookup) {
	t.Helper()
	for l, err := range Read(t.Context(), history.NewDisk(dir), from, to) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, l)
	}
	return all
}

// shelf is Files in memory.
type shelf struct{ files map[string][]byte }

func (s *shelf) Create(_ context.Context, name string, contents []byte) error {
	s.files[name] = bytes.Clone(contents)
	return nil
}

func (s *shelf) Open(_ context.Context, name string) (history.File, error) {
	return book{bytes.NewReader(s.files[name])}, nil
}

func (s *shelf) List(context.Context, string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for name := range s.files {
			if !yield(name, nil) {
				return
			}
		}
	}
}

func (s *shelf) Remove(_ context.Context, name string) error {
	delete(s.files, name)
	return nil
}

// book is a file in memory.
type book struct{ *bytes.Reader }

func (book) Close() error { return nil }

// oneLookup is a lookup of one cell.
func oneLookup(id string, at time.Time) *Lookup {
	return &Lookup{Request: id, At: at.UnixNano(), Project: "rides", Asked: "eventual", Met: "eventual", Rows: []Row{{
		View: "driver_stats", ID: 1, Key: feature.Key("k"), From: hlc.Vector{}, Until: hlc.Vector{},
		Cells: []Cell{{Feature: "rate", ID: 1, Answered: true, Status: Present, Value: feature.OfFloat64(0.5), Type: feature.ScalarOf(feature.Float64), EventTime: 7, Timed: true}},
	}}}
}

// SV1: what is logged is read back, whatever it is.
func TestALogComesBack(t *testing.T) {
	text := func(s string) feature.Value {
		v, err := feature.OfString(s)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	list, err := feature.OfList(feature.Int64, feature.OfInt64(1), feature.OfInt64(-1))
	if err != nil {
		t.Fatal(err)
	}
	values := []feature.Value{
		feature.OfInt64(-7), feature.OfFloat64(0.1), feature.OfBool(true), text("São"), text(""), feature.OfVector([]float32{1, 2}), list,
		feature.OfBytes([]byte{0, 255}), feature.OfNanos(-1), feature.OfInt32(3),
	}
	rapid.Check(t, func(rt *rapid.T) {
		files := &shelf{files: map[string][]byte{}}
		l, _ := newLog(t, func(c *Config) { c.Files = files })
		vector := func(name string) hlc.Vector {
			v := hlc.Vector{}
			for o := range rapid.IntRange(0, 3).Draw(rt, name) {
				v[hlc.Origin(o+1)] = hlc.Timestamp(rapid.Uint64Range(1, 1<<62).Draw(rt, "at"))
			}
			return v
		}
		var want []*Lookup
		for n := range rapid.IntRange(1, 5).Draw(rt, "lookups") {
			x := oneLookup(fmt.Sprint("request ", n), noon.Add(time.Duration(n)))
			x.Revision, x.Degraded, x.Joined = uint64(n), rapid.Bool().Draw(rt, "degraded"), rapid.Bool().Draw(rt, "joined")
			x.Rows = nil
			for entity := range rapid.IntRange(1, 3).Draw(rt, "entities") {
				for view := range rapid.IntRange(1, 2).Draw(rt, "views") {
					r := Row{Entity: entity, View: fmt.Sprint("view ", view), ID: feature.ViewID(view), Shard: feature.Shard{Group: 1, Partition: uint16(view)}}
					if view > 0 {
						r.Key = feature.Key{1, byte(entity)}
					}
					r.From = vector("from")
					if r.Until = r.From; rapid.Bool().Draw(rt, "moved") {
						r.Until = r.From.Clone().Merge(vector("until"))
					}
					for id := range rapid.IntRange(1, 4).Draw(rt, "cells") {
						v := rapid.SampledFrom(values).Draw(rt, "value")
						c := Cell{
							Feature: fmt.Sprint("feature ", id), ID: feature.FeatureID(id), Answered: rapid.Bool().Draw(rt, "answered"), Value: v, Type: v.Type(),
							Status: rapid.SampledFrom([]Status{Present, NullValue, NotFound, OutsideMaxAge, Given}).Draw(rt, "status"),
						}
						if c.Status == NullValue {
							c.Value = feature.Value{}
						}
						if c.Timed = rapid.Bool().Draw(rt, "timed"); c.Timed {
							c.EventTime = rapid.Int64().Draw(rt, "event time")
						}
						r.Cells = append(r.Cells, c)
					}
					x.Rows = append(x.Rows, r)
				}
			}
			want = append(want, x)
			l.Offer(t.Context(), x, 0)
		}
		finish(t, l)
		var got []*Lookup
		for x, err := range Read(t.Context(), files, time.Time{}, time.Time{}) {
			if err != nil {
				rt.Fatal(err)
			}
			got = append(got, x)
		}
		if len(got) != len(want) {
			rt.Fatalf("got %d lookups, want %d", len(got), len(want))
		}
		for i := range want {
			if want[i].Region != "eu" || want[i].Store != "eu-1" {
				rt.Fatalf("it is of %s/%s", want[i].Region, want[i].Store)
			}
			for j := range want[i].Rows { // one that was given twice is logged once
				if r := &want[i].Rows[j]; r.Until.Equal(r.From) {
					r.Until = r.From
				}
			}
			if !reflect.DeepEqual(got[i], want[i]) {
				rt.Fatalf("got\n%+v\nwant\n%+v", got[i], want[i])
			}
		}
	})
}

// SV2: an offer that there is no room for returns at once, and is counted.
func TestWhatTheQueueHasNoRoomForIsDropped(t *testing.T) {
	reader := sdkmetric.NewManualReader()
	l, dir := newLog(t, func(c *Config) {
		c.QueueBytes = 10 * oneLookup("0", noon).sizeBytes()
		c.Meter = sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)).Meter("served")
	})
	for n := range 30 { // nobody takes them
		l.Offer(t.Context(), oneLookup(fmt.Sprint(n%10), noon), 3)
	}
	if l.held.Load() > l.cfg.QueueBytes {
		t.Errorf("the queue holds %d bytes, its limit is %d", l.held.Load(), l.cfg.QueueBytes)
	}
	finish(t, l)
	if got := len(readAll(t, dir, time.Time{}, time.Time{})); got != 10 {
		t.Errorf("%d lookups are logged, want 10", got)
	}
	if l.held.Load() != 0 {
		t.Errorf("the queue holds %d bytes after all", l.held.Load())
	}
	counts := countsOf(t, reader)
	for name, want := range map[string]int64{"featurestore.served.lookups": 10, "featurestore.served.cells": 10, "featurestore.served.dropped": 20, "featurestore.served.left_out": 90} {
		if counts[name] != want {
			t.Errorf("%s is %d, want %d", name, counts[name], want)
		}
	}
}

func countsOf(t *testing.T, reader *sdkmetric.ManualReader) map[string]int64 {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &all); err != nil {
		t.Fatal(err)
	}
	out := map[string]int64{}
	for _, s := range all.ScopeMetrics {
		for _, m := range s.Metrics {
			if sum, ok := m.Data.(metricdata.Sum[int64]); ok {
				for _, p := range sum.DataPoints {
					out[m.Name] += p.Value
				}
			}
		}
	}
	return out
}

// broken is a disk that fails while it is told to.
type broken struct {
	history.Files
	err error
}

func (b *broken) Create(ctx context.Context, name string, contents []byte) error {
	if b.err != nil {
		return b.err
	}
	return b.Files.Create(ctx, name, contents)
}

// SV2: what cannot be written is dropped and counted, told once, and it goes on after.
func TestADiskThatFailsCostsTheLogAlone(t *testing.T) {
	reader, told := sdkmetric.NewManualReader(), &bytes.Buffer{}
	var disk *broken
	l, dir := newLog(t, func(c *Config) {
		disk = &broken{Files: c.Files, err: errors.New("disk full")}
		c.Files, c.Logger = disk, slog.New(slog.NewTextHandler(told, nil))
		c.Meter = sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)).Meter("served")
	})
	for n := range 3 {
		l.take(t.Context(), oneLookup(fmt.Sprint(n), noon))
		l.write(t.Context())
	}
	disk.err = nil
	l.take(t.Context(), oneLookup("3", noon))
	l.write(t.Context())
	if got := readAll(t, dir, time.Time{}, time.Time{}); len(got) != 1 || got[0].Request != "3" {
		t.Errorf("got %d lookups, want the last", len(got))
	}
	if n := strings.Count(told.String(), "disk full"); n != 1 || !strings.Contains(told.String(), "logged again") {
		t.Errorf("it was told %d times:\n%s", n, told)
	}
	if counts := countsOf(t, reader); counts["featurestore.served.dropped"] != 3 {
		t.Errorf("%d are counted as dropped, want 3", counts["featurestore.served.dropped"])
	}
}

// SV3: the oldest files go, by size and by age.
func TestTheOldestFilesGo(t *testing.T) {
	l, dir := newLog(t, func(c *Config) { c.Retain = 48 * time.Hour })
	write := func(id string, at time.Time) {
		l.take(t.Context(), oneLookup(id, at))
		l.write(t.Context())
	}
	left := func() string {
		var ids []string
		for _, x := range readAll(t, dir, time.Time{}, time.Time{}) {
			ids = append(ids, x.Request)
		}
		return strings.Join(ids, " ")
	}
	write("a", noon.AddDate(0, 0, -3))
	write("b", noon.AddDate(0, 0, -2))
	write("c", noon.AddDate(0, 0, -1))
	write("d", noon)
	if got := left(); got != "b c d" { // the day of b has parts that are not too old
		t.Errorf("left are %q, want b c d", got)
	}
	l.cfg.MaxBytes = l.metrics.bytes.Load()
	write("e", noon.Add(time.Hour))
	if got := left(); got != "c d e" {
		t.Errorf("left are %q, want c d e", got)
	}
	if got := len(readAll(t, dir, noon, noon.Add(time.Hour))); got != 1 {
		t.Errorf("of an hour %d are read, want 1", got)
	}
	l.cfg.MaxBytes *= 2
	l.take(t.Context(), oneLookup("f", noon.AddDate(0, 0, -1)))
	l.take(t.Context(), oneLookup("g", noon)) // of another day: another file
	l.write(t.Context())
	days, err := os.ReadDir(dir)
	if err != nil || len(days) != 2 {
		t.Errorf("there are %v, %v: want two days", days, err)
	}
}

// SV4: a file that was changed anywhere is named and not decoded.
func TestAChangedFileIsNamed(t *testing.T) {
	l, dir := newLog(t)
	l.Offer(t.Context(), oneLookup("a", noon), 0)
	finish(t, l)
	var path string
	_ = filepath.WalkDir(dir, func(p string, e fs.DirEntry, _ error) error {
		if !e.IsDir() {
			path = p
		}
		return nil
	})
	contents, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for at := 0; at < len(contents); at += 37 {
		changed := bytes.Clone(contents)
		changed[at] ^= 1
		if err := os.WriteFile(path, changed, 0o600); err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, err = range Read(t.Context(), history.NewDisk(dir), time.Time{}, time.Time{}) {
			n++
		}
		if n != 1 || !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), filepath.Base(path)) {
			t.Fatalf("byte %d changed: got %v", at, err)
		}
	}
}

// SV5: by the id alone, and about as many as the fraction says, of whatever ids.
func TestTheSampleIsOfTheFraction(t *testing.T) {
	for _, fraction := range []float64{0, 0.001, 0.1, 0.5, 1} {
		for _, form := range []string{"a1b2c3d4-%x", "client-7:%06d", "%d"} {
			n := 0
			const all = 100_000
			for i := range all {
				id := fmt.Sprintf(form, i)
				if Samples(id, fraction) {
					n++
				}
				if Samples(id, fraction) && !Samples(id, 1) || Samples(id, fraction/2) && !Samples(id, fraction) {
					t.Fatalf("%s is in a sample and not in a larger one", id)
				}
			}
			if want := fraction * all; math.Abs(float64(n)-want) > 5*math.Sqrt(want) {
				t.Errorf("of %d ids like "+form+" %d are sampled, want about %v", all, 7, n, want)
			}
		}
	}
}

func TestAConfigurationIsJudgedWhole(t *testing.T) {
	_, err := New(Config{Fraction: 1.5, MaxBytes: -1})
	for _, want := range []string{"Files is nil", "Region is", "Fraction is 1.5", "MaxBytes is -1"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// What was served of an entity goes with all that was computed of it, from what waits and
// from files; others stay, and so does the rest of a lookup.
func TestAnErasedEntityIsInNoFile(t *testing.T) {
	l, dir := newLog(t)
	offer := func(id string, keys ...string) {
		x := oneLookup(id, noon)
		one := x.Rows[0]
		x.Rows = nil
		for i, k := range keys {
			r := one
			r.Entity, r.Key = i, feature.Key(k)
			computed := Row{Entity: i, View: "surge", From: hlc.Vector{}, Until: hlc.Vector{}, Cells: one.Cells}
			x.Rows = append(x.Rows, r, computed)
		}
		l.Offer(t.Context(), x, 0)
	}
	ctx, end := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- l.Run(ctx) }()
	views := []feature.ViewID{1}
	want := func(what string, got Erased, err error, want Erased) {
		t.Helper()
		if err != nil || got != want {
			t.Errorf("%s: got %+v, %v, want %+v", what, got, err, want)
		}
	}
	offer("a", "k", "other")
	offer("b", "k")
	got, err := l.Count(t.Context(), views, feature.Key("k"))
	want("counted", got, err, Erased{Entities: 2, Files: 1})
	offer("c", "other", "k", "third")
	got, err = l.Count(t.Context(), []feature.ViewID{2}, feature.Key("k"))
	want("in another view", got, err, Erased{})
	got, err = l.Erase(t.Context(), views, feature.Key("k"), feature.Key("nobody"))
	want("erased", got, err, Erased{Entities: 3, Files: 2})
	got, err = l.Erase(t.Context(), views, feature.Key("k"))
	want("erased again", got, err, Erased{})
	offer("d", "other")
	end()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if _, err := l.Erase(t.Context(), views, feature.Key("k")); !errors.Is(err, ErrEnded) {
		t.Errorf("after the end: got %v", err)
	}
	var left []string
	for _, x := range readAll(t, dir, time.Time{}, time.Time{}) {
		for _, r := range x.Rows {
			left = append(left, fmt.Sprint(x.Request, r.Entity, r.View, string(r.Key)))
		}
	}
	slices.Sort(left)
	if got, want := strings.Join(left, " "), "a1driver_statsother a1surge c0driver_statsother c0surge c2driver_statsthird c2surge d0driver_statsother d0surge"; got != want {
		t.Errorf("left are\n%s, want\n%s", got, want)
	}
}

// Whoever asks for an erasure and goes costs nothing of what waits.
func TestAnErasureThatIsGivenUpLosesNothing(t *testing.T) {
	l, dir := newLog(t)
	l.take(t.Context(), oneLookup("a", noon))
	l.Offer(t.Context(), oneLookup("b", noon), 0)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	answer := make(chan erasedOr, 1)
	l.erase(t.Context(), erasure{ctx: gone, views: []feature.ViewID{1}, keys: map[string]bool{"k": true}, answer: answer})
	if done := <-answer; !errors.Is(done.err, context.Canceled) {
		t.Errorf("got %+v", done)
	}
	if got := readAll(t, dir, time.Time{}, time.Time{}); len(got) != 2 {
		t.Errorf("%d lookups of 2 are left", len(got))
	}
}

// stopped is Files of a store that stops while a file is being made.
type stopped struct {
	history.Files
	stop func()
}

func (s *stopped) Create(ctx context.Context, name string, contents []byte) error {
	s.stop()
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.Files.Create(ctx, name, contents)
}

// What is being written when the log ends is not lost.
func TestAStopWhileAFileIsMadeLosesNothing(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	l, dir := newLog(t, func(c *Config) {
		c.Files, c.Every = &stopped{c.Files, stop}, time.Millisecond
	})
	l.Offer(t.Context(), oneLookup("a", noon), 0)
	if err := l.Run(ctx); err != nil {
		t.Fatal(err)
	}
	if all := readAll(t, dir, time.Time{}, time.Time{}); len(all) != 1 {
		t.Errorf("%d lookups are in the log, want 1", len(all))
	}
}
