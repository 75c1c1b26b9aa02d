package service

import (
	"fmt"

	"dirsyncd/sync/config"
)

// Fixed are settings that a reload cannot change besides `state`, which it refuses.
type Fixed struct{ Control, Readers, Listen, Web, LogFormat, Worker string }

// FixedOf returns those of a configuration.
func FixedOf(cfg *config.Config) Fixed {
	f := Fixed{Control: string(cfg.Control), Listen: cfg.Listen, LogFormat: string(cfg.Log.Format)}
	if cfg.Database != nil {
		f.Worker = cfg.Database.Worker
	}
	if cfg.Web != nil {
		f.Web = fmt.Sprint(*cfg.Web)
	}
	if cfg.Readers != nil {
		f.Readers = fmt.Sprint(*cfg.Readers)
	}
	return f
}

// edited names the settings that differ.
func (f Fixed) edited(now Fixed) (names []string) {
	for _, s := range []struct{ name, was, is string }{
		{"control", f.Control, now.Control}, {"readers", f.Readers, now.Readers}, {"listen", f.Listen, now.Listen}, {"web", f.Web, now.Web}, {"log.format", f.LogFormat, now.LogFormat}, {"state.worker", f.Worker, now.Worker},
	} {
		if s.was != s.is {
			names = append(names, s.name)
		}
	}
	return names
}
