package main

import (
	"dirsyncd/cmd/dirsyncd/term"
	"dirsyncd/sync/api"
)

// progressLine shows on a terminal how far an operation is.
type progressLine struct{ *term.Progress }

func (cli *cli) progressLine() progressLine { return progressLine{term.NewProgress(cli.err, cli.now)} }

// step shows how far an operation is.
func (l progressLine) step(s api.Progress) {
	text := stageWord(s.Stage)
	if s.Connection != "" {
		text = place(s.Connection, s.Tenant, "") + ": " + text
	}
	if s.Stream != "" {
		text += " " + s.Stream
	}
	if s.Done > 0 || s.Total > 0 {
		text += ", " + term.Number(s.Done)
	}
	if s.Total > 0 {
		text += " of " + term.Number(s.Total)
	}
	l.Show(text)
}

func stageWord(stage string) string {
	switch stage {
	case "read":
		return "reading"
	case "settle":
		return "applying rules"
	case "retry":
		return "trying again"
	case "deliver":
		return "delivering"
	default:
		return stage
	}
}
