package main

import (
	"fmt"
	"testing"
)

func TestParseRow(t *testing.T) {
	const row = "%-40s %8.3fs %8.2fs %10s %7d %8d %9s %9d %8d %9d %9.0f\n"
	for _, rate := range []string{"", "12900"} {
		step, f, ok := parseRow(fmt.Sprintf(row, "delta of 100 changes", 0.141, 0.17, rate, 3, 100, rate, 12, 47, 128, 922.0))
		if !ok || step != "delta of 100 changes" || f != (figures{0.141, 0.17, 47, 128}) {
			t.Errorf("%q, %+v, %v", step, f, ok)
		}
	}
	for _, line := range []string{"", "go1.26.8, 2 CPUs, 2026-11-29, load 1.00 1.00 1.00", fmt.Sprintf("%-40s %9s %9s", "what", "time", "CPU"),
		"state 922 MiB, journal 400 MiB, memory at most 100 MiB of our own, 221 MiB with mapped pages of the state file"} {
		if step, f, ok := parseRow(line); ok {
			t.Errorf("%q is taken as %q, %+v", line, step, f)
		}
	}
}
