package main

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"dirsyncd/store"
	"dirsyncd/store/bolt"
	"dirsyncd/sync/api"
	"dirsyncd/sync/config"
	"dirsyncd/sync/service"
)

// access is what a command needs of the state where no daemon runs. Only what reads the sources for good may begin a
// state: a file that a question left on a bare mount point, or at a mistyped path, would pass for the real one.
type access int

const (
	toRead   access = iota // looks, also at nothing
	toCopy                 // looks at a state that must be there
	toAsk                  // looks, also at nothing, and asks the sources
	toMark                 // works on a state, if there is one, and asks nobody else
	toChange               // works on a state, if there is one
	toBegin                // works on a state, and begins it when there is none
)

// needsSecrets reports whether anybody else than the state is asked.
func (a access) needsSecrets() bool { return a == toAsk || a == toChange || a == toBegin }

// What is said of a state that is not there.
const (
	newState     = "the state file did not exist: a new one was begun; every object will be created anew at the targets"
	hintNewState = "right for a first sync. If there should be one, stop now: is `state` in the configuration right, and its disk mounted? " +
		"Or put a backup in its place"
	noState     = "there is no state yet at "
	hintNoState = "right before a first sync; `dirsyncd sync` or the daemon begins it. If there should be one: is `state` in the configuration right, and its disk mounted?"
)

// local opens the program for one command, when no daemon runs.
func (cli *cli) local(ctx context.Context, cfg *config.Config, need access) (api.Operations, func(), error) {
	log, file := cli.commandLogger(), string(cfg.State)
	switch need {
	case toBegin:
		none := missing(file)
		ops, done, err := cli.openLocal(ctx, cfg, log)
		if err == nil && none && !cli.opts.verbose { // else the log says it
			cli.err.Remark("dirsyncd: "+file+": "+newState, hintNewState)
		}
		return ops, done, err
	case toMark, toChange:
		if !missing(file) {
			return cli.openLocal(ctx, cfg, log)
		}
	default:
		ops, done, err := cli.readLocal(ctx, cfg, log)
		if need == toCopy || !errors.Is(err, bolt.ErrNone) {
			return ops, done, err
		}
	}
	cli.err.Remark("dirsyncd: "+noState+file, hintNoState)
	return emptyLocal(cfg, log)
}

func missing(file string) bool {
	_, err := os.Lstat(file)
	return errors.Is(err, fs.ErrNotExist)
}

// openLocal opens the state for work, and begins it when there is none.
func openLocal(_ context.Context, cfg *config.Config, log *slog.Logger) (api.Operations, func(), error) {
	st, err := openState(cfg, log)
	if err != nil {
		return nil, nil, err
	}
	return inProcess(cfg, log, st)
}

// openState opens the state for work, and begins it when there is none.
func openState(cfg *config.Config, log *slog.Logger) (store.Store, error) {
	st, err := bolt.Open(string(cfg.State), bolt.Options{})
	if err != nil {
		return nil, err
	}
	if st.Begun() {
		log.Warn(newState, "state", string(cfg.State), "hint", hintNewState)
	}
	return st, nil
}

// readLocal opens a state that is there and leaves it as it is, so that one on a disk that takes no more writes can be
// looked at and copied. Only one of a former version is brought up to date, for it cannot be read otherwise. The error
// is bolt.ErrNone when there is none.
func readLocal(ctx context.Context, cfg *config.Config, log *slog.Logger) (api.Operations, func(), error) {
	st, err := bolt.Open(string(cfg.State), bolt.Options{ReadOnly: true})
	switch {
	case errors.Is(err, bolt.ErrOutdated):
		return openLocal(ctx, cfg, log)
	case err != nil:
		return nil, nil, err
	}
	return inProcess(cfg, log, st)
}

// emptyLocal works on a state without anything in it that goes away with the process.
func emptyLocal(cfg *config.Config, log *slog.Logger) (api.Operations, func(), error) {
	folder, err := os.MkdirTemp("", "dirsyncd-")
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = os.RemoveAll(folder) }() // the open file needs no name
	st, err := bolt.Open(filepath.Join(folder, "state.db"), bolt.Options{NoSync: true})
	if err != nil {
		return nil, nil, err
	}
	return inProcess(cfg, log, st)
}

// inProcess is the service as one command uses it.
func inProcess(cfg *config.Config, log *slog.Logger, st store.Store) (api.Operations, func(), error) {
	s, err := service.New(cfg, service.Options{Parts: parts(), Store: st, Log: log, Version: version})
	if err != nil {
		return nil, nil, err
	}
	return s.Operations(), func() { _ = s.Close() }, nil
}
