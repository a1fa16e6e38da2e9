package replica

import (
	"errors"
	"fmt"
	"os"

	"featurestore/replication"
)

// Errors of Run when the store was removed from its deployment.
var (
	// ErrRetired: it was evicted. Its data directory is not of use any more;
	// Renew puts it aside.
	ErrRetired = replication.ErrRetired
	// ErrDrained: it left in order, and has nothing that others have not.
	ErrDrained = replication.ErrDrained
)

// maxAside bounds the directories of former lives that lie beside the store's.
const maxAside = 9

// Renew puts the data of a retired store aside, so that it can begin anew under
// the same name, and returns where it lies now. What it wrote after it was
// evicted and could not hand over is in there, for people to look at.
func Renew(c Config) (aside string, err error) {
	dir := OnlineDir(c.Data)
	for n := 1; n <= maxAside; n++ {
		aside = fmt.Sprintf("%s.removed-%d", dir, n)
		if _, err := os.Lstat(aside); errors.Is(err, os.ErrNotExist) {
			return aside, os.Rename(dir, aside)
		}
	}
	return "", fmt.Errorf("%s has %d directories of removed stores already; move them away", c.Data, maxAside)
}
