package main

import (
	"fmt"

	"dirsyncd/cmd/dirsyncd/term"
	"dirsyncd/sync/api"
)

// showAtTargets says what the record is at targets that have things of their own.
func (cli *cli) showAtTargets(r *api.Reason) {
	for _, at := range r.Targets {
		text := "at " + at.Target + ": "
		switch {
		case at.State == "dead":
			text += fmt.Sprintf("was %s, which is gone", at.ID)
		case at.ID != "":
			text += fmt.Sprintf("%s, %s", at.ID, at.Owner)
			if at.Inactive {
				text += ", out of use"
			}
			text += ", last written " + cli.ago(at.Written)
		default:
			text += "nothing yet"
		}
		cli.out.Para("  ", text)
		if at.Cause != "" {
			cli.out.ParaStyled(term.Yellow, "    ", fmt.Sprintf("waits (%s): %s", at.Cause, at.Waits))
		}
		if at.Initial {
			cli.out.Para("    ", "what waits comes of a first sync: nobody is welcomed for it")
		}
	}
}
