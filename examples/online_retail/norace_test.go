//go:build !race

package retail

// raceDetector says that everything is ten times as slow.
const raceDetector = false
