package api

import "encoding/json"

// EraseRequest is the body of POST /v1/projects/{project}/erase. The rows were deleted
// before, in the session that the request names.
type EraseRequest struct {
	View     string                       `json:"view"`
	Entities map[string][]json.RawMessage `json:"entities"`
	// Check changes nothing, and counts what is left.
	Check bool `json:"check,omitempty"`
}

// ErasureReceipt says what an erasure did, or what it left, store by store.
type ErasureReceipt struct {
	Project  string                       `json:"project"`
	Views    []string                     `json:"views"`
	Entities map[string][]json.RawMessage `json:"entities"`
	// Complete says that every store answered and nothing is left.
	Complete bool            `json:"complete"`
	Stores   []EraseResponse `json:"stores"`
	// Missing are stores that did not do it, each with why.
	Missing []string `json:"missing,omitempty"`
	// Untouched are views with these join keys among others.
	Untouched []string `json:"untouched,omitempty"`
}

// EraseResponse is the receipt of an erasure, as far as one store is concerned.
type EraseResponse struct {
	Region string `json:"region"`
	Store  string `json:"store"`
	View   string `json:"view"`
	// Entities are how many the request named.
	Entities int `json:"entities"`
	// Served are rows of them that the store serves; only a check may find some.
	Served int `json:"served"`
	// History says what was taken out of the history that the store keeps; nil: it
	// keeps none.
	History *ErasedHistory `json:"history"`
	// ServedLog says what was taken out of the log of what the store served; nil: it
	// has none.
	ServedLog *ErasedServedLog `json:"served_log,omitempty"`
	// LogUntil is until when the store's log may hold what was written of the entities,
	// RFC 3339; "" for a check.
	LogUntil string `json:"log_until,omitempty"`
}

// ErasedHistory says what was taken out of a history, or is left of it.
type ErasedHistory struct {
	// Commit is that of the history afterwards.
	Commit uint64 `json:"commit"`
	// Rows were taken out, of Files; of a check: are still there.
	Rows  int `json:"rows"`
	Files int `json:"files"`
	// Pending are files that hold some of the rows until a reader lets go of them.
	Pending int `json:"pending"`
}

// ErasedServedLog says what was taken out of a served log, or is left in it.
type ErasedServedLog struct {
	// Entities are how often the entities stood in logged lookups, in Files.
	Entities int `json:"entities"`
	Files    int `json:"files"`
}
