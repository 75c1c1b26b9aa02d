package service

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"dirsyncd/sync/config"
	"dirsyncd/sync/engine"
	"dirsyncd/sync/fleet"
	"dirsyncd/sync/schedule"
)

// Launch is what a daemon starts with.
type Launch struct {
	Options
	Config *config.Config // with what the command line says in place of the file
	// Written is what the file says of the settings that a reload cannot change.
	Written Fixed
	// Level is that of Log, and follows the file at a reload; nil when the command line says it.
	Level *slog.LevelVar
	// Signals tell the daemon what to do: HUP, USR1, USR2.
	Signals <-chan os.Signal
	// Stop tells it to stop: TERM, INT. It is a channel of its own, so that no other signal takes the place of these.
	Stop <-chan os.Signal
	// Cut ends the process at once.
	Cut func()
}

// daemon is a running one.
type daemon struct {
	*Launch
	service  *Service
	times    timetable
	watchers *watchers
	systemd  systemd
	ready    atomic.Bool
	// refused is why it may not share the state; it is set before the timetable ends.
	refused error
}

// longestGoodbye bounds how long the control socket waits for operations that end with the daemon.
const longestGoodbye = 20 * time.Second

// Run runs until a signal ends it or ctx does: the first TERM or INT stops cleanly at the next page, a second one cuts,
// also while the daemon starts or reloads.
func Run(ctx context.Context, l Launch) error {
	cfg, log := l.Config, l.Log
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	d := &daemon{Launch: &l, systemd: systemd{log}}
	told, tell := context.WithCancel(ctx)
	defer tell()
	if l.Stop != nil {
		go d.obeyStop(tell)
	}
	if l.Fleet == nil {
		d.times = newAlone(cfg, func(ctx context.Context, name string, t schedule.Trigger) {
			_, _, _ = d.scheduled(ctx, name, t, part{})
		}, d.audited)
	} else {
		d.times = &together{fleet: l.Fleet, worker: fleet.Worker{Name: l.Worker, Program: l.Version, Lanes: cfg.RunsAtOnce()}, log: log,
			current: func() *generation { return d.service.current() }, run: d.scheduled, audit: d.audited,
			refused: func(err error) { d.refused = err; tell() }}
	}
	d.watchers = newWatchers(log, func(connection string) { d.times.Trigger(connection, schedule.Trigger{Cause: causeChange}) })
	front := newFront(cfg.Web, log)
	h := &host{front: front, runs: ctx, started: time.Now().UTC(), next: d.times.Next, nextAudit: d.times.NextAudit,
		trigger: func(connection string) { d.times.Trigger(connection, schedule.Trigger{Cause: causeMade}) }}
	if l.Fleet != nil {
		h.ask = func(connection string, full bool) {
			d.times.Trigger(connection, schedule.Trigger{Full: full, Cause: engine.Operator})
		}
	}
	svc, err := newService(cfg, l.Options, h)
	if err != nil {
		return err
	}
	d.service = svc
	for _, w := range cfg.Warnings {
		log.Warn("configuration warning", "text", w.Message, "file", w.File, "line", w.Line, "hint", w.Hint)
	}
	commands, err := openSockets(ctx, cfg, svc.Operations(), log)
	if err != nil {
		_ = svc.Close()
		return err
	}
	stopHealth, err := d.serveHealth(ctx)
	if err != nil {
		_ = commands.shutdown(ctx)
		_ = svc.Close()
		return err
	}
	if front != nil {
		at, err := front.Listen(ctx)
		if err != nil {
			stopHealth()
			_ = commands.shutdown(ctx)
			_ = svc.Close()
			return err
		}
		log.Info("the public front listens", "address", at.String(), "url", cfg.Web.URL.String())
	}
	if err := svc.indexPeople(ctx); err != nil {
		log.Error("the indexes by which people sign in could not be made", "err", err)
	}
	if cfg.Signin != nil {
		if err := svc.openSignin(ctx, cfg, front); err != nil {
			stopHealth()
			_ = commands.shutdown(ctx)
			_ = svc.Close()
			return err
		}
	}
	svc.openConsole(cfg)
	if err := svc.warnAboutLeftovers(ctx); err != nil {
		log.Error("the state could not be looked through", "err", err)
	}

	var work sync.WaitGroup
	work.Go(func() { d.times.Run(ctx) })
	work.Go(commands.serve)
	if front != nil {
		work.Go(func() {
			if err := front.Serve(ctx); err != nil {
				log.Error("the public front ended", "address", cfg.Web.Listen, "err", err)
			}
		})
	}
	work.Go(func() { d.systemd.watchdog(ctx, svc.healthy) })
	work.Go(func() { newAnnouncer(svc).run(ctx) })
	work.Go(func() { svc.watchExpiring(ctx) })
	svc.current().start(ctx)
	d.triggerNewcomers(ctx)
	d.watchers.follow(ctx, svc.current())
	d.ready.Store(true)
	d.systemd.ready()
	log.Info("started", "version", l.Version, "config", cfg.File, "state", cfg.StateName(), "control", string(cfg.Control),
		"connections", len(cfg.Connections), "targets", len(cfg.Targets))

	d.handleSignals(ctx, told)

	d.ready.Store(false)
	d.systemd.stopping()
	log.Info("stopping; a second signal cuts")
	svc.closeConsole() // before runs end: an approval under way is not cut
	stop()
	stopHealth()
	goodbye, cancel := context.WithTimeout(context.WithoutCancel(ctx), longestGoodbye)
	defer cancel()
	if err := commands.shutdown(goodbye); err != nil {
		log.Warn("somebody who asked by a command was cut", "err", err)
	}
	work.Wait()
	svc.closeSignin()
	if err := svc.engine.Flush(context.WithoutCancel(ctx)); err != nil {
		log.Error("the last state of idle connections could not be stored", "err", err)
	}
	err = errors.Join(d.refused, svc.Close())
	log.Info("stopped")
	return err
}

