package ldap

import (
	"strings"
	"testing"

	"dirsyncd/connectors/ldap/slapdtest"

	"github.com/go-ldap/ldap/v3"
)

// TestProxies: a proxy leaves the control that ends a paged listing out of its answer. What came is everything, unless it is
// exactly one page: then everything is asked for at once.
func TestProxies(t *testing.T) {
	for name, pageSize := range map[string]int{"less than a page": 1000, "a page": 35, "more than a page": 10} {
		d := fakeAD()
		unpaged := 0
		d.page = func(_ int, r *fakeRequest) bool {
			r.paging.PagingSize = 1000
			if pageSize == 35 {
				r.paging.PagingSize = 35
			}
			r.entriesOf(d, 0)
			r.done(0, "", nil)
			return true
		}
		d.whole = func(r *fakeRequest) {
			unpaged++
			r.paging = ldap.NewControlPaging(1000)
			r.entriesOf(d, 0)
			r.done(0, "", nil)
		}
		c := newFakeServer(t, d).open(t, func(c *Config) { c.PageSize = pageSize })
		if got := readAll(t.Context(), c, streamUsers, nil).must(t); len(got.objects) != 35 {
			t.Errorf("%s: %d people, want 35", name, len(got.objects))
		}
		if asked := unpaged > 0; asked != (pageSize == 35) {
			t.Errorf("%s: asked for everything at once: %t", name, asked)
		}
	}
}

// TestPagesRefused: the account may read everything, and in one answer only (size.prtotal=disabled).
func TestPagesRefused(t *testing.T) {
	people := slapdtest.Population{People: 60, Groups: 2}
	s := slapdtest.Start(t, slapdtest.Options{Load: people.WriteLDIF, Database: []string{
		`limits dn.exact="uid=p1,ou=people,dc=example,dc=test" size.soft=unlimited size.hard=unlimited size.prtotal=disabled`,
		`limits dn.exact="uid=p2,ou=people,dc=example,dc=test" size.soft=50 size.hard=50 size.prtotal=disabled`,
	}})
	for uid, want := range map[string]string{"p1": "", "p2": "size limit"} {
		s.Replace(s.PersonDN(uid), "userPassword", "refused-secret")
		for _, incremental := range []string{incrementalOff, methodTimestamp} {
			c := openFor(t, s, func(c *Config) { bindAs(s.PersonDN(uid), "refused-secret")(c); c.Incremental = incremental })
			got := readAll(t.Context(), c, streamUsers, nil)
			if (got.err == nil) != (want == "") || got.err == nil && len(got.objects) != 60 || got.err != nil && !strings.Contains(got.err.Error(), want) {
				t.Errorf("%s: %d people, error %v, want %q", uid, len(got.objects), got.err, want)
			}
		}
		findings, err := openFor(t, s, bindAs(s.PersonDN(uid), "refused-secret")).Check(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range findings {
			switch {
			case f.Subject == "paging" && !strings.Contains(f.Detail, "refused"):
				t.Errorf("%s: finding %+v", uid, f)
			case strings.HasPrefix(f.Subject, "users below") && f.OK != (want == ""):
				t.Errorf("%s: finding %+v", uid, f)
			}
		}
	}
}
