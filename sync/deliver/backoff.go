package deliver

import (
	"math/rand/v2"
	"time"

	"dirsyncd/sync/fault"
)

// Backoff says how long to wait after a failure. The zero value means the defaults.
type Backoff struct {
	// First is the wait after the first failure; each further one doubles it. Default 1 s.
	First time.Duration
	// Max is the longest wait between two attempts. Default 5 min.
	Max time.Duration
	// Stuck is the shortest wait after a failure that somebody has to mend (credentials, permissions,
	// configuration, a defect): trying often only fills logs and locks accounts. Default 1 min.
	Stuck time.Duration
	// Random returns numbers from 0 up to 1, for jitter. Default math/rand.
	Random func() float64
}

// longestTold bounds how long a target may ask to be left alone.
const longestTold = time.Hour

func (b Backoff) withDefaults() Backoff {
	if b.First <= 0 {
		b.First = time.Second
	}
	if b.Max <= 0 {
		b.Max = 5 * time.Minute
	}
	if b.Stuck <= 0 {
		b.Stuck = time.Minute
	}
	if b.Random == nil {
		b.Random = rand.Float64
	}
	return b
}

// wait returns how long to wait after the nth failure in a row, n from 1. A wait that the other side asked
// for is kept to, a little more but never less. All others are spread between half and the whole of the
// exponential step, so that many workers do not come back at the same instant.
func (b Backoff) wait(n int, err error) time.Duration {
	if told := min(fault.After(err), longestTold); told > 0 {
		return told + time.Duration(b.Random()*float64(told)/10)
	}
	step := b.Max
	if n < 32 && b.First<<(n-1) > 0 {
		step = min(b.Max, b.First<<(n-1))
	}
	if !fault.ClassOf(err).Retryable() {
		step = max(step, b.Stuck)
	}
	return step/2 + time.Duration(b.Random()*float64(step)/2)
}
