package main

import (
	"fmt"
	"time"

	"dirsyncd/sync/settings/strict"
)

// momentHelp says how a moment is written on the command line.
const momentHelp = `2026-01-31, "2026-01-31 08:15", 2026-01-31T08:15:00Z, or how long ago: 90m, 24h, 7d`

// pastTime reads a time as a person writes it: a date or a time of day of this machine, RFC 3339, or how long ago it was. What is yet to
// come is refused: of that nobody knows anything.
func (cli *cli) pastTime(text string) (time.Time, error) {
	at, err := cli.timeOf(text)
	if err == nil && at.After(cli.now()) {
		return at, &usageError{fmt.Sprintf("%q is yet to come", text), momentHelp}
	}
	return at, err
}

func (cli *cli) timeOf(text string) (time.Time, error) {
	for _, layout := range []string{"2006-01-02", "2006-01-02 15:04", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02T15:04:05"} {
		if at, err := time.ParseInLocation(layout, text, cli.zone); err == nil {
			return at, nil
		}
	}
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at, nil
	}
	if ago, err := strict.ParseDuration(text); err == nil {
		return cli.now().Add(-ago), nil
	}
	return time.Time{}, &usageError{fmt.Sprintf("%q is no time", text), momentHelp}
}
