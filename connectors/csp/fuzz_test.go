package csp

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"time"

	"dirsyncd/connectors"
)

// FuzzLists decodes what services may answer, and looks at what is made of it.
func FuzzLists(f *testing.F) {
	f.Add(`{"items":[{"id":"00000000-0000-4000-8000-000000000001","companyProfile":{"companyName":"A","domain":"a.test"}},null,7]}`)
	f.Add(`{"value":[{"id":"x","status":"active","endDateTime":"2026-01-01T00:00:00Z","customer":{"tenantId":"00000000-0000-4000-8000-000000000001"}}]}`)
	f.Add(`{"items":[{"id":"s","quantity":3,"commitmentEndDate":"9999-12-31T00:00:00Z"}]}`)
	f.Add(`{"items":{},"links":{"next":{"uri":7}}}`)
	now := time.Now()
	h := newCustomerFilter(Defaults())
	f.Fuzz(func(t *testing.T, body string) {
		var c collection
		var o odata
		if json.Unmarshal([]byte(body), &c) == nil && c.Items != nil {
			var a answers
			_ = eachOf(*c.Items, func(p *partnerCustomer) error { a.center = append(a.center, p); return nil })
			for _, one := range reconcile(a, now) {
				_ = one.object(h.nameOf(one))
			}
			ts := &terms{}
			_ = eachOf(*c.Items, func(p *partnerSubscription) error {
				p.ends = parseTime(p.Ends)
				ts.loose = append(ts.loose, p)
				return nil
			})
			_ = ts.rest()
		}
		if json.Unmarshal([]byte(body), &o) == nil && o.Value != nil {
			var a answers
			_ = eachOf(*o.Value, func(r *relationship) error {
				r.ends = parseTime(r.Ends)
				a.relations = append(a.relations, r)
				return nil
			})
			for _, one := range reconcile(a, now) {
				_ = one.object(h.nameOf(one))
			}
		}
	})
}

// FuzzLinks: no address of a service leads a token elsewhere.
func FuzzLinks(f *testing.F) {
	for _, seed := range []string{"/customers?size=5", "/v1/customers", "//evil.test/x", "//6@/", "https://evil.test/", "https://center.test@evil.test/", "https://center.test/v1/x", "\\\\evil", "/\\evil.test"} {
		f.Add(seed)
	}
	root, _ := url.Parse("https://center.test")
	a := newAPI(apiOptions{root: root, env: connectors.Env{}, name: nameOf})
	f.Fuzz(func(t *testing.T, link string) {
		u, err := a.resolve("x", link, "/v1")
		if err != nil {
			return
		}
		again, err := url.Parse(u.String())
		if u.Host != "center.test" || u.Scheme != "https" || u.User != nil || err != nil || again.Host != "center.test" || !strings.HasPrefix(u.String(), "https://center.test") {
			t.Errorf("%q leads to %s", link, u)
		}
	})
}
