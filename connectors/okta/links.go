package okta

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"dirsyncd/sync/fault"
)

// Names of headers that linkReader puts in place of Link.
const (
	headerNext  = "Dirsyncd-Next"  // path and query of the next page
	headerLinks = "Dirsyncd-Links" // set when there was a Link header at all
)

// linkReader stands between the SDK and the transport. It reads the Link headers itself and takes them away: what the
// SDK makes of them ended the program, or a listing too early, when a proxy had written them anew.
//
// It also seals errors, so that the SDK finds none after which it sends again: the transport has done all the repeating
// that helps, with pauses and to an end.
type linkReader struct{ next http.RoundTripper }

func (l *linkReader) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := l.next.RoundTrip(req)
	if err != nil {
		var f *fault.Error
		if errors.As(err, &f) {
			return nil, opaqueError{f}
		}
		return nil, err
	}
	lines := resp.Header.Values("Link")
	resp.Header.Del("Link")
	resp.Header.Del(headerNext)
	resp.Header.Del(headerLinks)
	if len(lines) == 0 {
		return resp, nil
	}
	resp.Header.Set(headerLinks, "yes")
	next, err := nextLink(lines)
	if err != nil {
		_ = resp.Body.Close()
		return nil, opaqueError{&fault.Error{
			Class: fault.Invalid, Op: nameOf(req), Where: req.URL.Host, Err: err,
			Hint: "nothing is concluded from a listing whose pages cannot be followed; look for a proxy that changes headers",
		}}
	}
	if next != "" {
		resp.Header.Set(headerNext, next)
	}
	return resp, nil
}

// opaqueError is a classified error that shows nothing of what it wraps but the class.
type opaqueError struct{ f *fault.Error }

func (s opaqueError) Error() string { return s.f.Error() }

// As gives the classified error to errors.As.
func (s opaqueError) As(target any) bool {
	p, ok := target.(**fault.Error)
	if ok {
		*p = s.f
	}
	return ok
}

// nextLink finds the link to the next page among the values of Link headers (RFC 8288 section 3), whether each
// link has a header of its own, as Okta sends them, or a proxy has joined them. It returns the path and query
// only: pages are asked for at the configured address, whatever the org calls itself. Empty: there is none.
func nextLink(lines []string) (string, error) {
	found := ""
	for _, line := range lines {
		for line = strings.Trim(line, " \t,"); line != ""; line = strings.Trim(line, " \t,") {
			if line[0] != '<' {
				return "", errors.New("a Link header is not a link")
			}
			target, rest, ok := strings.Cut(line[1:], ">")
			if !ok {
				return "", errors.New("a Link header is not a link")
			}
			relation, rest := linkRelation(rest)
			line = rest
			if !relation {
				continue
			}
			path, err := linkPath(target)
			if err != nil {
				return "", err
			}
			if found != "" && found != path {
				return "", errors.New("two different links lead to the next page")
			}
			found = path
		}
	}
	return found, nil
}

// linkPath returns path and query of a link.
func linkPath(target string) (string, error) {
	u, err := url.Parse(target)
	if err != nil || !strings.HasPrefix(u.Path, "/") {
		return "", errors.New("the link to the next page is not a URL") // without the URL: it may be anything
	}
	if u.RawQuery == "" {
		return u.EscapedPath(), nil
	}
	return u.EscapedPath() + "?" + u.RawQuery, nil
}

// linkRelation reads the parameters that follow a link's target up to the comma before the next link. It reports
// whether one of the relations is next.
func linkRelation(text string) (next bool, rest string) {
	quoted, begin := false, 0
	param := func(s string) {
		name, value, ok := strings.Cut(strings.TrimSpace(s), "=")
		if !ok || !strings.EqualFold(strings.TrimSpace(name), "rel") {
			return
		}
		for _, r := range strings.Fields(strings.Trim(strings.TrimSpace(value), `"`)) {
			next = next || strings.EqualFold(r, "next")
		}
	}
	for i := 0; i < len(text); i++ {
		switch {
		case quoted && text[i] == '\\':
			i++
		case text[i] == '"':
			quoted = !quoted
		case quoted:
		case text[i] == ';':
			param(text[begin:i])
			begin = i + 1
		case text[i] == ',':
			param(text[begin:i])
			return next, text[i+1:]
		}
	}
	param(text[begin:])
	return next, ""
}
