package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"dirsyncd/sync/config"
	"dirsyncd/sync/control"
	"dirsyncd/sync/spelling"
)

// options are the flags that every command takes.
type options struct {
	config  string // as given; empty: look in the usual places
	control string // socket of the daemon; empty: as the configuration says
	json    bool
	verbose bool
}

// shell is what all commands share: where they write, and the doors to the rest of the program.
type shell struct {
	opts     options
	out, err *printer
	now      func() time.Time
	zone     *time.Location // in which times are shown

	load func(file string) (*config.Config, error)
	// openLocal opens the state for work, and begins it when there is none; readLocal only reads one that is there.
	openLocal func(context.Context, *config.Config, *slog.Logger) (control.Operations, func(), error)
	readLocal func(context.Context, *config.Config, *slog.Logger) (control.Operations, func(), error)
	probe     func(context.Context, *config.Config) ([]probeResult, error)
	daemon    func(context.Context, launch) error
}

func newShell(out, err io.Writer) *shell {
	return &shell{
		out: newPrinter(out), err: newPrinter(err), now: time.Now, zone: time.Local,
		load:      func(file string) (*config.Config, error) { return config.Load(file, configParts()) },
		openLocal: openLocal, readLocal: readLocal, probe: probe, daemon: runDaemon,
	}
}

// execute runs a command line and returns the exit code.
func execute(ctx context.Context, sh *shell, args []string) int {
	root := newRoot(sh)
	root.SetArgs(args)
	root.SetOut(sh.out.w)
	root.SetErr(sh.err.w)
	root.InitDefaultCompletionCmd()
	if cmd, _, err := root.Find([]string{"completion"}); err == nil {
		asGroup(cmd)
	}
	err := root.ExecuteContext(ctx)
	if err == nil {
		err = sh.out.err // a full disk or a closed pipe must not pass for success
	}
	sh.complain(err)
	return exitCode(err)
}

func newRoot(sh *shell) *cobra.Command {
	root := &cobra.Command{
		Use:   "dirsyncd",
		Short: "keep directories and service desks in step",
		Long: `dirsyncd reads people, groups and licences from directories on a schedule, works
out what changed, maps it by your rules to users, agents and groups of a service
desk, and delivers the changes.

Every command works alone and, when the daemon runs, through the daemon.`,
		Example: `  dirsyncd check --probe      is the configuration right, do the sources answer?
  dirsyncd plan               what would a sync do?
  dirsyncd sync               do it once
  dirsyncd run                do it on schedule
  dirsyncd status             how is everything?`,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	flags := root.PersistentFlags()
	flags.StringVar(&sh.opts.config, "config", "",
		"configuration `file` (default: config.yaml, else /etc/dirsyncd/config.yaml)")
	flags.StringVar(&sh.opts.control, "control", "",
		"`socket` of the daemon (default: as the configuration says)")
	flags.BoolVar(&sh.opts.json, "json", false, "write JSON")
	flags.BoolVarP(&sh.opts.verbose, "verbose", "v", false, "log to stderr what is done")
	_ = root.MarkPersistentFlagFilename("config", "yaml", "yml")
	root.SetFlagErrorFunc(wrongFlag)
	root.CompletionOptions.SetDefaultShellCompDirective(cobra.ShellCompDirectiveNoFileComp)
	root.SetUsageTemplate(usageTemplate(root.UsageTemplate()))
	root.Version = buildOf(version).Version
	root.SetVersionTemplate("dirsyncd {{.Version}}\n")
	asGroup(root)
	root.AddCommand(
		newRunCommand(sh), newSyncCommand(sh), newPlanCommand(sh), newApproveCommand(sh), newDiscardCommand(sh),
		newCheckCommand(sh), newStatusCommand(sh), newRunsCommand(sh), newWhyCommand(sh), newParkedCommand(sh), newStateCommand(sh),
		newRulesCommand(sh), newDemoCommand(sh), newVersionCommand(sh),
	)
	return root
}

// usageTemplate keeps help within the usual width, and does not offer groups of commands as commands.
func usageTemplate(usual string) string {
	return strings.NewReplacer(
		".FlagUsages ", fmt.Sprintf(".FlagUsagesWrapped %d ", defaultWidth),
		"{{if .Runnable}}", "{{if and .Runnable (not .HasAvailableSubCommands)}}",
	).Replace(usual)
}

// asGroup makes a command that only has others below it: alone it shows its help, with anything else it
// complains.
func asGroup(cmd *cobra.Command) {
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		text := fmt.Sprintf("%q has no command %q", cmd.CommandPath(), args[0])
		cmd.SuggestionsMinimumDistance = 2
		if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
			return &usageError{text, fmt.Sprintf("did you mean %s?", strings.Join(near, " or "))}
		}
		return misused(cmd, text)
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
}

// wrongFlag complains about a flag, and names the one that was probably meant.
func wrongFlag(cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	if errors.As(err, &unknown) && len(unknown.GetSpecifiedName()) > 1 {
		var names []string
		cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, "--"+f.Name) })
		if hint := spelling.DidYouMean("--"+unknown.GetSpecifiedName(), names, ""); hint != "" {
			return &usageError{err.Error(), hint}
		}
	}
	return misused(cmd, err.Error())
}

// takes checks the number of arguments; what names them in the complaint. A negative most is any number.
func takes(least, most int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < least:
			return misused(cmd, fmt.Sprintf("%s needs %s", cmd.Name(), what))
		case most == 0 && len(args) > 0:
			return misused(cmd, fmt.Sprintf("%s takes no argument, got %q", cmd.Name(), args[0]))
		case most >= 0 && len(args) > most:
			return misused(cmd, fmt.Sprintf("%s takes %s, got also %q", cmd.Name(), what, args[most]))
		}
		return nil
	}
}

func misused(cmd *cobra.Command, text string) error {
	return &usageError{text, fmt.Sprintf("`%s --help` shows how it is used", cmd.CommandPath())}
}

// loadConfig finds and loads the configuration.
func (sh *shell) loadConfig() (*config.Config, error) {
	file, err := config.Find(sh.opts.config)
	if err != nil {
		return nil, err
	}
	return sh.load(file)
}

// newLogger makes the logger of a configuration, whose level can be changed: text where somebody watches, JSON where a
// machine does.
func newLogger(cfg config.Log, w *printer) (*slog.Logger, *slog.LevelVar) {
	level := new(slog.LevelVar)
	level.Set(cfg.Level.Slog())
	opts := &slog.HandlerOptions{Level: level, ReplaceAttr: logAttr}
	if cfg.Format == "json" || cfg.Format == "auto" && !w.terminal {
		return slog.New(slog.NewJSONHandler(w.w, opts)), level
	}
	return slog.New(slog.NewTextHandler(w.w, opts)), level
}

// commandLogger is the log of a command that works alone. Its output says what matters.
func (sh *shell) commandLogger() *slog.Logger {
	if !sh.opts.verbose {
		return quiet()
	}
	return slog.New(slog.NewTextHandler(sh.err.w, &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: logAttr}))
}
