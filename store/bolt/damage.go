package bolt

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
)

// guard makes a panic that a damaged file causes inside bbolt an error of the function that defers its
// result; the store is of no use afterwards. Any other panic goes on its way. settle runs in both cases,
// unless *done. An access to a part of the mapping that the disk cannot deliver is such a panic, too.
//
//	defer s.guard(op, &done, &err, settle)()
func (s *Store) guard(op string, done *bool, err *error, settle func()) func() {
	before := debug.SetPanicOnFault(true)
	return func() {
		debug.SetPanicOnFault(before)
		if *done {
			return
		}
		// The check comes before recover, so that a panic of the caller's own keeps its stack.
		if raisedByFile() {
			*err = s.breakDown(op, recover())
		}
		settle()
	}
}

// breakDown marks the store as unusable and returns the error that every later call returns, too.
func (s *Store) breakDown(op string, cause any) error {
	err := damage(op, s.path, fmt.Errorf("%v", cause))
	s.broken.CompareAndSwap(nil, &err)
	return *s.broken.Load()
}

// raisedByFile reports whether the panic under way came from bbolt, or from an access to mapped memory that
// is not there. It is called by a deferred function.
func raisedByFile() bool {
	pcs := make([]uintptr, 64)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(1, pcs)])
	panicking := false
	for {
		frame, more := frames.Next()
		name := frame.Function
		switch {
		case name == "runtime.gopanic":
			panicking = true
		case name == "runtime.panicmemAddr":
			return true
		case panicking && !isPlumbing(name):
			return strings.HasPrefix(name, "go.etcd.io/bbolt")
		}
		if !more {
			return false
		}
	}
}

// isPlumbing tells the parts of the standard library that fail on behalf of their caller.
func isPlumbing(function string) bool {
	for _, prefix := range []string{"runtime.", "internal/", "bytes.", "sort.", "slices."} {
		if strings.HasPrefix(function, prefix) {
			return true
		}
	}
	return false
}
