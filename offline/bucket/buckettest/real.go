package buckettest

import (
	"os"
	"strings"
	"testing"

	"featurestore/offline/bucket"
)

// realServer is the variable with the URL of an empty prefix on a real server, such
// as s3://lake/tests?endpoint=http://127.0.0.1:7070. Credentials are those of the
// environment.
const realServer = "TEST_S3_URL"

// RealURL returns the URL of a test's own prefix on a real server, or skips the
// test.
func RealURL(t testing.TB, name string) string {
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
