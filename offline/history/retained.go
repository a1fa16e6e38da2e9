package history

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Days that retention took away are noted beside the rows, so that who asks for what
// came since then is told that some of it is gone:
//
//	<root>/_retained/<day>
//
// says that rows of events before that day are not in history any more. The last by
// name counts.
const retainedFolder = "_retained/"

// keepRetained notes that days before one go.
func (h *History) keepRetained(ctx context.Context, first Day) error {
	if err := h.cfg.Files.Create(ctx, retainedFolder+first.String(), nil); err != nil && !errors.Is(err, ErrExists) {
		return fmt.Errorf("note that days before %s go: %w", first, err)
	}
	return nil
}

// RetainedSince returns the day before which retention has taken events away; the zero
// Time where it has not.
func RetainedSince(ctx context.Context, files Files) (time.Time, error) {
	latest := ""
	for name, err := range files.List(ctx, retainedFolder) {
		if err != nil {
			return time.Time{}, fmt.Errorf("list what is retained: %w", err)
		}
		latest = max(latest, strings.TrimPrefix(name, retainedFolder))
	}
	if latest == "" {
		return time.Time{}, nil
	}
	day, err := time.Parse(time.DateOnly, latest)
	if err != nil {
		return time.Time{}, fmt.Errorf("%w: %s%s: %w", ErrCorrupt, retainedFolder, latest, err)
	}
	return day, nil
}
