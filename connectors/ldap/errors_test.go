package ldap

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"

	"dirsyncd/sync/fault"
)

// A server that says no more than the result does is quoted once.
func TestResultTextIsNotDoubled(t *testing.T) {
	for text, want := range map[string]string{
		"":                     "result 4, size limit exceeded",
		"Size limit exceeded":  "result 4, size limit exceeded",
		"500 entries, no more": "result 4, size limit exceeded: 500 entries, no more",
	} {
		var r *serverResult
		if err := resultError("read users", "dc1", 4, text); !errors.As(err, &r) || r.Error() != want {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

// Every error of a connection is tried again, and says what to look at should it stay.
func TestTransportErrorsHaveHints(t *testing.T) {
	dial := func(err error) error {
		return &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", err)}
	}
	tests := []struct {
		err  error
		want string
	}{
		{dial(syscall.ECONNREFUSED), "nothing listens there"},
		{dial(syscall.EHOSTUNREACH), "firewalls"},
		{dial(syscall.ENETUNREACH), "routes"},
		{&net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Name: "dc1", IsNotFound: true}}, "the server's name"},
		{context.DeadlineExceeded, "a longer timeout"},
		{&net.OpError{Op: "read", Net: "tcp", Err: os.ErrDeadlineExceeded}, "firewall drop packets"},
		{errors.New("unable to read LDAP response packet: read tcp 10.0.0.1:389: i/o timeout"), "a longer timeout"},
		{fmt.Errorf("unable to read LDAP response packet: %w", io.ErrUnexpectedEOF), "the server's own log"},
		{&net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}, "the server's own log"},
	}
	for _, test := range tests {
		err := transportError("read users", "ldap://dc1", test.err)
		if fault.ClassOf(err) != fault.Transient || !strings.Contains(fault.Hint(err), test.want) {
			t.Errorf("%v: %s, hint %q, want %q", test.err, fault.ClassOf(err), fault.Hint(err), test.want)
		}
	}
}
