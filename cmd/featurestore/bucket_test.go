package main

import (
	"crypto/rand"
	"os"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"featurestore/offline/bucket"
	"featurestore/offline/bucket/buckettest"
)

// awsVariables are what a script's processes are told of credentials.
func awsVariables(ts *testscript.TestScript) (out []string) {
	for name := range buckettest.Environment() {
		if value := ts.Getenv(name); value != "" {
			out = append(out, name+"="+value)
		}
	}
	return out
}

// scriptBucket is "bucket": it sets LAKE to the URL of an empty prefix, which ends
// in a slash, and AT to its parameters; and the credentials. The server is one in
// this process, or the real one that make s3 names.
func scriptBucket(ts *testscript.TestScript, neg bool, args []string) {
	url, environment := os.Getenv("TEST_S3_URL"), buckettest.Environment()
	if url == "" {
		s := buckettest.Start()
		ts.Defer(s.Close)
		url = s.URL("scripts")
	} else {
		for name := range environment {
			environment[name] = os.Getenv(name)
		}
	}
	at, err := bucket.Parse(url)
	ts.Check(err)
	at.Prefix += rand.Text() + "/"
	prefix, parameters, _ := strings.Cut(at.String(), "?")
	ts.Setenv("LAKE", prefix)
	ts.Setenv("AT", "?"+parameters)
	for name, value := range environment {
		ts.Setenv(name, value)
	}
}
