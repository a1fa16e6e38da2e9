package history

import (
	"fmt"

	"featurestore/feature"
	"featurestore/hlc"
)

// Manifest is one commit: what it adds and takes away, and up to where the log
// of each origin is in history with it. A whole one says all that counts, so that
// readers need nothing before it.
type Manifest struct {
	Number uint64
	// Prev is the sum of the manifest before, zero for the first.
	Prev Sum
	// Writer tells writers apart: each draws one when it opens the history.
	Writer WriterID
	// AtMillis is when it was made, since the Unix epoch.
	AtMillis int64
	Whole    bool
	// Progress is complete in every manifest.
	Progress map[feature.Shard]hlc.Vector
	// Added and Removed are files of rows, and Steps files of steps; in a whole
	// manifest Added and Steps are all that count, and Removed those that may
	// still be there.
	Added   []DataFile
	Removed []Removal
	Steps   []StepFile
	// Gaps are stretches of logs that were gone before history had read them; all
	// of them in a whole manifest.
	Gaps []Gap
}

// WriterID is one life of a writer.
type WriterID [16]byte

// DataFile is one file of rows of one view and day.
type DataFile struct {
	Name string
	View feature.ViewID
	Day  Day
	// SizeBytes and Sum are of its contents.
	SizeBytes int64
	Sum       Sum
	Bounds
}

// Removal is a file that counts no more, of rows or of steps.
type Removal struct {
	Name string
	// Number and AtMillis are those of the manifest that took it away.
	Number   uint64
	AtMillis int64
}

// StepFile is one file of steps.
type StepFile struct {
	Name      string
	SizeBytes int64
	Sum       Sum
}

// Gap is a stretch of an origin's log that was not there any more when it was to
// be read: entries after After, up to and including Through, are not in history.
type Gap struct {
	Shard          feature.Shard
	Origin         hlc.Origin
	After, Through hlc.Timestamp
}

// String prints the gap for people.
func (g Gap) String() string {
	return fmt.Sprintf("log of %v in shard %d/%d after %v through %v", g.Origin, g.Shard.Group, g.Shard.Partition, g.After, g.Through)
}

// Folders and endings of names.
const (
	commitsFolder = "_commits/"
	stepsFolder   = "_steps/"
	commitEnding  = ".manifest"
	stepsEnding   = ".steps"
	dataEnding    = ".parquet"
)

func manifestName(number uint64) string {
	return fmt.Sprintf("%s%020d%s", commitsFolder, number, commitEnding)
}

// dataName names a file that is to be in a commit. Project and view are "" where
// they are not known.
func dataName(project, view string, id feature.ViewID, day Day, number uint64, sum Sum) string {
	folder := project + "/" + view
	if view == "" {
		folder = fmt.Sprintf("_unnamed/view=%d", id)
	}
	return fmt.Sprintf("%s/event_date=%s/%s%s", folder, day, fileStem(number, sum), dataEnding)
}

func stepsName(number uint64, sum Sum) string {
	return stepsFolder + fileStem(number, sum) + stepsEnding
}

func fileStem(number uint64, sum Sum) string {
	return fmt.Sprintf("%012d-%x", number, sum[:8])
}
