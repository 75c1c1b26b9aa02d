package csp

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"dirsyncd/connectors"
	"dirsyncd/connectors/sim/microsoftsim"
)

// TestDomains: with customer_details a customer's domains come with its people, from the first read of a process on, and what keeps
// them from coming keeps nobody from being read.
func TestDomains(t *testing.T) {
	w := newWorld(t, 0, microsoftsim.Population{}, microsoftsim.Pages{})
	made := w.s.AddTenant(microsoftsim.TenantOptions{Domain: "acme.onmicrosoft.test", Domains: []string{"Acme.test", "acme.example"}, Population: microsoftsim.Population{People: 3}})
	made.Consent(customerApp, customerPermissions()...)
	w.s.AddCustomer(made)
	tenant := connectors.Tenant{ID: made.ID()}
	last := func(c *Connector, stream string, cursor []byte) (domains, notes []string, next []byte) {
		t.Helper()
		req := connectors.Request{Tenant: tenant, Stream: stream, Mode: connectors.Full, Cursor: cursor}
		if cursor != nil {
			req.Mode = connectors.Delta
		}
		people := 0
		err := connectors.Guard(c).Read(t.Context(), req, func(p *connectors.Page) error {
			people += len(p.Objects)
			if p.Proof == nil && len(p.Domains) > 0 {
				t.Error("a page that is not the last one tells domains")
			}
			domains, notes, next = slices.Clone(p.Domains), slices.Clone(p.Notes), slices.Clone(p.Cursor)
			return nil
		})
		if err != nil || stream == streamUsers && cursor == nil && people != 3 {
			t.Fatalf("%d people, %v", people, err)
		}
		return domains, notes, next
	}
	all := []string{"acme.onmicrosoft.test", "acme.onmicrosoft.test", "Acme.test", "acme.example"}
	details := func(c *Config) { c.CustomerDetails = true }

	c := w.open(details) // which never listed its tenants
	domains, notes, cursor := last(c, streamUsers, nil)
	if !slices.Equal(domains, all) || len(notes) > 0 {
		t.Errorf("a full read: %v, %v", domains, notes)
	}
	if domains, _, _ := last(c, streamUsers, cursor); !slices.Equal(domains, all) {
		t.Errorf("an incremental read: %v", domains)
	}
	if domains, _, _ := last(c, streamGroups, nil); domains != nil {
		t.Errorf("they come once, and not with the groups: %v", domains)
	}
	w.s.ResetCounts()
	if domains, _, _ := last(w.open(nil), streamUsers, nil); domains != nil || w.s.Requests("/v1/customers/") != 0 {
		t.Errorf("nobody wanted them: %v", domains)
	}

	w.s.Misbehave(microsoftsim.Fault{Path: "/customers/" + made.ID(), Status: http.StatusInternalServerError, Body: "{}"})
	domains, notes, _ = last(c, streamUsers, nil)
	if domains != nil || len(notes) != 1 || !strings.Contains(notes[0], "those that it told last") {
		t.Errorf("the request fails: %v, %v", domains, notes)
	}
	w.s.Behave()

	stranger := w.s.AddTenant(microsoftsim.TenantOptions{Population: microsoftsim.Population{People: 3}})
	stranger.Consent(customerApp, customerPermissions()...)
	tenant = connectors.Tenant{ID: stranger.ID()}
	if domains, notes, _ := last(c, streamUsers, nil); domains != nil || len(notes) > 0 {
		t.Errorf("a customer that buys nothing: %v, %v", domains, notes)
	}
}
