package peer

import (
	"errors"
	"fmt"
	"io"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"featurestore/replication"
)

var (
	// errBusy reports an acceptor that has no place for another conversation.
	errBusy = errors.New("too many conversations wait to be accepted")
	// errClosed reports a conversation that this side closed.
	errClosed = errors.New("the conversation was closed")
	// errEnded reports a conversation that the other side closed.
	errEnded = errors.New("the peer closed the conversation")
	// errStopped reports a transport that no longer runs.
	errStopped = errors.New("the transport has stopped")
)

// toStatus is how an acceptor tells the dialer why a conversation ends.
func toStatus(err error) error {
	code := codes.Aborted
	switch {
	case err == nil, errors.Is(err, errClosed):
		return nil
	case errors.Is(err, errSecret):
		code = codes.Unauthenticated
	case errors.Is(err, replication.ErrForeign):
		code = codes.FailedPrecondition
	case errors.Is(err, errMalformed):
		code = codes.InvalidArgument
	case errors.Is(err, errBusy):
		code = codes.ResourceExhausted
	case errors.Is(err, errStopped):
		code = codes.Unavailable
	}
	return status.Error(code, err.Error())
}

// fromStatus is the inverse of toStatus, for what a stream returned.
func fromStatus(err error) error {
	if errors.Is(err, io.EOF) {
		return errEnded
	}
	s, ok := status.FromError(err)
	if !ok {
		return err
	}
	switch s.Code() {
	case codes.Unauthenticated:
		return fmt.Errorf("%w; the peer says: %q", errSecret, s.Message())
	case codes.FailedPrecondition:
		return fmt.Errorf("%w; the peer says: %q", replication.ErrForeign, s.Message())
	}
	return fmt.Errorf("the stream ended, %v: %q", s.Code(), s.Message())
}
