package rest

import (
	"fmt"
	"net/http"
	"net/url"

	"dirsyncd/sync/fault"
)

// Link reads the address of a next page, or of anything else that a service names. The request to it carries the
// credentials, so it must lead to where requests go anyway: the scheme and the host of root, without a user's name
// before the host.
//
// The error names the other place but not the whole link, which may hold a token.
func Link(root *url.URL, op, text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err == nil && u.Scheme == root.Scheme && u.Host == root.Host && u.User == nil {
		return u, nil
	}
	where := "somewhere"
	if err == nil && u.Host != "" {
		where = u.Scheme + "://" + u.Host
	}
	return nil, &fault.Error{
		Class: fault.Invalid, Op: op, Where: root.Host, Err: fmt.Errorf("a link of the service leads to %s", where),
		Hint: "nothing was sent there; if the service has really moved, change its address in the configuration",
	}
}

// NoRedirects is the CheckRedirect of clients that carry credentials: a redirection is an answer, and is judged as
// one. It is not followed.
func NoRedirects(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
