//go:build race

package e2e

// raceDetector says that these tests were built with it, and that the program shall be, too.
const raceDetector = true
