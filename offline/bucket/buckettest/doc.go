// Package buckettest has what tests of buckets share: an S3 server in the process,
// whose answers may be lost, and the contract that every place of a history keeps.
//
// The server knows what package bucket asks for, by path style: objects with
// If-None-Match, If-Match and ranges, lists in pages, and uploads in parts. It
// checks the sums and lengths of what it is sent, and who sends it. Whether it is
// like a real one is shown by the same contract on both (make s3).
package buckettest
