package bucket_test

import (
	"os"
	"strings"
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

// realServer is the variable with the URL of an empty prefix on a real server, such
// as s3://lake/tests?endpoint=http://127.0.0.1:7070; credentials are those of the
// environment. See make s3.
const realServer = "FEATURESTORE_TEST_S3"

// realURL returns the URL of a prefix of its own, or skips.
func realURL(t testing.TB, name string) string {
	t.Helper()
	url, ok := os.LookupEnv(realServer)
	if !ok {
		t.Skipf("%s is not set: make s3 runs this against a real server", realServer)
	}
	at, err := bucket.Parse(url)
	if err != nil {
		t.Fatal(err)
	}
	at.Prefix += strings.NewReplacer("/", "-", ",", "").Replace(t.Name()) + "/" + name + "/"
	return at.String()
}

func TestARealServerKeepsTheContract(t *testing.T) {
	realURL(t, "")
	buckettest.Contract(t, func(t *testing.T, name string) buckettest.Files { return open(t, realURL(t, name)) })
}
