package google

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/connectors/connectortest"
	"dirsyncd/connectors/sim/googlesim"
	"dirsyncd/sync/directory"
)

// TestConformance runs the suite with the audit log and without.
func TestConformance(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"events": func(*Config) {},
		"full":   func(c *Config) { c.Events = eventsOff },
	} {
		t.Run(name, func(t *testing.T) {
			connectortest.Run(t, connectortest.Harness{
				Start:   func(tb testing.TB) *connectortest.Fixture { return conforming(tb, change) },
				Secrets: []string{"PRIVATE KEY", "ya29.", googlesim.ClientSecret, googlesim.RefreshToken},
			})
		})
	}
}

const conformProducts = 9

func conforming(tb testing.TB, change func(*Config)) *connectortest.Fixture {
	r := start(tb, func(o *googlesim.Options) { o.PageCap = 10 })
	c := r.Customer(0)
	var people, groups []string
	c.Quietly(func() {
		for i := range 85 {
			people = append(people, c.AddUser(googlesim.User{
				Email: fmt.Sprintf("p%03d@example.test", i), GivenName: "Person", FamilyName: fmt.Sprint(i), Path: "/Staff", Manager: "p000@example.test",
			}))
			groups = append(groups, c.AddGroup(googlesim.Group{
				Email: fmt.Sprintf("g%03d@example.test", i), Name: fmt.Sprintf("Group %d", i),
				Members: []googlesim.Member{{ID: people[i], Email: fmt.Sprintf("p%03d@example.test", i), Type: "USER"}},
			}))
			c.Assign(licenceNumber(i%conformProducts, i))
			c.AddChrome(googlesim.Device{ID: fmt.Sprintf("d%03d", i), Serial: fmt.Sprint(i), Status: "ACTIVE", User: fmt.Sprintf("p%03d@example.test", i)})
		}
	})
	var products []string
	for i := range conformProducts {
		products = append(products, fmt.Sprintf("P%d", i))
	}
	conn := r.open(tb, func(cfg *Config) {
		cfg.Licences.Products = products
		cfg.Devices.ChromeOS = true
		change(cfg)
	})
	f := &conformingFixture{r, c, people, groups}
	return &connectortest.Fixture{
		Connector: connectors.Guard(conn),
		Add:       func(_ testing.TB, stream string) directory.Ref { return f.add(stream) },
		Change:    func(_ testing.TB, stream string) directory.Ref { return f.change(stream) },
		Rename:    func(_ testing.TB, stream string) directory.Ref { return f.rename(stream) },
		Delete:    func(_ testing.TB, stream string) directory.Ref { return f.remove(stream) },
		Shorten:   func(testing.TB) { r.Misbehave(withoutFirst()) },
		Break:     f.breaks,
	}
}

// withoutFirst takes the first entry off every page of a list.
func withoutFirst() googlesim.Fault {
	return googlesim.Fault{Kind: googlesim.Change, Rewrite: func(doc map[string]any) {
		for key, v := range doc {
			if list, ok := v.([]any); ok && len(list) > 0 {
				doc[key] = list[1:]
			}
		}
	}}
}

func licenceNumber(product, person int) googlesim.Licence {
	return googlesim.Licence{
		Product: fmt.Sprintf("P%d", product), ProductName: fmt.Sprintf("Product %d", product), SKU: "S1", SKUName: "Standard",
		Email: fmt.Sprintf("p%03d@example.test", person),
	}
}

type conformingFixture struct {
	*rig
	c              *googlesim.Customer
	people, groups []string
}

func (f *conformingFixture) device(id string, edit func(*googlesim.Device)) directory.Ref {
	f.c.EditDevices(func(chrome, _ *[]*googlesim.Device) {
		for _, d := range *chrome {
			if d.ID == id {
				edit(d)
			}
		}
	})
	return directory.Ref{Kind: directory.Device, ID: id}
}

func (f *conformingFixture) add(stream string) directory.Ref {
	switch stream {
	case streamUsers:
		return directory.Ref{Kind: directory.Person, ID: f.c.AddUser(googlesim.User{Email: "added@example.test", GivenName: "New"})}
	case streamGroups:
		return directory.Ref{Kind: directory.Group, ID: f.c.AddGroup(googlesim.Group{Email: "added-group@example.test"})}
	case streamLicences:
		l := licenceNumber(1, 7)
		l.SKU = "S2"
		f.c.Assign(l)
		return directory.Ref{Kind: directory.Licence, ID: "P1/S2"}
	default:
		f.c.AddChrome(googlesim.Device{ID: "added"})
		return directory.Ref{Kind: directory.Device, ID: "added"}
	}
}

