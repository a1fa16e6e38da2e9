package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// chunkLines is how many lines a push has at most. It is no flag: pushes cut
// at other lines would be other pushes, and count again (W2).
const chunkLines = 1000

// chunk is what some consecutive lines say.
type chunk struct {
	first, last   int     // line numbers
	known         []event // of lines with a customer
	all           []event
	cancellations []event
}

// readChunks cuts what is read of a file into chunks and gives each to every reader. A chunk ends with its month, so that a part
// of the file is cut like the whole (W2). It closes the readers' channels.
func readChunks(ctx context.Context, r *lineReader, to ...chan<- *chunk) error {
	for _, ch := range to {
		defer close(ch)
	}
	deliver := func(c *chunk) error {
		for _, ch := range to {
			select {
			case ch <- c:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		return nil
	}
	open, month := &chunk{}, time.Month(0)
	for {
		l, err := r.next()
		over := errors.Is(err, io.EOF)
		if err != nil && !over {
			return fmt.Errorf("read: %w", err)
		}
		turned := !over && l.at.Month() != month
		if len(open.all) > 0 && (over || turned || len(open.all) == chunkLines) {
			if err := deliver(open); err != nil {
				return err
			}
			open = &chunk{}
		}
		if over {
			return nil
		}
		month = l.at.Month()
		open.add(&l)
	}
}

func (c *chunk) add(l *line) {
	if len(c.all) == 0 {
		c.first = l.number
		c.all = make([]event, 0, chunkLines)
		c.known = make([]event, 0, chunkLines)
	}
	c.last = l.number
	e := eventOf(l)
	c.all = append(c.all, e)
	if l.customer != 0 {
		c.known = append(c.known, e)
	}
	if l.cancelled() {
		c.cancellations = append(c.cancellations, e)
	}
}
