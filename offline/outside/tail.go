package outside

import (
	"strings"
	"sync"

	"featurestore/feature"
)

// tail keeps the beginning of what a child says on standard error: what it died of
// stands first, and the rest is stacks.
type tail struct {
	mu   sync.Mutex
	text []byte
}

const tailBytes = 16 << 10

// Write implements io.Writer; it never fails.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p[:min(len(p), tailBytes-len(t.text))]...)
	return len(p), nil
}

// reason is the line that says why a process died, "" when there is none.
func (t *tail) reason() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var first string
	for line := range strings.Lines(string(t.text)) {
		line = strings.TrimSpace(line)
		if first == "" {
			first = line
		}
		for _, begin := range []string{"panic:", "fatal error:", "runtime:", "SIG"} {
			if strings.HasPrefix(line, begin) {
				return ": " + feature.Clip(line)
			}
		}
	}
	if first != "" {
		return ": " + feature.Clip(first)
	}
	return ""
}
