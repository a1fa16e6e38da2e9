package api

import "net/http"

// Code is the stable name of an error: clients match on it, and never on text.
// It is an error itself, so that errors.Is(err, api.CodeConcernTimeout) holds
// for every error that carries the code, in the server and in the SDK alike.
type Code string

// Error returns the code and its title.
func (c Code) Error() string { return string(c) + ": " + c.Title() }

// Codes of the replication protocol. They are spelled as the protocol spells
// them.
const (
	CodeConcernTimeout        Code = "CONCERN_TIMEOUT"        // applied here, acknowledgements missing; the session token is attached
	CodeNotEnoughLive         Code = "NOT_ENOUGH_LIVE"        // too few members for a concern, or for a read at quorum
	CodeNoLeader              Code = "NO_LEADER"              // the lease is moving
	CodeNotLeader             Code = "NOT_LEADER"             // another store leads the shard
	CodeBehind                Code = "BEHIND"                 // no reachable member meets the level in time
	CodeTooStale              Code = "TOO_STALE"              // a bounded read cannot be met
	CodeSessionLost           Code = "SESSION_LOST"           // the session names a write that no longer exists
	CodeTokenInvalid          Code = "TOKEN_INVALID"          // forged, damaged, too long, or of another deployment
	CodeDependencyUnavailable Code = "DEPENDENCY_UNAVAILABLE" // what the write depends on is not here
	CodeEventTooOld           Code = "EVENT_TOO_OLD"          // the event time is before what the view takes
	CodeEventInFuture         Code = "EVENT_IN_FUTURE"        // the event time is after what the view takes
	CodeClockFenced           Code = "CLOCK_FENCED"           // the store's clock is off
)

// Codes of requests that cannot be understood or carried out.
const (
	CodeInvalidRequest       Code = "invalid_request"
	CodeInvalidHeader        Code = "invalid_header"
	CodeInvalidJSON          Code = "invalid_json"
	CodeUnknownField         Code = "unknown_field"
	CodeDuplicateKey         Code = "duplicate_key"
	CodeInvalidValue         Code = "invalid_value"
	CodeInvalidRows          Code = "invalid_rows"
	CodeInvalidDefinitions   Code = "invalid_definitions"
	CodeIncompatible         Code = "incompatible_change"
	CodeCounterOverflow      Code = "counter_overflow"
	CodeSetTooLarge          Code = "set_too_large"
	CodePayloadTooLarge      Code = "payload_too_large"
	CodeTooManyRows          Code = "too_many_rows"
	CodeTooManyEntities      Code = "too_many_entities"
	CodeTooManyFeatures      Code = "too_many_features"
	CodeUnsupportedMediaType Code = "unsupported_media_type"
	CodeMethodNotAllowed     Code = "method_not_allowed"
	CodeConflict             Code = "conflict"
	CodeIdempotencyKeyReused Code = "idempotency_key_reused"
	CodeNotImplemented       Code = "not_implemented"
	CodeMembershipRefused    Code = "membership_refused"
	CodeJobBusy              Code = "job_busy"     // another job works on the same
	CodeBatchSource          Code = "batch_source" // a batch source cannot be read as it is
)

// Codes of names that do not exist.
const (
	CodeRouteNotFound      Code = "route_not_found"
	CodeProjectNotFound    Code = "project_not_found"
	CodeViewNotFound       Code = "view_not_found"
	CodeFeatureNotFound    Code = "feature_not_found"
	CodeServiceNotFound    Code = "service_not_found"
	CodeEntityNotFound     Code = "entity_not_found"
	CodeOnDemandNotFound   Code = "on_demand_not_found"
	CodeGroupNotFound      Code = "group_not_found"
	CodePushSourceNotFound Code = "push_source_not_found"
	CodeLinkNotFound       Code = "link_not_found"
	CodeJobNotFound        Code = "job_not_found"
)

// Codes of a store that cannot serve now.
const (
	CodeDeadlineExceeded  Code = "deadline_exceeded"
	CodeCanceled          Code = "canceled"
	CodeOverloaded        Code = "overloaded"
	CodeDraining          Code = "draining"
	CodeNoHistory         Code = "no_history"         // the store keeps none
	CodeHistoryGone       Code = "history_gone"       // what is asked for was taken away
	CodeNotActive         Code = "not_active"         // it joins, leaves or was evicted
	CodeNotHeld           Code = "not_held"           // the group's rows are in other regions
	CodeLeaderUnreachable Code = "leader_unreachable" // the store that leads the rows' shard is away
	CodeHomeUnreachable   Code = "home_unreachable"   // the store that changes definitions and membership is away
	CodeReadOnly          Code = "read_only"
	CodeCorruptData       Code = "corrupt_data"
	CodeInternal          Code = "internal"
)

