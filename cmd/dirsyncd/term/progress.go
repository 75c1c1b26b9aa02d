package term

import (
	"sync"
	"time"
)

// Progress is one line on a terminal that is written over again and again. Where nobody watches it is silent. It may be
// used by many goroutines.
type Progress struct {
	p   *Printer
	now func() time.Time

	mu    sync.Mutex
	last  time.Time
	shown bool
}

// redraw is how often the line changes at most; a faster one cannot be read.
const redraw = 100 * time.Millisecond

// NewProgress begins a line on a printer, that nobody else writes to until Clear was called.
func NewProgress(p *Printer, now func() time.Time) *Progress { return &Progress{p: p, now: now} }

// Show writes a text in place of the last one.
func (l *Progress) Show(text string) {
	if !l.p.Terminal {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if now := l.now(); !l.shown || now.Sub(l.last) >= redraw {
		l.p.Raw("\r\x1b[K" + string(l.p.Paint(Dim, CutShort(Clean(text), l.p.Width-1))))
		l.last, l.shown = now, true
	}
}

// Clear takes the line away.
func (l *Progress) Clear() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.shown {
		l.p.Raw("\r\x1b[K")
		l.shown = false
	}
}
