package peer

import (
	"fmt"
	"math"
	"time"

	"featurestore/feature"
	"featurestore/replication"
	"featurestore/replication/peer/wire"
)

func readRowsOf(w *wire.ReadRows) (m replication.ReadRows, err error) {
	m.ID, m.Leader = w.GetId(), w.GetLeader()
	if w.GetWithin() > math.MaxInt64 {
		return m, fmt.Errorf("within is %d ns, at most %d can be", w.GetWithin(), int64(math.MaxInt64))
	}
	m.Within = time.Duration(w.GetWithin())
	if n := len(w.GetKey()); n == 0 || n > replication.MaxReadKeys {
		return m, fmt.Errorf("it asks for %d rows, want 1 to %d", n, replication.MaxReadKeys)
	}
	m.Keys = make([]feature.RowKey, len(w.GetKey()))
	for i, k := range w.GetKey() {
		m.Keys[i] = feature.RowKey{Shard: unpackShard(k.GetShard()), Key: k.GetKey()}
		if m.Keys[i].View, err = checkRow(uint64(k.GetView()), k.GetKey()); err != nil {
			return m, fmt.Errorf("keys[%d]: %w", i, err)
		}
	}
	return m, nil
}

func rowsReadOf(w *wire.RowsRead) (m replication.RowsRead, err error) {
	m.ID, m.Refused = w.GetId(), w.GetRefused()
	if n := len(w.GetRow()); n > replication.MaxReadKeys {
		return m, fmt.Errorf("it has %d rows, at most %d can be asked for", n, replication.MaxReadKeys)
	}
	for _, row := range w.GetRow() {
		m.Rows = append(m.Rows, bytesOf(row))
	}
	m.Progress, err = vectorsOf(w.GetProgress())
	return m, err
}