// CodeInfo is one row of the table of codes.
type CodeInfo struct {
	Code   Code
	Status int    // of HTTP
	Title  string // a sentence that is the same for every error of the code
	Do     string // what a client does about it
}

// statusClosed is what proxies log when the client went away first.
const statusClosed = 499

// codes is the table, in the order of docs/api.md.
var codes = []CodeInfo{
	{CodeConcernTimeout, http.StatusGatewayTimeout, "write concern not met in time", "the rows are applied and still replicating: accept, or repeat with the same Idempotency-Key"},
	{CodeNotEnoughLive, http.StatusServiceUnavailable, "too few live replicas", "nothing was read or written: ask for a weaker concern or level, or retry when the missing stores are back"},
	{CodeNoLeader, http.StatusServiceUnavailable, "no leader at the moment", "retry after Retry-After"},
	{CodeNotLeader, http.StatusMisdirectedRequest, "another store leads this shard", "retry at the store that detail names"},
	{CodeBehind, http.StatusServiceUnavailable, "no replica in reach meets the read level in time", "retry, allow more time, or ask for a weaker level"},
	{CodeTooStale, http.StatusPreconditionFailed, "staler than the read allows", "retry, or allow more staleness"},
	{CodeSessionLost, http.StatusConflict, "the session names a write that no longer exists", "start a new session"},
	{CodeTokenInvalid, http.StatusBadRequest, "the session token is not valid here", "drop the token"},
	{CodeDependencyUnavailable, http.StatusServiceUnavailable, "the writes that this one depends on are not here yet", "retry"},
	{CodeEventTooOld, http.StatusUnprocessableEntity, "event time older than the view takes", "fix event_time, or raise the view's max_lateness"},
	{CodeEventInFuture, http.StatusUnprocessableEntity, "event time too far in the future", "fix event_time or the writer's clock"},
	{CodeClockFenced, http.StatusServiceUnavailable, "the store's clock is off", "use another store; tell its operator"},

	{CodeInvalidRequest, http.StatusBadRequest, "the request is not complete or contradicts itself", "fix what field names"},
	{CodeInvalidHeader, http.StatusBadRequest, "a header is not valid", "fix the header that field names"},
	{CodeInvalidJSON, http.StatusBadRequest, "the body is not valid JSON", "fix the body at the place that detail names"},
	{CodeUnknownField, http.StatusBadRequest, "the body has a field that is not known", "remove or rename the field"},
	{CodeDuplicateKey, http.StatusBadRequest, "an object of the body has a key twice", "send each key once"},
	{CodeInvalidValue, http.StatusUnprocessableEntity, "a value does not fit its declared type", "fix what field names"},
	{CodeInvalidRows, http.StatusUnprocessableEntity, "rows refused", "fix the rows named and push all again: nothing was stored"},
	{CodeInvalidDefinitions, http.StatusUnprocessableEntity, "definitions refused", "fix the problems listed: nothing was applied"},
	{CodeIncompatible, http.StatusUnprocessableEntity, "a change that stored rows could not follow", "take the way out that the problem names: nothing was applied"},
	{CodeCounterOverflow, http.StatusUnprocessableEntity, "a counter would overflow", "declare a wider type, or delete the entity"},
	{CodeSetTooLarge, http.StatusUnprocessableEntity, "a set would grow too large", "remove elements, or delete the entity"},
	{CodePayloadTooLarge, http.StatusRequestEntityTooLarge, "the body is too large", "send less at once"},
	{CodeTooManyRows, http.StatusRequestEntityTooLarge, "too many rows in one push", "split the push"},
	{CodeTooManyEntities, http.StatusRequestEntityTooLarge, "too many entities in one request", "split the request"},
	{CodeTooManyFeatures, http.StatusRequestEntityTooLarge, "too many features in one request", "split the request"},
	{CodeUnsupportedMediaType, http.StatusUnsupportedMediaType, "the body's media type is not accepted here", "send a Content-Type that detail names"},
	{CodeMethodNotAllowed, http.StatusMethodNotAllowed, "the method is not allowed here", "use a method of the Allow header"},
	{CodeConflict, http.StatusConflict, "the project has changed meanwhile", "look at the difference, plan again, and apply with the new revision"},
	{CodeIdempotencyKeyReused, http.StatusUnprocessableEntity, "the idempotency key was used for another request", "use a new key for a new request"},
	{CodeMembershipRefused, http.StatusConflict, "the membership cannot be changed like that", "fix what detail names: nothing was changed"},
	{CodeJobBusy, http.StatusConflict, "another job works on the same", "wait for the job that detail names, or cancel it"},
	{CodeBatchSource, http.StatusUnprocessableEntity, "a batch source cannot be read as it is", "mend what detail names, the file or the definition, and run it again: it goes on where it stopped"},
	{CodeNotImplemented, http.StatusNotImplemented, "not served by this version", "see docs/api.md"},

	{CodeRouteNotFound, http.StatusNotFound, "no such path", "see /openapi.json"},
	{CodeProjectNotFound, http.StatusNotFound, "no such project", "apply its definitions first"},
	{CodeViewNotFound, http.StatusNotFound, "no such view", "see detail for the nearest name"},
	{CodeFeatureNotFound, http.StatusNotFound, "no such feature", "see detail for the nearest name"},
	{CodeServiceNotFound, http.StatusNotFound, "no such feature service", "see detail for the nearest name"},
	{CodeEntityNotFound, http.StatusNotFound, "no such entity", "see detail for the nearest name"},
	{CodeOnDemandNotFound, http.StatusNotFound, "no such on-demand feature view", "see detail for the nearest name"},
	{CodeGroupNotFound, http.StatusNotFound, "no such group", "see detail for the nearest name"},
	{CodePushSourceNotFound, http.StatusNotFound, "no such push source", "see detail for the nearest name"},
	{CodeLinkNotFound, http.StatusNotFound, "no such link", "links are between regions of featurestore dev; see detail"},
	{CodeJobNotFound, http.StatusNotFound, "no such job", "it has ended long ago, or its store was restarted: run it again"},

	{CodeDeadlineExceeded, http.StatusGatewayTimeout, "the request's time is up", "a write may have been stored: repeat it with the same Idempotency-Key"},
	{CodeCanceled, statusClosed, "the client went away", "nothing: it is seen in logs and metrics only"},
	{CodeOverloaded, http.StatusServiceUnavailable, "too much at once", "retry after Retry-After"},
	{CodeDraining, http.StatusServiceUnavailable, "the store is stopping", "use another store"},
	{CodeNoHistory, http.StatusMisdirectedRequest, "this store keeps no history", "ask a store that runs with the setting history"},
	{CodeHistoryGone, http.StatusGone, "history does not have that any more", "take a new snapshot, or ask anew"},
	{CodeNotActive, http.StatusServiceUnavailable, "this store joins, leaves or was evicted", "use another store"},
	{CodeNotHeld, http.StatusMisdirectedRequest, "this store does not hold the group's rows", "use a store in a region that detail names"},
	{CodeLeaderUnreachable, http.StatusGatewayTimeout, "the leader did not answer", "the rows may have been stored: repeat with the same Idempotency-Key"},
	{CodeHomeUnreachable, http.StatusServiceUnavailable, "the store that changes definitions and membership is not in reach", "retry; lookups and pushes go on meanwhile"},
	{CodeReadOnly, http.StatusServiceUnavailable, "the store takes no writes", "use another store; tell its operator"},
	{CodeCorruptData, http.StatusInternalServerError, "stored data is damaged", "tell the operator, with the request id"},
	{CodeInternal, http.StatusInternalServerError, "internal error", "tell the operator, with the request id"},
}

var infoOf = func() map[Code]CodeInfo {
	m := make(map[Code]CodeInfo, len(codes))
	for _, info := range codes {
		m[info.Code] = info
	}
	return m
}()

// Codes returns the table of codes. The caller owns the slice.
func Codes() []CodeInfo { return append([]CodeInfo(nil), codes...) }

// Status returns the HTTP status of the code, 500 for a code of a later version.
func (c Code) Status() int {
	if info, ok := infoOf[c]; ok {
		return info.Status
	}
	return http.StatusInternalServerError
}

// Title returns the sentence that stands for the code, "" for one of a later
// version.
func (c Code) Title() string { return infoOf[c].Title }
