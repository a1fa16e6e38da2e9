package online

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/dgraph-io/badger/v4"

	"featurestore/feature"
	"featurestore/hlc"
)

// ErrTruncated reports a log whose entries after a position are not all here
// any more.
var ErrTruncated = errors.New("log was truncated")

// A log's floor is the timestamp of the last entry that was removed from it, or
// where it began when its shard was rebuilt from rows; everything after it is
// here, as far as progress says. The record is
//
//	u8 format | u64 floor | u32 crc32c
const floorFormat = 1

func appendFloorKey(dst []byte, s feature.Shard, o hlc.Origin) []byte {
	return binary.BigEndian.AppendUint32(appendShard(dst, kindFloor, s), uint32(o))
}

func appendFloor(dst, key []byte, floor hlc.Timestamp) []byte {
	from := len(dst)
	return seal(binary.BigEndian.AppendUint64(append(dst, floorFormat), uint64(floor)), from, key)
}

func decodeFloor(key, value []byte) (hlc.Timestamp, error) {
	if len(value) > 0 && value[0] != floorFormat {
		return 0, fmt.Errorf("%w: a log's floor has %d, this version reads %d", ErrFormat, value[0], floorFormat)
	}
	body, err := unseal(key, value)
	if err != nil {
		return 0, err
	}
	if len(body) != 1+8 {
		return 0, corrupt(key, "%d bytes of a floor", len(body))
	}
	return hlc.Timestamp(binary.BigEndian.Uint64(body[1:])), nil
}

// floorOf reads the floor of a log; zero when nothing was removed from it.
func floorOf(txn *badger.Txn, log logID) (hlc.Timestamp, error) {
	key := appendFloorKey(nil, log.shard, log.origin)
	value, err := getCopy(txn, key)
	if value == nil || err != nil {
		return 0, err
	}
	return decodeFloor(key, value)
}

// raiseFloor stages a floor that is above the one of the log so far. A log is
// named once in a batch.
func (st *stage) raiseFloor(log logID, floor hlc.Timestamp) error {
	before, err := floorOf(st.snapshot(), log)
	if err != nil || floor <= before {
		return err
	}
	key := appendFloorKey(nil, log.shard, log.origin)
	st.record(key, appendFloor(nil, key, floor))
	return nil
}
