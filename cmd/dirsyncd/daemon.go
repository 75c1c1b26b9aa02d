package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"golang.org/x/sys/unix"

	"dirsyncd/store"
	"dirsyncd/sync/api/socket"
	"dirsyncd/sync/config"
	"dirsyncd/sync/engine"
	"dirsyncd/sync/schedule"
)

// service is a running daemon.
type service struct {
	*app
	file string
	loop *schedule.Loop
	// level and fixed are as in launch.
	level *slog.LevelVar
	fixed fixed
	// watched are the connections whose sources tell of changes, by name.
	watched map[string]*watching
	ready   atomic.Bool
}

// launch is what a daemon starts with.
type launch struct {
	cfg *config.Config // with what the command line says in place of the file
	log *slog.Logger
	// level is that of log, and follows the file at a reload; nil when the command line says it.
	level *slog.LevelVar
	fixed fixed // as the file has it
}

// fixed are settings that a reload cannot change besides `state`, which it refuses.
type fixed struct{ Control, Listen, LogFormat string }

func fixedOf(cfg *config.Config) fixed {
	return fixed{Control: string(cfg.Control), Listen: cfg.Listen, LogFormat: string(cfg.Log.Format)}
}

// edited names the settings that differ.
func (f fixed) edited(now fixed) (names []string) {
	for _, s := range []struct{ name, was, is string }{
		{"control", f.Control, now.Control}, {"listen", f.Listen, now.Listen}, {"log.format", f.LogFormat, now.LogFormat},
	} {
		if s.was != s.is {
			names = append(names, s.name)
		}
	}
	return names
}

// runDaemon runs until a signal ends it or ctx does: the first TERM or INT stops cleanly at the next page, a
// second one cuts.
func runDaemon(ctx context.Context, start launch) error {
	cfg, log := start.cfg, start.log
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGTERM, syscall.SIGINT)
	defer signal.Stop(signals)

	a, err := openApp(cfg, log, true)
	if err != nil {
		return err
	}
	for _, w := range cfg.Warnings {
		log.Warn("configuration warning", "text", w.Message, "file", w.File, "line", w.Line, "hint", w.Hint)
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	s := &service{app: a, file: cfg.File, level: start.level, fixed: start.fixed, watched: map[string]*watching{}}
	s.loop = schedule.New(cfg.Entries(), s.scheduled, schedule.Options{})
	a.next = s.loop.Next

	server := socket.NewServer(&operations{app: a, base: ctx}, log)
	if err := server.Listen(string(cfg.Control)); err != nil {
		_ = a.close()
		return err
	}
	stopHealth, err := a.serveHealth(ctx, cfg.Listen, s.ready.Load)
	if err != nil {
		_ = server.Shutdown(ctx)
		_ = a.close()
		return err
	}
	if err := a.warnAboutLeftovers(ctx); err != nil {
		log.Error("the state could not be looked through", "err", err)
	}

	var work sync.WaitGroup
	work.Go(func() { s.loop.Run(ctx) })
	work.Go(func() {
		if err := server.Serve(); err != nil {
			log.Error("the control socket ended", "err", err)
		}
	})
	work.Go(func() { s.watchdog(ctx) })
	a.current().start(ctx)
	s.triggerNewcomers(ctx)
	s.watchAll(ctx)
	s.ready.Store(true)
	s.notify(daemon.SdNotifyReady)
	log.Info("started", "version", version, "config", cfg.File, "state", string(cfg.State), "control", string(cfg.Control),
		"connections", len(cfg.Connections), "targets", len(cfg.Targets))

	s.handleSignals(ctx, signals)

	s.ready.Store(false)
	s.notify(daemon.SdNotifyStopping)
	log.Info("stopping; a second signal cuts")
	go cutOnSecond(signals, log)
	stop()
	stopHealth()
	_ = server.Shutdown(context.WithoutCancel(ctx))
	work.Wait()
	if err := a.engine.Flush(context.WithoutCancel(ctx)); err != nil {
		log.Error("the last state of idle connections could not be stored", "err", err)
	}
	err = a.close()
	log.Info("stopped")
	return err
}

