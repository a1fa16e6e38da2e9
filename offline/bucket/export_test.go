package bucket

import "time"

// Hurry lets a bucket give up soon: after so many tries, of so long each.
func (b *Bucket) Hurry(tries int, each time.Duration) {
	b.patience = patience{tries: tries, first: time.Millisecond, most: 2 * time.Millisecond, base: each, perMiB: each}
}

// Limits of reading and writing, for tests.
const (
	BlockBytes = blockBytes
	PartBytes  = partBytes
)
