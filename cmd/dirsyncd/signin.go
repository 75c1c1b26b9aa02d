package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"dirsyncd/cmd/dirsyncd/term"
	"dirsyncd/sync/api"
	"dirsyncd/sync/config"
	"dirsyncd/sync/service"
	"dirsyncd/sync/spelling"
)

func newSigninCommand(cli *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "signin",
		Short: "look after sign-in: who tried, who is in, whether providers work",
		Long: `People sign in at providers of identity (signin: in the configuration), and
applications are told who they are. Whoever is refused sees a number: show says
what was looked at and what to do.`,
		Example: `  dirsyncd signin log --refused
  dirsyncd signin show K7QZ3MHT2ABC
  dirsyncd signin test staff
  dirsyncd signin who staff mail=ada@example.com
  dirsyncd signin end hq-ad/1`,
	}
	asGroup(cmd)
	cmd.AddCommand(newSigninLogCommand(cli), newSigninShowCommand(cli), newSigninTestCommand(cli), newSigninMetadataCommand(cli), newSigninSessionsCommand(cli), newSigninEndCommand(cli),
		newSigninWhoCommand(cli), newSigninLinksCommand(cli), newSigninUnlinkCommand(cli), newSigninKeysCommand(cli))
	return cmd
}

func newSigninLogCommand(cli *cli) *cobra.Command {
	var shown latest
	refused := false
	cmd := &cobra.Command{
		Use:   "log",
		Short: "list the latest attempts to sign in",
		Long: `Lists the latest attempts to sign in, the newest first. They are kept for
30 days.

Exit codes: 0 listed, 1 failed, 2 wrong usage or configuration.`,
		Example: `  dirsyncd signin log
  dirsyncd signin log --refused --since 1h
  dirsyncd signin log --json | jq -r '.[].reason' | sort | uniq -c`,
		Args: takes(0, 0, ""),
	}
	cmd.RunE = cli.with(toRead, func(ctx context.Context, ops api.Operations, _ []string) error {
		list, err := ops.SigninAttempts(ctx, api.SigninRequest{Refused: refused, Since: shown.from(cli.now()), Limit: shown.most})
		if err != nil {
			return err
		}
		if cli.opts.json {
			return cli.out.JSON(append([]api.SigninAttempt{}, list...))
		}
		if len(list) == 0 {
			what := "has tried to sign in"
			if refused {
				what = "was refused"
			}
			cli.out.Line("nobody %s%s", what, shown.words())
			return nil
		}
		t := &term.Table{Columns: []term.Column{term.Left("NUMBER"), term.Left("WHEN"), term.Left("PROVIDER"), term.Left("APP"), term.Shrink("WHO"), term.Left("OUTCOME")}}
		for i := range list {
			a := &list[i]
			t.Add(a.ID, cli.ago(a.At), a.Provider, orDash(a.App), orDash(a.Record), attemptOutcome(a))
		}
		cli.out.Table(t)
		return nil
	})
	cmd.Flags().BoolVar(&refused, "refused", false, "only those that were refused")
	shown.addTo(cmd, "1h")
	return cmd
}

func orDash(s string) string {
	if s == "" {
		return "–"
	}
	return s
}

func attemptOutcome(a *api.SigninAttempt) string {
	if a.Reason == "" {
		return "in, by " + a.By
	}
	return a.Reason
}

func newSigninShowCommand(cli *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "show NUMBER",
		Short: "what was looked at in one attempt, and what to do",
		Long: `Shows one attempt by the number that the person was shown: what the provider
said, what was checked, where was looked, and what to do about a refusal. Of
what the provider said only the names are kept.

Exit codes: 0 shown, 1 failed, 2 wrong usage or no such attempt.`,
		Example: `  dirsyncd signin show K7QZ3MHT2ABC
  dirsyncd signin show K7QZ3MHT2ABC --json | jq '.checks[] | select(.ok | not)'`,
		Args: takes(1, 1, "the number that the person was shown"),
	}
	cmd.RunE = cli.with(toRead, func(ctx context.Context, ops api.Operations, args []string) error {
		list, err := ops.SigninAttempts(ctx, api.SigninRequest{ID: strings.ToUpper(args[0])})
		if err != nil {
			return err
		}
		if len(list) != 1 {
			return &usageError{"no attempt has the number " + args[0], "`dirsyncd signin log` lists them"}
		}
		if cli.opts.json {
			return cli.out.JSON(list[0])
		}
		cli.showAttempt(&list[0])
		return nil
	})
	return cmd
}

func (cli *cli) showAttempt(a *api.SigninAttempt) {
	out := cli.out
	out.Line("%s, %s", out.Paint(term.Bold, a.ID), cli.ago(a.At))
	where := "at provider " + a.Provider
	if a.App != "" {
		where += ", for " + a.App
	}
	out.Para("  ", where)
	switch {
	case a.Reason == "":
		out.Mark(term.Green, "  OK    ", fmt.Sprintf("in as %s, found by %s, in %d ms", a.Record, a.By, a.Millis))
	default:
		text := a.Reason + ": " + a.Detail
		if a.Code != "" {
			text += " (" + a.Code + ")"
		}
		out.Mark(term.Red, "  REFUSED ", text)
		if a.Hint != "" {
			out.Para("  → ", a.Hint)
		}
		if a.Object != "" {
			out.Para("  ", "found: "+a.Object)
		}
	}
	cli.showChecks(a.Checks)
	if len(a.Claims) > 0 {
		out.Para("  ", "the provider said: "+strings.Join(a.Claims, ", "))
	}
}

