package saml

import (
	"fmt"

	"dirsyncd/sync/signin"
)

// trail is what was checked so far.
type trail struct{ checks []signin.Check }

func (t *trail) ok(name, found string) {
	t.checks = append(t.checks, signin.Check{Name: name, OK: true, Found: found})
}

// refuse ends the trail. What follows the hint is the text, as for fmt.Sprintf.
func (t *trail) refuse(reason signin.Reason, name, found, hint, format string, args ...any) *signin.Refusal {
	t.checks = append(t.checks, signin.Check{Name: name, Found: found})
	return &signin.Refusal{Reason: reason, Text: fmt.Sprintf(format, args...), Hint: hint, Checks: t.checks}
}
