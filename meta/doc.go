// Package meta says who takes part: the members of a deployment, where they
// stand, whose logs have ended and where. It decides nothing about data. Of a leader group it says too who leads each shard, and in which term.
//
// All of it is one document, the Membership. One store, the home, changes it;
// the others take whatever newer document they hear of. That is the static form
// of a metadata service: it needs no majority, and while the home is away
// nothing but membership and definitions stands still.
//
// Invariants:
//
//	M1. An origin is never given to a second store, nor to a second life of one.
//	M2. Only active members acknowledge writes, vote, or count in a majority.
//	M3. Documents are totally ordered by (epoch, home, revision), and a store never
//	    goes back to an older one. No two differ that are equal in that.
//	M4. A member writes only while it is active, and everyone who was active
//	    then knows its origin before it begins.
//	M5. An origin is sealed only after every member that counts has stopped
//	    taking its entries, at the greatest position any of them has.
//	M6. An ended origin counts as far as members that remain have it. So a seal is
//	    lowered in the same step in which a member goes that alone had what lies
//	    beyond, after all who remain have stopped taking ended logs from it; and
//	    for nothing else. It is never raised.
//	M7. A shard of a leader group has one term at a time. Their numbers rise by one,
//	    each writes an origin that nobody had before, and one that has ended stays
//	    ended, at one position.
//	M8. A term ends where its leader said that it stopped; or, while its leader is
//	    away, at the greatest position of a seal quorum, which takes no more of its
//	    log and has whatever was acknowledged at the group's durability. With less
//	    than that it ends on an operator's word, by the word of all who remain.
//	M9. The next leader is active, may hold the shard, and goes by the document that
//	    names it. After a hand-over in order it has all of the term before.
package meta
