package fault

import (
	"fmt"
	"runtime/debug"
)

// Recover makes an error of a panic when it is deferred, so that one tenant's defect is that tenant's alone. What stored
// something does so in transactions, which a panic ends without a trace.
func Recover(op string, err *error) {
	if p := recover(); p != nil {
		*err = &Error{Class: Internal, Op: op, Err: fmt.Errorf("panic: %v\n%s", p, debug.Stack()),
			Hint: "this is a defect of dirsyncd; nothing that was not stored is lost, please report it"}
	}
}
