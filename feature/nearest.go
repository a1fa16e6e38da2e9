package feature

import "slices"

// Nearest returns the name of names that name was probably meant to be: the
// one that the fewest edits turn it into, "" when none is near. Edges use it to
// suggest fields.
func Nearest(name string, names []string) string { return nearest(name, slices.Values(names)) }
