package fleet

import "fmt"

// AloneError is why a worker may not join: what its plan says is for one worker alone, and another one is there.
type AloneError struct {
	Other string // its name
}

// Error implements error.
func (e *AloneError) Error() string {
	return fmt.Sprintf("it is for one worker alone, and worker %q is there", e.Other)
}
