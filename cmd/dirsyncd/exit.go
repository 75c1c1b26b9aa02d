package main

import (
	"context"
	"errors"
	"fmt"

	"dirsyncd/cmd/dirsyncd/term"
	"dirsyncd/sync/api"
	"dirsyncd/sync/config"
	"dirsyncd/sync/fault"
)

// Exit codes. Where several hold, the worst wins: failed, then held, then parked.
const (
	exitClean  = 0
	exitFailed = 1 // a connection, a target or the command itself failed
	exitUsage  = 2 // the command line or the configuration is wrong
	exitHeld   = 3 // a plan waits for approval
	exitParked = 4 // finished, but something is parked
)

// exitCodesHelp stands in the help of the commands that use all of them.
const exitCodesHelp = `Exit codes: 0 clean, 1 a connection or target failed, 2 wrong usage or
configuration, 3 a plan is held or something at a target waits for you, 4
finished, but something is parked. Where several hold, 1 wins over 3, and 3
over 4.`

// exitStatus ends a command with a code that needs no message: the output said it all.
type exitStatus int

// Error implements error.
func (s exitStatus) Error() string { return fmt.Sprintf("exit status %d", int(s)) }

// usageError is a mistake on the command line.
type usageError struct{ text, hint string }

// Error implements error.
func (e *usageError) Error() string { return e.text }

// exitCode turns what a command returned into the exit code.
func exitCode(err error) int {
	var status exitStatus
	var usage *usageError
	var problems *config.Error
	switch {
	case err == nil:
		return exitClean
	case errors.As(err, &status):
		return int(status)
	case errors.As(err, &usage), errors.As(err, &problems):
		return exitUsage
	}
	switch fault.ClassOf(err) {
	case fault.Configuration, fault.Invalid:
		return exitUsage
	default:
		return exitFailed
	}
}

// complain prints an error as "dirsyncd: what: why" and what to do on a line of its own. Lines are not broken:
// others than people read them, too.
func (cli *cli) complain(err error) {
	var status exitStatus
	var usage *usageError
	var problems *config.Error
	switch {
	case err == nil, errors.As(err, &status):
	case errors.As(err, &problems):
		told := problems.Problems[:min(len(problems.Problems), mostProblems)]
		for _, p := range told {
			cli.err.Remark(problemText(p), p.Hint)
		}
		if more := len(problems.Problems) - len(told); more > 0 {
			cli.err.Remark("dirsyncd: "+term.Many(len(problems.Problems), "problem")+" in all, and "+term.Number(more)+" more than these", "`dirsyncd check --json` has them all")
		}
	case errors.As(err, &usage):
		cli.err.Remark("dirsyncd: "+usage.text, usage.hint)
	case errors.Is(err, context.Canceled):
		cli.err.Remark("dirsyncd: stopped", fault.Hint(err))
	default:
		cli.err.Remark("dirsyncd: "+fault.Text(err), cli.actingHint(err))
	}
}

// mostProblems is how many problems of a configuration are shown: one mistake may be made in thousands of connections, and
// what comes first is what one mends first.
const mostProblems = 50

// problemText is a problem without its hint, in the form that editors follow to the place.
func problemText(p config.Problem) string {
	p.Hint = ""
	return p.String()
}

// codeOf is the exit code for what came of runs and deliveries.
func codeOf(runs []api.Run, delivered []api.Delivery) int {
	failed, held, parked := false, false, false
	for _, r := range runs {
		failed = failed || r.Outcome == api.Failed
		held = held || r.Outcome == api.Held || r.Held != ""
		parked = parked || r.Outcome == api.Parked || r.Parked > 0
	}
	for _, d := range delivered {
		failed = failed || d.Error != ""
		parked = parked || d.Parked > 0
		held = held || waitsForYou(d.Waits) != ""
	}
	switch {
	case failed:
		return exitFailed
	case held:
		return exitHeld
	case parked:
		return exitParked
	default:
		return exitClean
	}
}

// finished turns a code into what a command returns.
func finished(code int) error {
	if code == exitClean {
		return nil
	}
	return exitStatus(code)
}
