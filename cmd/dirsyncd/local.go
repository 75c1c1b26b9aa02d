package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"

	"dirsyncd/store"
	"dirsyncd/store/bolt"
	"dirsyncd/store/postgres"
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
	newDatabase  = "the database had no state: a new one was begun; every object will be created anew at the targets"
	hintNewState = "right for a first sync. If there should be one, stop now: is `state` in the configuration right, and its disk mounted? " +
		"Or put a backup in its place"
	noState     = "there is no state yet at "
	hintNoState = "right before a first sync; `dirsyncd sync` or the daemon begins it. If there should be one: is `state` in the configuration right, and its disk mounted?"
)

// local opens the program for one command, when no daemon runs.
func (cli *cli) local(ctx context.Context, cfg *config.Config, need access) (api.Operations, func(), error) {
	log, place := cli.commandLogger(), cfg.StateName()
	switch need {
	case toBegin:
		none := isMissing(ctx, cfg)
		ops, done, err := cli.openLocal(ctx, cfg, log)
		if err == nil && none && !cli.opts.verbose { // else the log says it
			cli.err.Remark("dirsyncd: "+place+": "+begunText(cfg), hintNewState)
		}
		return ops, done, err
	case toMark, toChange:
		if !isMissing(ctx, cfg) {
			return cli.openLocal(ctx, cfg, log)
		}
	default:
		ops, done, err := cli.readLocal(ctx, cfg, log)
		if need == toCopy || !isNone(err) {
			return ops, done, err
		}
	}
	cli.err.Remark("dirsyncd: "+noState+place, hintNoState)
	return emptyLocal(cfg, log)
}

// openLocal opens the state for work, and begins it when there is none.
func openLocal(ctx context.Context, cfg *config.Config, log *slog.Logger) (api.Operations, func(), error) {
	st, err := openState(ctx, cfg, log)
	if err != nil {
		return nil, nil, err
	}
	return inProcess(cfg, log, st)
}

// readLocal opens a state that is there and leaves it as it is, so that one on a disk that takes no more writes can be
// looked at and copied. Only one of a former version is brought up to date, for it cannot be read otherwise. The error
// is one for isNone when there is none.
func readLocal(ctx context.Context, cfg *config.Config, log *slog.Logger) (api.Operations, func(), error) {
	st, err := readState(ctx, cfg)
	switch {
	case errors.Is(err, bolt.ErrOutdated), errors.Is(err, postgres.ErrOutdated):
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
	worker, err := workerName(cfg)
	if err != nil {
		return nil, nil, errors.Join(err, st.Close())
	}
	s, err := service.New(cfg, service.Options{Parts: parts(), Store: st, Shared: cfg.Database != nil, Worker: worker, Superseded: supersededBy(st), Log: log, Version: version})
	if err != nil {
		return nil, nil, err
	}
	return s.Operations(), func() { _ = s.Close() }, nil
}
