package main

import (
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// memoryWatch looks at the process's memory now and then and keeps the most that it saw.
type memoryWatch struct {
	stop    chan struct{}
	stopped sync.WaitGroup
	own     int // MiB
}

// watchMemory begins to watch.
func watchMemory() *memoryWatch {
	w := &memoryWatch{stop: make(chan struct{})}
	_ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) // resets the peak, where the system can
	w.stopped.Go(func() {
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for {
			w.own = max(w.own, memoryOf("/proc/self/status")["RssAnon"]>>10)
			select {
			case <-tick.C:
			case <-w.stop:
				return
			}
		}
	})
	return w
}

// end stops watching and returns the peaks in MiB: of the process's own memory, seen every 10 ms, and of that
// together with the mapped pages of files, which the system itself keeps.
func (w *memoryWatch) end() (own, total int) {
	close(w.stop)
	w.stopped.Wait()
	return w.own, memoryOf("/proc/self/status")["VmHWM"] >> 10
}

// cpuTime is how much of the processors' time the process has used: a figure that a busy machine spoils less.
func cpuTime() time.Duration {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// allocations is how much the process has allocated so far, in bytes.
func allocations() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

// written is how much the process has written so far, in bytes, where the system tells.
func written() int {
	data, err := os.ReadFile("/proc/self/io")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(data)) {
		if text, ok := strings.CutPrefix(line, "wchar: "); ok {
			n, _ := strconv.Atoi(strings.TrimSpace(text))
			return n
		}
	}
	return 0
}

// memoryOf reads a process's memory in KiB, where the system tells.
func memoryOf(path string) map[string]int {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	m := map[string]int{}
	for line := range strings.Lines(string(data)) {
		if fields := strings.Fields(line); len(fields) == 3 && fields[2] == "kB" {
			n, _ := strconv.Atoi(fields[1])
			m[strings.TrimSuffix(fields[0], ":")] = n
		}
	}
	return m
}
