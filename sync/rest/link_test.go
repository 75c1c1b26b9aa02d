package rest

import (
	"net/url"
	"strings"
	"testing"

	"dirsyncd/sync/fault"
)

func TestLink(t *testing.T) {
	root := &url.URL{Scheme: "https", Host: "center.test"}
	for _, c := range []struct{ link, want string }{
		{"https://center.test/v1/x?a=b", "https://center.test/v1/x?a=b"},
		{"/v1/x?a=b", ""},
		{"http://center.test/v1/x", ""},
		{"https://center.test:8443/v1/x", ""},
		{"https://evil.test/", ""},
		{"//evil.test/x", ""},
		{"https://center.test@evil.test/", ""},
		{"https://someone@center.test/", ""},
		{"//6@/", ""},
		{"x", ""},
		{"", ""},
		{"https://center.test\x00", ""},
	} {
		u, err := Link(root, "GET x", c.link)
		got := ""
		if err == nil {
			got = u.String()
		} else if fault.ClassOf(err) != fault.Invalid {
			t.Errorf("%q: %v is not Invalid", c.link, err)
		}
		if got != c.want {
			t.Errorf("%q leads to %q, want %q", c.link, got, c.want)
		}
	}
}

// FuzzLink: no address of a service leads a token elsewhere, nor does the text that is made of it.
func FuzzLink(f *testing.F) {
	for _, seed := range []string{"/customers?size=5", "//evil.test/x", "//6@/", "https://evil.test/", "https://center.test@evil.test/", "https://center.test/v1/x", "\\\\evil", "/\\evil.test"} {
		f.Add(seed)
	}
	root := &url.URL{Scheme: "https", Host: "center.test"}
	f.Fuzz(func(t *testing.T, link string) {
		u, err := Link(root, "x", link)
		if err != nil {
			return
		}
		again, err := url.Parse(u.String())
		if u.Host != "center.test" || u.Scheme != "https" || u.User != nil || err != nil || again.Host != "center.test" || !strings.HasPrefix(u.String(), "https://center.test") {
			t.Errorf("%q leads to %s", link, u)
		}
	})
}
