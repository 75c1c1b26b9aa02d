package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// goBuild finds the go command's folders: the temporary one of a build, and its cache.
var goBuild = regexp.MustCompile(`/go-build[0-9]*/`)

// invocation is how this program is called again: as it was, or by `go run` when that built it for this one call and
// removes it afterwards.
func invocation(called, executable string) string {
	if goBuild.MatchString(filepath.ToSlash(executable)) {
		return "go run ./cmd/dirsyncd"
	}
	if strings.ContainsAny(called, " '\"") {
		return "'" + strings.ReplaceAll(called, "'", `'\''`) + "'"
	}
	return called
}

// executable is the file of this program; empty where the system does not tell.
func executable() string {
	path, err := os.Executable()
	if err != nil {
		return ""
	}
	return path
}
