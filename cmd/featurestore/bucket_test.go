package main

import (
	"context"
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

// scriptBucket is "bucket FILES…": it puts files into an empty prefix, and sets LAKE to
// its URL, which ends in a slash, and AT to its parameters; and the credentials. The server is one in
// this process, or the real one that make s3 names.
func scriptBucket(ts *testscript.TestScript, neg bool, args []string) {
	url, environment := os.Getenv("TEST_S3_URL"), buckettest.Environment()
	var put func(key string, contents []byte)
	if url == "" {
		s := buckettest.Start()
		ts.Defer(s.Close)
		url, put = s.URL("scripts"), s.Replace
	} else {
		for name := range environment {
			environment[name] = os.Getenv(name)
		}
	}
	at, err := bucket.Parse(url)
	ts.Check(err)
	at.Prefix += rand.Text() + "/"
	if put == nil {
		put = func(key string, contents []byte) {
			b, err := at.Open(context.Background(), bucket.Options{})
			ts.Check(err)
			ts.Check(b.Create(context.Background(), strings.TrimPrefix(key, at.Prefix), contents))
		}
	}
	for _, file := range args {
		put(at.Prefix+file, []byte(ts.ReadFile(file)))
	}
	prefix, parameters, _ := strings.Cut(at.String(), "?")
	ts.Setenv("LAKE", prefix)
	ts.Setenv("AT", "?"+parameters)
	for name, value := range environment {
		ts.Setenv(name, value)
	}
}
