package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"dirsyncd/cmd/dirsyncd/term"
	"dirsyncd/sync/api"
	"dirsyncd/sync/fault"
)

// matchFilter says which matches are meant.
type matchFilter struct{ kind, cause string }

func (f *matchFilter) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.kind, "kind", "", "only records of this `kind`")
	cmd.Flags().StringVar(&f.cause, "cause", "", "only those that wait for this `cause`")
}

func (f *matchFilter) of(all []api.Match) []api.Match {
	list := []api.Match{}
	for i := range all {
		if (f.kind == "" || all[i].Kind == f.kind) && (f.cause == "" || all[i].Cause == f.cause) {
			list = append(list, all[i])
		}
	}
	return list
}

// bulk is a decision about many matches.
type bulk struct {
	matchFilter
	all     bool
	from    string // a file
	verdict string
	beside  bool // make them
}

func (b *bulk) flags(cmd *cobra.Command) {
	b.matchFilter.flags(cmd)
	cmd.Flags().BoolVar(&b.all, "all", false, "all that wait at the target that is named, or at all targets")
	cmd.Flags().StringVar(&b.from, "from", "", "a CSV `file` of lines ID,CANDIDATE; - is the standard input")
}

func (b *bulk) asked() bool { return b.all || b.from != "" }

// decisions are what is said of those that wait. Those of which it is not clear are counted only.
func (b *bulk) decisions(waiting []api.Match) (list []api.MatchDecision, unclear int, err error) {
	chosen := map[string]string{}
	if b.from != "" {
		if chosen, err = readDecisions(b.from); err != nil {
			return nil, 0, err
		}
	}
	for _, m := range b.of(waiting) {
		candidate, named := chosen[m.ID]
		if b.from != "" && !named {
			continue
		}
		delete(chosen, m.ID)
		by := api.MatchDecision{ID: m.ID, Verdict: b.verdict, Fingerprint: m.Fingerprint, Candidate: candidate}
		if b.verdict == "accept" {
			doing := m.Cause == "leaving" || m.Cause == "return"
			switch {
			case b.beside && !doing, candidate == "new":
				by.Verdict, by.Candidate = "new", ""
			case doing || candidate != "":
			case len(m.Candidates) == 1:
				by.Candidate = m.Candidates[0].ID
			default:
				unclear++
				continue
			}
		}
		list = append(list, by)
	}
	for id := range chosen {
		return nil, 0, &usageError{"nothing waits as " + id, "it may have become clear by itself; `dirsyncd match list` shows what waits"}
	}
	return list, unclear, nil
}

// readDecisions reads lines ID,CANDIDATE. A first line that names the columns is passed over.
func readDecisions(file string) (map[string]string, error) {
	in := io.Reader(os.Stdin)
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, &fault.Error{Class: fault.Configuration, Op: "read decisions", Err: err}
		}
		defer func() { _ = f.Close() }()
		in = f
	}
	r := csv.NewReader(in)
	r.FieldsPerRecord = -1
	r.TrimLeadingSpace = true
	list := map[string]string{}
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return list, nil
		}
		if err != nil {
			return nil, &usageError{fmt.Sprintf("%s: %v", file, err), "write lines ID,CANDIDATE"}
		}
		id := strings.TrimSpace(row[0])
		if id == "" || strings.EqualFold(id, "id") {
			continue
		}
		if !strings.Contains(id, ":") {
			line, _ := r.FieldPos(0)
			return nil, &usageError{fmt.Sprintf("%s:%d: %q is no id of a match", file, line, id), "`dirsyncd match list` shows the ids"}
		}
		list[id] = ""
		if len(row) > 1 {
			list[id] = strings.TrimSpace(row[1])
		}
	}
}

// decideMany tells what a human says of many matches. What has changed since it was listed is asked again, and stops nobody else.
func (cli *cli) decideMany(ctx context.Context, ops api.Operations, b *bulk, args []string) error {
	waiting, err := ops.Matches(ctx, strings.Join(args, ""))
	if err != nil {
		return err
	}
	list, left, err := b.decisions(waiting)
	if err != nil {
		return err
	}
	done := []string{}
	for _, by := range list {
		who, err := ops.Decide(ctx, by)
		switch class := fault.ClassOf(err); {
		case err == nil:
			done = append(done, who)
		case class == fault.Conflict || class == fault.Invalid || class == fault.Gone:
			left++
			cli.err.Line("%s: %s", by.ID, fault.Text(err))
		default:
			return err
		}
	}
	if cli.opts.json {
		if err := cli.out.JSON(map[string]any{"subjects": done, "verdict": b.verdict, "left": left}); err != nil {
			return err
		}
	} else {
		cli.out.Line("%s decided, %s still to be decided", term.Number(len(done)), term.Number(left))
		if left > 0 {
			cli.out.Hint("`dirsyncd match list` shows them, `dirsyncd match show ID` why")
		}
	}
	if left > 0 {
		return exitStatus(exitHeld)
	}
	return nil
}
