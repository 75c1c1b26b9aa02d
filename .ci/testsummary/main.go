// Command testsummary reads what `go test -json` prints and shows what plain `go test` would: a line per
// package, and the output of what failed. It closes with the line "N passed, N failed, N skipped", which
// counts tests and their subtests, and ends with 1 when anything failed or no test passed.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
)

// event is what cmd/test2json documents.
type event struct {
	Action, Package, Test, Output string
}

// summary counts results and keeps the output of tests that have none yet.
type summary struct {
	passed, failed, skipped int
	pending                 map[string]*strings.Builder // by package and test
	// failures counts the failed tests of each package.
	failures map[string]int
}

func main() {
	s := summary{pending: map[string]*strings.Builder{}, failures: map[string]int{}}
	if err := s.read(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "testsummary:", err)
		os.Exit(1)
	}
	fmt.Fprintf(os.Stdout, "%d passed, %d failed, %d skipped\n", s.passed, s.failed, s.skipped)
	if s.failed > 0 || s.passed == 0 {
		os.Exit(1)
	}
}

func (s *summary) read(in io.Reader, out io.Writer) error {
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadString('\n')
		if line != "" {
			s.line(line, out)
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// line takes one line. What is no event (the command that make echoes) is passed on.
func (s *summary) line(line string, out io.Writer) {
	var e event
	if !strings.HasPrefix(line, "{") || json.Unmarshal([]byte(line), &e) != nil {
		fmt.Fprint(out, line)
		return
	}
	key := e.Package + " " + e.Test
	switch e.Action {
	case "output", "build-output":
		if e.Test == "" {
			if !noise(e.Output) {
				fmt.Fprint(out, e.Output)
			}
			return
		}
		if s.pending[key] == nil {
			s.pending[key] = &strings.Builder{}
		}
		s.pending[key].WriteString(e.Output)
	case "pass", "skip", "fail":
		s.result(e, key, out)
	}
}

func (s *summary) result(e event, key string, out io.Writer) {
	if e.Test == "" {
		// A package that does not build, or dies outside its tests, has no failed test of its own.
		if e.Action == "fail" && s.failures[e.Package] == 0 {
			s.failed++
		}
		return
	}
	switch e.Action {
	case "pass":
		s.passed++
	case "skip":
		s.skipped++
		fmt.Fprint(out, s.pending[key])
	case "fail":
		s.failed++
		s.failures[e.Package]++
		fmt.Fprint(out, s.pending[key])
	}
	delete(s.pending, key)
}

// noise reports whether a line is printed with -json only.
func noise(line string) bool { return line == "PASS\n" || strings.HasPrefix(line, "-test.shuffle ") }
