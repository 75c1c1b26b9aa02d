package service

import (
	"context"
	"errors"
	"reflect"

	"dirsyncd/sync/config"
	"dirsyncd/sync/engine"
	"dirsyncd/sync/fault"
)

// reload takes another configuration. An invalid one is refused as a whole and the present one stays. When it is in force follow tells other
// processes of it, and reports whether they know: only then are edited rules applied, so that nobody goes on by former ones.
func (s *Service) reload(ctx context.Context, file string, follow func(*generation) bool) error {
	old := s.current()
	cfg, err := config.Load(file, s.parts.Config())
	if err == nil && !cfg.SameState(old.cfg) {
		err = &fault.Error{Class: fault.Configuration, Op: "reload", Where: file,
			Err: errors.New("`state` cannot change while running"), Hint: "restart the daemon"}
	}
	if err == nil && !reflect.DeepEqual(cfg.Web, old.cfg.Web) {
		err = &fault.Error{Class: fault.Configuration, Op: "reload", Where: file,
			Err: errors.New("`web` cannot change while running"), Hint: "restart the daemon"}
	}
	if err == nil {
		err = s.mayOpen(cfg)
	}
	if err == nil {
		err = s.mayFollow(ctx, cfg)
	}
	var next *generation
	if err == nil {
		next, err = newGeneration(cfg, old, s.deps())
	}
	s.mu.Lock()
	if err != nil {
		s.problem = err.Error()
		s.mu.Unlock()
		return err
	}
	s.generation, s.problem = next, ""
	if cfg.RunsAtOnce() != old.cfg.RunsAtOnce() {
		s.turns = newTurns(cfg) // who has a place in the former one gives it back there
	}
	s.mu.Unlock()
	told := follow(next) // before anything else: until then others have the rules in force
	// A file that the new target writes, too, is locked until the old one is closed.
	old.closeTargets(next)
	for name, t := range next.targets {
		if err := t.Reopen(); err != nil {
			s.log.Error("target could not be opened anew", "target", name, "err", err)
		}
	}
	next.start(ctx)
	s.reopenSignin(ctx, cfg)
	if !reflect.DeepEqual(cfg.Console, old.cfg.Console) {
		s.openConsole(cfg)
	}
	// Both may take long, and the new configuration is in force already.
	s.background.Go(func() { old.closeSources(next) })
	if told {
		s.background.Go(func() { s.settleEditedRules(ctx, old, next) })
	}
	return nil
}

// currentOf is a connection as it is configured by now, where that has the same source.
func (s *Service) currentOf(c *connection) *engine.Connection {
	if now := s.current().connections[c.Name]; now != nil && now.Source == c.Source {
		return &now.Connection
	}
	return &c.Connection
}

// rulesSuperseded reports whether other rules than those of a connection are in force, by a reload here or at another worker.
func (s *Service) rulesSuperseded(ctx context.Context, c *connection) (bool, error) {
	if now := s.current().connections[c.Name]; now != nil && !now.SameRules(&c.Connection) {
		return true, nil
	}
	by, err := s.outdatedBy(ctx)
	return by != "", err
}

// settleEditedRules applies edited rules at once to what is stored; no source is asked.
func (s *Service) settleEditedRules(ctx context.Context, old, next *generation) {
	for _, name := range next.names() {
		was := old.connections[name]
		if ctx.Err() != nil {
			return
		}
		if was == nil || was.SameRules(&next.connections[name].Connection) {
			continue
		}
		s.log.Info("rules were edited, applying them to what is stored", "connection", name)
		if _, err := s.run(ctx, name, engine.Job{Offline: true, Trigger: causeReload}); err != nil {
			s.log.Error("edited rules could not be applied", "connection", name, "err", err)
		}
	}
}
