package history

import (
	"path/filepath"
	"testing"

	"featurestore/offline/bucket/buckettest"
)

// A disk keeps the contract that buckets keep, between processes too.
func TestADiskKeepsTheContract(t *testing.T) {
	root := t.TempDir()
	buckettest.Contract(t, func(_ *testing.T, name string) buckettest.Files { return NewDisk(filepath.Join(root, name)) })
}
