package csp

import (
	"strings"
	"testing"

	"dirsyncd/connectors"
	"dirsyncd/connectors/sim/microsoftsim"
)

func find(t *testing.T, findings []connectors.Finding, subject, detail string) connectors.Finding {
	t.Helper()
	for _, f := range findings {
		if strings.Contains(f.Subject, subject) && strings.Contains(f.Detail, detail) {
			return f
		}
	}
	t.Errorf("nothing about %q with %q in %+v", subject, detail, findings)
	return connectors.Finding{}
}

func TestCheckPutsTogether(t *testing.T) {
	w := newWorld(t, 12, microsoftsim.Population{People: 2, SKUs: 1}, microsoftsim.Pages{})
	for _, i := range []int{1, 2, 3, 4, 5, 6, 7} {
		w.customers[i].Revoke(customerApp)
	}
	w.customers[8].Revoke(customerApp, "GroupMember.Read.All")
	w.customers[9].SetGone(true)
	c := w.open(func(c *Config) {
		c.Devices = false
		c.Exclude = []string{"nobody.test"}
		c.Customers = map[string]string{w.customers[10].ID(): "Twin", w.customers[11].ID(): "twin", guid(1): "Nobody"}
	})
	findings, err := c.Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	find(t, findings, "source partner_center", "12 customers")
	find(t, findings, "source gdap", "12 relationships")
	find(t, findings, "access", "3 of 12 customers can be read")
	many := find(t, findings, "sign-in", "7 of 12 customers")
	if !strings.Contains(many.Detail, "and 2 more") || !strings.Contains(many.Hint, "/"+tenantMark+"/adminconsent") || strings.Contains(many.Detail, "correlation") {
		t.Errorf("%+v", many)
	}
	one := find(t, findings, "permission GroupMember.Read.All", "1 of 12 customers")
	if !strings.Contains(one.Hint, w.customers[8].ID()+"/adminconsent") {
		t.Errorf("%+v", one)
	}
	find(t, findings, "sign-in", "there is no such tenant")
	find(t, findings, "exclude", "no source lists nobody.test")
	find(t, findings, "customers", "no source lists "+guid(1))
	find(t, findings, "names", "the same name: twin")
	find(t, findings, "customers", "10 of them have the source's name")
	if n := len(findings); n > 14 {
		t.Errorf("%d findings for twelve customers", n)
	}
}
