// Package oplog holds the format of the operation log: the entries that stores
// keep beside their rows and send to one another.
//
// One entry is what one push or delete wrote in one shard. Integers of fixed
// width are big endian; row is the encoding of feature.AppendRow.
//
//	+--------+------+-------+-------+-----------+---------+
//	| format | kind | flags |  at   |  origin   |  prev   |
//	+--------+------+-------+-------+-----------+---------+
//	   u8       u8     u8      u64       u32        u64
//	+---+-------------------------------+
//	| n | n x { origin   | at - dep }   |  deps, by rising origin
//	+---+-------------------------------+
//	 uvarint   uvarint     uvarint
//	+----+--------+--------+
//	| id | digest | shards |                             request, if flagged
//	+----+--------+--------+
//	 16 bytes each  uvarint
//	+---+-----------------------------------------------+--------+
//	| n | n x { view   | length | key | length | row  }  | crc32c |
//	+---+-----------------------------------------------+--------+
//	 uvarint  uvarint  uvarint        uvarint               u32
//
// The key under which a store keeps an entry names its shard, origin and
// timestamp. Origin and timestamp stand in the entry as well, under the
// checksum: an entry that lies under the wrong key shows, and one that travels
// needs no envelope. The shard does not: an entry's keys imply it.
//
// Invariants:
//
//	O1. Decode(Append(nil, e)) is e for every valid entry, and what Decode
//	    accepts is valid and is what Append writes.
//	O2. Decode of arbitrary bytes returns an entry or an error; it never panics
//	    and allocates no more than a small multiple of its input.
//	O3. A flipped bit, a lost tail and an added byte are errors.
//	O4. Prev is the entry before in the log of the same shard and origin, so a
//	    reader sees a hole instead of stepping over it.
//	O5. Every cell and tombstone of a Delta is named by the entry's own position
//	    (At, Origin); a Relog keeps the names its rows were first written under.
//	O6. An entry names each (view, key) once, and waits for nothing that is not
//	    before itself.
//	O7. An event that lost to a newer one online is in the log all the same:
//	    history holds every event.
//
// The shape follows the replicated logs of Bayou (Terry et al., 1995) and of
// Cassandra's hints; the chain by Prev is Raft's, with one predecessor for each
// origin instead of one for all.
package oplog
