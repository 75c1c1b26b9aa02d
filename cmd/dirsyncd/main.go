// Command dirsyncd keeps directories and service desks in step; see the README.
package main

import (
	"context"
	"os"
)

// version is set by the linker: -X main.version=1.2.3.
var version = unreleased

// unreleased is the version of a program that was built without one.
const unreleased = "development"

func main() {
	os.Exit(execute(context.Background(), newCLI(os.Stdout, os.Stderr), os.Args[1:]))
}
