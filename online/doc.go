// Package online holds a store's rows and its log: the only room that touches
// Badger, and the only place where a write becomes durable.
//
// One goroutine, the committer, writes rows. It takes whatever waits, writes of
// this store and stretches of other origins' logs, joins it into the current rows, and commits rows, log entries, progress and request
// results in one synced transaction. Lookups read a hot tier in memory, then
// Badger at the published timestamp.
//
// Keys, big endian:
//
//	+----+-------+-----------+--------+-----+
//	| 00 |                                    the store record
//	| 01 | group | partition |                horizon and note of a shard
//	| 02 | group | partition | origin |       progress, and the last entry
//	| 03 | group | partition | view   | key   row | crc32c of key and row
//	| 04 | group | partition | origin | at    log entry (package oplog)
//	| 05 | request id                         digest, and where it wrote each shard; expiring
//	| 06 |                                    membership document
//	| 08 | revision | part                    registry, latest revision last
//	| 09 | group | partition | origin |       floor: u64 timestamp
//	+----+-------+-----------+--------+-----+
//	  u8    u16       u16       u32     u64   (request id: 16 bytes, part: u16)
//
// Invariants:
//
//	S1. One commit holds a write whole: all its rows, its log entries, the
//	    progress they make and its request result, or nothing of it.
//	S2. Nothing is readable, published or acknowledged before the commit that
//	    holds it is synced.
//	S3. Rows are the join of the log: nothing but the committer writes them, and
//	    it joins exactly what it logs. Entries marked LogOnly are not joined.
//	S4. Progress of an origin at h means that every entry of it up to h is
//	    joined and readable here; what is read after seeing h holds it.
//	S5. Log timestamps of this store's origin rise strictly, across restarts
//	    too, and each entry names the one before it in its shard.
//	S6. An entry of the hot tier is never older than a published write: the
//	    committer sets it after the commit and before it publishes, and a
//	    reader fills one only if no commit later than its snapshot touched the
//	    stripe.
//	S7. A write that fails changes nothing, whatever else its batch holds.
//	S8. A request id writes once, whatever part of the request comes first; its
//	    repetition is answered with the first receipt, while the record lasts.
//	    Whoever joins its entries knows it too.
//	S9. After an error of the disk, or once the directory is gone, nothing is
//	    acknowledged and nothing more is written until the store is opened anew;
//	    reads go on at what was published, or fail, and never show less.
//	S10. A snapshot stays whole while it is read: versions are discarded only
//	    below every pinned one, and a lookup, which pins none, starts over when
//	    it took so long that its snapshot may have gone.
//	S11. Bytes that fail their checksum are an error that names the key, and
//	    are never served.
//	S12. Opening reads no rows: it takes as long for a million as for none.
//	S13. Nothing is written that the disk may have no room for, what Badger
//	    compacts of its own included; reads go on.
//	S14. Run and Close end, whatever the disk does.
//	S15. A log of another origin is joined in order and without gaps: an
//	    interval begins at or before the progress that is here, what is here
//	    already is left out, and its entries are kept byte for byte. An entry
//	    that no transaction holds is joined over several, its rows first; its
//	    log entry and the progress it makes come with the last.
//	S16. A chunk's rows, the progress of which they are the join, and the
//	    horizon below which tombstones may be missing are of one snapshot. Where
//	    rows are joined from chunks the horizon rises first, and progress and
//	    note come with the last.
//	S17. A log's floor is the timestamp of the last entry removed from it, or
//	    where a rebuilt log begins; it is written in the transaction that
//	    removes. A read from below the floor is told so and returns nothing;
//	    one from the floor on is whole.
//	S18. A tombstone is collected only below a horizon that is durable here, and
//	    only where its view lets it go (feature.View.EventBelow); what is
//	    collected is looked at again by the committer, and the hot tier follows.
//	S19. What is logged again keeps its versions; it is later than all of them,
//	    and waits only for what is here.
//	S20. Entries that a reader besides the members has not read (HoldLogs) are
//	    removed by the limits alone.
//
// Rows older than their ttl are never removed. Stores would do so at different
// moments, and a later write could tell: a counter would begin anew at one and
// go on at another, a late event that loses to an expired one would win where
// that is gone, and a ttl that is raised would bring back what only some still
// have. Views of max, min, counter and set features keep their tombstones, and
// so do views of event_time features without max_lateness: see
// feature.View.EventBelow.
//
// Group commit after DeWitt et al., "Implementation Techniques for Main Memory
// Database Systems", 1984. The stripe check is the version check of optimistic
// concurrency control (Kung and Robinson, 1981). See ADR 1, 5 and 8.
package online