// handleSignals returns when the daemon is to stop.
func (s *service) handleSignals(ctx context.Context, signals <-chan os.Signal) {
	for {
		select {
		case <-ctx.Done():
			return
		case sig := <-signals:
			switch sig {
			case syscall.SIGHUP:
				s.hup(ctx)
			case syscall.SIGUSR1:
				s.log.Info("signal USR1: syncing everything incrementally")
				s.loop.TriggerAll(schedule.Trigger{Cause: schedule.CauseUSR1})
				s.retryTargets(ctx)
			case syscall.SIGUSR2:
				s.log.Info("signal USR2: syncing everything in full")
				s.loop.TriggerAll(schedule.Trigger{Full: true, Cause: schedule.CauseUSR2})
				s.retryTargets(ctx)
			default:
				return
			}
		}
	}
}

// cutOnSecond ends the process at once: what is stored is consistent at any moment.
func cutOnSecond(signals <-chan os.Signal, log *slog.Logger) {
	for sig := range signals {
		if sig == syscall.SIGTERM || sig == syscall.SIGINT {
			log.Warn("cut by a second signal")
			os.Exit(exitFailed)
		}
	}
}

// hup reloads the configuration and tells systemd about it.
func (s *service) hup(ctx context.Context) {
	var now unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &now)
	s.notify(fmt.Sprintf("RELOADING=1\nMONOTONIC_USEC=%d", now.Nano()/1000))
	defer s.notify(daemon.SdNotifyReady)
	old := s.current()
	if err := s.reload(ctx, s.file); err != nil {
		s.log.Error("the configuration was refused; the present one stays", "err", err)
		s.notify("STATUS=running; the last reload was refused")
		return
	}
	cfg := s.current().cfg
	if s.level != nil {
		s.level.Set(cfg.Log.Level.Slog())
	}
	if edited := s.fixed.edited(fixedOf(cfg)); len(edited) > 0 {
		s.log.Warn("some settings were edited that only a restart changes; the former ones stay", "settings", edited)
	}
	s.loop.Replace(cfg.Entries())
	s.triggerNewcomers(ctx)
	s.triggerEdited(old)
	s.retryTargets(ctx)
	s.watchAll(ctx)
	s.log.Info("configuration reloaded", "config", s.file)
	s.notify("STATUS=running")
}

// scheduled is what the schedule calls.
func (s *service) scheduled(ctx context.Context, name string, t schedule.Trigger) {
	results, err := s.run(ctx, name, engine.Job{
		Full: t.Full, Trigger: t.Cause, Patient: slices.Contains([]string{schedule.CauseSchedule, schedule.CauseFull, causeChange}, t.Cause),
	})
	if err != nil {
		s.log.Error("run could not begin", "connection", name, "err", err)
		return
	}
	failed := 0
	for _, r := range results {
		if r.Err != nil {
			failed++
		}
	}
	s.notify(fmt.Sprintf("STATUS=running; last run: %s, %d of %d tenants failed", name, failed, len(results)))
}

// triggerNewcomers runs connections at once that were never read to the end, instead of at their next time: new
// ones, and those whose first run was cut.
func (s *service) triggerNewcomers(ctx context.Context) {
	for _, name := range s.current().names() {
		if s.newcomer(ctx, name) {
			s.loop.Trigger(name, schedule.Trigger{Cause: schedule.CauseStartup})
		}
	}
}

func (s *service) newcomer(ctx context.Context, name string) bool {
	parts, err := s.partitionsOf(ctx, []string{name})
	if err != nil {
		return false
	}
	for _, p := range parts {
		var state store.TenantState
		err := s.store.View(ctx, p, func(tx store.Reader) (err error) { state, err = tx.Tenant(); return err })
		if err == nil && state.Proven.IsZero() {
			return true
		}
	}
	return len(parts) == 0
}

// triggerEdited runs connections at once whose source was edited: the credentials may be the mended ones.
func (s *service) triggerEdited(old *setup) {
	for name, conn := range s.current().connections {
		if was := old.connections[name]; was != nil && was.Source != conn.Source {
			s.loop.Trigger(name, schedule.Trigger{Cause: causeReload})
		}
	}
}

// causeReload is the trigger of runs that an edited configuration asks for.
const causeReload = "reload"

// watchdog tells systemd that the daemon is alive, as long as its state can be read.
func (s *service) watchdog(ctx context.Context) {
	interval, err := daemon.SdWatchdogEnabled(false)
	if err != nil || interval == 0 {
		return
	}
	ticker := time.NewTicker(interval / 3)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if err := s.healthy(ctx); err != nil {
				s.log.Error("not telling the watchdog that all is well", "err", err)
				continue
			}
			s.notify(daemon.SdNotifyWatchdog)
		}
	}
}

// notify tells systemd something; without systemd it does nothing.
func (s *service) notify(state string) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		s.log.Debug("systemd could not be told", "err", err)
	}
}
