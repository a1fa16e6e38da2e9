package peer

import (
	"encoding/binary"
	"fmt"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"featurestore/feature"
	"featurestore/replication"
	"featurestore/replication/peer/wire"
)

// decodeAudited reads by hand because the generated code would make a struct
// of every row before anybody could count them.
func decodeAudited(b []byte) (replication.Message, error) {
	var a replication.Audited
	var origins []uint32
	var at []uint64
	err := fields(b, func(f *field) (err error) {
		switch f.number {
		case 1:
			a.Audit, err = decodeAudit(f)
		case 2:
			origins, err = column(f, 4, origins, binary.LittleEndian.Uint32)
		case 3:
			at, err = column(f, 8, at, binary.LittleEndian.Uint64)
		case 4:
			err = number(f, protowire.Fixed64Type, &a.Collected)
		case 5:
			a.Sums, err = column(f, 8, a.Sums, binary.LittleEndian.Uint64)
		case 6:
			err = addAuditedRow(&a, f)
		}
		return err
	})
	switch {
	case err != nil:
		return nil, err
	case len(a.Sums) != 0 && len(a.Sums) != replication.AuditBuckets:
		return nil, fmt.Errorf("it has %d sums, want none or %d", len(a.Sums), replication.AuditBuckets)
	}
	a.Progress, err = vectorOf(origins, at)
	return a, err
}

func decodeAudit(f *field) (replication.Audit, error) {
	if err := f.want(protowire.BytesType); err != nil {
		return replication.Audit{}, err
	}
	w := new(wire.Audit)
	if err := (proto.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(f.bytes, w); err != nil {
		return replication.Audit{}, err
	}
	return auditOf(w)
}

func addAuditedRow(a *replication.Audited, f *field) error {
	if err := f.want(protowire.BytesType); err != nil {
		return err
	}
	if len(a.Rows) == replication.MaxAuditedRows {
		return fmt.Errorf("it has more than %d rows", replication.MaxAuditedRows)
	}
	row, err := decodeAuditedRow(f.bytes)
	if err != nil {
		return fmt.Errorf("rows[%d]: %w", len(a.Rows), err)
	}
	a.Rows = append(a.Rows, row)
	return nil
}

func decodeAuditedRow(b []byte) (replication.AuditedRow, error) {
	var r replication.AuditedRow
	var view uint64
	err := fields(b, func(f *field) error {
		switch f.number {
		case 1:
			return number(f, protowire.VarintType, &view)
		case 2:
			r.Key = f.bytes
			return f.want(protowire.BytesType)
		case 3:
			return number(f, protowire.Fixed64Type, &r.Hash)
		case 4:
			return number(f, protowire.Fixed64Type, &r.Newest)
		}
		return nil
	})
	if err == nil {
		r.View, err = checkRow(view, r.Key)
	}
	return r, err
}

// checkRow returns the view of a row that may be.
func checkRow(view uint64, key feature.Key) (feature.ViewID, error) {
	switch {
	case view == 0 || view > math.MaxUint32:
		return 0, fmt.Errorf("view is %d, want 1 to %d", view, uint32(math.MaxUint32))
	case len(key) == 0 || len(key) > feature.MaxKeyBytes:
		return 0, fmt.Errorf("key has %d bytes, want 1 to %d", len(key), feature.MaxKeyBytes)
	}
	return feature.ViewID(view), nil
}
