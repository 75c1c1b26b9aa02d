package e2e

import (
	"slices"
	"strings"
	"testing"
	"time"

	"dirsyncd/connectors/sim/googlesim"
)

// TestFlowGoogle runs docs/flows/google.md.
func TestFlowGoogle(t *testing.T) {
	t.Parallel()
	f := readFlow(t, "google")
	page := flowBlock[struct {
		People []struct {
			Name, Mail, Path, City string
			Groups, Licences       []string
			Suspended              bool
		}
		Devices []struct {
			Serial, Model, Owner string
			Seen                 int
			Chrome               bool
		}
	}](f, "source")
	workspace, err := googlesim.Start(googlesim.Options{})
	fatal(t, err)
	t.Cleanup(func() { _ = workspace.Close() })
	c := workspace.Customer(0)
	products := map[string]googlesim.Licence{
		"Google Workspace Business Starter": {Product: "Google-Apps", ProductName: "Google Workspace", SKU: "1010020027", SKUName: "Google Workspace Business Starter"},
		"Cloud Identity Premium":            {Product: "101031", ProductName: "Cloud Identity", SKU: "1010310005", SKUName: "Cloud Identity Premium"},
	}
	people, groups := map[string]string{}, map[string]string{}
	for _, p := range page.People {
		first, last, _ := strings.Cut(p.Name, " ")
		id := c.AddUser(googlesim.User{Email: p.Mail, GivenName: first, FamilyName: last, Path: p.Path, City: p.City, Suspended: p.Suspended})
		people[first] = id
		for _, g := range p.Groups {
			if groups[g] == "" {
				groups[g] = c.AddGroup(googlesim.Group{Name: g, Email: strings.ToLower(strings.ReplaceAll(g, " ", "-")) + "@example.test"})
			}
			c.Join(groups[g], googlesim.Member{ID: id, Email: p.Mail, Type: "USER", Role: "MEMBER"})
		}
		for _, name := range p.Licences {
			l := products[name]
			l.Email = p.Mail
			c.Assign(l)
		}
	}
	seen := func(days int) time.Time { return time.Now().UTC().AddDate(0, 0, -days) }
	for _, d := range page.Devices {
		device := googlesim.Device{ID: "device-" + d.Serial, Serial: d.Serial, Model: d.Model, User: d.Owner, LastSync: seen(d.Seen)}
		if d.Chrome {
			c.AddChrome(device)
		} else {
			c.AddMobile(device)
		}
	}

	in := f.install(map[string]string{"google-key": string(workspace.KeyFile())},
		"\n    google:\n", "\n    google:\n      endpoint: \""+workspace.Endpoint()+"\"\n", "sync-admin@example.test", c.Admin())
	in.expect(0, "check", "--probe")
	in.expect(0, "sync", "workspace")
	f.records(in)
	for _, e := range in.journal() {
		if (e.Data.Kind == "asset") != (e.Data.Origin.Import == "update_only") {
			t.Errorf("%s: import %q", e.Subject, e.Data.Origin.Import)
		}
	}
	f.then(in, []string{"sync", "workspace"}, map[string]func(){
		"Cleo moves to London, and her phone stays where the desk has it": func() { c.MoveUser(people["Cleo"], "/Staff/London") },
		"Ben's licence of Cloud Identity is revoked": func() {
			c.Revoke(func(l *googlesim.Licence) bool { return l.Product == "101031" && l.Email == "ben@example.test" })
		},
		"Ben moves house": func() {
			c.EditUser(people["Ben"], "CHANGE_USER_ADDRESS", func(u *googlesim.User) { u.City = "Leeds" })
		},
		"Dan is no longer suspended": func() {
			c.EditUser(people["Dan"], "UNSUSPEND_USER", func(u *googlesim.User) { u.Suspended = false })
		},
		"C2 is seen again": func() {
			c.EditDevices(func(chrome, _ *[]*googlesim.Device) {
				i := slices.IndexFunc(*chrome, func(d *googlesim.Device) bool { return d.Serial == "C2" })
				(*chrome)[i].LastSync = seen(0)
			})
		},
		"M1 is wiped and gone":             func() { c.EditDevices(func(_, mobile *[]*googlesim.Device) { *mobile = nil }) },
		"the devices are listed once more": func() {},
		"everything is read once more":     func() {},
		"Ada is deleted":                   func() { c.DeleteUser(people["Ada"]) },
	})
}
