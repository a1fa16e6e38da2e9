package online

import (
	"encoding/binary"
	"fmt"

	"featurestore/hlc"
)

// Identity is who a store is. It is fixed when the directory is created.
type Identity struct {
	// Deployment is shared by the stores that replicate to each other.
	Deployment string
	// Store names this store, Region the place it stands in.
	Store, Region string
	// Incarnation rises when a deployment is restored from a backup, so that
	// tokens from before are known.
	Incarnation uint32
	// Origin is the origin of this store's log: random, never zero.
	Origin hlc.Origin
}

// storeRecord is what lies under the store key:
//
//	u8 format | u8 flags | u32 incarnation | u32 origin | u64 clock limit
//	| 3 x { uvarint length | deployment, store, region } | u32 crc32c
type storeRecord struct {
	Identity
	limit hlc.Timestamp
	clean bool // closed in order
}

const (
	storeFormat     = 1
	flagClean       = 1 << 0
	storeFixedBytes = 2 + 4 + 4 + 8
	maxNameBytes    = 64
)

func storeKey() []byte { return []byte{byte(kindStore)} }

func appendStoreRecord(dst []byte, r storeRecord) []byte {
	from := len(dst)
	flags := byte(0)
	if r.clean {
		flags |= flagClean
	}
	dst = append(dst, storeFormat, flags)
	dst = binary.BigEndian.AppendUint32(dst, r.Incarnation)
	dst = binary.BigEndian.AppendUint32(dst, uint32(r.Origin))
	dst = binary.BigEndian.AppendUint64(dst, uint64(r.limit))
	for _, s := range []string{r.Deployment, r.Store, r.Region} {
		dst = binary.AppendUvarint(dst, uint64(len(s)))
		dst = append(dst, s...)
	}
	return seal(dst, from, storeKey())
}

func decodeStoreRecord(b []byte) (storeRecord, error) {
	if len(b) > 0 && b[0] != storeFormat {
		return storeRecord{}, fmt.Errorf("%w: the directory has %d, this version reads %d", ErrFormat, b[0], storeFormat)
	}
	body, err := unseal(storeKey(), b)
	if err != nil {
		return storeRecord{}, err
	}
	if len(body) < storeFixedBytes || body[1]&^flagClean != 0 {
		return storeRecord{}, corrupt(storeKey(), "%d bytes with flags", len(body))
	}
	r := storeRecord{
		Identity: Identity{
			Incarnation: binary.BigEndian.Uint32(body[2:]),
			Origin:      hlc.Origin(binary.BigEndian.Uint32(body[6:])),
		},
		limit: hlc.Timestamp(binary.BigEndian.Uint64(body[10:])),
		clean: body[1]&flagClean != 0,
	}
	rest := body[storeFixedBytes:]
	for _, s := range []*string{&r.Deployment, &r.Store, &r.Region} {
		n, read := uvarint(rest)
		if read == 0 || n > maxNameBytes || n > uint64(len(rest)-read) {
			return storeRecord{}, corrupt(storeKey(), "a name breaks off")
		}
		*s, rest = string(rest[read:read+int(n)]), rest[read+int(n):]
	}
	if len(rest) > 0 || r.Origin == 0 {
		return storeRecord{}, corrupt(storeKey(), "origin %v and %d bytes left", r.Origin, len(rest))
	}
	return r, nil
}

// uvarint reads the shortest form only; read is 0 for anything else.
func uvarint(b []byte) (v uint64, read int) {
	v, read = binary.Uvarint(b)
	if read <= 0 || read > 1 && b[read-1] == 0 {
		return 0, 0
	}
	return v, read
}

// check compares a directory's record with what the configuration names.
func (id Identity) check(dir string, cfg Config) error {
	for _, f := range []struct{ name, have, want string }{
		{"store", id.Store, cfg.Store},
		{"region", id.Region, cfg.Region},
		{"deployment", id.Deployment, cfg.Deployment},
	} {
		if f.have != f.want && (f.name != "deployment" || f.want != "") {
			return fmt.Errorf("%w: %s was made for %s %q, the configuration says %q", ErrForeign, dir, f.name, f.have, f.want)
		}
	}
	return nil
}
