package history

import (
	"crypto/sha256"
	"encoding/binary"
	"maps"
	"slices"
)

// keySetsRemembered is for how many sets of keys it is remembered which files have
// none of them.
const keySetsRemembered = 4

// clean remembers which files have no rows of a set of keys: an erasure that was
// broken off goes on where it was. Names carry sums, so what is remembered stays so.
type clean struct {
	keys  Sum // of a set of keys
	names map[string]bool
}

// cleanOf returns the files known to have none of keys, of those that count.
func (u *Upkeep) cleanOf(keys keySet) map[string]bool {
	sum := keys.sum()
	i := slices.IndexFunc(u.clean, func(c clean) bool { return c.keys == sum })
	c := clean{keys: sum, names: map[string]bool{}}
	if i >= 0 {
		c = u.clean[i]
		u.clean = slices.Delete(u.clean, i, i+1)
	}
	u.clean = slices.Insert(u.clean, 0, c)
	u.clean = u.clean[:min(len(u.clean), keySetsRemembered)]
	s := u.cfg.History.state()
	for _, c := range u.clean {
		maps.DeleteFunc(c.names, func(name string, _ bool) bool { return !s.has(name) })
	}
	return c.names
}

// sum tells sets of keys apart.
func (s keySet) sum() (sum Sum) {
	h := sha256.New()
	for _, k := range slices.Sorted(maps.Keys(s.keys)) {
		var size [8]byte
		binary.BigEndian.PutUint64(size[:], uint64(len(k)))
		h.Write(size[:])
		h.Write([]byte(k))
	}
	h.Sum(sum[:0])
	return sum
}
