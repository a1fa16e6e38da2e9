package api

// Header names of requests and responses, both dialects.
const (
	HeaderSession      = "Featurestore-Session"       // one or more tokens, comma-separated
	HeaderConsistency  = "Featurestore-Consistency"   // read level asked; level met
	HeaderWriteConcern = "Featurestore-Write-Concern" // write concern asked
	HeaderTimeout      = "Featurestore-Timeout"       // a Go duration
	HeaderOnUnmet      = "Featurestore-On-Unmet"      // forward, degrade or fail
	HeaderIdempotency  = "Idempotency-Key"            // stored with the write
	HeaderServedBy     = "Featurestore-Served-By"     // region/store
	HeaderStaleness    = "Featurestore-Staleness-Ms"  // bound over all origins
	HeaderWaited       = "Featurestore-Waited-Ms"     // time spent waiting for the level
	HeaderForwarded    = "Featurestore-Forwarded"     // region/store that sent the request on; between stores
	HeaderPart         = "Featurestore-Part"          // shards whose rows are to be written; between stores
	HeaderSource       = "Featurestore-Source"        // where a push's rows are from; between stores
	HeaderRequestID    = "X-Request-Id"               // taken when sensible, made up otherwise; in every answer and log line
)

// BaggageSession is the member of a W3C Baggage header that carries session
// tokens between services, beside HeaderSession.
const BaggageSession = "featurestore-session"

// Media types.
const (
	MediaJSON    = "application/json"
	MediaProblem = "application/problem+json"
	MediaYAML    = "application/yaml"
)
