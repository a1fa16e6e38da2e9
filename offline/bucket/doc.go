// Package bucket keeps files in a bucket of an S3-compatible object store: a
// history (it has the methods of history.Files), what is exported, and what is
// read from there.
//
//	s3://BUCKET/PREFIX?endpoint=URL&region=REGION ── Parse ──> Location ── Open ──> Bucket
//
//	Bucket.Create   one conditional put (If-None-Match: *), and who did it
//	Bucket.Open     ranges, each asked for once: a whole file costs one download
//	Bucket.List     pages of names below the prefix
//	Bucket.Remove   idempotent
//	Bucket.Begin    an Upload: parts, which Commit makes an object
//
// Invariants:
//
//	BK1. Create makes an object whole, or changes nothing: of several creates of
//	     one name one succeeds. That is the server's promise; CheckCreate refuses a
//	     server that does not keep it.
//	BK2. Create answers for its own call: an object that an earlier try of it made,
//	     although the answer was lost, is a success, and one that another made is
//	     fs.ErrExist. After any other error the object is there whole, or is not, or
//	     comes later.
//	BK3. An Upload is an object once Commit returned, and nothing before. What is
//	     cancelled, fails or is abandoned changes nothing under its name; an error
//	     of Commit whose outcome is not known says so.
//	BK4. Every wait ends with its context. A request has a limit of time by its
//	     size, and is tried a bounded number of times.
//	BK5. All bytes read of one File are of one version of the object; if it is
//	     replaced meanwhile, that is ErrChanged.
//	BK6. Credentials come from where the AWS tools take them from, never from a URL,
//	     and stand in no error.
//
// A create is settled by a random mark in the object's metadata: a refusal
// (412) is followed by a look whose mark is there. Conditional puts are those of
// Amazon S3 since 2024; MinIO, Ceph, R2, versitygw and others have them too.
package bucket
