package history

import (
	"context"
	"fmt"
	"strings"
)

// DefinitionsAt returns the definitions of an epoch and revision that were kept, or
// ErrGone: they are of another history, or have not come here yet.
func DefinitionsAt(ctx context.Context, files Files, epoch, revision uint64) ([]byte, error) {
	names, err := definitionsNames(ctx, files)
	if err != nil {
		return nil, err
	}
	prefix := fmt.Sprintf("%s%020d-%020d-", definitionsFolder, epoch, revision)
	for _, name := range names {
		if strings.HasPrefix(name, prefix) {
			return readDefinitions(ctx, files, name)
		}
	}
	return nil, fmt.Errorf("%w: it has no definitions of epoch %d, revision %d", ErrGone, epoch, revision)
}
