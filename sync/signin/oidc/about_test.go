package oidc

import (
	"slices"
	"testing"
)

// TestAboutTenant: what is said of a tenant is the id that objects have, and never a name.
func TestAboutTenant(t *testing.T) {
	const id = "aaaaaaaa-0000-4000-8000-000000000001"
	for _, c := range []struct {
		block  any
		tenant string
		gives  string
	}{
		{&Entra{Tenant: id}, id, "entra"}, {&Entra{CustomersOf: "csp"}, "", "csp"}, {&External{Tenant: id}, id, "entra"},
		{&B2C{Tenant: "contoso"}, "", "entra"}, {&Okta{}, "", "okta"}, {&Google{}, "", "google"}, {&Generic{}, "", ""}, {&Delinea{UserID: "uuid"}, "", "delinea"}, {&Delinea{Object: "guid"}, "", ""},
	} {
		if a := about(c.block); a.Tenant != c.tenant || (c.gives == "") != (a.Gives == nil) || c.gives != "" && !slices.Contains(a.Gives, c.gives) {
			t.Errorf("%T: %+v", c.block, a)
		}
	}
}
