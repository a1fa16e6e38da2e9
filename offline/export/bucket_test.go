package export

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"featurestore/api"
	"featurestore/offline/bucket"
	"featurestore/offline/bucket/buckettest"
)

// cities is an export of so many records of 1 MiB, which ends with an error.
type cities struct {
	records int
	err     error
}

// Manifest and Progress say nothing.
func (cities) Manifest() (*api.ExportManifest, error) { return &api.ExportManifest{}, nil }
func (cities) Progress() (done, total int64)          { return 0, 0 }

func (c cities) Run(ctx context.Context, yield func(arrow.Record) error) (*api.ExportManifest, error) {
	b := array.NewRecordBuilder(memory.NewGoAllocator(), arrow.NewSchema([]arrow.Field{{Name: "city", Type: arrow.BinaryTypes.String}}, nil))
	defer b.Release()
	for i := range c.records {
		b.Field(0).(*array.StringBuilder).Append(strings.Repeat(string('a'+rune(i%26)), 1<<20))
		rec := b.NewRecord()
		err := errors.Join(yield(rec), ctx.Err())
		rec.Release()
		if err != nil {
			return nil, err
		}
	}
	return &api.ExportManifest{Kind: api.ExportTraining}, c.err
}

func at(s *buckettest.Server, name string) string {
	return strings.Replace(s.URL(""), "/?", "/"+name+"?", 1)
}

// EX1 in a bucket: a file of some parts appears with its manifest, which names its
// sum.
func TestAnExportGoesIntoABucket(t *testing.T) {
	s := buckettest.New(t)
	for _, records := range []int{1, 40} {
		m, err := Write(t.Context(), cities{records: records}, at(s, "out/train.csv"))
		if err != nil {
			t.Fatal(err)
		}
		contents, ok := s.Object("out/train.csv")
		sum := sha256.Sum256(contents)
		if !ok || m.SHA256 != hex.EncodeToString(sum[:]) || m.Bytes != int64(len(contents)) || len(contents) < records<<20 {
			t.Fatalf("there are %d bytes (%v), its manifest says %+v", len(contents), ok, m)
		}
		text, ok := s.Object("out/train.csv.manifest.json")
		var kept api.ExportManifest
		if err := json.Unmarshal(text, &kept); !ok || err != nil || kept.SHA256 != m.SHA256 || kept.File != at(s, "out/train.csv") {
			t.Fatalf("the manifest is %s (%v), %v", text, ok, err)
		}
		if s.Uploads() > 0 {
			t.Errorf("parts of %d uploads are left", s.Uploads())
		}
	}
}

// EX1: what fails or is cancelled leaves what was there before, and a file whose
// manifest failed has none.
func TestAnExportIntoABucketThatFailsIsNotThere(t *testing.T) {
	boom := errors.New("boom")
	for _, c := range []struct {
		claim    string
		export   cities
		cancel   bool
		refuse   string // key of what cannot be put
		want     error
		file     string // "" for a new one
		manifest bool   // of before
	}{
		{"it fails at its end", cities{40, boom}, false, "", boom, "old", true},
		{"it is cancelled", cities{40, nil}, true, "", context.Canceled, "old", true},
		{"its parts cannot be put", cities{40, nil}, false, "train.csv", bucket.ErrUnreachable, "old", false},
		{"its manifest cannot be put", cities{1, nil}, false, "train.csv.manifest.json", bucket.ErrUnreachable, "", false},
	} {
		t.Run(c.claim, func(t *testing.T) {
			s := buckettest.New(t)
			s.Replace("train.csv", []byte("old"))
			s.Replace("train.csv.manifest.json", []byte("old"))
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			s.SetFault(func(r buckettest.Request) buckettest.Fault {
				if c.cancel && r.Operation == "UploadPart" {
					cancel()
				}
				if r.Key == c.refuse && (r.Operation == "PutObject" || r.Operation == "CompleteMultipartUpload") {
					return buckettest.Refuse
				}
				return buckettest.None
			})
			if _, err := Write(ctx, c.export, at(s, "train.csv")); !errors.Is(err, c.want) {
				t.Fatalf("got %v, want %v", err, c.want)
			}
			got, _ := s.Object("train.csv")
			if c.file != "" && string(got) != c.file || c.file == "" && len(got) < 1<<20 {
				t.Errorf("the file has %d bytes, want %q", len(got), c.file)
			}
			if _, ok := s.Object("train.csv.manifest.json"); ok != c.manifest {
				t.Errorf("the manifest of before is there: %v, want %v", ok, c.manifest)
			}
			if s.Uploads() > 0 {
				t.Errorf("parts of %d uploads are left", s.Uploads())
			}
		})
	}
}

func TestManifestsAreNamedAfterTheirFiles(t *testing.T) {
	for path, want := range map[string]string{
		"a/train.csv":                     "a/train.csv.manifest.json",
		"a?b.csv":                         "a?b.csv.manifest.json",
		"s3://lake/a/train.csv?region=eu": "s3://lake/a/train.csv.manifest.json?region=eu",
	} {
		if got := ManifestName(path); got != want {
			t.Errorf("%s: got %s, want %s", path, got, want)
		}
	}
}
