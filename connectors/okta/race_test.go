//go:build race

package okta

const raceEnabled = true
