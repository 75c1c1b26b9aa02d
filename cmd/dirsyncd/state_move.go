package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"dirsyncd/cmd/dirsyncd/term"
	"dirsyncd/store"
	"dirsyncd/store/bolt"
	"dirsyncd/store/encoding"
	"dirsyncd/store/move"
	"dirsyncd/store/postgres"
	"dirsyncd/sync/config"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/settings"
)

func newMoveCommand(cli *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "move FROM TO",
		Short: "move the state from a file into a database, or back",
		Long: `Moves everything that a state holds to another place: numbers, what was sent
and what waits to be, what is parked, decisions, history. Nothing is read anew
or sent again. FROM and TO are each one of

  a path             a state file
  postgres://…       a database, with the schema dirsyncd. Its password comes
                     from the configuration if that has this URL at ` + "`state`" + `,
                     else from PGPASSWORD or ~/.pgpass
  a name in .yaml    what stands at ` + "`state`" + ` in that configuration file: a
                     database with its password and schema, or a path. The file
                     need have nothing else

Every daemon that has the state must be stopped, and TO have nothing in it.
FROM is verified first; then TO is read back, compared with it table by table,
and verified. Until that is done TO says of itself that it is being moved into,
and nobody else opens it. A move that was cut is begun anew by the same command.
At the end it says what to write in the configuration; nothing is deleted.

From then on FROM says of itself where it was moved, and no daemon or command
goes on with it: it would send again what is sent from TO. Moved back, TO takes
its place. ` + "`state reopen`" + ` goes on with it when TO is lost.

Exit codes: 0 moved and verified, 1 failed or FROM or TO is in use, 2 wrong
usage or configuration, or TO is not empty.`,
		Example: `  systemctl stop dirsyncd
  dirsyncd state move /var/lib/dirsyncd/state.db postgres://dirsyncd@db/dirsyncd
  dirsyncd state move /var/lib/dirsyncd/state.db /etc/dirsyncd/next.yaml
  dirsyncd state move /etc/dirsyncd/config.yaml /var/lib/dirsyncd/state.db`,
		Args: takes(2, 2, "the state that there is, and where it goes"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, stop := interruptible(cmd.Context())
			defer stop()
			return cli.move(ctx, args[0], args[1])
		},
	}
}

// moveReport says what was moved.
type moveReport struct {
	From       string            `json:"from"`
	To         string            `json:"to"`
	Partitions int               `json:"partitions"`
	Entries    uint64            `json:"entries"`
	Tables     map[string]uint64 `json:"tables"`
	Seconds    float64           `json:"seconds"`
	// Again is set when an earlier move into the same place had not come to its end; its remains were removed.
	Again *encoding.Moving `json:"again,omitempty"`
	// Replaced is set when the older state was there that had been moved to From.
	Replaced *encoding.Moved `json:"replaced,omitempty"`
	// Unmarked is why From could not be made to say that it was moved.
	Unmarked string `json:"unmarked,omitempty"`
}

func (cli *cli) move(ctx context.Context, fromArg, toArg string) error {
	began := cli.now()
	from, err := cli.statePlace(fromArg)
	if err != nil {
		return err
	}
	to, err := cli.statePlace(toArg)
	if err != nil {
		return err
	}
	if samePlace(from, to) {
		return &usageError{"FROM and TO are the same state: " + placeOf(from), "name the state that there is, and then where it goes"}
	}
	if err := cli.becomeOwnerOf(stateFile(to), stateFile(from)); err != nil {
		return err
	}
	source, err := openToExport(ctx, from)
	if err != nil {
		return err
	}
	defer func() { _ = source.Close() }()
	target, before, err := openToImport(ctx, to, encoding.Moving{From: placeOf(from), Began: began.UTC().Truncate(time.Second)})
	if err != nil {
		return err
	}
	defer func() { _ = target.Close() }()
	if before != nil {
		cli.err.Remark("dirsyncd: "+placeOf(to)+": a move from "+before.From+" had begun here and was cut: what it left was removed, and this one begins anew", "")
	}
	report, err := cli.watchMove(ctx, source, target)
	if err != nil {
		cli.err.Remark("dirsyncd: the move did not come to its end: "+placeOf(from)+" is as it was, and what is at "+placeOf(to)+" is nobody's until the same command begins it anew", "")
		return err
	}
	result := moveReport{
		From: placeOf(from), To: placeOf(to), Partitions: report.Partitions, Entries: report.Entries, Tables: report.Tables,
		Seconds: cli.now().Sub(began).Round(time.Millisecond).Seconds(), Again: before, Replaced: report.Replaced,
	}
	// Not by ctx: it is moved, whoever has lost patience.
	if err := source.MarkMoved(context.WithoutCancel(ctx), encoding.Moved{To: result.To, At: cli.now().UTC().Truncate(time.Second)}); err != nil {
		result.Unmarked = fault.Text(err)
		cli.err.Remark("dirsyncd: "+result.From+" was moved, and could not be made to say so: "+result.Unmarked, "start nothing on it any more, and remove it: nothing else keeps a daemon from sending from there again")
	}
	if cli.opts.json {
		return cli.out.JSON(result)
	}
	cli.showMove(result, from, to, toArg)
	return nil
}

