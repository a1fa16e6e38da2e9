package replication

import (
	"context"
	"errors"
	"fmt"
	"testing"
)

// A store that is stopped in order ends without an error, whatever stopped first
// of what is beneath it.
func TestANodeThatIsStoppedEndsInOrder(t *testing.T) {
	runs := t.Context()
	ended, end := context.WithCancel(t.Context())
	end()
	stopped := errors.New("the transport has stopped")
	for _, c := range []struct {
		ctx       context.Context
		err, want error
	}{
		{ended, stopped, nil},
		{ended, context.Canceled, nil},
		{ended, fmt.Errorf("store: %w", ErrDrained), ErrDrained},
		{ended, ErrRetired, ErrRetired},
		{runs, stopped, stopped},
	} {
		if got := ofRun(c.ctx, c.err); !errors.Is(got, c.want) {
			t.Errorf("%v, ctx %v: got %v, want %v", c.err, c.ctx.Err(), got, c.want)
		}
	}
}
