package buckettest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// Name and key of the one bucket of a Server, and who may ask it.
const (
	BucketName = "lake"
	AccessKey  = "test-access"
	SecretKey  = "test-secret"
)

// Server is an S3 server with one bucket. Its methods are safe for concurrent use.
type Server struct {
	web *httptest.Server

	mu struct {
		sync.Mutex
		objects map[string]object
		uploads map[string]*upload
		made    int // uploads so far
		fault   func(Request) Fault
		// unconditional ignores If-None-Match, as servers of old did.
		unconditional bool
		gone          bool
	}
}

type object struct {
	contents []byte
	meta     http.Header // X-Amz-Meta-…
	etag     string
	made     time.Time
}

// Request is what a fault is decided by.
type Request struct {
	// Operation is PutObject, GetObject, HeadObject, DeleteObject, ListObjectsV2,
	// CreateMultipartUpload, UploadPart, CompleteMultipartUpload or
	// AbortMultipartUpload.
	Operation, Key string
}

// Fault is what becomes of a request.
type Fault int

// Faults.
const (
	None   Fault = iota
	Refuse       // 503, and nothing is done
	Drop         // nothing is done, and the connection is cut
	Lose         // it is done, and the connection is cut without an answer
	Half         // the answer is cut in its middle
	Hang         // nothing is done, and no answer comes until the client goes
)

// New starts a server, whose credentials are in the environment until the end of
// the test.
func New(t testing.TB) *Server {
	t.Helper()
	SetEnvironment(t)
	s := Start()
	t.Cleanup(s.Close)
	return s
}

// Start starts a server for other processes. The caller closes it.
func Start() *Server {
	s := &Server{}
	s.mu.objects, s.mu.uploads = map[string]object{}, map[string]*upload{}
	s.web = httptest.NewServer(s)
	return s
}

// Close ends the server.
func (s *Server) Close() {
	s.web.CloseClientConnections()
	s.web.Close()
}

// SetEnvironment is Environment, until the end of the test.
func SetEnvironment(t testing.TB) {
	t.Helper()
	for name, value := range Environment() {
		t.Setenv(name, value)
	}
}

// Environment has the credentials that a Server wants, and nothing else that this
// machine may have configured.
func Environment() map[string]string {
	return map[string]string{
		"AWS_ACCESS_KEY_ID": AccessKey, "AWS_SECRET_ACCESS_KEY": SecretKey, "AWS_SESSION_TOKEN": "",
		"AWS_REGION": "", "AWS_DEFAULT_REGION": "", "AWS_PROFILE": "", "AWS_ENDPOINT_URL": "", "AWS_ENDPOINT_URL_S3": "",
		"AWS_CONFIG_FILE": "/nonexistent", "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent", "AWS_EC2_METADATA_DISABLED": "true",
	}
}

// Endpoint is the server's URL.
func (s *Server) Endpoint() string { return s.web.URL }

// URL returns that of a prefix of the bucket, as package bucket reads it.
func (s *Server) URL(prefix string) string {
	return "s3://" + BucketName + "/" + prefix + "?endpoint=" + s.web.URL
}

// SetFault has every request ask what becomes of it; nil is nothing.
func (s *Server) SetFault(fault func(Request) Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.fault = fault
}

// SetUnconditional has If-None-Match ignored.
func (s *Server) SetUnconditional(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.unconditional = on
}

// SetGone takes the bucket away, or brings it back as it was.
func (s *Server) SetGone(gone bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.gone = gone
}

// Replace puts an object as another client would.
func (s *Server) Replace(key string, contents []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.objects[key] = newObject(contents, nil)
}

// Object returns the contents of an object.
func (s *Server) Object(key string) ([]byte, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o, ok := s.mu.objects[key]
	return o.contents, ok
}

// Uploads returns how many uploads have neither ended nor been given up.
func (s *Server) Uploads() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.mu.uploads)
}

