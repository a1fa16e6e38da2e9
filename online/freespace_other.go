//go:build !linux && !darwin

package online

import "math"

// freeBytes does not know here: writes are never refused for want of space.
func freeBytes(string) (int64, error) { return math.MaxInt64, nil }
