package bucket_test

import (
	"testing"

	"go.uber.org/goleak"

	"featurestore/offline/bucket"
	"featurestore/offline/bucket/buckettest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t testing.TB, url string) *bucket.Bucket {
	t.Helper()
	b, err := bucket.Open(t.Context(), url, bucket.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestABucketKeepsTheContract(t *testing.T) {
	s := buckettest.New(t)
	buckettest.Contract(t, func(t *testing.T, name string) buckettest.Files { return open(t, s.URL("histories/"+name)) })
}

func TestARealServerKeepsTheContract(t *testing.T) {
	buckettest.RealURL(t, "")
	buckettest.Contract(t, func(t *testing.T, name string) buckettest.Files { return open(t, buckettest.RealURL(t, name)) })
}
