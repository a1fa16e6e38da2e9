package bucket

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxNameBytes is S3's limit of a whole name, prefix included.
const maxNameBytes = 1024

// checkName wants a slash-separated path, which every server and every folder can
// have.
func checkName(name string) error {
	switch {
	case !utf8.ValidString(name):
		return fmt.Errorf("the name %q is not UTF-8", name)
	case strings.ContainsFunc(name, unicode.IsControl):
		return fmt.Errorf("the name %q has a control character", name)
	case !fs.ValidPath(name) || name == ".":
		return fmt.Errorf("the name %q is no path: it may have no empty part, no . and no ..", name)
	}
	return nil
}

// key returns the name of an object as the server knows it.
func (b *Bucket) key(name string) (string, error) {
	if err := checkName(name); err != nil {
		return "", err
	}
	key := b.at.Prefix + name
	if len(key) > maxNameBytes {
		return "", fmt.Errorf("the name has %d bytes with its prefix: a bucket takes %d", len(key), maxNameBytes)
	}
	return key, nil
}

// failed names the operation and the object of an error, nil for none.
func (b *Bucket) failed(operation, name string, err error) error {
	if err == nil {
		return nil
	}
	var said *placed
	if errors.As(err, &said) {
		return err
	}
	return &placed{fmt.Errorf("%s %s: %w", operation, b.at.short(name), b.explain(err))}
}

// placed is an error that names its object already.
type placed struct{ err error }

func (p *placed) Error() string { return p.err.Error() }
func (p *placed) Unwrap() error { return p.err }
