package online

import (
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"
)

// badgerLog passes Badger's messages on; its chatter at debug level. Badger
// retries what failed for ever, some of it ten times a second: a complaint is
// passed on once in a while, with the number of those held back.
type badgerLog struct {
	log *slog.Logger
	mu  struct {
		sync.Mutex
		complaints map[string]*complaint // by format
	}
}

// complaint is one kind of message.
type complaint struct {
	passed time.Time // when the latest was
	held   int       // since then
}

const (
	complaintInterval = time.Minute
	// maxComplaints is more than Badger has formats; the map begins anew beyond.
	maxComplaints = 100
)

func newBadgerLog(log *slog.Logger) *badgerLog {
	l := &badgerLog{log: log}
	l.mu.complaints = map[string]*complaint{}
	return l
}

// Errorf logs an error, unless one of its format was logged just now.
func (l *badgerLog) Errorf(format string, args ...any) { l.complain(l.log.Error, format, args) }

// Warningf logs a warning, unless one of its format was logged just now.
func (l *badgerLog) Warningf(format string, args ...any) { l.complain(l.log.Warn, format, args) }

// Infof logs at debug level.
func (l *badgerLog) Infof(format string, args ...any) { l.print(l.log.Debug, format, args) }

// Debugf logs at debug level.
func (l *badgerLog) Debugf(format string, args ...any) { l.print(l.log.Debug, format, args) }

func (l *badgerLog) complain(log func(string, ...any), format string, args []any) {
	if held, pass := l.admit(format, time.Now()); pass {
		l.print(log, format, args, "held_back", held)
	}
}

// admit reports whether a message is to be passed on, and how many of its kind
// were not since the one before.
func (l *badgerLog) admit(format string, now time.Time) (held int, pass bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.mu.complaints[format]
	if c == nil {
		if len(l.mu.complaints) >= maxComplaints {
			clear(l.mu.complaints)
		}
		l.mu.complaints[format] = &complaint{passed: now}
		return 0, true
	}
	if now.Sub(c.passed) < complaintInterval {
		c.held++
		return 0, false
	}
	held = c.held
	*c = complaint{passed: now}
	return held, true
}

func (l *badgerLog) print(log func(string, ...any), format string, args []any, more ...any) {
	log(strings.TrimSpace(fmt.Sprintf(format, args...)), append(more, "library", "badger")...)
}
