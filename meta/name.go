package meta

import (
	"fmt"
	"slices"
)

// MaxNameBytes bounds the names of regions and stores.
const MaxNameBytes = 64

// Validate returns what is wrong with the name of a region, or nil. Definitions
// name regions by the same rule.
func (r Region) Validate() error { return checkName("region", string(r), "eu-west_1", "_-") }

// Validate returns what is wrong with the name of a store, or nil.
func (s StoreID) Validate() error { return checkName("store", string(s), "eu-1", "_-.") }

// checkName wants letters, digits and some marks: names stand in tables, URLs
// and the names of directories.
func checkName(what, name, example, marks string) error {
	if len(name) > MaxNameBytes {
		return fmt.Errorf("%s has %d bytes: at most %d, such as %s", what, len(name), MaxNameBytes, example)
	}
	if name == "" {
		return fmt.Errorf("%s is empty: name the %[1]s, such as %s", what, example)
	}
	for i, c := range name {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', i > 0 && slices.Contains([]rune(marks), c):
			continue
		}
		return fmt.Errorf("%s is %q: write letters, digits and any of %s, a letter or digit first, such as %s", what, name, marks, example)
	}
	return nil
}
