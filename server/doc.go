// Package server is the REST edge of a store: it reads requests, asks the
// consistency room how to meet them, the online store to carry them out, and
// answers in JSON.
//
// Invariants:
//
//	E1. A request that is answered with an error before its write was accepted
//	    has stored nothing: rows are all converted and checked before the first
//	    is appended.
//	E2. Every error has a code of api's table; text of an unforeseen error goes
//	    to the log with the request id, never to the client.
//	E3. What a request may cost is bounded before it is paid: body bytes, rows,
//	    entities, features, time, and requests at once.
//	E4. After Drain no request begins; those in flight end.
//	E5. Every route stands in /openapi.json and every path there is routed.
//	E6. A request that another store sent here is answered here, or refused.
//	E7. Definitions and members change at the home only; other stores pass the
//	    request on, or say that the home is out of reach.
package server
