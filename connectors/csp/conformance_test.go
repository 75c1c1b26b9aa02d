package csp

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/connectors/connectortest"
	"dirsyncd/connectors/sim/microsoftsim"
	"dirsyncd/sync/directory"
)

// partOf shows the suite some of the streams: it reads every stream of one tenant, and no tenant here has all.
type partOf struct {
	*Connector
	has func(stream string) bool
}

func (p partOf) Describe() connectors.Description {
	d := p.Connector.Describe()
	d.Streams = slices.DeleteFunc(d.Streams, func(s connectors.Stream) bool { return !p.has(s.Name) })
	return d
}

// TestConformance runs the suite with one customer's tenant.
func TestConformance(t *testing.T) {
	connectortest.Run(t, connectortest.Harness{
		Start: func(tb testing.TB) *connectortest.Fixture {
			w := newWorld(tb, 2, microsoftsim.Population{People: 80, Guests: 5, Groups: 50, Managed: 85, SKUs: 85}, smallPages())
			f := w.fixture(w.customers[1])
			f.Connector = connectors.Guard(partOf{w.open(nil), func(s string) bool { return s != streamCustomers }})
			return f
		},
		Secrets: []string{appSecret, partnerSecret},
	})
}

// TestConformanceOfCustomers runs it with the partner's own tenant.
func TestConformanceOfCustomers(t *testing.T) {
	connectortest.Run(t, connectortest.Harness{
		Start: func(tb testing.TB) *connectortest.Fixture {
			w := newWorld(tb, 40, microsoftsim.Population{People: 1, SKUs: 1}, smallPages())
			c := w.openTuned(func(c *Config) { c.Devices = false }, tuning{customersPage: 4})
			f := w.customersFixture()
			f.Connector = connectors.Guard(partOf{c, func(s string) bool { return s == streamCustomers }})
			f.Tenant = &connectors.Tenant{ID: w.partner.ID(), Name: "The Partner"}
			return f
		},
		Secrets: []string{appSecret, partnerSecret},
		Unsupported: map[connectortest.Breakage]string{
			connectortest.MidListing: "all sources are read before the first page, so that their lists are of one moment",
			connectortest.Silence:    "as above",
		},
	})
}

// TestConformanceDelegated runs it with the secure application model.
func TestConformanceDelegated(t *testing.T) {
	if testing.Short() {
		t.Skip("the same suite once more")
	}
	connectortest.Run(t, connectortest.Harness{
		Start: func(tb testing.TB) *connectortest.Fixture {
			w := newWorld(tb, 1, microsoftsim.Population{People: 80, Guests: 5, Groups: 50, Managed: 85, SKUs: 85}, smallPages())
			path := w.delegated()
			f := w.fixture(w.customers[0])
			f.Connector = connectors.Guard(partOf{w.open(func(c *Config) { delegate(c, path) }), func(s string) bool { return s != streamCustomers }})
			return f
		},
		Secrets: []string{appSecret, partnerSecret, "0.refresh-"},
	})
}

func smallPages() microsoftsim.Pages {
	return microsoftsim.Pages{Users: 10, Groups: 6, Members: 40, List: 10, Most: 10, Customers: 10}
}

// fixture changes and breaks one customer.
func (w *world) fixture(t *microsoftsim.Tenant) *connectortest.Fixture {
	ref := func(kind directory.Kind, id string) directory.Ref { return directory.Ref{Kind: kind, ID: id} }
	item := func(stream string, i int) directory.Ref {
		switch stream {
		case streamUsers:
			return ref(directory.Person, t.PersonID(i))
		case streamGroups:
			return ref(directory.Group, t.GroupID(i))
		case streamDevices:
			return ref(directory.Device, t.ManagedID(i))
		default:
			return ref(directory.Licence, t.SKUs()[i].ID)
		}
	}
	set := func(r directory.Ref, p microsoftsim.Props, sku func(*microsoftsim.SKU)) directory.Ref {
		switch r.Kind {
		case directory.Licence:
			list := t.SKUs()
			sku(&list[slices.IndexFunc(list, func(s microsoftsim.SKU) bool { return s.ID == r.ID })])
			t.SetSKUs(list...)
		case directory.Device:
			t.SetManaged(r.ID, p)
		default:
			t.Set(r.ID, p)
		}
		return r
	}
	return &connectortest.Fixture{
		Shorten: func(testing.TB) { w.s.Misbehave(microsoftsim.Fault{Kind: microsoftsim.Lacks, Path: "/v1"}) },
		Tenant:  &connectors.Tenant{ID: t.ID(), Name: t.Name(), Domain: t.Domain()},
		Add: func(_ testing.TB, stream string) directory.Ref {
			switch stream {
			case streamUsers:
				return ref(directory.Person, t.AddUser(nil))
			case streamGroups:
				return ref(directory.Group, t.AddGroup(nil))
			case streamDevices:
				return ref(directory.Device, t.AddManaged(nil))
			}
			added := microsoftsim.SKU{ID: "99999999-0000-4000-8000-000000000001", PartNumber: "ADDED", Status: "Enabled", Enabled: 3}
			t.SetSKUs(append(t.SKUs(), added)...)
			return ref(directory.Licence, added.ID)
		},
		Change: func(_ testing.TB, stream string) directory.Ref {
			p := map[string]microsoftsim.Props{
				streamUsers: {"jobTitle": "changed"}, streamGroups: {"description": "changed"}, streamDevices: {"osVersion": "changed"},
			}[stream]
			return set(item(stream, 3), p, func(s *microsoftsim.SKU) { s.Terms[0].Length = "P3Y" })
		},
		Rename: func(_ testing.TB, stream string) directory.Ref {
			p := map[string]microsoftsim.Props{
				streamUsers:   {"userPrincipalName": "renamed@x.test", "displayName": "Renamed", "mail": "renamed@x.test"},
				streamGroups:  {"displayName": "Renamed", "mail": "renamed@x.test"},
				streamDevices: {"deviceName": "renamed"},
			}[stream]
			return set(item(stream, 4), p, func(s *microsoftsim.SKU) { s.PartNumber = "RENAMED" })
		},
		Delete: func(_ testing.TB, stream string) directory.Ref {
			r := item(stream, 5)
			switch stream {
			case streamUsers:
				t.SoftDelete(r.ID)
			case streamGroups:
				t.Purge(r.ID)
			case streamDevices:
				t.DeleteManaged(r.ID)
			default:
				t.SetSKUs(slices.DeleteFunc(t.SKUs(), func(s microsoftsim.SKU) bool { return s.ID == r.ID })...)
			}
			return r
		},
		Break: func(tb testing.TB, how connectortest.Breakage) {
			tb.Helper()
			if how == connectortest.BadEntry {
				for _, stream := range []string{streamUsers, streamGroups} {
					t.Set(item(stream, 7).ID, microsoftsim.Props{"displayName": 7})
				}
				t.SetManaged(t.ManagedID(7), microsoftsim.Props{"deviceName": 7})
				w.s.Misbehave(microsoftsim.Fault{Kind: microsoftsim.NullElement, Path: "/subscribedSkus"})
				return
			}
			w.breakAll(tb, t, how)
		},
	}
}

