package bucket_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"

	"featurestore/offline/bucket"
	"featurestore/offline/bucket/buckettest"
)

// upload writes so many bytes in odd pieces, and commits.
func upload(ctx context.Context, b *bucket.Bucket, size int) error {
	u, err := b.Begin(ctx, "out")
	if err != nil {
		return err
	}
	defer u.Abandon()
	for rest := noise(size); len(rest) > 0; {
		n := min(len(rest), 1234567)
		if _, err := u.Write(rest[:n]); err != nil {
			return err
		}
		rest = rest[n:]
	}
	return u.Commit()
}

var uploadSizes = []int{0, 1, bucket.PartBytes, bucket.PartBytes + 1, 2*bucket.PartBytes + 5}

// BK3: an upload is there once it is committed, whatever answers were lost, and it
// replaces what was there.
func TestAnUploadIsThereOnceItIsCommitted(t *testing.T) {
	operations := map[string][]int{"PutObject": {1}, "CreateMultipartUpload": uploadSizes[3:4], "UploadPart": uploadSizes[3:4], "CompleteMultipartUpload": uploadSizes[3:4], "none": uploadSizes}
	for operation, sizes := range operations {
		for _, fault := range []buckettest.Fault{buckettest.Refuse, buckettest.Drop, buckettest.Lose} {
			s := buckettest.New(t)
			b := open(t, s.URL("p"))
			b.Hurry(3, patient)
			for _, size := range sizes {
				s.Replace("p/out", []byte("old"))
				s.SetFault(once(operation, fault))
				if err := upload(t.Context(), b, size); err != nil {
					t.Fatalf("%d bytes, fault %d of %s: %v", size, fault, operation, err)
				}
				if got, _ := s.Object("p/out"); !bytes.Equal(got, noise(size)) {
					t.Fatalf("%d bytes, fault %d of %s: there are %d others", size, fault, operation, len(got))
				}
			}
		}
	}
}

// BK3: what fails leaves what was there, and no parts.
func TestAnUploadThatFailsChangesNothing(t *testing.T) {
	for _, operation := range []string{"CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload"} {
		s := buckettest.New(t)
		s.Replace("p/out", []byte("old"))
		b := open(t, s.URL("p"))
		b.Hurry(2, patient)
		s.SetFault(func(r buckettest.Request) buckettest.Fault {
			if r.Operation == operation {
				return buckettest.Refuse
			}
			return buckettest.None
		})
		if err := upload(t.Context(), b, 2*bucket.PartBytes+1); !errors.Is(err, bucket.ErrUnreachable) {
			t.Errorf("%s fails: got %v, want ErrUnreachable", operation, err)
		}
		if got, _ := s.Object("p/out"); string(got) != "old" || s.Uploads() > 0 {
			t.Errorf("%s fails: there is %q, and parts of %d uploads", operation, got, s.Uploads())
		}
	}
}

// BK3: an upload that is given up, or whose context ends, changes nothing either.
func TestAnUploadThatIsGivenUpChangesNothing(t *testing.T) {
	for _, cancelled := range []bool{false, true} {
		s := buckettest.New(t)
		s.Replace("p/out", []byte("old"))
		ctx, cancel := context.WithCancel(t.Context())
		u, err := open(t, s.URL("p")).Begin(ctx, "out")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := u.Write(noise(2*bucket.PartBytes + 1)); err != nil {
			t.Fatal(err)
		}
		if cancelled {
			cancel()
			if err := u.Commit(); !errors.Is(err, context.Canceled) {
				t.Errorf("got %v, want context.Canceled", err)
			}
		}
		u.Abandon()
		cancel()
		if got, _ := s.Object("p/out"); string(got) != "old" || s.Uploads() > 0 {
			t.Errorf("cancelled %v: there is %q, and parts of %d uploads", cancelled, got, s.Uploads())
		}
		if _, err := u.Write([]byte("x")); err == nil {
			t.Error("it takes more after its end")
		}
		if err := u.Commit(); err == nil {
			t.Error("it is committed after its end")
		}
	}
}

// A real server takes parts, replaces, and gives them up.
func TestARealServerTakesUploads(t *testing.T) {
	b := open(t, buckettest.RealURL(t, "uploads"))
	for _, size := range uploadSizes {
		if err := upload(t.Context(), b, size); err != nil {
			t.Fatalf("%d bytes: %v", size, err)
		}
		f, err := b.Open(t.Context(), "out")
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(f)
		if err := errors.Join(err, f.Close()); err != nil || !bytes.Equal(got, noise(size)) {
			t.Fatalf("%d bytes were written, %d others read: %v", size, len(got), err)
		}
	}
	u, err := b.Begin(t.Context(), "given-up")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := u.Write(noise(2*bucket.PartBytes + 1)); err != nil {
		t.Fatal(err)
	}
	u.Abandon()
	for name, err := range b.List(t.Context(), "given-up") {
		t.Errorf("there is %s, %v", name, err)
	}
	if err := b.CheckCreate(t.Context()); err != nil {
		t.Error(err)
	}
}
