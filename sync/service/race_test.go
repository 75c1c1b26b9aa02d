//go:build race

package service

// underRace says that the race detector is on, which makes everything several times slower.
const underRace = true
