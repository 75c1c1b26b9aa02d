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

	"dirsyncd/cmd/dirsyncd/term"
	"dirsyncd/sync/api"
	"dirsyncd/sync/config"
	"dirsyncd/sync/service"
	"dirsyncd/sync/spelling"
)

// options are the flags that every command takes.
type options struct {
	config  string // as given; empty: look in the usual places
	control string // socket of the daemon; empty: as the configuration says
	json    bool
	verbose bool
	quiet   bool
}

// cli is what all commands share: where they write, and the doors to the rest of the program.
type cli struct {
	opts     options
	out, err *term.Printer
	now      func() time.Time
	zone     *time.Location // in which times are shown
	actsAs   string         // the user whose rights root has taken; see becomeOwner

	// parts are what a configuration can name.
	parts func() config.Parts
	// openLocal opens the state for work, and begins it when there is none; readLocal only reads one that is there.
	openLocal func(context.Context, *config.Config, *slog.Logger) (api.Operations, func(), error)
	readLocal func(context.Context, *config.Config, *slog.Logger) (api.Operations, func(), error)
	probe     func(context.Context, *config.Config) ([]api.ProbeResult, error)
	daemon    func(context.Context, service.Launch) error
	// completing is how long a completion waits for the daemon.
	completing time.Duration
}

func newCLI(out, err io.Writer) *cli {
	return &cli{
		out: term.New(out), err: term.New(err), now: time.Now, zone: time.Local,
		parts:     func() config.Parts { return parts().Config() },
		openLocal: openLocal, readLocal: readLocal, daemon: runDaemon, completing: completeTimeout,
		probe: func(ctx context.Context, cfg *config.Config) ([]api.ProbeResult, error) {
			worker, err := workerName(cfg)
			if err != nil {
				return nil, err
			}
			state := probeState(ctx, cfg)
			results, err := service.Probe(ctx, cfg, worker, parts())
			return append(state, results...), err
		},
	}
}

// execute runs a command line and returns the exit code.
func execute(ctx context.Context, cli *cli, args []string) int {
	root := newRoot(cli)
	root.SetArgs(args)
	root.SetOut(cli.out.W)
	root.SetErr(cli.err.W)
	root.InitDefaultCompletionCmd()
	if cmd, _, err := root.Find([]string{"completion"}); err == nil {
		asGroup(cmd)
	}
	err := root.ExecuteContext(ctx)
	if err == nil {
		err = cli.out.Err() // a full disk or a closed pipe must not pass for success
	}
	cli.complain(err)
	return exitCode(err)
}

func newRoot(cli *cli) *cobra.Command {
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
	flags.StringVar(&cli.opts.config, "config", "",
		"configuration `file` (default: config.yaml, else /etc/dirsyncd/config.yaml)")
	flags.StringVar(&cli.opts.control, "control", "",
		"`socket` of the daemon (default: as the configuration says)")
	flags.BoolVar(&cli.opts.json, "json", false, "write JSON")
	flags.BoolVarP(&cli.opts.verbose, "verbose", "v", false, "log to stderr what is done")
	flags.BoolVarP(&cli.opts.quiet, "quiet", "q", false, "sync, approve: write nothing when all went well")
	_ = root.MarkPersistentFlagFilename("config", "yaml", "yml")
	root.SetFlagErrorFunc(wrongFlag)
	root.CompletionOptions.SetDefaultShellCompDirective(cobra.ShellCompDirectiveNoFileComp)
	root.SetUsageTemplate(usageTemplate(root.UsageTemplate()))
	root.Version = buildOf(version).Version
	root.SetVersionTemplate("dirsyncd {{.Version}}\n")
	asGroup(root)
	root.AddCommand(
		newRunCommand(cli), newSyncCommand(cli), newPlanCommand(cli), newHeldCommand(cli), newApproveCommand(cli), newDiscardCommand(cli), newUndoCommand(cli),
		newCheckCommand(cli), newStatusCommand(cli), newRunsCommand(cli), newShowCommand(cli), newWhyCommand(cli), newParkedCommand(cli), newDecisionsCommand(cli), newResendCommand(cli), newEventsCommand(cli), newSigninCommand(cli), newNoticesCommand(cli),
		newAdoptCommand(cli), newMatchCommand(cli), newAuditCommand(cli), newStateCommand(cli), newDrainCommand(cli), newConfigCommand(cli),
		newRulesCommand(cli), newTablesCommand(cli), newTemplateCommand(cli), newPreviewCommand(cli), newDemoCommand(cli), newVersionCommand(cli),
	)
	return root
}

// usageTemplate keeps help within the usual width, and does not offer groups of commands as commands, but those that are annotated.
func usageTemplate(usual string) string {
	return strings.NewReplacer(
		".FlagUsages ", fmt.Sprintf(".FlagUsagesWrapped %d ", term.DefaultWidth),
		"{{if .Runnable}}", "{{if and .Runnable (or (not .HasAvailableSubCommands) .Annotations)}}",
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
func (cli *cli) loadConfig() (*config.Config, error) {
	file, err := config.Find(cli.opts.config)
	if err != nil {
		return nil, err
	}
	return config.Load(file, cli.parts())
}

// loadBlind is loadConfig for what needs no secret: those that this process cannot see may pass.
func (cli *cli) loadBlind() (*config.Config, error) {
	file, err := config.Find(cli.opts.config)
	if err != nil {
		return nil, err
	}
	p := cli.parts()
	p.Blind = true
	return config.Load(file, p)
}

// commandLogger is the log of a command that works alone. Its output says what matters.
func (cli *cli) commandLogger() *slog.Logger {
	if !cli.opts.verbose {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(cli.err.W, &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: logAttr}))
}
