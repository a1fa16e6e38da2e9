package bucket_test

import (
	"context"
	"errors"
	"io/fs"
	"testing"
	"time"

	"featurestore/offline/bucket"
	"featurestore/offline/bucket/buckettest"
)

const patient = time.Minute

// once has the first requests of an operation fail in turn.
func once(operation string, faults ...buckettest.Fault) func(buckettest.Request) buckettest.Fault {
	next := make(chan buckettest.Fault, len(faults))
	for _, f := range faults {
		next <- f
	}
	return func(r buckettest.Request) buckettest.Fault {
		if r.Operation == operation {
			select {
			case f := <-next:
				return f
			default:
			}
		}
		return buckettest.None
	}
}

// BK2: whatever becomes of requests and answers, a create says what it did.
func TestACreateAnswersForItsOwnCall(t *testing.T) {
	type faults = []buckettest.Fault
	for _, c := range []struct {
		claim  string
		faults faults
		taken  bool // by another, before
		want   error
	}{
		{"made at once", nil, false, nil},
		{"the answer is lost", faults{buckettest.Lose}, false, nil},
		{"the answer is lost twice", faults{buckettest.Lose, buckettest.Lose}, false, nil},
		{"the request is lost", faults{buckettest.Drop}, false, nil},
		{"the server is busy", faults{buckettest.Refuse, buckettest.Refuse}, false, nil},
		{"the answer is cut", faults{buckettest.Half}, false, nil},
		{"nothing comes back", faults{buckettest.Hang}, false, nil},
		{"taken by another", nil, true, fs.ErrExist},
		{"taken by another, and the answer lost", faults{buckettest.Lose, buckettest.Drop}, true, fs.ErrExist},
		{"the server stays away", faults{buckettest.Drop, buckettest.Drop, buckettest.Drop}, false, bucket.ErrUnreachable},
		{"the server stays busy", faults{buckettest.Refuse, buckettest.Refuse, buckettest.Refuse}, false, bucket.ErrUnreachable},
	} {
		t.Run(c.claim, func(t *testing.T) {
			s := buckettest.New(t)
			b := open(t, s.URL("p"))
			b.Hurry(3, patient)
			for _, f := range c.faults {
				if f == buckettest.Hang {
					b.Hurry(3, 300*time.Millisecond)
				}
			}
			want := "ours"
			if c.taken {
				if err := b.Create(t.Context(), "a", []byte("another's")); err != nil {
					t.Fatal(err)
				}
				want = "another's"
			}
			s.SetFault(once("PutObject", c.faults...))
			if err := b.Create(t.Context(), "a", []byte("ours")); !errors.Is(err, c.want) || c.want == nil && err != nil {
				t.Fatalf("got %v, want %v", err, c.want)
			}
			if got, ok := s.Object("p/a"); ok != (c.want == nil || c.taken) || ok && string(got) != want {
				t.Errorf("there is %q (%v), want %q", got, ok, want)
			}
		})
	}
}

// What is not known is no success and no fs.ErrExist: here the look after a refusal
// fails.
func TestACreateThatCannotBeSettledSaysSo(t *testing.T) {
	s := buckettest.New(t)
	b := open(t, s.URL("p"))
	b.Hurry(2, patient)
	lose := once("PutObject", buckettest.Lose)
	s.SetFault(func(r buckettest.Request) buckettest.Fault {
		if r.Operation == "HeadObject" {
			return buckettest.Refuse
		}
		return lose(r)
	})
	if err := b.Create(t.Context(), "a", nil); !errors.Is(err, bucket.ErrUnreachable) || errors.Is(err, fs.ErrExist) {
		t.Fatalf("got %v, want ErrUnreachable", err)
	}
}

// BK1: a server that makes objects twice is told from one that does not, each time.
func TestAServerWithoutConditionsIsRefused(t *testing.T) {
	s := buckettest.New(t)
	b := open(t, s.URL("p"))
	for range 2 {
		if err := b.CheckCreate(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	s.SetUnconditional(true)
	for range 2 {
		if err := b.CheckCreate(t.Context()); !errors.Is(err, bucket.ErrNotConditional) {
			t.Fatalf("got %v, want ErrNotConditional", err)
		}
	}
}

// BK4: a server that accepts and does not answer holds nobody longer than the
// context.
func TestEveryWaitEndsWithItsContext(t *testing.T) {
	s := buckettest.New(t)
	b := open(t, s.URL("p"))
	hanging := make(chan string, 10)
	s.SetFault(func(r buckettest.Request) buckettest.Fault {
		hanging <- r.Operation
		return buckettest.Hang
	})
	for operation, do := range map[string]func(context.Context) error{
		"PutObject":             func(ctx context.Context) error { return b.Create(ctx, "a", []byte("x")) },
		"GetObject":             func(ctx context.Context) error { _, err := b.Open(ctx, "a"); return err },
		"DeleteObject":          func(ctx context.Context) error { return b.Remove(ctx, "a") },
		"CreateMultipartUpload": func(ctx context.Context) error { return upload(ctx, b, bucket.PartBytes+1) },
		"ListObjectsV2": func(ctx context.Context) (last error) {
			for _, err := range b.List(ctx, "") {
				last = err
			}
			return last
		},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- do(ctx) }()
		if got := <-hanging; got != operation {
			t.Fatalf("asked for %s, want %s", got, operation)
		}
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("%s: got %v, want context.Canceled", operation, err)
		}
	}
}
