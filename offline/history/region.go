package history

import (
	"context"
	"errors"
	"fmt"
)

// regionName is the file that says of which region a history is: its steps tell
// when rows were readable there.
const regionName = "_region"

// ErrRegion reports a history of another region.
var ErrRegion = errors.New("history is another region's")

// KeepRegion notes of which region the history is. One that is another's already
// is ErrRegion.
func (h *History) KeepRegion(ctx context.Context, region string) error {
	err := h.cfg.Files.Create(ctx, regionName, []byte(region))
	if !errors.Is(err, ErrExists) {
		return err
	}
	return CheckRegion(ctx, h.cfg.Files, region)
}

// CheckRegion returns ErrRegion where a history is another region's than this. Who
// opens one to write asks first, for Open takes it from whoever has it.
func CheckRegion(ctx context.Context, files Files, region string) error {
	is, err := Region(ctx, files)
	if err == nil && is != "" && is != region {
		err = fmt.Errorf("%w: it is of region %s, not of %s; each region has its own place", ErrRegion, is, region)
	}
	return err
}

// Region returns of which region a history is, "" where that was not noted.
func Region(ctx context.Context, files Files) (string, error) {
	contents, err := readAll(ctx, files, regionName)
	if errors.Is(err, ErrNotExist) {
		return "", nil
	}
	return string(contents), err
}