// breakAll breaks what every part of the cloud shares.
func (w *world) breakAll(tb testing.TB, t *microsoftsim.Tenant, how connectortest.Breakage) {
	tb.Helper()
	switch how {
	case connectortest.BadCredentials:
		w.s.AddApp(microsoftsim.App{ID: customerApp, Home: w.partner.ID(), Secrets: map[string]time.Time{"another": {}}})
		w.s.AddApp(microsoftsim.App{ID: partnerAppID, Home: w.partner.ID(), Secrets: map[string]time.Time{"another": {}}, PartnerCenter: true})
	case connectortest.MissingPermission:
		t.Revoke(customerApp, "GroupMember.Read.All", "DelegatedAdminRelationship.Read.All")
		t.Revoke(partnerAppID, "GroupMember.Read.All", "DelegatedAdminRelationship.Read.All")
	case connectortest.MidListing:
		w.s.Misbehave(microsoftsim.ErrorAnswer("/v1.0/", 0, http.StatusInternalServerError, "InternalServerError", "x"))
	case connectortest.Silence:
		w.s.Misbehave(microsoftsim.Fault{Kind: microsoftsim.Hang})
	case connectortest.Unreachable:
		w.s.Misbehave(microsoftsim.Fault{Kind: microsoftsim.Reset})
	case connectortest.LostCursors:
		w.s.ExpireTokens(true)
	default:
		tb.Fatalf("unknown breakage %q", how)
	}
}

// customersFixture changes and breaks the list of customers.
func (w *world) customersFixture() *connectortest.Fixture {
	var list []microsoftsim.Customer
	for _, t := range w.customers {
		list = append(list, microsoftsim.Customer{Tenant: t.ID(), Name: t.Name(), Domain: t.Domain(), Relationship: "reseller"})
	}
	w.s.SetCustomers(list...)
	// The relationships would keep whom Partner Center no longer lists.
	w.s.SetRelationships()
	at := func(i int) directory.Ref { return directory.Ref{Kind: directory.Customer, ID: list[i].Tenant} }
	return &connectortest.Fixture{
		Shorten: func(testing.TB) { w.s.Misbehave(microsoftsim.Fault{Kind: microsoftsim.Lacks, Path: "/v1"}) },
		Add: func(testing.TB, string) directory.Ref {
			t := w.s.AddTenant(microsoftsim.TenantOptions{})
			list = append(list, microsoftsim.Customer{Tenant: t.ID(), Name: t.Name(), Domain: t.Domain(), Relationship: "reseller"})
			w.s.SetCustomers(list...)
			return at(len(list) - 1)
		},
		Change: func(testing.TB, string) directory.Ref {
			list[3].Relationship = "advisor"
			w.s.SetCustomers(list...)
			return at(3)
		},
		Rename: func(testing.TB, string) directory.Ref {
			list[4].Name, list[4].Domain = "Renamed", "renamed.test"
			w.s.SetCustomers(list...)
			return at(4)
		},
		Delete: func(testing.TB, string) directory.Ref {
			r := at(5)
			list = slices.Delete(list, 5, 6)
			w.s.SetCustomers(list...)
			return r
		},
		Break: func(tb testing.TB, how connectortest.Breakage) {
			if how == connectortest.BadEntry {
				list[7].Tenant = "not a GUID"
				w.s.SetCustomers(list...)
				return
			}
			w.breakAll(tb, w.partner, how)
		},
	}
}

func delegate(c *Config, path string) {
	c.CustomerAccess, c.RefreshTokenFile = accessDelegated, pathOf(path)
}
