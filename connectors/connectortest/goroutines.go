package connectortest

import (
	"bytes"
	"runtime"
	"testing"
	"time"
)

func goroutines() int { return runtime.NumGoroutine() }

// awaitGoroutines fails the test when there are more goroutines than before, and stays so: those that are about
// to end get time for it.
func awaitGoroutines(tb testing.TB, before int, patience time.Duration) {
	tb.Helper()
	deadline := time.Now().Add(patience)
	for goroutines() > before {
		if time.Now().After(deadline) {
			buf := make([]byte, 1<<20)
			tb.Errorf("%d goroutines stayed behind:\n%s", goroutines()-before, buf[:runtime.Stack(buf, true)])
			return
		}
		runtime.Gosched()
		time.Sleep(time.Millisecond)
	}
}

// leakPatience is how long goroutines may take to end on a busy machine.
const leakPatience = 5 * time.Minute

// goroutineID returns the first words of the running goroutine's stack, "goroutine 7", which name it.
func goroutineID() string {
	buf := make([]byte, 64)
	buf = buf[:runtime.Stack(buf, false)]
	name, _, _ := bytes.Cut(buf, []byte(" ["))
	return string(name)
}