// watchMove moves and shows how far that is.
func (cli *cli) watchMove(ctx context.Context, from move.From, to move.To) (move.Report, error) {
	line, log, stage := cli.progressLine(), cli.commandLogger(), ""
	defer line.Clear()
	return move.Run(ctx, from, to, func(p move.Progress) {
		if p.Stage != stage {
			stage = p.Stage
			log.Info("moving the state", "stage", stage)
		}
		line.Show(moveText(p))
	})
}

func moveText(p move.Progress) string {
	text := map[string]string{
		move.Checking: "checking the state that there is", move.Copying: "copying", move.Comparing: "reading back what was copied",
		move.Verifying: "checking the state that there is now",
	}[p.Stage]
	if p.Table != "" {
		text += ": " + p.Table
		if target, ok := p.Partition.Target(); ok {
			text += " of target " + target
		} else if p.Partition != (store.Partition{}) {
			text += " of " + place(p.Partition.Connection, p.Partition.Tenant, "")
		}
		text += ", " + term.Number(int(p.Done))
	}
	if p.Total > 0 {
		text += " of " + term.Number(int(p.Total))
	}
	return text
}

func (cli *cli) showMove(r moveReport, from, to *config.Config, toArg string) {
	cli.out.Line("%s: %s, %s entries", r.To, cli.out.Paint(term.Green, "moved and verified"), term.Number(int(r.Entries)))
	if isConfiguration(toArg) {
		cli.out.Line("Start dirsyncd with what %s has at `state`.", toArg)
	} else {
		cli.out.Line("Write in the configuration, and start dirsyncd:")
		cli.out.Line("  state: %s", to.StateName())
	}
	remove := "rm " + string(from.State)
	if from.Database != nil { // another one than the default may have what is somebody else's
		schema := identifier(schemaOf(from.Database))
		remove = "DROP SCHEMA IF EXISTS " + schema + ", " + identifier(schemaOf(from.Database)+workersSuffix) + " CASCADE, unless somebody else has something in " + schema
	}
	if r.Replaced != nil {
		cli.out.Para("", "What was moved from there before ("+r.Replaced.String()+") was older, and was removed.")
	}
	if r.Unmarked == "" {
		cli.out.Para("", fmt.Sprintf("%s has what it had, and says that it was moved: nothing starts on it any more.", r.From))
	}
	cli.out.Para("", "When you need it no longer: "+remove)
}

func newReopenCommand(cli *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "reopen PLACE",
		Short: "go on with a state that was moved away",
		Long: `A state that was moved says where to, and nothing goes on with it. This takes
that back, for when what it was moved to is lost or is not wanted: PLACE is as
it was when it was moved, and is named as in ` + "`state move`" + `. What was sent
from the other place since is not known here: it is read anew, and sent again
as far as it differs. Nothing may be started on the other place any more.

To go back with all that has happened since, move it back instead:
` + "`dirsyncd state move TO FROM`" + `.

Exit codes: 0 reopened, 1 failed or in use, 2 wrong usage or configuration, or
it was not moved.`,
		Example: `  dirsyncd state reopen /var/lib/dirsyncd/state.db`,
		Args:    takes(1, 1, "a state that was moved"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, stop := interruptible(cmd.Context())
			defer stop()
			return cli.reopen(ctx, args[0])
		},
	}
}

