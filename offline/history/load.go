package history

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// load reads what is committed: the latest manifests, back to a whole one. There
// may be none.
func load(ctx context.Context, files Files) (*state, error) {
	for try := 0; ; try++ {
		s, err := loadOnce(ctx, files)
		// Its writer removes manifests that a whole one made superfluous.
		if !errors.Is(err, ErrNotExist) || try == maxTries {
			return s, err
		}
	}
}

func loadOnce(ctx context.Context, files Files) (*state, error) {
	latest, err := latestManifest(ctx, files)
	if err != nil || latest == 0 {
		return newState(), err
	}
	return loadAt(ctx, files, latest)
}

// loadAt reads what was committed with a manifest.
func loadAt(ctx context.Context, files Files, latest uint64) (*state, error) {
	s := newState()
	type read struct {
		m   *Manifest
		sum Sum
	}
	var back []read
	for number := latest; ; number-- {
		m, sum, err := readManifest(ctx, files, number)
		if err != nil {
			return nil, err
		}
		back = append(back, read{m, sum})
		if m.Whole {
			break
		}
		if number == 1 {
			return nil, fmt.Errorf("%w: manifest 1 is not whole", ErrCorrupt)
		}
	}
	for _, r := range slices.Backward(back) {
		if err := s.apply(r.m, r.sum); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// latestManifest returns the greatest number that is taken, zero for none.
func latestManifest(ctx context.Context, files Files) (uint64, error) {
	latest := uint64(0)
	for number, err := range manifests(ctx, files) {
		if err != nil {
			return 0, err
		}
		latest = max(latest, number)
	}
	return latest, nil
}

// manifests yields the numbers of all manifests that are there, in any order.
func manifests(ctx context.Context, files Files) func(yield func(uint64, error) bool) {
	return func(yield func(uint64, error) bool) {
		for name, err := range files.List(ctx, commitsFolder) {
			if err != nil {
				yield(0, err)
				return
			}
			digits, ok := strings.CutSuffix(strings.TrimPrefix(name, commitsFolder), commitEnding)
			if number, err := strconv.ParseUint(digits, 10, 64); ok && err == nil && manifestName(number) == name {
				if !yield(number, nil) {
					return
				}
			}
		}
	}
}

// readManifest reads one manifest, and returns its sum.
func readManifest(ctx context.Context, files Files, number uint64) (*Manifest, Sum, error) {
	name := manifestName(number)
	data, err := readAll(ctx, files, name)
	if err != nil {
		return nil, Sum{}, fmt.Errorf("manifest %d: %w", number, err)
	}
	m, err := decodeManifest(data)
	if err == nil && m.Number != number {
		err = fmt.Errorf("%w: it says it is manifest %d", ErrCorrupt, m.Number)
	}
	if err != nil {
		return nil, Sum{}, fmt.Errorf("%s: %w", name, err)
	}
	return m, sumOf(data), nil
}

// sumOf returns the sum that ends an encoded manifest.
func sumOf(data []byte) (sum Sum) {
	copy(sum[:], data[len(data)-len(sum):])
	return sum
}

func readAll(ctx context.Context, files Files, name string) (data []byte, err error) {
	f, err := files.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return io.ReadAll(f)
}
