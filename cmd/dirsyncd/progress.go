package main

import (
	"sync"
	"time"

	"dirsyncd/sync/api"
)

// progressLine is one line on a terminal that is written over again and again. Where nobody watches it is
// silent. It may be used by many goroutines.
type progressLine struct {
	p   *printer
	now func() time.Time

	mu    sync.Mutex
	last  time.Time
	shown bool
}

// redraw is how often the line changes at most; a faster one cannot be read.
const redraw = 100 * time.Millisecond

func (sh *shell) progressLine() *progressLine { return &progressLine{p: sh.err, now: sh.now} }

// show writes a text in place of the last one.
func (l *progressLine) show(text string) {
	if !l.p.terminal {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if now := l.now(); !l.shown || now.Sub(l.last) >= redraw {
		l.p.write("\r\x1b[K" + string(l.p.paint(dim, cutShort(clean(text), l.p.width-1))))
		l.last, l.shown = now, true
	}
}

// step shows how far an operation is.
func (l *progressLine) step(s api.Progress) {
	text := place(s.Connection, s.Tenant, "") + ": " + stageWord(s.Stage)
	if s.Stream != "" {
		text += " " + s.Stream
	}
	if s.Done > 0 || s.Total > 0 {
		text += ", " + number(s.Done)
	}
	if s.Total > 0 {
		text += " of " + number(s.Total)
	}
	l.show(text)
}

func stageWord(stage string) string {
	switch stage {
	case "read":
		return "reading"
	case "settle":
		return "applying rules"
	case "deliver":
		return "delivering"
	default:
		return stage
	}
}

// clear takes the line away.
func (l *progressLine) clear() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.shown {
		l.p.write("\r\x1b[K")
		l.shown = false
	}
}