func newObject(contents []byte, meta http.Header) object {
	sum := sha256.Sum256(contents)
	return object{contents: contents, meta: meta, etag: `"` + hex.EncodeToString(sum[:16]) + `"`, made: time.Now().UTC()}
}

// ServeHTTP answers one request, or does not.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client has gone
	}
	bucket, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	query := r.URL.Query()
	asked := Request{Operation: operationOf(r.Method, key, query), Key: key}
	fault := s.faultOf(asked)
	switch fault {
	case Hang:
		<-r.Context().Done()
		cut()
	case Drop:
		cut()
	case Refuse:
		reply(w, refusal(http.StatusServiceUnavailable, "SlowDown", "be patient"))
		return
	}
	answer := s.check(r, bucket, body)
	if answer == nil {
		answer = s.do(asked, r, query, body)
	}
	switch fault {
	case Lose:
		cut()
	case Half:
		answer.half = true
	}
	reply(w, answer)
}

func cut() { panic(http.ErrAbortHandler) }

func (s *Server) faultOf(r Request) Fault {
	s.mu.Lock()
	fault := s.mu.fault
	s.mu.Unlock()
	if fault == nil {
		return None
	}
	return fault(r)
}

func operationOf(method, key string, query url.Values) string {
	switch {
	case key == "" && method == http.MethodGet && query.Get("list-type") == "2":
		return "ListObjectsV2"
	case query.Has("uploads") && method == http.MethodPost:
		return "CreateMultipartUpload"
	case query.Has("partNumber") && method == http.MethodPut:
		return "UploadPart"
	case query.Has("uploadId") && method == http.MethodPost:
		return "CompleteMultipartUpload"
	case query.Has("uploadId") && method == http.MethodDelete:
		return "AbortMultipartUpload"
	case key == "":
		return method
	}
	return map[string]string{
		http.MethodPut: "PutObject", http.MethodGet: "GetObject", http.MethodHead: "HeadObject", http.MethodDelete: "DeleteObject",
	}[method]
}

// answer is what is sent back.
type answer struct {
	status int
	header http.Header
	body   []byte
	half   bool
}

func refusal(status int, code, message string) *answer {
	var text bytes.Buffer
	fmt.Fprintf(&text, "<Error><Code>%s</Code><Message>", code)
	_ = xml.EscapeText(&text, []byte(message)) // a buffer takes all
	text.WriteString("</Message></Error>")
	return &answer{status: status, body: text.Bytes()}
}

func reply(w http.ResponseWriter, a *answer) {
	for name, values := range a.header {
		w.Header()[name] = values
	}
	if w.Header().Get("Content-Length") == "" {
		w.Header().Set("Content-Length", fmt.Sprint(len(a.body)))
	}
	w.WriteHeader(a.status)
	if a.half {
		_, _ = w.Write(a.body[:len(a.body)/2]) // the client may have gone
		cut()
	}
	_, _ = w.Write(a.body)
}

// check wants a known client, the bucket, and the body that the client speaks of.
func (s *Server) check(r *http.Request, bucket string, body []byte) *answer {
	s.mu.Lock()
	gone := s.mu.gone
	s.mu.Unlock()
	_, credential, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
	sum := sha256.Sum256(body)
	switch said := r.Header.Get("X-Amz-Content-Sha256"); {
	case !strings.HasPrefix(credential, AccessKey+"/"):
		return refusal(http.StatusForbidden, "InvalidAccessKeyId", "no such access key")
	case bucket != BucketName || gone:
		return refusal(http.StatusNotFound, "NoSuchBucket", "no such bucket")
	case strings.HasPrefix(said, "STREAMING-"):
		return refusal(http.StatusNotImplemented, "NotImplemented", "chunked bodies")
	case said != hex.EncodeToString(sum[:]):
		return refusal(http.StatusBadRequest, "XAmzContentSHA256Mismatch", "the body is not the one that was signed")
	}
	return nil
}
