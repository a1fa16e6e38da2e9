package bucket_test

import (
	"errors"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"featurestore/offline/bucket"
	"featurestore/offline/bucket/buckettest"
)

// Every error names what was asked for, is one to act on, says what would be right,
// and has no secret.
func TestErrorsSayWhatWouldBeRight(t *testing.T) {
	s := buckettest.New(t)
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>hello")) }))
	defer page.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		claim, url string
		env        map[string]string
		want       error
		says       string
	}{
		{"no such bucket", strings.Replace(s.URL("p"), "lake", "pond", 1), nil, bucket.ErrNoBucket, "create pond, or correct the URL"},
		{"a key that is not known", s.URL("p"), map[string]string{"AWS_ACCESS_KEY_ID": "nobody"}, bucket.ErrDenied, "AWS_ACCESS_KEY_ID"},
		{"no credentials", s.URL("p"), map[string]string{"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, bucket.ErrDenied, "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"},
		{"nobody listens", "s3://lake/p?endpoint=http://" + closed, nil, bucket.ErrUnreachable, closed},
		{"no TLS", strings.Replace(s.URL("p"), "http:", "https:", 1), nil, bucket.ErrUnreachable, "endpoint=http://"},
		{"a web page", "s3://lake/p?endpoint=" + page.URL, nil, bucket.ErrUnreachable, "does not answer as S3 does"},
		{"no such host", "s3://lake/p?endpoint=http://nowhere.invalid", nil, bucket.ErrUnreachable, "nowhere.invalid"},
	} {
		t.Run(c.claim, func(t *testing.T) {
			for name, value := range c.env {
				t.Setenv(name, value)
			}
			b, err := bucket.Open(t.Context(), c.url, bucket.Options{})
			if err != nil {
				t.Fatal(err)
			}
			b.Hurry(2, patient)
			var listed error
			for _, err := range b.List(t.Context(), "") {
				listed = err
			}
			_, opened := b.Open(t.Context(), "a/b")
			for operation, err := range map[string]error{"list": listed, "open": opened, "create": b.Create(t.Context(), "a/b", []byte("x")), "remove": b.Remove(t.Context(), "a/b")} {
				if c.claim == "a web page" && (operation == "open" || operation == "create" || operation == "remove") {
					continue // whose answers need no reading
				}
				if !errors.Is(err, c.want) {
					t.Errorf("%s: got %v, want %v", operation, err, c.want)
					continue
				}
				text := err.Error()
				for _, part := range []string{"s3://", "/p/", c.says} {
					if !strings.Contains(text, part) {
						t.Errorf("%s: %q does not say %q", operation, text, part)
					}
				}
				if strings.Contains(text, buckettest.SecretKey) {
					t.Errorf("%s: %q tells a secret", operation, text)
				}
			}
		})
	}
}

// BK4: a server that never answers is given up after a time by itself.
func TestAServerThatNeverAnswersIsGivenUp(t *testing.T) {
	s := buckettest.New(t)
	s.SetFault(func(buckettest.Request) buckettest.Fault { return buckettest.Hang })
	b := open(t, s.URL("p"))
	b.Hurry(2, 50*time.Millisecond)
	if err := b.Create(t.Context(), "a", nil); !errors.Is(err, bucket.ErrUnreachable) || !strings.Contains(err.Error(), "too long") {
		t.Fatalf("got %v, want ErrUnreachable for taking too long", err)
	}
}

func TestNamesThatAreNoPathsAreRefused(t *testing.T) {
	s := buckettest.New(t)
	b := open(t, s.URL("p"))
	for _, name := range []string{"", ".", "/a", "a/", "a//b", "a/../b", "a\nb", "a\xffb", strings.Repeat("x", 1023)} {
		_, opened := b.Open(t.Context(), name)
		_, begun := b.Begin(t.Context(), name)
		for operation, err := range map[string]error{"create": b.Create(t.Context(), name, nil), "open": opened, "upload": begun, "remove": b.Remove(t.Context(), name)} {
			if err == nil || errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "name") {
				t.Errorf("%s %.20q: got %v, want what is wrong with the name", operation, name, err)
			}
		}
	}
}
