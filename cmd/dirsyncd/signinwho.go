package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"dirsyncd/cmd/dirsyncd/term"
	"dirsyncd/sync/api"
	"dirsyncd/sync/signin/keyring"
)

func newSigninWhoCommand(cli *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "who PROVIDER KIND=VALUE...",
		Short: "say whom somebody would be who comes by a provider",
		Long: `Says whom somebody would be who comes by a provider, from what is stored,
without a browser: which record, found by what, and which applications would let
them in; else why not and what to do. KIND is id (of an object in a directory),
tenant (its tenant's id), mail (as if the provider had verified it), login, or
another field of match. Links are not followed, what require asks for is not
looked at, and nothing is changed.

Exit codes: 0 they would be in, 1 they would be refused or it failed, 2 wrong
usage or configuration.`,
		Example: `  dirsyncd signin who staff mail=ada@example.com
  dirsyncd signin who staff id=0d1f3c5a-0000-4000-8000-000000000001
  dirsyncd signin who customers id=0d1f3c5a-0000-4000-8000-000000000001 \
    tenant=aaaaaaaa-0000-4000-8000-000000000001 --json | jq .reason`,
		Args: takes(2, 10, "the name of a provider, and what it would say as KIND=VALUE"),
	}
	cmd.RunE = cli.with(toRead, func(ctx context.Context, ops api.Operations, args []string) error {
		req := api.SigninWhoRequest{Provider: args[0], Says: make(map[string]string)}
		for _, arg := range args[1:] {
			kind, value, ok := strings.Cut(arg, "=")
			if !ok || kind == "" || value == "" {
				return &usageError{fmt.Sprintf("%q is no KIND=VALUE", arg), "write such as mail=ada@example.com"}
			}
			if _, twice := req.Says[kind]; twice {
				return &usageError{fmt.Sprintf("%s is given twice", kind), "give each kind once"}
			}
			req.Says[kind] = value
		}
		found, err := ops.SigninWho(ctx, req)
		if err != nil {
			return err
		}
		if cli.opts.json {
			err = cli.out.JSON(found)
		} else {
			cli.showWho(&found)
		}
		if err == nil && found.Reason != "" {
			return exitStatus(exitFailed)
		}
		return err
	})
	return cmd
}

func (cli *cli) showWho(found *api.SigninWho) {
	out := cli.out
	if found.Reason == "" {
		out.Mark(term.Green, "  OK    ", fmt.Sprintf("%s, found by %s", found.Record, found.By))
		apps := "no application takes them by this provider"
		if len(found.Apps) > 0 {
			apps = "would be in at " + strings.Join(found.Apps, ", ")
		}
		out.Para("  ", apps)
	} else {
		out.Mark(term.Red, "  REFUSED ", found.Reason+": "+found.Detail)
		if found.Hint != "" {
			out.Para("  → ", found.Hint)
		}
	}
	if found.Object != "" {
		out.Para("  ", "found: "+found.Object)
	}
	cli.showChecks(found.Checks)
}

// showChecks says what was looked at.
func (cli *cli) showChecks(checks []api.SigninCheck) {
	for _, c := range checks {
		text := c.Name
		if c.Found != "" {
			text += ": " + c.Found
		}
		if c.OK {
			cli.out.Mark(term.Green, "  ok    ", text)
		} else {
			cli.out.Mark(term.Yellow, "  no    ", text)
		}
	}
}

func newSigninLinksCommand(cli *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "links [WHO]",
		Short: "list who was found to be whom, and stays so",
		Long: `Lists links: who signed in once under something that a provider never gives to
anybody else stays who they were found to be, whatever their mail address is
later. WHO is the key of a record, an object at its source, or a link.

Exit codes: 0 listed, 1 failed, 2 wrong usage or configuration.`,
		Example: `  dirsyncd signin links
  dirsyncd signin links hq-ad/1 --json`,
		Args: takes(0, 1, "one person"),
	}
	cmd.RunE = cli.with(toRead, func(ctx context.Context, ops api.Operations, args []string) error {
		list, err := ops.SigninLinks(ctx, strings.Join(args, ""))
		if err != nil {
			return err
		}
		if cli.opts.json {
			return cli.out.JSON(append([]api.SigninLink{}, list...))
		}
		if len(list) == 0 {
			cli.out.Line("there are no links")
			return nil
		}
		t := &term.Table{Columns: []term.Column{term.Left("LINK"), term.Left("PROVIDER"), term.Shrink("WHO"), term.Shrink("OBJECT"), term.Left("SINCE")}}
		for _, l := range list {
			t.Add(l.ID, orDash(l.Provider), orDash(l.Record), l.Object, cli.ago(l.Since))
		}
		cli.out.Table(t)
		return nil
	})
	return cmd
}

