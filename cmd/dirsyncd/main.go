// Command dirsyncd keeps directories and service desks in step; see the README.
package main

import (
	"context"
	"os"
	"runtime/debug"
	_ "time/tzdata" // schedules name time zones, which a container may not have; a build tag would have everything compiled again
)

// version is set by the linker: -X main.version=1.2.3.
var version = unreleased

// unreleased is the version of a program that was built without one.
const unreleased = "development"

// collectAt is by how much, in percent, memory in use may grow before it is collected; GOGC says otherwise. Most of a large run is made in
// memory that is taken again and never garbage: what Go does by default (100) would leave as much once more for it.
const collectAt = 65

func main() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(collectAt)
	}
	os.Exit(execute(context.Background(), newCLI(os.Stdout, os.Stderr), os.Args[1:]))
}
