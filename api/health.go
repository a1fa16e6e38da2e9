package api

// Health is the body of /livez, /readyz and /health.
type Health struct {
	Status string `json:"status"` // "ok", "read_only" or "unavailable"
	Region string `json:"region"`
	Store  string `json:"store"`
	// Reason says why a store is not ready.
	Reason string `json:"reason,omitempty"`
}