func newSigninUnlinkCommand(cli *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "unlink WHO",
		Short: "forget who somebody was found to be",
		Long: `Forgets links: the key of a record, an object at its source, or one link. At the
next sign-in the person is looked for anew, by what the provider says then. Who
is signed in stays so: signin end ends that.

Exit codes: 0 forgotten, 1 failed, 2 wrong usage, or there is no such link.`,
		Example: `  dirsyncd signin unlink 5f1c09ab77d2
  dirsyncd signin unlink hq-ad/1 && dirsyncd signin end hq-ad/1`,
		Args: takes(1, 1, "one person or link"),
	}
	cmd.RunE = cli.with(toMark, func(ctx context.Context, ops api.Operations, args []string) error {
		n, err := ops.Unlink(ctx, args[0])
		if err != nil {
			return err
		}
		if cli.opts.json {
			err = cli.out.JSON(map[string]int{"forgotten": n})
		} else if n > 0 {
			cli.out.Line("forgot %s", term.Many(n, "link"))
		}
		if err == nil && n == 0 {
			return &usageError{fmt.Sprintf("nothing links anybody to %s", args[0]), "`dirsyncd signin links` lists what does"}
		}
		return err
	})
	return cmd
}

func newSigninKeysCommand(cli *cli) *cobra.Command {
	var now bool
	cmd := &cobra.Command{
		Use:   "keys [rotate | new]",
		Short: "list the keys that sign identity tokens, or make new ones",
		Long: `Lists the keys of identity tokens that are published for applications: the one
that signs, the next one, and former ones whose tokens still count. They change
by themselves every 90 days.

rotate makes the next key before its time. It is published at once and signs in
a day, so that every application knows it by then. With --now it signs at once
and the former ones are forgotten: for a key that somebody else has.

new writes the text of new keys to the output, for signin.keys: {credential: …}.
A file needs none: it is made when sign-in starts for the first time.

Exit codes: 0 done, 1 failed, 2 wrong usage or configuration.`,
		Example: `  dirsyncd signin keys
  dirsyncd signin keys rotate --json
  (umask 077; dirsyncd signin keys new > signin.keys)`,
		Args: takes(0, 1, "rotate or new"),
	}
	keys := func(need access, req *api.SigninKeysRequest) func(*cobra.Command, []string) error {
		return cli.with(need, func(ctx context.Context, ops api.Operations, _ []string) error {
			return cli.listKeys(ctx, ops, req)
		})
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		word := strings.Join(args, "")
		switch {
		case now && word != "rotate":
			return misused(cmd, "--now is for rotate")
		case word == "":
			return keys(toRead, &api.SigninKeysRequest{})(cmd, args)
		case word == "rotate":
			return keys(toMark, &api.SigninKeysRequest{Rotate: true, Now: now})(cmd, args)
		case word == "new":
			return cli.writeKeys()
		}
		return misused(cmd, fmt.Sprintf("%q is neither rotate nor new", word))
	}
	cmd.Flags().BoolVar(&now, "now", false, "with rotate: it signs at once, and the former ones are forgotten")
	return cmd
}

func (cli *cli) listKeys(ctx context.Context, ops api.Operations, req *api.SigninKeysRequest) error {
	list, err := ops.SigninKeys(ctx, *req)
	if err != nil {
		return err
	}
	if cli.opts.json {
		return cli.out.JSON(append([]api.SigninKey{}, list...))
	}
	t := &term.Table{Columns: []term.Column{term.Left("KEY"), term.Left("CREATED"), term.Left("STATE")}}
	for _, k := range list {
		t.Add(k.ID, cli.ago(k.Created), k.State)
	}
	cli.out.Table(t)
	return nil
}

// writeKeys writes new keys, which nobody has seen before.
func (cli *cli) writeKeys() error {
	text, err := keyring.New(time.Now)
	if err != nil {
		return err
	}
	if cli.opts.json {
		return cli.out.JSON(map[string]string{"keys": string(text)})
	}
	cli.out.Line("%s", strings.TrimRight(string(text), "\n"))
	return nil
}