func (f *conformingFixture) change(stream string) directory.Ref {
	switch stream {
	case streamUsers:
		f.c.EditUser(f.people[3], "CHANGE_USER_ORGANIZATION", func(u *googlesim.User) { u.Title = "Changed" })
		return directory.Ref{Kind: directory.Person, ID: f.people[3]}
	case streamGroups:
		f.c.EditGroup(f.groups[3], "CHANGE_GROUP_DESCRIPTION", func(g *googlesim.Group) { g.Description = "Changed" })
		return directory.Ref{Kind: directory.Group, ID: f.groups[3]}
	case streamLicences:
		f.c.Assign(licenceNumber(3, 4))
		return directory.Ref{Kind: directory.Licence, ID: "P3/S1"}
	default:
		return f.device("d003", func(d *googlesim.Device) { d.Status = "DISABLED" })
	}
}

func (f *conformingFixture) rename(stream string) directory.Ref {
	switch stream {
	case streamUsers:
		f.c.RenameUser(f.people[4], "renamed@example.test")
		f.c.MoveUser(f.people[4], "/Elsewhere")
		f.c.EditUser(f.people[4], "CHANGE_LAST_NAME", func(u *googlesim.User) { u.FamilyName = "Renamed" })
		return directory.Ref{Kind: directory.Person, ID: f.people[4]}
	case streamGroups:
		f.c.EditGroup(f.groups[4], "", func(g *googlesim.Group) { g.Email, g.Name = "renamed-group@example.test", "Renamed" })
		return directory.Ref{Kind: directory.Group, ID: f.groups[4]}
	case streamLicences:
		f.c.EditLicences(func(l *googlesim.Licence) {
			if l.Product == "P4" {
				l.SKUName, l.ProductName = "Renamed", "Renamed product"
			}
		})
		return directory.Ref{Kind: directory.Licence, ID: "P4/S1"}
	default:
		return f.device("d004", func(d *googlesim.Device) { d.Asset, d.User = "Renamed", "p005@example.test" })
	}
}

func (f *conformingFixture) remove(stream string) directory.Ref {
	switch stream {
	case streamUsers:
		f.c.DeleteUser(f.people[5])
		return directory.Ref{Kind: directory.Person, ID: f.people[5]}
	case streamGroups:
		f.c.DeleteGroup(f.groups[5])
		return directory.Ref{Kind: directory.Group, ID: f.groups[5]}
	case streamLicences:
		f.c.Revoke(func(l *googlesim.Licence) bool { return l.Product == "P5" })
		return directory.Ref{Kind: directory.Licence, ID: "P5/S1"}
	default:
		f.c.EditDevices(func(chrome, _ *[]*googlesim.Device) { *chrome = append((*chrome)[:5], (*chrome)[6:]...) })
		return directory.Ref{Kind: directory.Device, ID: "d005"}
	}
}

func (f *conformingFixture) breaks(tb testing.TB, how connectortest.Breakage) {
	tb.Helper()
	switch how {
	case connectortest.BadCredentials:
		f.DeleteKey()
	case connectortest.MissingPermission:
		f.Deny("admin.directory.user.readonly")
	case connectortest.MidListing:
		f.Misbehave(googlesim.Fault{Status: 503, Body: "<html>", Header: map[string]string{"Content-Type": "text/html"}})
	case connectortest.Silence:
		f.Misbehave(googlesim.Fault{Kind: googlesim.Hang})
	case connectortest.Unreachable:
		_ = f.Close()
	case connectortest.LostCursors:
		f.advance(200 * 24 * time.Hour)
	case connectortest.BadEntry:
		f.c.Quietly(func() {
			f.c.EditUser(f.people[7], "", func(u *googlesim.User) { u.Odd = map[string]any{"name": "not an object"} })
			f.c.EditGroup(f.groups[7], "", func(g *googlesim.Group) { g.Odd = map[string]any{"id": nil} })
			f.device("d007", func(d *googlesim.Device) { d.Odd = map[string]any{"deviceId": 7} })
			f.c.EditLicences(func(l *googlesim.Licence) {
				if strings.HasPrefix(l.Email, "p007@") {
					l.Odd = map[string]any{"skuId": nil}
				}
			})
		})
	default:
		tb.Fatalf("unknown breakage %q", how)
	}
}
