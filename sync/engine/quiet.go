package engine

import (
	"time"

	"dirsyncd/store"
)

// quiet are runs of a tenant in a row that found nothing. They are summed up once a day: a line for each would be most of
// the log.
type quiet struct {
	since time.Time
	runs  int
}

const quietDay = 24 * time.Hour

// quietRun counts a run that found nothing. Once a day it returns how many there were, and since when; else zero.
func (e *Engine) quietRun(p store.Partition, ended time.Time) (runs int, since time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	q := e.quiet[p]
	if q == nil {
		q = &quiet{since: ended}
		e.quiet[p] = q
	}
	q.runs++
	if ended.Sub(q.since) < quietDay {
		return 0, time.Time{}
	}
	delete(e.quiet, p)
	return q.runs, q.since
}

// endQuiet forgets the runs that found nothing: one that found something has its own line.
func (e *Engine) endQuiet(p store.Partition) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.quiet, p)
}
