package api

// ExportAlias is a view under another name in one request: its features are asked for
// as alias:feature, their columns are called alias__feature, and they are joined by
// other columns of the entity rows. One view may have several: as origin and as
// destination.
type ExportAlias struct {
	View string `json:"view"`
	// Keys are columns of the entity rows by join key of the view. A join key that is
	// not among them has the column of its own name.
	Keys map[string]string `json:"keys,omitempty"`
}

// ExportKeysOf asks history for the entity rows of a training set: every key that it
// has of a view, at times. Times are given in one of three ways, as RFC 3339.
type ExportKeysOf struct {
	View string `json:"view"`
	// At lists times.
	At []string `json:"at,omitempty"`
	// Every is how far apart times are, such as 24h, from From on and none after To.
	Every string `json:"every,omitempty"`
	From  string `json:"from,omitempty"`
	To    string `json:"to,omitempty"`
	// EachWrite asks at the event times of the key's own writes.
	EachWrite bool `json:"each_write,omitempty"`
	// Existing leaves out a key at times before its first write, or after a delete.
	Existing bool `json:"existing,omitempty"`
}
