package online

import (
	"encoding/binary"
	"hash/crc32"
)

// A row's value is the row | u32 crc32c. The checksum is over the key as well,
// so that a row under another row's key shows.
const sumBytes = 4

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func checksum(key, row []byte) uint32 {
	return crc32.Update(crc32.Checksum(key, castagnoli), castagnoli, row)
}

// seal appends the checksum of key and value[from:] to value.
func seal(value []byte, from int, key []byte) []byte {
	return binary.BigEndian.AppendUint32(value, checksum(key, value[from:]))
}

// unseal returns what was sealed under key, aliasing value.
func unseal(key, value []byte) ([]byte, error) {
	if len(value) < sumBytes {
		return nil, corrupt(key, "%d bytes, a checksum alone has %d", len(value), sumBytes)
	}
	body := value[:len(value)-sumBytes]
	want := binary.BigEndian.Uint32(value[len(body):])
	if got := checksum(key, body); got != want {
		return nil, corrupt(key, "checksum %08x, want %08x", got, want)
	}
	return body, nil
}
