package config

import (
	"time"

	"dirsyncd/sync/settings"
	"dirsyncd/sync/settings/strict"
)

// History is how long it is kept what was sent, and how much of it.
type History struct {
	// Keep is how long; zero: nothing is kept.
	Keep settings.Duration
	// Megabytes is how much is kept of each tenant, in units of 1,048,576 bytes: the oldest goes first.
	Megabytes int
}

// DefaultHistory is what counts where nothing is written.
func DefaultHistory() History {
	return History{Keep: settings.Duration(90 * 24 * time.Hour), Megabytes: 64}
}

// mostMegabytes keeps the history smaller than what it is about.
const mostMegabytes = 1 << 14

// historyBlock is `history:` as it stands in the file.
type historyBlock struct{ strict.Value }

// DecodeStrict implements strict.Decoder.
func (b *historyBlock) DecodeStrict(v strict.Value) { b.Value = v }

type historyKeys struct {
	Keep      settings.Duration `yaml:"keep"`
	Megabytes int               `yaml:"megabytes"`
}

func readHistory(v strict.Value) History {
	d := DefaultHistory()
	if v.Kind() == strict.None {
		return d
	}
	k := historyKeys(d)
	v.Into(&k)
	if k.Megabytes < 1 || k.Megabytes > mostMegabytes {
		v.Get("megabytes").Problem("keep: 0s keeps nothing", "history.megabytes: %d is not between 1 and %d", k.Megabytes, mostMegabytes)
	}
	return History(k)
}

func (p *printer) history(h History) any {
	if h == DefaultHistory() {
		return nil
	}
	return p.block(pair{"keep", h.Keep}, pair{"megabytes", h.Megabytes})
}
