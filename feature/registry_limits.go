package feature

import "time"

// Limits of definitions. They bound what one apply can cost every store, far
// beyond what people write by hand.
const (
	MaxNameBytes           = 128      // of any name
	MaxProjects            = 1_000    // of a store
	MaxGroups              = 256      // of a project
	MaxEntities            = 10_000   // of a project
	MaxJoinKeys            = 16       // of an entity, and of a view's key
	MaxViews               = 10_000   // of a project
	MaxFields              = 4_096    // of a view
	MaxViewEntities        = 8        // of a view
	MaxOnDemands           = 10_000   // of a project
	MaxOnDemandFields      = 256      // of an on-demand view; also inputs, also request fields
	MaxServices            = 10_000   // of a project
	MaxServiceFields       = 1_000    // of a service, as many as one lookup takes
	MaxPartitions          = 1_024    // of a group
	MaxRegions             = 64       // of a group
	MaxFallback            = 8        // steps of a read
	MaxRequiredMembers     = 64       // that a write requires to keep up
	MaxTags                = 64       // of an object
	MaxTagBytes            = 1_024    // of a tag's key, and of its value
	MaxTextBytes           = 4_096    // of a description, an owner, a path, a column name
	MaxExprBytes           = 8_192    // of an expression
	MaxWordBytes           = 64       // of a level, a concern, a step
	MaxDefaultBytes        = 64 << 10 // of an encoded default value
	DefaultEventTimeColumn = "event_timestamp"
)

// maxDuration bounds every duration in definitions: arithmetic on nanoseconds
// since the epoch stays far from the end of 64 bits.
const maxDuration = 100 * 365 * 24 * time.Hour

// reserved names are columns of pushes, files and training sets that are no
// feature.
var reserved = map[string]string{
	"event_timestamp": "it is the column of event times",
	"event_time":      "it is the column of event times",
}
