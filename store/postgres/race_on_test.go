//go:build race

package postgres_test

// raceDetector says that the tests were built with it.
const raceDetector = true