// signinConfig loads the configuration and picks providers; all when none is named.
func (cli *cli) signinConfig(names []string) (*config.Config, []config.Identity, error) {
	if err := cli.becomeOwner(); err != nil {
		return nil, nil, err
	}
	cfg, err := cli.loadConfig()
	if err != nil {
		return nil, nil, err
	}
	if cfg.Signin == nil {
		return nil, nil, &usageError{"the configuration has no `signin:`", "docs/sign-in.md says what to write"}
	}
	if len(names) == 0 {
		return cfg, cfg.Signin.Providers, nil
	}
	var known []string
	for _, p := range cfg.Signin.Providers {
		if p.Name == names[0] {
			return cfg, []config.Identity{p}, nil
		}
		known = append(known, p.Name)
	}
	return nil, nil, &usageError{fmt.Sprintf("there is no provider %q", names[0]), spelling.Suggest(names[0], known)}
}

func newSigninTestCommand(cli *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "test [PROVIDER]",
		Short: "ask providers whether sign-in would work",
		Long: `Asks a provider, or all, for what it publishes: addresses, keys and when they
end, the difference of the clocks, and whether it knows us as far as that can be
asked. Nobody signs in. ` + "`dirsyncd check --probe`" + ` does it, too.

Exit codes: 0 good, 1 something is not, 2 wrong usage or configuration.`,
		Example: `  dirsyncd signin test
  dirsyncd signin test staff --json`,
		Args: takes(0, 1, "the name of one provider"),
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		cfg, providers, err := cli.signinConfig(args)
		if err != nil {
			return err
		}
		ctx, stop := interruptible(cmd.Context())
		defer stop()
		results, err := service.ProbeIdentities(ctx, cfg, providers, parts())
		if err != nil {
			return err
		}
		if cli.opts.json {
			err = cli.out.JSON(results)
		} else {
			cli.showProbe(results)
		}
		if err == nil && !probeOK(results) {
			return exitStatus(exitFailed)
		}
		return err
	}
	return cmd
}

func newSigninMetadataCommand(cli *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "metadata PROVIDER",
		Short: "what the provider has to know of us",
		Long: `Prints what is registered at a provider: the metadata of a service provider for
SAML, the addresses for OpenID Connect.

Exit codes: 0 printed, 1 failed, 2 wrong usage or configuration.`,
		Example: `  dirsyncd signin metadata partner > sp.xml
  dirsyncd signin metadata staff`,
		Args: takes(1, 1, "the name of one provider"),
	}
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		cfg, providers, err := cli.signinConfig(args)
		if err != nil {
			return err
		}
		text, err := service.Registration(cfg, providers[0], parts())
		if err != nil {
			return err
		}
		if cli.opts.json {
			return cli.out.JSON(map[string]string{"provider": providers[0].Name, "metadata": text})
		}
		cli.out.Line("%s", strings.TrimRight(text, "\n"))
		return nil
	}
	return cmd
}

func newSigninSessionsCommand(cli *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "sessions [WHO]",
		Short: "list who is signed in",
		Long: `Lists who is signed in, or the sessions of one person: the key of a record, the
object at its source, or the number of an attempt.

Exit codes: 0 listed, 1 failed, 2 wrong usage or configuration.`,
		Example: `  dirsyncd signin sessions
  dirsyncd signin sessions hq-ad/1`,
		Args: takes(0, 1, "one person"),
	}
	cmd.RunE = cli.with(toRead, func(ctx context.Context, ops api.Operations, args []string) error {
		who := ""
		if len(args) > 0 {
			who = args[0]
		}
		list, err := ops.SigninSessions(ctx, who)
		if err != nil {
			return err
		}
		if cli.opts.json {
			return cli.out.JSON(append([]api.SigninSession{}, list...))
		}
		if len(list) == 0 {
			cli.out.Line("nobody is signed in")
			return nil
		}
		t := &term.Table{Columns: []term.Column{term.Shrink("WHO"), term.Left("PROVIDER"), term.Left("AT"), term.Left("SINCE"), term.Left("UNTIL"), term.Left("NUMBER")}}
		for _, s := range list {
			host := s.Host
			if host == "" {
				host = "(sign-in)"
			}
			t.Add(s.Record, s.Provider, host, cli.ago(s.Since), s.Ends.In(cli.zone).Format("2006-01-02 15:04"), s.Attempt)
		}
		cli.out.Table(t)
		return nil
	})
	return cmd
}

func newSigninEndCommand(cli *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "end WHO",
		Short: "end the sessions of somebody",
		Long: `Ends all sessions of one person: the key of a record, the object at its source,
or the number of an attempt. They can sign in again; disable the account at its
source against that.

Exit codes: 0 ended, 1 failed, 2 wrong usage, or nobody like that is signed in.`,
		Example: "  dirsyncd signin end hq-ad/1",
		Args:    takes(1, 1, "one person"),
	}
	cmd.RunE = cli.with(toMark, func(ctx context.Context, ops api.Operations, args []string) error {
		n, err := ops.EndSessions(ctx, args[0])
		if err != nil {
			return err
		}
		if cli.opts.json {
			err = cli.out.JSON(map[string]int{"ended": n})
		} else if n > 0 {
			cli.out.Line("ended %s", term.Many(n, "session"))
		}
		if err == nil && n == 0 {
			return &usageError{fmt.Sprintf("%s is not signed in", args[0]), "`dirsyncd signin sessions` lists who is"}
		}
		return err
	})
	return cmd
}
