// Package sdk is the Go client: typed lookups into structs, pushes one by one
// or batched, and sessions that a context carries.
//
// A struct says what it holds by its tags, and serves lookups and pushes alike:
//
//	type Driver struct {
//		ID       int64                 `key:"driver_id"`
//		ConvRate sdk.Optional[float32] `feature:"driver_stats:conv_rate"`
//		Trips    sdk.Counter[int64]    `feature:"driver_stats:trips"`
//		Tags     []string              `feature:"driver_stats:tags"`
//		At       time.Time             `feature:"@event_time"`
//	}
//
// A field is absent when it is an Optional without value, a nil pointer or
// slice, or zero under a tag that ends in ",omitzero": a push leaves an absent
// feature alone. Keys may be absent in pushes to a push source; see Push.
//
// Invariants:
//
//	K1. The tags of a struct are compiled once a type; a field that cannot hold
//	    its feature's type is an error that names field, tag and type, and
//	    nothing is looked up or pushed.
//	K2. A lookup returns one row a key, in the order of the keys, however it was
//	    split; or an error, never a part.
//	K3. A request is repeated only when repeating is safe: reads, and writes
//	    under the idempotency key of their first try, at the store that may
//	    have them, unless Config.WriteElsewhere. Tries and time are bounded.
//	K4. An error carries the server's code, and the session token of a write
//	    that was applied although its concern was not met.
//	K5. A session sends with every request each token that is not known to be
//	    contained in another, at most MaxTokens of them; only an answer to a
//	    request that carried a token replaces it.
//	K6. Every row that Writer.Push took gets exactly one verdict: accepted,
//	    superseded, or an error that says whether it may have been stored. Run
//	    returns, and Close returns nil, only when no row is without one.
//	K7. A Writer writes the rows of one entity key in the order pushed, in
//	    each view of its target, however its keys are spelled.
//	K8. A Writer holds at most MaxBuffered rows and MaxBufferedBytes; Push
//	    blocks until there is room or its context ends.
//	K9. A client starts no goroutine that outlives the call that started it,
//	    beside those that net/http keeps for idle connections until Close.
//	K10. A request goes to the nearest store that serves it, of the preferred
//	    region before others, and at once to the next nearest when that one
//	    does not. Round trips that vary by a tenth move nobody back and forth.
//	K11. A read asks at most one store beside the first, and at most
//	    Config.HedgeShare of the reads do; both tries are over when it ends.
//
// A Writer is one session of its own: a row follows the writer's earlier rows
// and whatever the context of Run had seen. What a caller of Push has seen is
// not passed on; what was written joins the session of whoever waits for its
// verdict.
//
// A client of several regions knows its stores by Config.URLs, and the others
// of the deployment by Config.Discover. Client.Run measures them; Client.Stores
// tells what is known. A session holds over all of them, for its tokens are
// merged by whichever store answers, and travels to other services as
// OpenTelemetry baggage: see SessionToBaggage.
package sdk
