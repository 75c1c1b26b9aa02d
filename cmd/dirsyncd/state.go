package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"

	"dirsyncd/cmd/dirsyncd/term"
	"dirsyncd/store"
	"dirsyncd/store/bolt"
	"dirsyncd/store/move"
	"dirsyncd/store/postgres"
	"dirsyncd/sync/api"
	"dirsyncd/sync/fault"
)

func newStateCommand(cli *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "state",
		Short: "look after the state: backup, verify, move, rename, retire, …",
		Long: `The state file holds what was read, what the targets were told, and what waits
for them. It survives being killed at any moment; a backup is for a lost disk.

To go back to a backup: stop the daemon, put the backup in the place of the
state file, start the daemon. What happened since then is read again from the
sources, and sent again as far as the targets were told already.

A state in a PostgreSQL database is copied with pg_dump. ` + "`state move`" + ` brings one
from a file into a database, or back.`,
		Example: `  dirsyncd state backup /backup/dirsyncd-$(date +%F).db
  dirsyncd state verify
  dirsyncd state verify /backup/dirsyncd-2026-01-31.db
  dirsyncd state move /var/lib/dirsyncd/state.db postgres://dirsyncd@db/dirsyncd
  dirsyncd state rename corp-ldap hq-ldap
  dirsyncd state retire old-okta
  dirsyncd state grants | less`,
	}
	asGroup(cmd)
	cmd.AddCommand(newBackupCommand(cli), newVerifyCommand(cli), newMoveCommand(cli), newReopenCommand(cli), newRenameCommand(cli), newRetireCommand(cli), newGrantsCommand(cli))
	return cmd
}

// stateReport is what the two commands found.
type stateReport struct {
	File  string `json:"file"`
	Bytes int64  `json:"bytes"`
	OK    bool   `json:"ok"`
}

func newBackupCommand(cli *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "backup FILE",
		Short: "copy the state into a new file, also while the daemon runs",
		Long: `Copies the state, as it is at one moment, into a new file that only you can
read, and verifies the copy. It works with and without a running daemon and
stops nothing. Nothing is left at FILE when it fails.

Exit codes: 0 copied and verified, 1 failed, 2 wrong usage (there is no such
folder, or FILE is there already) or configuration.`,
		Example: `  dirsyncd state backup /backup/dirsyncd.db`,
		Args:    takes(1, 1, "the file to make"),
	}
	cmd.RunE = cli.with(toCopy, func(ctx context.Context, ops api.Operations, args []string) error {
		size, err := backup(ctx, ops, args[0])
		if err != nil {
			return err
		}
		return cli.showState(stateReport{File: args[0], Bytes: size, OK: true}, "copied and verified")
	})
	return cmd
}

// backup makes a verified copy of the state. The file gets its name only when it is whole and on the disk.
func backup(ctx context.Context, ops api.Operations, file string) (size int64, err error) {
	wrong := func(err error, hint string) error {
		return &fault.Error{Class: fault.Configuration, Op: "backup", Where: file, Err: err, Hint: hint}
	}
	if _, err := os.Lstat(file); err == nil {
		return 0, wrong(errors.New("there is something already"), "give the name of a new file")
	}
	f, err := os.CreateTemp(filepath.Dir(file), filepath.Base(file)+".part-*")
	if err != nil {
		return 0, noPlace(file, err)
	}
	defer func() { _ = os.Remove(f.Name()) }()
	err = ops.Backup(ctx, f)
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return 0, err
	}
	if size, err = verify(ctx, f.Name()); err != nil {
		return 0, err
	}
	if err := giveName(f.Name(), file, os.Link); err != nil {
		return 0, wrong(err, "")
	}
	return size, nil
}

// noPlace says why a file cannot be made. The error is about a name that nobody gave; it is left out.
func noPlace(file string, err error) error {
	e := &fault.Error{Class: fault.Internal, Op: "backup", Where: file, Err: err}
	var path *fs.PathError
	if errors.As(err, &path) {
		e.Err = path.Err
	}
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		e.Class, e.Err = fault.Configuration, fmt.Errorf("there is no folder %s", filepath.Dir(file))
		e.Hint = "create the folder, or name a file in one that is there"
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		e.Class, e.Hint = fault.Configuration, "name a file in a folder that you may write to"
	}
	return e
}

