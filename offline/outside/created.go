package outside

import (
	"errors"
	"fmt"
	"hash/maphash"
	"math"

	"featurestore/feature"
	"featurestore/offline/source"
)

// Of rows of one key and event time the one that is written last counts, which is to be
// the one that was created last. Within a batch rows are put in that order; across
// batches the file must have it, and order finds out where it has not.

// maxOrdered bounds the rows of a file that an order remembers, at some 50 bytes each.
const maxOrdered = 4 << 20

// order knows when the rows of earlier batches were created.
type order struct {
	seed   maphash.Seed
	latest map[uint64]int64 // by key and event time
	held   map[uint64]int64 // of the batch at hand
}

func newOrder() *order {
	return &order{seed: maphash.MakeSeed(), latest: map[uint64]int64{}, held: map[uint64]int64{}}
}

// add notes a row of the batch at hand, and returns an error when one of an earlier
// batch has to come after it. Two keys have one hash once in 2^64 / n² files.
func (o *order) add(key []feature.Value, eventTime int64, created feature.Value) error {
	var h maphash.Hash
	h.SetSeed(o.seed)
	for _, v := range key {
		fmt.Fprintf(&h, "%d %s\x00", v.Kind(), v)
	}
	fmt.Fprint(&h, eventTime)
	sum, at := h.Sum64(), int64(math.MinInt64)
	if !created.IsNull() {
		at = created.Int()
	}
	if before, ok := o.latest[sum]; ok && before > at {
		return errors.New("an earlier row of this key and event time was created later, and the one that is written last counts: order the rows of the file by this column")
	}
	if before, ok := o.held[sum]; !ok || at > before {
		o.held[sum] = at
	}
	return nil
}

// next ends the batch at hand.
func (o *order) next() error {
	for sum, at := range o.held {
		if before, ok := o.latest[sum]; !ok || at > before {
			o.latest[sum] = at
		}
	}
	clear(o.held)
	if len(o.latest) > maxOrdered {
		return fmt.Errorf("more than %d rows are too many to order by the time of their creation: write several files", maxOrdered)
	}
	return nil
}

// ordered notes row i, and adds a fault when it stands behind one that was created
// later.
func (r *rower) ordered(out *Batch, i int, created *source.Column) bool {
	var key []feature.Value
	for _, p := range r.parts {
		if p.key {
			key = append(key, p.in.Values[i])
		}
	}
	err := r.order.add(key, r.times.Values[i].Int(), created.Values[i])
	if err != nil && out != nil {
		out.fault(Fault{At: r.in.At[i], Columnar: r.columnar, Column: r.request.Created, Message: err.Error()})
	}
	return err == nil
}
