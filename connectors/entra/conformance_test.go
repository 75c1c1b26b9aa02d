package entra

import (
	"net/http"
	"testing"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/connectors/connectortest"
	"dirsyncd/connectors/sim/microsoftsim"
	"dirsyncd/sync/directory"
)

// TestConformance runs the suite with a tenant that tracks changes.
func TestConformance(t *testing.T) {
	conformance(t, microsoftsim.Workforce, func(c *Config) { c.Devices = true })
}

// TestConformanceUntracked runs it with a tenant for customers.
func TestConformanceUntracked(t *testing.T) {
	conformance(t, microsoftsim.B2C, func(c *Config) { c.TenantType = B2C })
}

// TestConformancePhotos runs it with everybody's photo.
func TestConformancePhotos(t *testing.T) {
	conformance(t, microsoftsim.Workforce, withPhotos)
}

func conformance(t *testing.T, kind microsoftsim.Kind, edit func(*Config)) {
	connectortest.Run(t, connectortest.Harness{
		Start: func(tb testing.TB) *connectortest.Fixture {
			w := newWorld(tb, microsoftsim.TenantOptions{Kind: kind, Population: microsoftsim.Population{
				People: 90, Guests: 5, Groups: 60, Managed: 90, SKUs: 90, Extension: true, Photos: true,
			}}, microsoftsim.Pages{Users: 10, Groups: 6, Members: 40, List: 10, Most: 10})
			return w.fixture(w.open(edit))
		},
		Secrets: []string{testSecret},
	})
}

func (w *world) fixture(c *Connector) *connectortest.Fixture {
	t := w.tenant
	sku := func(i int, edit func(*microsoftsim.SKU)) directory.Ref {
		list := t.SKUs()
		edit(&list[i])
		t.SetSKUs(list...)
		return directory.Ref{Kind: directory.Licence, ID: list[i].ID}
	}
	person := func(i int) directory.Ref { return directory.Ref{Kind: directory.Person, ID: t.PersonID(i)} }
	group := func(i int) directory.Ref { return directory.Ref{Kind: directory.Group, ID: t.GroupID(i)} }
	device := func(i int) directory.Ref { return directory.Ref{Kind: directory.Device, ID: t.ManagedID(i)} }
	set := func(ref directory.Ref, p microsoftsim.Props) directory.Ref {
		if ref.Kind == directory.Device {
			t.SetManaged(ref.ID, p)
		} else {
			t.Set(ref.ID, p)
		}
		return ref
	}
	return &connectortest.Fixture{
		Shorten:   func(testing.TB) { w.s.Misbehave(microsoftsim.Fault{Kind: microsoftsim.Lacks, Path: "/v1.0/"}) },
		Connector: connectors.Guard(c),
		Add: func(_ testing.TB, stream string) directory.Ref {
			switch stream {
			case streamUsers:
				return directory.Ref{Kind: directory.Person, ID: t.AddUser(nil)}
			case streamGroups:
				return directory.Ref{Kind: directory.Group, ID: t.AddGroup(nil)}
			case streamDevices:
				return directory.Ref{Kind: directory.Device, ID: t.AddManaged(nil)}
			}
			list := append(t.SKUs(), microsoftsim.SKU{ID: "99999999-0000-4000-8000-000000000001", PartNumber: "ADDED", Status: "Enabled", Enabled: 3})
			t.SetSKUs(list...)
			return directory.Ref{Kind: directory.Licence, ID: list[len(list)-1].ID}
		},
		Change: func(_ testing.TB, stream string) directory.Ref {
			switch stream {
			case streamUsers:
				return set(person(3), microsoftsim.Props{"jobTitle": "changed"})
			case streamGroups:
				return set(group(3), microsoftsim.Props{"description": "changed"})
			case streamDevices:
				return set(device(3), microsoftsim.Props{"osVersion": "changed"})
			}
			return sku(3, func(s *microsoftsim.SKU) { s.Enabled = 4711 })
		},
		Rename: func(_ testing.TB, stream string) directory.Ref {
			switch stream {
			case streamUsers:
				return set(person(4), microsoftsim.Props{"userPrincipalName": "renamed@x.test", "displayName": "Renamed", "mail": "renamed@x.test"})
			case streamGroups:
				return set(group(4), microsoftsim.Props{"displayName": "Renamed", "mail": "renamed@x.test"})
			case streamDevices:
				return set(device(4), microsoftsim.Props{"deviceName": "renamed"})
			}
			return sku(4, func(s *microsoftsim.SKU) { s.PartNumber = "RENAMED" })
		},
		Delete: func(_ testing.TB, stream string) directory.Ref {
			switch stream {
			case streamUsers:
				t.SoftDelete(person(5).ID)
				return person(5)
			case streamGroups:
				t.Purge(group(5).ID)
				return group(5)
			case streamDevices:
				t.DeleteManaged(device(5).ID)
				return device(5)
			}
			list := t.SKUs()
			gone := list[5]
			t.SetSKUs(append(list[:5:5], list[6:]...)...)
			return directory.Ref{Kind: directory.Licence, ID: gone.ID}
		},
		Break: w.suffer,
	}
}

func (w *world) suffer(tb testing.TB, how connectortest.Breakage) {
	tb.Helper()
	switch how {
	case connectortest.BadCredentials:
		w.s.AddApp(microsoftsim.App{ID: testClient, Home: w.tenant.ID(), Secrets: map[string]time.Time{"another": {}}})
	case connectortest.MissingPermission:
		w.tenant.Revoke(testClient, "GroupMember.Read.All")
	case connectortest.MidListing:
		w.s.Misbehave(microsoftsim.ErrorAnswer("/v1.0/", 0, http.StatusInternalServerError, "InternalServerError", "x"))
	case connectortest.Silence:
		w.s.Misbehave(microsoftsim.Fault{Kind: microsoftsim.Hang})
	case connectortest.Unreachable:
		w.s.Misbehave(microsoftsim.Fault{Kind: microsoftsim.Reset})
	case connectortest.LostCursors:
		w.s.ExpireTokens(true)
	case connectortest.BadEntry:
		w.tenant.Set(w.tenant.PersonID(7), microsoftsim.Props{"displayName": 7})
		w.tenant.Set(w.tenant.GroupID(7), microsoftsim.Props{"displayName": 7})
		w.tenant.SetManaged(w.tenant.ManagedID(7), microsoftsim.Props{"deviceName": 7})
		w.s.Misbehave(microsoftsim.Fault{Kind: microsoftsim.NullElement, Path: "/subscribedSkus"})
	default:
		tb.Fatalf("unknown breakage %q", how)
	}
}
