package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"featurestore/api"
	"featurestore/sdk"
)

// maxSessionFile bounds a session file: sdk.MaxTokens tokens of 2 KiB.
const maxSessionFile = sdk.MaxTokens * 2 << 10

// session is what a command's requests have seen. Requests side by side each
// send what is known when they begin.
type session struct {
	token string // --session
	file  string // --session-file

	mu struct {
		sync.Mutex
		tokens []string
	}
}

func (s *session) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&s.token, "session", "", "session token of what must be seen")
	cmd.Flags().StringVar(&s.file, "session-file", "", "file that the session is read from and written back to; made when absent")
	cmd.MarkFlagsMutuallyExclusive("session", "session-file") // completion goes by it
	before := cmd.PreRunE
	cmd.PreRunE = func(cmd *cobra.Command, args []string) error {
		if s.token != "" && s.file != "" {
			return mistake(cmd, "--session and --session-file are given together: one is right")
		}
		if before != nil {
			return before(cmd, args)
		}
		return nil
	}
}

// open reads the session that the command begins with.
func (s *session) open() error {
	text := s.token
	if s.file != "" {
		f, err := os.Open(s.file)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil // it begins now
		case err != nil:
			return fmt.Errorf("--session-file: %w", err)
		}
		defer f.Close()
		content, err := io.ReadAll(io.LimitReader(f, maxSessionFile+1))
		if err != nil {
			return fmt.Errorf("--session-file: %w", err)
		}
		if len(content) > maxSessionFile {
			return fmt.Errorf("--session-file: %s has more than %d bytes: it holds no session", s.file, maxSessionFile)
		}
		text = string(content)
	}
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part != "" {
			s.mu.tokens = append(s.mu.tokens, part)
		}
	}
	return nil
}

// send puts the session into the header of a request, and returns what answered
// wants back.
func (s *session) send(h http.Header) (sent []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sent = slices.Clone(s.mu.tokens[:min(len(s.mu.tokens), sdk.MaxTokens)])
	if len(sent) > 0 {
		h.Set(api.HeaderSession, strings.Join(sent, ","))
	}
	return sent
}

// answered puts an answer's token in the place of those that its request sent.
func (s *session) answered(sent []string, token string) {
	if token == "" {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.tokens = slices.DeleteFunc(s.mu.tokens, func(t string) bool { return t == token || slices.Contains(sent, t) })
	s.mu.tokens = append(s.mu.tokens, token)
}

// explain says of an error that is the session's where the session is from.
func (s *session) explain(err error) error {
	if s.file == "" || !errors.Is(err, api.CodeTokenInvalid) && !errors.Is(err, api.CodeSessionLost) {
		return err
	}
	return fmt.Errorf("%w; the session is from the file %s: delete that to begin a new one", err, s.file)
}

// close merges what requests side by side have gathered into one token, which
// only a store can, writes the session file, and returns the token.
func (s *session) close(ctx context.Context, c *client) (string, error) {
	for len(s.mu.tokens) > 1 {
		h := http.Header{}
		sent := s.send(h)
		answer, err := c.call(ctx, http.MethodGet, c.path("services"), h, nil, nil)
		if err != nil {
			return "", fmt.Errorf("merge the session's tokens: %w", err)
		}
		merged := answer.Get(api.HeaderSession)
		if merged == "" {
			return "", errors.New("merge the session's tokens: the store answered without one")
		}
		s.answered(sent, merged)
	}
	token := strings.Join(s.mu.tokens, "")
	if s.file == "" || token == "" {
		return token, nil
	}
	if err := replaceFile(s.file, token+"\n"); err != nil {
		return "", fmt.Errorf("--session-file: %w", err)
	}
	return token, nil
}

// replaceFile writes a file that others see whole, before or after.
func replaceFile(path, text string) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // gone already when it was renamed
	_, err = f.WriteString(text)
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
