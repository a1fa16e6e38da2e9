package bucket

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
)

const scheme = "s3"

// IsURL reports whether text names something in a bucket, and not a file of this
// machine.
func IsURL(text string) bool { return strings.HasPrefix(text, scheme+"://") }

// Location says where a bucket is, and below which prefix of its names.
type Location struct {
	Bucket string
	// Prefix is "" for the whole bucket, else ends in a slash.
	Prefix string
	// Endpoint is the server's URL; "" is that of AWS for the region, or of the
	// variable AWS_ENDPOINT_URL_S3.
	Endpoint string
	// Region and Profile are those of the AWS configuration; "": as that says.
	Region, Profile string
	// HostStyle puts the bucket's name into the host's, where an endpoint is given;
	// AWS is always asked so.
	HostStyle bool
}

// Parse reads s3://BUCKET/PREFIX, with the parameters endpoint, region, profile and
// path_style (true or false; true where an endpoint is given). It reports every
// fault, joined.
func Parse(text string) (Location, error) {
	u, err := url.Parse(text)
	if err != nil {
		// The parser's own error would print what may be a password.
		return Location{}, fmt.Errorf("it is no URL: write it as s3://bucket/prefix?endpoint=https://host&region=name")
	}
	l := Location{Bucket: u.Host, Prefix: strings.TrimPrefix(u.Path, "/")}
	if l.Prefix != "" && !strings.HasSuffix(l.Prefix, "/") {
		l.Prefix += "/"
	}
	var errs []error
	fault := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf("%s: %w", l, fmt.Errorf(format, args...)))
		}
	}
	fault(u.Scheme != scheme, "the scheme is %q: it must be s3", u.Scheme)
	fault(u.User != nil, "credentials do not belong into a URL: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile of the AWS configuration")
	fault(u.Host == "", "it names no bucket: write it as s3://bucket/prefix")
	fault(strings.Contains(u.Host, ":"), "the bucket is %q: where the server is stands in ?endpoint=http://host:port", u.Host)
	fault(u.Fragment != "", "it has a fragment, %q: write # in names as %%23", u.Fragment)
	if l.Prefix != "" {
		if err := checkName(strings.TrimSuffix(l.Prefix, "/")); err != nil {
			fault(true, "its prefix: %w", err)
		}
	}
	query, err := url.ParseQuery(u.RawQuery)
	fault(err != nil, "its parameters cannot be read: write ?name=value&name=value, with %%XX for odd characters")
	for _, name := range slices.Sorted(maps.Keys(query)) {
		values := query[name]
		fault(len(values) > 1, "parameter %s stands there %d times", name, len(values))
		if err := l.set(name, values[0]); err != nil {
			fault(true, "%w", err)
		}
	}
	return l, errors.Join(errs...)
}

func (l *Location) set(name, value string) error {
	switch name {
	case "endpoint":
		e, err := url.Parse(value)
		if err != nil || e.Scheme != "http" && e.Scheme != "https" || e.Host == "" || e.User != nil || e.RawQuery != "" || strings.Trim(e.Path, "/") != "" {
			return errors.New("endpoint must be the server's URL alone, such as https://s3.example.org:9000")
		}
		l.Endpoint = strings.TrimSuffix(value, "/")
	case "region":
		l.Region = value
	case "profile":
		l.Profile = value
	case "path_style":
		b, err := strconv.ParseBool(value)
		if err != nil {
			return fmt.Errorf("path_style is %q: use true or false", value)
		}
		l.HostStyle = !b
	default:
		return fmt.Errorf("there is no parameter %s: use endpoint, region, profile or path_style", name)
	}
	return nil
}

// String returns the URL.
func (l Location) String() string { return l.url("") }

// url returns the URL of a name below the prefix.
func (l Location) url(name string) string {
	u := url.URL{Scheme: scheme, Host: l.Bucket, Path: "/" + l.Prefix + name}
	q := url.Values{}
	for _, p := range []struct{ name, value string }{{"endpoint", l.Endpoint}, {"region", l.Region}, {"profile", l.Profile}} {
		if p.value != "" {
			q.Set(p.name, p.value)
		}
	}
	if l.HostStyle {
		q.Set("path_style", "false")
	}
	u.RawQuery = strings.NewReplacer("%3A", ":", "%2F", "/").Replace(q.Encode())
	return u.String()
}

// short is the URL without parameters, for errors.
func (l Location) short(name string) string { return scheme + "://" + l.Bucket + "/" + l.Prefix + name }

// Split takes the URL of one object apart: where it lies, and its name there.
func Split(text string) (folder Location, name string, err error) {
	l, err := Parse(text)
	if err != nil {
		return l, "", err
	}
	whole := strings.TrimSuffix(l.Prefix, "/")
	if whole == "" || strings.HasSuffix(strings.SplitN(text, "?", 2)[0], "/") {
		return l, "", fmt.Errorf("%s: it names a folder: name an object, such as s3://bucket/folder/train.parquet", l)
	}
	name = path.Base(whole)
	if l.Prefix = path.Dir(whole) + "/"; l.Prefix == "./" {
		l.Prefix = ""
	}
	return l, name, nil
}
