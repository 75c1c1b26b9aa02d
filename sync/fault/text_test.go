package fault

import (
	"errors"
	"fmt"
	"testing"
)

func TestText(t *testing.T) {
	hinted := &Error{Class: Auth, Op: "bind", Where: "ldap://hq", Err: errors.New("refused"), Hint: "check the password"}
	for _, tc := range []struct {
		err  error
		want string
	}{
		{errors.New("plain (as it is)"), "plain (as it is)"},
		{hinted, "bind: ldap://hq: refused"},
		{fmt.Errorf("connection %q: %w", "hq", hinted), `connection "hq": bind: ldap://hq: refused`},
		{&Error{Class: Auth, Op: "bind"}, "bind"},
	} {
		if got := Text(tc.err); got != tc.want {
			t.Errorf("%v: got %q, want %q", tc.err, got, tc.want)
		}
	}
}
