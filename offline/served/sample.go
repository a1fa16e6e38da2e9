package served

import "math"

// Samples reports whether the lookup of a request id is in a sample of a fraction, 0 to
// 1: by the id alone (SV5).
func Samples(id string, fraction float64) bool {
	if fraction <= 0 {
		return false
	}
	return fraction >= 1 || float64(hash(id)) < fraction*math.MaxUint64
}

// hash is FNV-1a, and a finalizer (Murmur3's) that spreads what ids have in common: those
// of one client often differ in their last digits alone.
func hash(id string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(id) {
		h = (h ^ uint64(id[i])) * 1099511628211
	}
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}