func (d *daemon) serveHealth(ctx context.Context) (stop func(), err error) {
	d.service.metrics.registry.MustRegister(newStateCollector(d.service.Status, d.service.now), newSigninCollector(d.service.providersSeen), newFleetCollector(d.Fleet, d.Worker, d.service.now),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), collectors.NewGoCollector())
	h := health{log: d.Log, metrics: promhttp.HandlerFor(d.service.metrics.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4}),
		healthy: d.service.healthy, ready: d.ready.Load}
	return h.listen(ctx, d.Config.Listen)
}

// handleSignals returns when the daemon is told to stop.
func (d *daemon) handleSignals(ctx, told context.Context) {
	for told.Err() == nil {
		select {
		case <-told.Done():
		case sig := <-d.Signals:
			switch sig {
			case syscall.SIGHUP:
				d.reload(ctx)
			case syscall.SIGUSR1:
				d.Log.Info("signal USR1: syncing everything incrementally")
				d.times.TriggerAll(schedule.Trigger{Cause: schedule.CauseUSR1})
				d.service.retryTargets(ctx)
			case syscall.SIGUSR2:
				d.Log.Info("signal USR2: syncing everything in full")
				d.times.TriggerAll(schedule.Trigger{Full: true, Cause: schedule.CauseUSR2})
				d.service.retryTargets(ctx)
			}
		}
	}
}

// obeyStop passes the first signal to stop on, and ends the process at once at the second: what is stored is consistent
// at any moment.
func (d *daemon) obeyStop(tell func()) {
	if _, ok := <-d.Stop; !ok {
		return
	}
	tell()
	for range d.Stop {
		d.Log.Warn("cut by a second signal")
		d.Cut()
	}
}

// reload reloads the configuration and tells systemd about it.
func (d *daemon) reload(ctx context.Context) {
	d.systemd.reloading()
	defer d.systemd.ready()
	old := d.service.current()
	if err := d.service.reload(ctx, d.Config.File, d.times.Follow); err != nil {
		d.Log.Error("the configuration was refused; the present one stays", "err", err)
		d.systemd.status("running; the last reload was refused")
		return
	}
	cfg := d.service.current().cfg
	if d.Level != nil {
		d.Level.Set(cfg.Log.Level.Slog())
	}
	if edited := d.Written.edited(FixedOf(cfg)); len(edited) > 0 {
		d.Log.Warn("some settings were edited that only a restart changes; the former ones stay", "settings", edited)
	}
	d.triggerNewcomers(ctx)
	d.triggerEdited(old)
	d.service.retryTargets(ctx)
	d.watchers.follow(ctx, d.service.current())
	reloaded := []any{"config", d.Config.File}
	if cfg.FromStart {
		reloaded = append(reloaded, "secrets", "those from {env: …} and {credential: …} are still those of the start; a restart renews them")
	}
	d.Log.Info("configuration reloaded", reloaded...)
	d.systemd.status("running")
}
