// Package fault says what went wrong in terms of what happens next. A connector or target classifies an
// error once, where it meets it; the engine or the delivery acts on the class once; whoever acts logs it.
package fault

import (
	"context"
	"errors"
	"strings"
	"time"
)

// Class is the one thing about an error that code may act on. Each class has exactly one reaction. The words
// are stored and exported as metrics: they are appended to, never changed.
type Class string

// The classes and the reaction to each.
const (
	Transient     Class = "transient"      // retry with back-off
	Throttled     Class = "throttled"      // wait as long as told, then retry
	Auth          Class = "auth"           // stop this tenant: its credentials do not work
	Forbidden     Class = "forbidden"      // stop this tenant: a permission is missing
	CursorExpired Class = "cursor_expired" // read in full
	Invalid       Class = "invalid"        // park: repeating it cannot help
	Gone          Class = "gone"           // treat as removed
	Conflict      Class = "conflict"       // read again
	Configuration Class = "configuration"  // stop this connection: what the operator wrote cannot work there
	Canceled      Class = "canceled"       // stop: somebody asked for it
	Internal      Class = "internal"       // stop and shout: a defect of ours or damaged state
)

// Error is a classified error. It says what failed, where and why, and what to do about it.
type Error struct {
	Class Class
	// Op is what was being done, as a verb and its object: "read users".
	Op string
	// Where is the server, file or object concerned; it never holds a secret or personal data.
	Where string
	// Hint tells the operator what to do; empty when only waiting helps.
	Hint string
	// After is how long the other side asked to be left alone; zero when it did not say.
	After time.Duration
	Err   error
}

// Error renders "op: where: cause (hint)", leaving out what is empty.
func (e *Error) Error() string {
	var parts []string
	for _, s := range []string{e.Op, e.Where} {
		if s != "" {
			parts = append(parts, s)
		}
	}
	if e.Err != nil {
		parts = append(parts, e.Err.Error())
	}
	text := strings.Join(parts, ": ")
	if e.Hint != "" {
		text += " (" + e.Hint + ")"
	}
	return text
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// ClassOf returns the class of the outermost classified error in the chain. An end of the context is
// Canceled, whatever was wrapped around it; an error that nobody classified is Internal; nil has no class.
func ClassOf(err error) Class {
	if err == nil {
		return ""
	}
	if errors.Is(err, context.Canceled) {
		return Canceled
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Class
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return Transient
	}
	return Internal
}

// After returns how long the other side asked to be left alone, or zero.
func After(err error) time.Duration {
	var e *Error
	if errors.As(err, &e) {
		return e.After
	}
	return 0
}

// Hint returns what the operator should do according to the error, or "".
func Hint(err error) string {
	var e *Error
	if errors.As(err, &e) {
		return e.Hint
	}
	return ""
}

// Text returns the error's text without its Hint, for those who show the two apart.
func Text(err error) string {
	text := err.Error()
	if hint := Hint(err); hint != "" {
		text = strings.Replace(text, " ("+hint+")", "", 1)
	}
	return text
}

// Retryable reports whether the same call may succeed later without anybody's doing.
func (c Class) Retryable() bool { return c == Transient || c == Throttled || c == Conflict }
