package replica

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"featurestore/consistency"
)

// secretBytes is the length of a secret made here.
const secretBytes = 32

// loadSecret returns the deployment's secret. A file that the configuration
// names must be there: a store that made its own instead would sign tokens that
// no other store of the deployment takes.
func loadSecret(c Config, log *slog.Logger) ([]byte, error) {
	path, ours := c.SecretFile, c.SecretFile == ""
	if ours {
		path = filepath.Join(c.Data, "secret")
	}
	secret, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if !ours {
			return nil, fmt.Errorf("secret_file %s is not there: make it with: head -c 32 /dev/urandom | base64 > %s && chmod 600 %s", path, path, path)
		}
		return makeSecret(path)
	}
	if err != nil {
		return nil, fmt.Errorf("read the secret: %w", err)
	}
	if info, err := os.Stat(path); err == nil && info.Mode().Perm()&0o077 != 0 {
		log.Warn("others can read the secret that signs session tokens", "file", path, "mode", info.Mode().Perm().String(), "mend", "chmod 600 "+path)
	}
	if !ours { // one that people wrote may end with a line end, or not
		secret = bytes.TrimRight(secret, "\r\n")
	}
	if len(secret) < consistency.MinSecretBytes {
		return nil, fmt.Errorf("secret file %s has %d bytes: it must have at least %d", path, len(secret), consistency.MinSecretBytes)
	}
	return secret, nil
}

// makeSecret writes a new secret so that a crash leaves all of it or none.
func makeSecret(path string) ([]byte, error) {
	secret := make([]byte, secretBytes)
	if _, err := rand.Read(secret); err != nil {
		return nil, err
	}
	draft := path + ".new"
	f, err := os.OpenFile(draft, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("make the secret: %w", err)
	}
	_, err = f.Write(secret)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return nil, fmt.Errorf("make the secret: %w", err)
	}
	if err := os.Rename(draft, path); err != nil {
		return nil, fmt.Errorf("make the secret: %w", err)
	}
	return secret, nil
}
