package service

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	sd "github.com/coreos/go-systemd/v22/daemon"
	"golang.org/x/sys/unix"
)

// systemd is who started the daemon, perhaps: without systemd it is told nothing.
type systemd struct{ log *slog.Logger }

func (s systemd) ready() { s.notify(sd.SdNotifyReady) }

func (s systemd) stopping() { s.notify(sd.SdNotifyStopping) }

// reloading tells that a reload has begun; ready ends it.
func (s systemd) reloading() {
	var now unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &now)
	s.notify(fmt.Sprintf("RELOADING=1\nMONOTONIC_USEC=%d", now.Nano()/1000))
}

// status says in a line how the daemon is.
func (s systemd) status(text string) { s.notify("STATUS=" + text) }

// watchdog tells systemd that the daemon is alive, as long as its state can be read.
func (s systemd) watchdog(ctx context.Context, healthy func(context.Context) error) {
	interval, err := sd.SdWatchdogEnabled(false)
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
			if err := healthy(ctx); err != nil {
				s.log.Error("not telling the watchdog that all is well", "err", err)
				continue
			}
			s.notify(sd.SdNotifyWatchdog)
		}
	}
}

func (s systemd) notify(state string) {
	if _, err := sd.SdNotify(false, state); err != nil {
		s.log.Debug("systemd could not be told", "err", err)
	}
}
