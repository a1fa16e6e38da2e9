// Package meta says who takes part: the members of a deployment, where they
// stand, whose logs have ended and where. It decides nothing about data.
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
package meta
