package replication

import "errors"

// ErrForeign reports a store that this one must not talk to: it belongs to
// another deployment or incarnation, speaks another format, holds another
// secret, or is another store than the one that was meant. No message passed.
// Trying again does not help until somebody changes one of the two.
var ErrForeign = errors.New("foreign store")
