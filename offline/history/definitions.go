package history

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
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
	return definitionsWith(ctx, files, definitionsFolder)
}

// DefinitionsAt returns the definitions of an epoch and revision that were kept, or
// ErrGone: they are of another history, or have not come here yet.
func DefinitionsAt(ctx context.Context, files Files, epoch, revision uint64) ([]byte, error) {
	encoded, err := definitionsWith(ctx, files, fmt.Sprintf("%s%020d-%020d-", definitionsFolder, epoch, revision))
	if err == nil && encoded == nil {
		return nil, fmt.Errorf("%w: it has no definitions of epoch %d, revision %d", ErrGone, epoch, revision)
	}
	return encoded, err
}

// definitionsWith returns the latest definitions with a prefix, nil for none.
func definitionsWith(ctx context.Context, files Files, prefix string) ([]byte, error) {
	latest := ""
	for name, err := range files.List(ctx, prefix) {
		if err != nil {
			return nil, fmt.Errorf("list definitions: %w", err)
		}
		if strings.HasSuffix(name, definitionsEnding) {
			latest = max(latest, name)
		}
	}
	if latest == "" {
		return nil, nil
	}
	encoded, err := readAll(ctx, files, latest)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", latest, err)
	}
	sum := sha256.Sum256(encoded)
	if !strings.HasSuffix(latest, "-"+hex.EncodeToString(sum[:])+definitionsEnding) {
		return nil, fmt.Errorf("%s: %w: its contents are not those of its name", latest, ErrCorrupt)
	}
	return encoded, nil
}
