package bucket

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/logging"
	"go.opentelemetry.io/otel/metric"
)

// Bucket is what a bucket has below a prefix. Its methods are safe for concurrent
// use, except on one name.
type Bucket struct {
	at       Location
	client   *s3.Client
	endpoint string // "" for AWS
	region   string
	// checksums are sent with what is written; AWS_REQUEST_CHECKSUM_CALCULATION says
	// otherwise for servers that do not know them.
	checksums bool
	patience  patience
	metrics   *instruments
	spoolDir  string // of what is read; "" is the system's
}

// Options are what a URL does not say.
type Options struct {
	// Dir is the folder for temporary files of objects that are read; "" is the
	// system's.
	Dir string
	// Tries is how often a request is tried before its failure is told; default 5.
	Tries int
	// Meter receives measurements; nil is none.
	Meter metric.Meter
}

// dialTimeout is how long a connection may take to come about.
const dialTimeout = 5 * time.Second

// Open returns the bucket of a URL (see Parse) with the credentials and settings of
// the AWS configuration: variables such as AWS_ACCESS_KEY_ID, profiles, and roles
// of the machine. It asks no server: what is wrong there comes with the first
// request.
func Open(ctx context.Context, url string, o Options) (*Bucket, error) {
	at, err := Parse(url)
	if err != nil {
		return nil, err
	}
	return at.Open(ctx, o)
}

// Open is as the function Open.
func (l Location) Open(ctx context.Context, o Options) (*Bucket, error) {
	transport := awshttp.NewBuildableClient().WithDialerOptions(func(d *net.Dialer) { d.Timeout = dialTimeout }).
		WithTransportOptions(func(t *http.Transport) { t.MaxIdleConnsPerHost = 16 })
	load := []func(*config.LoadOptions) error{
		config.WithHTTPClient(transport),
		config.WithLogger(logging.Nop{}),
		// A request is tried again here, where it is known what a lost answer means.
		config.WithRetryer(func() aws.Retryer { return aws.NopRetryer{} }),
		// History and exports have sums of their own.
		config.WithResponseChecksumValidation(aws.ResponseChecksumValidationWhenRequired),
	}
	if l.Region != "" {
		load = append(load, config.WithRegion(l.Region))
	}
	if l.Profile != "" {
		load = append(load, config.WithSharedConfigProfile(l.Profile))
	}
	if o.Tries < 0 {
		return nil, fmt.Errorf("%s: Tries is %d: it must be positive, or zero for %d", l, o.Tries, defaultPatience.tries)
	}
	cfg, err := config.LoadDefaultConfig(ctx, load...)
	if err != nil {
		return nil, fmt.Errorf("%s: the AWS configuration of this machine: %w", l, err)
	}
	b := &Bucket{at: l, patience: defaultPatience, spoolDir: o.Dir}
	if b.metrics, err = newInstruments(o.Meter); err != nil {
		return nil, fmt.Errorf("%s: %w", l, err)
	}
	if o.Tries > 0 {
		b.patience.tries = o.Tries
	}
	b.client = s3.NewFromConfig(cfg, func(o *s3.Options) {
		if l.Endpoint != "" {
			o.BaseEndpoint = aws.String(l.Endpoint)
		}
		if o.BaseEndpoint != nil {
			b.endpoint = *o.BaseEndpoint
			o.UsePathStyle = !l.HostStyle
			if o.Region == "" {
				o.Region = "us-east-1" // what servers that know no regions expect
			}
		}
		b.region, b.checksums = o.Region, o.RequestChecksumCalculation == aws.RequestChecksumCalculationWhenSupported
	})
	if b.region == "" {
		return nil, fmt.Errorf("%s: it is not known in which region the bucket is: add ?region=, or set AWS_REGION; for another server than AWS add ?endpoint=", l)
	}
	return b, nil
}

// String returns the bucket's URL, which has no credentials.
func (b *Bucket) String() string { return b.at.String() }
