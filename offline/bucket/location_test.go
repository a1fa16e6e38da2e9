package bucket_test

import (
	"strings"
	"testing"

	"featurestore/offline/bucket"
	"featurestore/offline/bucket/buckettest"
)

func TestLocationsAreReadAndWritten(t *testing.T) {
	for text, want := range map[string]bucket.Location{
		"s3://lake":            {Bucket: "lake"},
		"s3://lake/":           {Bucket: "lake"},
		"s3://lake/a/b%20c":    {Bucket: "lake", Prefix: "a/b c/"},
		"s3://lake/a/?region=": {Bucket: "lake", Prefix: "a/"},
		"s3://lake/a?endpoint=http://127.0.0.1:9000&region=eu-1&path_style=false&profile=ml": {
			Bucket: "lake", Prefix: "a/", Endpoint: "http://127.0.0.1:9000", Region: "eu-1", Profile: "ml", HostStyle: true,
		},
	} {
		got, err := bucket.Parse(text)
		if err != nil || got != want {
			t.Errorf("%s: got %+v, %v, want %+v", text, got, err, want)
		}
		if again, err := bucket.Parse(got.String()); err != nil || again != want {
			t.Errorf("%s: %s is read as %+v, %v", text, got, again, err)
		}
	}
}

func TestFaultsOfLocationsAreTold(t *testing.T) {
	for text, says := range map[string]string{
		"http://lake/a":                       "must be s3",
		"s3:///a":                             "no bucket",
		"s3://127.0.0.1:9000/lake":            "?endpoint=http://host:port",
		"s3://lake/a?end=http://x":            "there is no parameter end",
		"s3://lake/a?endpoint=x:9000":         "endpoint must be",
		"s3://lake/a?endpoint=http://u:p@x":   "endpoint must be",
		"s3://lake/a?path_style=yes":          "use true or false",
		"s3://lake/a?region=x&region=y":       "2 times",
		"s3://lake/a//b":                      "no path",
		"s3://lake/a#b":                       "%23",
		"s3://key:hunter2@lake/a":             "AWS_ACCESS_KEY_ID",
		"s3://key:hunter2@lake:x/a":           "write it as s3://",
		"s3://lake/a?secret_key=hunter2&x=%z": "parameters",
	} {
		_, err := bucket.Parse(text)
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: got %v, want %q", text, err, says)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v tells a secret", text, err)
		}
	}
	if _, err := bucket.Parse("ftp://u@/x?y=1"); strings.Count(err.Error(), "\n") != 3 {
		t.Errorf("got %v, want four faults", err)
	}
}

func TestAnObjectsURLIsSplit(t *testing.T) {
	for text, want := range map[string][2]string{
		"s3://lake/train.parquet":                 {"s3://lake/", "train.parquet"},
		"s3://lake/a/b/train.parquet?region=eu-1": {"s3://lake/a/b/?region=eu-1", "train.parquet"},
	} {
		l, name, err := bucket.Split(text)
		if err != nil || l.String() != want[0] || name != want[1] {
			t.Errorf("%s: got %s and %s, %v, want %q", text, l, name, err, want)
		}
	}
	for _, text := range []string{"s3://lake", "s3://lake/a/", "s3://lake/a/?region=x"} {
		if _, _, err := bucket.Split(text); err == nil || !strings.Contains(err.Error(), "name an object") {
			t.Errorf("%s: got %v, want that it names no object", text, err)
		}
	}
}

func TestOpenWantsARegion(t *testing.T) {
	buckettest.SetEnvironment(t)
	if _, err := bucket.Open(t.Context(), "s3://lake/a", bucket.Options{}); err == nil || !strings.Contains(err.Error(), "region") {
		t.Errorf("got %v, want that the region is not known", err)
	}
	t.Setenv("AWS_REGION", "eu-central-1")
	if _, err := bucket.Open(t.Context(), "s3://lake/a", bucket.Options{}); err != nil {
		t.Error(err)
	}
}
