package service

import "dirsyncd/sync/config"

// Fixed are settings that a reload cannot change besides `state`, which it refuses.
type Fixed struct{ Control, Listen, LogFormat string }

// FixedOf returns those of a configuration.
func FixedOf(cfg *config.Config) Fixed {
	return Fixed{Control: string(cfg.Control), Listen: cfg.Listen, LogFormat: string(cfg.Log.Format)}
}

// edited names the settings that differ.
func (f Fixed) edited(now Fixed) (names []string) {
	for _, s := range []struct{ name, was, is string }{
		{"control", f.Control, now.Control}, {"listen", f.Listen, now.Listen}, {"log.format", f.LogFormat, now.LogFormat},
	} {
		if s.was != s.is {
			names = append(names, s.name)
		}
	}
	return names
}