func (cli *cli) reopen(ctx context.Context, arg string) error {
	at, err := cli.statePlace(arg)
	if err != nil {
		return err
	}
	if err := cli.becomeOwnerOf(stateFile(at)); err != nil {
		return err
	}
	var was *encoding.Moved
	if at.Database != nil {
		was, err = postgres.Reopen(ctx, databaseOptions(at.Database, slog.New(slog.DiscardHandler)))
	} else {
		was, err = bolt.Reopen(ctx, string(at.State))
	}
	switch {
	case err != nil:
		return err
	case was == nil:
		return &usageError{placeOf(at) + " does not say that it was moved", "nothing was changed: dirsyncd can be started on it"}
	case cli.opts.json:
		return cli.out.JSON(struct {
			State string          `json:"state"`
			Was   *encoding.Moved `json:"was"`
		}{placeOf(at), was})
	}
	cli.out.Line("%s: %s, as it was when it was moved to %s", placeOf(at), cli.out.Paint(term.Green, "reopened"), was.String())
	cli.out.Para("", "Start nothing on the other one any more: what it has sent since is not known here, and is sent again.")
	return nil
}

// isConfiguration reports whether an argument names a configuration file.
func isConfiguration(arg string) bool {
	return slices.Contains([]string{".yaml", ".yml"}, strings.ToLower(filepath.Ext(arg))) && !strings.Contains(arg, "://")
}

// statePlace reads an argument that names a state.
func (cli *cli) statePlace(arg string) (*config.Config, error) {
	if isConfiguration(arg) {
		return config.StateOf(arg)
	}
	named, err := config.StateAt(arg)
	if err != nil || named.Database == nil {
		return named, err
	}
	if file, err := config.Find(cli.opts.config); err == nil {
		if cfg, err := config.StateOf(file); err == nil && cfg.Database != nil && cfg.Database.URL == named.Database.URL {
			return cfg, nil
		}
	}
	return named, nil
}

// stateFile is the file that has a state; empty for one in a database.
func stateFile(cfg *config.Config) settings.Path {
	if cfg.Database != nil {
		return ""
	}
	return cfg.State
}

// samePlace reports whether two name the same state, as far as the names say it. What else is the same is found in use.
func samePlace(a, b *config.Config) bool {
	if a.Database != nil || b.Database != nil {
		return a.Database != nil && b.Database != nil && a.Database.URL == b.Database.URL && schemaOf(a.Database) == schemaOf(b.Database)
	}
	if filepath.Clean(string(a.State)) == filepath.Clean(string(b.State)) {
		return true
	}
	one, err := os.Stat(string(a.State))
	other, failed := os.Stat(string(b.State))
	return err == nil && failed == nil && os.SameFile(one, other)
}

func schemaOf(d *config.Database) string {
	if d.Schema == "" {
		return postgres.DefaultSchema
	}
	return d.Schema
}

// placeOf names a state to people, with its schema if that is another than usual.
func placeOf(cfg *config.Config) string {
	if d := cfg.Database; d != nil && schemaOf(d) != postgres.DefaultSchema {
		return cfg.StateName() + ", schema " + d.Schema
	}
	return cfg.StateName()
}

// openToExport opens the state that there is.
func openToExport(ctx context.Context, cfg *config.Config) (s move.From, err error) {
	if cfg.Database != nil {
		s, err = postgres.OpenToExport(ctx, databaseOptions(cfg.Database, slog.New(slog.DiscardHandler)))
	} else {
		s, err = bolt.OpenToExport(string(cfg.State))
	}
	switch {
	case err == nil:
		return s, nil
	case isNone(err):
		err = &fault.Error{Class: fault.Configuration, Op: "move state", Where: placeOf(cfg), Err: errors.New("there is no state to be moved"),
			Hint: "the first argument is the state that there is, the second where it goes"}
	}
	return nil, err
}

// openToImport opens the place where it goes.
func openToImport(ctx context.Context, cfg *config.Config, m encoding.Moving) (s move.To, before *encoding.Moving, err error) {
	if cfg.Database != nil {
		s, before, err = postgres.OpenToImport(ctx, databaseOptions(cfg.Database, slog.New(slog.DiscardHandler)), m)
	} else {
		s, before, err = bolt.OpenToImport(ctx, string(cfg.State), m)
	}
	if err != nil {
		return nil, nil, err
	}
	return s, before, nil
}
