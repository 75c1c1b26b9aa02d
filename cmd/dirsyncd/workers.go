package main

import (
	"context"
	"os"

	"dirsyncd/store"
	"dirsyncd/store/postgres"
	"dirsyncd/sync/config"
	workers "dirsyncd/sync/fleet/postgres"
	"dirsyncd/sync/service"
)

// workersConnections bounds those by which workers agree: one listens, the others come and go.
const workersConnections = 5

// workersSuffix is what follows the name of the state's schema in that by which workers agree.
const workersSuffix = "_fleet"

const noWorkers = "--worker is for a state in PostgreSQL, which several may share"

// joinWorkers gives a daemon its store and, where that is in a database, its place among all that share it. leave ends what
// that takes, after the daemon.
func joinWorkers(ctx context.Context, l *service.Launch, st store.Store) (leave func(), err error) {
	l.Store = st
	shared, ok := st.(*postgres.Store)
	if !ok {
		return func() {}, nil
	}
	l.Shared = true
	if l.Worker, err = workerName(l.Config); err != nil {
		return nil, err
	}
	beside, err := shared.Beside(ctx, workersConnections)
	if err != nil {
		return nil, err
	}
	fleet, err := workers.Open(ctx, workers.Options{Pool: beside.Pool, Schema: beside.Schema + workersSuffix, State: beside.Schema, Log: l.Log, PollOnly: beside.Pooled})
	if err != nil {
		beside.Pool.Close()
		return nil, shared.Explain("open the tables of the workers", err)
	}
	l.Fleet = fleet
	l.Superseded = func(ctx context.Context, generation string) (string, error) {
		return workers.Superseded(ctx, beside.Pool, beside.Schema+workersSuffix, generation)
	}
	return beside.Pool.Close, nil
}

// supersededBy is how a command that works on a state beside workers asks them for their configuration; nil: there can be none.
func supersededBy(st store.Store) func(ctx context.Context, generation string) (string, error) {
	shared, ok := st.(*postgres.Store)
	if !ok {
		return nil
	}
	return func(ctx context.Context, generation string) (string, error) {
		beside, err := shared.Beside(ctx, 1)
		if err != nil {
			return "", err
		}
		defer beside.Pool.Close()
		return workers.Superseded(ctx, beside.Pool, beside.Schema+workersSuffix, generation)
	}
}

// workerName is what this process is called among those that share a state; empty where nobody does.
func workerName(cfg *config.Config) (string, error) {
	switch {
	case cfg.Database == nil:
		return "", nil
	case cfg.Database.Worker != "":
		return cfg.Database.Worker, nil
	}
	return os.Hostname()
}
