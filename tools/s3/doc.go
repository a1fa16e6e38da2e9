// Package s3 pins versitygw, the S3 server that make s3 runs the tests of buckets
// against. It is a module of its own: the server's libraries are many, and no
// part of the product.
package s3
