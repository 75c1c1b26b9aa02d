package main

import (
	"time"

	"github.com/spf13/cobra"

	"dirsyncd/cmd/dirsyncd/term"
)

// latest is how much of a list is shown that has the newest first: the flags --since and -n.
type latest struct {
	since time.Duration
	most  int
}

// addTo adds the flags to a command, which refuses what they cannot be before it runs.
func (l *latest) addTo(cmd *cobra.Command, example string) {
	cmd.Flags().DurationVar(&l.since, "since", 0, "only those of so long a time, such as "+example)
	cmd.Flags().IntVarP(&l.most, "limit", "n", 20, "how many")
	cmd.PreRunE = func(cmd *cobra.Command, _ []string) error {
		if l.most < 1 || l.since < 0 {
			return misused(cmd, "-n must be at least 1, and --since a time such as 1h")
		}
		return nil
	}
}

// from is when it begins; zero for the beginning of all.
func (l *latest) from(now time.Time) time.Time {
	if l.since == 0 {
		return time.Time{}
	}
	return now.Add(-l.since)
}

// words are those of the time, for after "nobody has tried".
func (l *latest) words() string {
	if l.since == 0 {
		return ""
	}
	return " within the last " + term.Span(l.since)
}
