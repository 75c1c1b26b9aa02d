package csp

import (
	"strings"
	"testing"

	"dirsyncd/connectors/sim/microsoftsim"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

// TestPhotos: photos of customers' people come where they are asked for, and a customer that has not consented to
// them fails alone.
func TestPhotos(t *testing.T) {
	w := newWorld(t, 2, microsoftsim.Population{People: 30, Photos: true}, microsoftsim.Pages{})
	for _, photos := range []bool{false, true} {
		c := w.open(func(c *Config) { c.Photos = photos })
		for _, tenant := range w.tenants(c)[1:] {
			page, err := read(t.Context(), c, tenant, streamUsers)
			if err != nil || len(page.Objects) != 30 {
				t.Fatalf("%d people, %v", len(page.Objects), err)
			}
			with := 0
			for _, o := range page.Objects {
				if _, ok := o.Get(directory.AttributePrefix + "photo"); ok {
					with++
				}
			}
			if photos != (with == 20) || !photos && with > 0 {
				t.Errorf("photos: %t, and %d have one", photos, with)
			}
		}
	}
	w.customers[0].Revoke(customerApp, "User.Read.All")
	w.customers[0].Consent(customerApp, "Directory.Read.All")
	c := w.open(func(c *Config) { c.Photos = true })
	for _, tenant := range w.tenants(c)[1:] {
		page, err := read(t.Context(), c, tenant, streamUsers)
		if tenant.ID != w.customers[0].ID() {
			if err != nil || len(page.Objects) != 30 {
				t.Errorf("the other customer: %v", err)
			}
			continue
		}
		if fault.ClassOf(err) != fault.Forbidden || !strings.Contains(fault.Hint(err), "ProfilePhoto.Read.All") {
			t.Errorf("%v", err)
		}
	}
	found, err := c.Check(t.Context())
	named := false
	for _, f := range found {
		named = named || !f.OK && strings.Contains(f.Subject+f.Detail+f.Hint, "ProfilePhoto.Read.All")
	}
	if err != nil || !named {
		t.Errorf("%+v, %v", found, err)
	}
}
