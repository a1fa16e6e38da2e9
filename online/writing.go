package online

import "context"

// SetWriting allows or refuses clients' writes (Append); ErrNotWriting answers
// those that are refused. Other origins' logs are joined all the same. It
// returns once every write that was begun before is published or has failed, so
// that afterwards the head of the own log stands still. A store begins with
// writes allowed.
func (s *Store) SetWriting(ctx context.Context, allowed bool) error {
	return s.queue.run(ctx, 0, func(context.Context, *committer) error {
		s.refusing.Store(!allowed)
		return nil
	})
}
