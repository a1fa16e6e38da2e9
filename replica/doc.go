// Package replica assembles one running store: configuration, telemetry, the
// online store, the REST edge, and the order in which they start and stop.
//
// Invariants:
//
//	P1. Every setting has one name, used as the key of the configuration file,
//	    as FEATURESTORE_<KEY> in the environment, and as a flag. A flag wins
//	    over the environment, which wins over the file. An unknown key is an
//	    error that names the nearest known one.
//	P2. Ready is closed only when definitions are applied and requests are
//	    answered.
//	P3. Stopping follows the data: the edges, REST and Flight, refuse new requests
//	    and finish those they have, within Config.Drain; then the committer finishes
//	    what was accepted; then the store closes; then telemetry is flushed.
//	P4. Nothing listens beyond loopback unless AllowInsecure says so: requests
//	    are not authenticated.
//	P5. Only this room knows the OpenTelemetry SDK; others are handed a meter,
//	    a tracer and a logger.
package replica
