package history

import (
	"fmt"

	"featurestore/feature"
)

// keyValues returns the values of an entity key for the key columns; false when
// it is no key of theirs, or there are none.
func (c *columns) keyValues(k feature.Key) ([]feature.Value, bool) {
	if len(c.keys) == 0 {
		return nil, false
	}
	values, err := feature.DecodeKey(k)
	if err != nil || len(values) != len(c.keys) {
		return nil, false
	}
	for i, v := range values {
		if v.Kind() != c.keys[i].kind {
			return nil, false
		}
	}
	return values, true
}

// keyOf is the inverse of keyValues.
func (c *columns) keyOf(values []feature.Value) (feature.Key, error) {
	var k feature.Key
	for i, v := range values {
		var err error
		if k, err = feature.AppendKeyValue(k, v); err != nil {
			return nil, fmt.Errorf("column %s: %w", c.keys[i].name, err)
		}
	}
	return k, nil
}
