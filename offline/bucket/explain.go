package bucket

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"strings"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
)

// explain says what would be right instead, and makes the error one to act on.
func (b *Bucket) explain(err error) error {
	var request *smithy.OperationError
	if cut := errors.Is(err, errCut); cut || !errors.As(err, &request) {
		if cut {
			return b.unreachable(err)
		}
		return err // it is of this machine, or explained
	}
	var api smithy.APIError
	var answer *awshttp.ResponseError
	code, status := "", 0
	if errors.As(err, &api) {
		code = api.ErrorCode()
	}
	if errors.As(err, &answer) {
		status = answer.HTTPStatusCode()
	}
	switch {
	case code == "NoSuchBucket":
		return fmt.Errorf("%w: create %s, or correct the URL", ErrNoBucket, b.at.Bucket)
	case code == "NoSuchKey" || code == "NotFound":
		return fs.ErrNotExist
	case isStranger[code]:
		return fmt.Errorf("%w: the server does not know these credentials (%s): see AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_PROFILE", ErrDenied, code)
	case code == "RequestTimeTooSkewed":
		return fmt.Errorf("%w: this machine's clock is off from the server's: set it right", ErrDenied)
	case code == "AuthorizationHeaderMalformed" || code == "PermanentRedirect" || code == "IllegalLocationConstraintException" || status == http.StatusMovedPermanently:
		return fmt.Errorf("%w: the bucket is of another region than %s: name its own in ?region=", ErrDenied, b.region)
	case code == "AccessDenied" || code == "Forbidden" || status == http.StatusForbidden || status == http.StatusUnauthorized:
		return fmt.Errorf("%w: the credentials need the actions ListBucket of bucket %s, and GetObject, PutObject, DeleteObject and AbortMultipartUpload below %s*", ErrDenied, b.at.Bucket, b.at.Prefix)
	case code == "NotImplemented" || status == http.StatusNotImplemented:
		return fmt.Errorf("%w: it answers that it cannot do this (%s)", ErrNotConditional, code)
	case isCredentials(err):
		return fmt.Errorf("%w: there are no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile of the AWS configuration (%w)", ErrDenied, err)
	case errors.Is(err, errSlow) || status == 0 || status >= http.StatusInternalServerError || isForeign(err):
		return b.unreachable(err)
	}
	return bare(err)
}

// bare says what failed in the words of the server or the network; the SDK's own are
// longer, and name the request once more.
func bare(err error) error {
	var api smithy.APIError
	var sending *url.Error
	switch {
	case errors.Is(err, errSlow) || errors.Is(err, errCut):
		return err
	case errors.As(err, &api):
		return &shortened{fmt.Sprintf("%s: %s", api.ErrorCode(), api.ErrorMessage()), err}
	case errors.As(err, &sending):
		return &shortened{sending.Err.Error(), err}
	}
	return err
}

// shortened is an error with another text.
type shortened struct {
	text string
	err  error
}

func (s *shortened) Error() string { return s.text }
func (s *shortened) Unwrap() error { return s.err }

// isStranger are the codes that say that the credentials are not known.
var isStranger = map[string]bool{
	"InvalidAccessKeyId": true, "SignatureDoesNotMatch": true, "InvalidToken": true, "ExpiredToken": true, "TokenRefreshRequired": true,
	"XAdminUserNotFound": true, // versitygw's, with the status 404
}

// unreachable tells how the server failed to answer.
func (b *Bucket) unreachable(err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, errSlow) {
		return err
	}
	where := b.endpoint
	if where == "" {
		where = "the endpoint of AWS for region " + b.region
	}
	var dns *net.DNSError
	text := err.Error()
	switch {
	case errors.As(err, &dns) && dns.IsNotFound:
		return fmt.Errorf("%w: there is no host %s: correct ?endpoint= or ?region= (%s)", ErrUnreachable, dns.Name, where)
	case strings.Contains(text, "server gave HTTP response to HTTPS client"):
		return fmt.Errorf("%w: %s does not speak TLS: write ?endpoint=http://", ErrUnreachable, where)
	case isForeign(err):
		return fmt.Errorf("%w: %s does not answer as S3 does: correct ?endpoint= (%w)", ErrUnreachable, where, err)
	}
	return fmt.Errorf("%w from %s: %w", ErrUnreachable, where, bare(err))
}

// isForeign reports an answer that cannot be read: a web page, say.
func isForeign(err error) bool {
	var decode *smithy.DeserializationError
	var syntax *xml.SyntaxError
	return errors.As(err, &decode) || errors.As(err, &syntax)
}

// isCredentials reports that none could be had to sign a request with. The SDK has
// no type for that.
func isCredentials(err error) bool {
	return strings.Contains(err.Error(), "get identity: get credentials: ")
}

// statusOf is the status of the answer, 0 for none.
func statusOf(err error) int {
	var answer *awshttp.ResponseError
	if errors.As(err, &answer) {
		return answer.HTTPStatusCode()
	}
	return 0
}
