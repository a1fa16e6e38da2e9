package history

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"featurestore/feature"
)

// The definitions that were in force lie beside the rows, so that a history can be
// read without the store that wrote it:
//
//	<root>/_definitions/<epoch>-<revision>-<sum>.registry
//
// with numbers of twenty digits, so that the last by name are the latest.
const (
	definitionsFolder = "_definitions/"
	definitionsEnding = ".registry"
)

func definitionsName(v feature.RegistryVersion, encoded []byte) string {
	sum := sha256.Sum256(encoded)
	return fmt.Sprintf("%s%020d-%020d-%s%s", definitionsFolder, v.Epoch, v.Revision, hex.EncodeToString(sum[:]), definitionsEnding)
}

// KeepDefinitions keeps definitions as package feature/definition encodes them. To
// keep what is there already does nothing.
func (h *History) KeepDefinitions(ctx context.Context, v feature.RegistryVersion, encoded []byte) error {
	if err := h.Ended(); err != nil {
		return err
	}
	if err := h.cfg.Files.Create(ctx, definitionsName(v, encoded), encoded); err != nil && !errors.Is(err, ErrExists) {
		return fmt.Errorf("keep definitions of revision %d: %w", v.Revision, err)
	}
	return nil
}

// Definitions returns the latest definitions that were kept, nil for none.
func Definitions(ctx context.Context, files Files) ([]byte, error) {
	names, err := definitionsNames(ctx, files)
	if err != nil || len(names) == 0 {
		return nil, err
	}
	return readDefinitions(ctx, files, names[len(names)-1])
}

// EveryDefinitions yields all definitions that were kept, in the order in which they were
// in force. It ends after an error.
func EveryDefinitions(ctx context.Context, files Files) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		names, err := definitionsNames(ctx, files)
		if err != nil {
			yield(nil, err)
			return
		}
		for _, name := range names {
			encoded, err := readDefinitions(ctx, files, name)
			if !yield(encoded, err) || err != nil {
				return
			}
		}
	}
}

// definitionsNames are the names of definitions, by age.
func definitionsNames(ctx context.Context, files Files) (names []string, err error) {
	for name, err := range files.List(ctx, definitionsFolder) {
		if err != nil {
			return nil, fmt.Errorf("list definitions: %w", err)
		}
		if strings.HasSuffix(name, definitionsEnding) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

func readDefinitions(ctx context.Context, files Files, name string) ([]byte, error) {
	encoded, err := readAll(ctx, files, name)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	sum := sha256.Sum256(encoded)
	if !strings.HasSuffix(name, "-"+hex.EncodeToString(sum[:])+definitionsEnding) {
		return nil, fmt.Errorf("%s: %w: its contents are not those of its name", name, ErrCorrupt)
	}
	return encoded, nil
}
