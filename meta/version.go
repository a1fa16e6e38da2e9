package meta

import "cmp"

// Version names one document of a deployment, and says how it stands to others.
//
// One home makes one document after the other; the documents of an epoch and a
// home are one line. Two stores that take over at once, out of each other's
// reach, begin two lines of one epoch. All of one holds over all of the other,
// however many revisions that has, so that stores that hear of both come to the
// same end in whatever order they hear.
type Version struct {
	Epoch    uint64
	Home     StoreID
	Revision uint64
}

// Compare orders versions by age: negative when v is older than o (M3).
func (v Version) Compare(o Version) int {
	return cmp.Or(cmp.Compare(v.Epoch, o.Epoch), cmp.Compare(v.Home, o.Home), cmp.Compare(v.Revision, o.Revision))
}

// IsOfLine reports whether v is a document of the same home in the same epoch:
// the one with the greater revision followed from the other.
func (v Version) IsOfLine(o Version) bool { return v.Epoch == o.Epoch && v.Home == o.Home }
