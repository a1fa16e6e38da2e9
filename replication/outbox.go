package replication

import (
	"context"
	"errors"
	"maps"
)

// task is something to do in a conversation. It is done once, also when the
// conversation has ended: it finds out by sending.
type task func(context.Context, Conversation) error

// maxMessages bounds what waits to be said to one peer. What is beyond it is
// lost, as on a bad line.
const maxMessages = 256

func (l *link) send(m Message) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s, ok := m.(Status); ok {
		l.merge(s)
	} else if len(l.mu.messages) < maxMessages {
		l.mu.messages = append(l.mu.messages, m)
	}
	l.awake()
}

// merge puts a status over one that was not said yet.
func (l *link) merge(s Status) {
	if l.mu.status != nil {
		progress := maps.Clone(l.mu.status.Progress)
		maps.Copy(progress, s.Progress)
		s.Progress = progress
	}
	l.mu.status = &s
}

// task has f done, or returns false when the conversation has ended.
func (l *link) task(f task) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.mu.ended {
		return false
	}
	l.mu.tasks = append(l.mu.tasks, f)
	l.awake()
	return true
}

func (l *link) awake() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// take returns what waits.
func (l *link) take() (messages []Message, tasks []task) {
	l.mu.Lock()
	defer l.mu.Unlock()
	messages, tasks = l.mu.messages, l.mu.tasks
	if l.mu.status != nil {
		messages = append(messages, *l.mu.status)
	}
	l.mu.messages, l.mu.tasks, l.mu.status = nil, nil, nil
	return messages, tasks
}

// say sends what waits until the conversation ends.
func (l *link) say(ctx context.Context) error {
	for {
		messages, tasks := l.take()
		for _, m := range messages {
			if err := l.conversation.Send(ctx, m); err != nil {
				l.abandon(ctx, tasks)
				return err
			}
		}
		for i, f := range tasks {
			if err := f(ctx, l.conversation); err != nil {
				l.abandon(ctx, tasks[i+1:])
				return err
			}
		}
		if len(messages)+len(tasks) > 0 {
			continue
		}
		select {
		case <-l.wake:
		case <-ctx.Done():
			l.abandon(ctx, nil)
			return ctx.Err()
		}
	}
}

// abandon lets tasks find out that the conversation has ended: they answer for
// what they were to do.
func (l *link) abandon(ctx context.Context, tasks []task) {
	l.mu.Lock()
	l.mu.ended = true
	l.mu.Unlock()
	_, late := l.take()
	for _, f := range append(tasks, late...) {
		_ = f(ctx, ended{l.conversation})
	}
}

// ended is a conversation that is over.
type ended struct{ Conversation }

var errEnded = errors.New("the conversation has ended")

// Send fails.
func (ended) Send(context.Context, Message) error { return errEnded }
