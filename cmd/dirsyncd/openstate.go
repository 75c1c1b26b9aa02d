package main

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"

	"dirsyncd/store"
	"dirsyncd/store/bolt"
	"dirsyncd/store/postgres"
	"dirsyncd/sync/api"
	"dirsyncd/sync/config"
	"dirsyncd/sync/fault"
)

// openState opens the state for work, and begins it when there is none.
func openState(ctx context.Context, cfg *config.Config, log *slog.Logger) (store.Store, error) {
	var st interface {
		store.Store
		Begun() bool
	}
	var err error
	if cfg.Database != nil {
		st, err = postgres.Open(ctx, databaseOptions(cfg.Database, log))
	} else {
		st, err = bolt.Open(string(cfg.State), bolt.Options{})
	}
	if err != nil {
		return nil, err
	}
	switch {
	case !st.Begun():
	case cfg.Database != nil:
		log.Warn(newDatabase, "state", cfg.StateName(), "hint", hintNewState)
	default:
		log.Warn(newState, "state", cfg.StateName(), "hint", hintNewState)
	}
	return st, nil
}

// readState opens a state that is there for reading, and leaves it as it is. The error is one for isNone when there is none.
func readState(ctx context.Context, cfg *config.Config) (store.Store, error) {
	if cfg.Database == nil {
		return bolt.Open(string(cfg.State), bolt.Options{ReadOnly: true})
	}
	opts := databaseOptions(cfg.Database, slog.New(slog.DiscardHandler))
	opts.ReadOnly = true
	return postgres.Open(ctx, opts)
}

// probeState asks the database that has the state, where there is one, whether it is there and lets us in. Nothing is made in it.
func probeState(ctx context.Context, cfg *config.Config) []api.ProbeResult {
	if cfg.Database == nil {
		return nil
	}
	result := api.ProbeResult{Name: cfg.StateName(), Kind: "state"}
	st, err := readState(ctx, cfg)
	switch {
	case err == nil:
		_ = st.Close()
		result.Findings = []api.Finding{{Subject: "database", OK: true, Detail: "reachable, has the state"}}
	case isNone(err):
		result.Findings = []api.Finding{{Subject: "database", OK: true, Detail: "reachable, has no state yet"}}
	default:
		result.Error, result.Hint = fault.Text(err), fault.Hint(err)
	}
	return []api.ProbeResult{result}
}

func databaseOptions(d *config.Database, log *slog.Logger) postgres.Options {
	return postgres.Options{URL: d.URL, Password: d.Password.Reveal(), Schema: d.Schema, Connections: d.Connections, Log: log}
}

func isNone(err error) bool { return errors.Is(err, bolt.ErrNone) || errors.Is(err, postgres.ErrNone) }

// isMissing reports whether there is no state yet.
func isMissing(ctx context.Context, cfg *config.Config) bool {
	if cfg.Database == nil {
		_, err := os.Lstat(string(cfg.State))
		return errors.Is(err, fs.ErrNotExist)
	}
	st, err := readState(ctx, cfg)
	if err == nil {
		_ = st.Close()
	}
	return isNone(err)
}

// begunText says that there was no state.
func begunText(cfg *config.Config) string {
	if cfg.Database != nil {
		return newDatabase
	}
	return newState
}
