package service

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"dirsyncd/sync/api"
	"dirsyncd/sync/config"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/fleet"
)

// Of the workers that share a state some may be bound to a connection or a target, by their names: what is on one machine is not on
// another. The fleet gives others none of it; what is asked for by commands is looked at here.

// elsewhere is why this process has nothing to do with what some workers are bound to; nil: it is one of them, or none is.
func (d *deps) elsewhere(kind, name string, workers []string) error {
	if !d.shared || len(workers) == 0 || slices.Contains(workers, d.worker) {
		return nil
	}
	return &fault.Error{Class: fault.Configuration, Op: "use", Where: kind + " " + name, Err: fmt.Errorf("it is for %s, and this is worker %q", oneOfWorkers(workers), d.worker),
		Hint: "ask the daemon there, or edit `workers`"}
}

func oneOfWorkers(names []string) string {
	if len(names) == 1 {
		return fmt.Sprintf("worker %q alone", names[0])
	}
	return "the workers " + strings.Join(names, ", ")
}

// readable leaves out of what was chosen what this process may not read, and has those who may do so, where this is a daemon.
func (s *Service) readable(list []chosen, full bool) (here []chosen, elsewhere []api.Elsewhere) {
	gen := s.current()
	for _, c := range list {
		conn := gen.connections[c.connection]
		if conn == nil || conn.elsewhere == nil {
			here = append(here, c)
			continue
		}
		e := api.Elsewhere{Connection: c.connection, Workers: conn.settings.Workers}
		if s.host != nil && s.host.ask != nil {
			s.host.ask(c.connection, full)
			e.Asked = true
		}
		elsewhere = append(elsewhere, e)
	}
	return here, elsewhere
}

// unstaffed lists what waits for a worker, of a configuration of those that are alive.
func unstaffed(cfg *config.Config, alive []api.WorkerStatus) (list []api.Unstaffed) {
	look := func(kind, name string, workers []string) {
		is := func(w api.WorkerStatus) bool { return slices.Contains(workers, w.Name) }
		if len(workers) > 0 && !slices.ContainsFunc(alive, is) {
			list = append(list, api.Unstaffed{Kind: kind, Name: name, Workers: workers})
		}
	}
	for i := range cfg.Connections {
		look("connection", cfg.Connections[i].Name, cfg.Connections[i].Workers)
	}
	for i := range cfg.Targets {
		look("target", cfg.Targets[i].Name, cfg.Targets[i].Workers)
	}
	return list
}

// outdatedBy names a worker that lives and has the current configuration, when this process has another one; empty: there is none. What this
// one would do by its own the others would undo.
func (s *Service) outdatedBy(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, asked)
	defer cancel()
	name, err := s.current().identity()
	if err != nil {
		return "", err
	}
	return s.superseded(ctx, name)
}

// mayRun refuses to run anything by a configuration that is not that of the workers.
func (s *Service) mayRun(ctx context.Context) error {
	by, err := s.outdatedBy(ctx)
	if by == "" || err != nil {
		return err
	}
	return &fault.Error{Class: fault.Conflict, Op: "run", Err: fmt.Errorf("the workers have another configuration than this process, as %q does, and would undo what it does", by),
		Hint: "reload this daemon, or give the command the file that the workers have; `dirsyncd config publish` makes that of a daemon the one of all"}
}

// aloneBy is why a configuration is for one worker; empty: it is for any number.
func aloneBy(cfg *config.Config) string { return strings.Join(cfg.Unplaced(), ", ") }

// mayFollow refuses a configuration that is for one worker while others live.
func (s *Service) mayFollow(ctx context.Context, cfg *config.Config) error {
	what := aloneBy(cfg)
	if s.fleet == nil || what == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, asked)
	defer cancel()
	others, err := s.fleet.Workers(ctx)
	if err != nil {
		return nil //nolint:nilerr // whoever is there refuses to share
	}
	if i := slices.IndexFunc(others, func(w fleet.WorkerState) bool { return w.Worker.Name != s.worker }); i >= 0 {
		return notAlone(what, &fleet.AloneError{Other: others[i].Worker.Name})
	}
	return nil
}

// notAlone says that a configuration is for one worker, and another one is there.
func notAlone(what string, cause error) error {
	return &fault.Error{Class: fault.Configuration, Op: "share the state", Where: what, Err: cause,
		Hint: "it needs something of one machine: write `workers: [NAME]` there, with the name of the worker that is meant (docs/workers.md)"}
}
