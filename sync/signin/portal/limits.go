package portal

import (
	"sync"
	"time"
)

// limits count what anybody may cause, by the minute. What is counted is forgotten with its minute.
type limits struct {
	now func() time.Time

	mu     sync.Mutex
	minute time.Time
	counts map[string]int
}

// How often in a minute. What one address may ask is for the front to limit.
const (
	answersPerProvider = 6000
	signInsPerPerson   = 30
	entriesPerSession  = 4 // for one address of an application: a cookie that does not come back makes a circle
	mostCounted        = 100_000
)

func newLimits(now func() time.Time) *limits {
	return &limits{now: now, counts: make(map[string]int)}
}

// allow reports whether something was done less often than most times in this minute, and counts it.
func (l *limits) allow(what string, most int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if minute := l.now().Truncate(time.Minute); !minute.Equal(l.minute) {
		l.minute = minute
		clear(l.counts)
	}
	if _, known := l.counts[what]; !known && len(l.counts) >= mostCounted {
		return false
	}
	l.counts[what]++
	return l.counts[what] <= most
}