// giveName gives a whole file its name and takes nobody else's place: a link, unlike a rename, never does. Where the
// file system has no links (FAT, many network shares), the name is taken by an empty file first.
func giveName(whole, name string, link func(whole, name string) error) error {
	err := link(whole, name)
	if err == nil || errors.Is(err, fs.ErrExist) {
		return err
	}
	f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Close(), os.Rename(whole, name)); err != nil {
		_ = os.Remove(name)
		return err
	}
	return nil
}

func newVerifyCommand(cli *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "verify [FILE]",
		Short: "check that a state file, or a backup, is sound",
		Long: `Reads a state file from its beginning to its end and checks that everything in
it agrees. Without FILE it is the state of the configuration; while the daemon
runs, a copy of it. A database is read where it is. Nothing is changed.

Exit codes: 0 sound, 1 damaged or failed, 2 wrong usage or configuration.`,
		Example: `  dirsyncd state verify
  dirsyncd state verify /backup/dirsyncd.db`,
		Args: takes(0, 1, "a state file"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, stop := interruptible(cmd.Context())
			defer stop()
			report := stateReport{OK: true}
			var err error
			switch cfg, failed := cli.loadBlind(); {
			case len(args) == 1:
				report.File = args[0]
				report.Bytes, err = verify(ctx, args[0])
			case failed == nil && cfg.Database != nil:
				report.File = cfg.StateName()
				report.Bytes, err = cli.verifyDatabase(ctx)
			default:
				report.File, report.Bytes, err = cli.verifyPresent(ctx)
			}
			if err != nil {
				return err
			}
			return cli.showState(report, "sound")
		},
	}
}

// verifyPresent verifies the state of the configuration, or of the daemon that has it.
func (cli *cli) verifyPresent(ctx context.Context) (file string, size int64, err error) {
	ops, done, err := cli.connect(ctx, toCopy)
	if err != nil {
		return "", 0, err
	}
	defer done()
	st, err := ops.Status(ctx)
	if err != nil {
		return "", 0, err
	}
	dir, err := os.MkdirTemp("", "dirsyncd-verify-")
	if err != nil {
		return "", 0, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	size, err = backup(ctx, ops, filepath.Join(dir, "copy.db"))
	return st.State, size, err
}

// verifyDatabase verifies the state in the database of the configuration, whoever works on it. It returns how much room that takes.
func (cli *cli) verifyDatabase(ctx context.Context) (int64, error) {
	cfg, err := cli.loadConfig()
	if err != nil {
		return 0, err
	}
	opts := databaseOptions(cfg.Database, slog.New(slog.DiscardHandler))
	opts.ReadOnly = true
	st, err := postgres.Open(ctx, opts)
	if err != nil {
		return 0, err
	}
	defer func() { _ = st.Close() }()
	line := cli.progressLine()
	defer line.Clear()
	err = st.Check(ctx, func(p store.Progress) { line.Show(moveText(move.Progress{Stage: move.Checking, Progress: p})) })
	if err != nil {
		return 0, err
	}
	return st.Size(ctx)
}

// verify checks a file that nobody writes to and returns its size in bytes.
func verify(ctx context.Context, file string) (int64, error) {
	info, err := os.Stat(file)
	if err != nil {
		return 0, &fault.Error{Class: fault.Configuration, Op: "verify", Where: file, Err: err, Hint: "name a state file or a backup"}
	}
	return info.Size(), notAState(bolt.VerifyFile(ctx, file))
}

// notAState gives an error about a file that was named on the command line a hint for it, instead of the one about the
// configuration.
func notAState(err error) error {
	var e *fault.Error
	if !errors.As(err, &e) || e.Class != fault.Configuration {
		return err
	}
	named := *e
	named.Op, named.Hint = "verify", "name a state file or a backup"
	return &named
}

func (cli *cli) showState(r stateReport, word string) error {
	if cli.opts.json {
		return cli.out.JSON(r)
	}
	cli.out.Line("%s: %s, %s", r.File, cli.out.Paint(term.Green, word), fmt.Sprintf("%.1f MiB", float64(r.Bytes)/(1<<20)))
	return nil
}
