package google

import (
	"slices"
	"testing"

	"dirsyncd/connectors"
	"dirsyncd/connectors/sim/googlesim"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/settings"
)

func TestPersonFields(t *testing.T) {
	r := start(t, nil)
	cust := r.Customer(0)
	id := cust.AddUser(googlesim.User{
		Email: "Ada.Byron@example.test", GivenName: "Ada", FamilyName: "Byron", Title: "Analyst", Department: "Engines", Company: "Simulated",
		CostCenter: "CC-1", Office: "LON-1", EmploymentType: "Employee", Phone: "+44 1", Mobile: "+44 7", EmployeeID: "4711", Street: "1 High Street",
		City: "London", Country: "United Kingdom", Path: "/Staff", Aliases: []string{"ada@example.test"}, Manager: "Charles@Example.test",
		Custom: map[string]map[string]any{"Employment": {"badge": "B1", "floors": []any{map[string]any{"type": "work", "value": "2"}, "3"}, "grade": "7"}},
	})
	c := r.open(t, func(cfg *Config) {
		cfg.Attributes = []string{"organizations.costCenter", "Employment.badge", "Employment.floors", "Employment.grade", "Employment.none", "externalIds.organization", "isAdmin", "recoveryEmail", "lastLoginTime"}
	})
	o := r.full(t, c, streamUsers).person(t, id)
	for name, want := range map[string]string{
		"login": "Ada.Byron@example.test", "email": "Ada.Byron@example.test", "emails": "Ada.Byron@example.test, ada@example.test", "name": "Ada Byron",
		"given_name": "Ada", "family_name": "Byron", "title": "Analyst", "department": "Engines", "company": "Simulated", "office": "LON-1",
		"employee_type": "Employee", "phone": "+44 1", "mobile": "+44 7", "employee_id": "4711", "street": "1 High Street", "city": "London",
		"country": "United Kingdom", "path": "/Staff", "enabled": "true", "status": "active", "user_type": "member", "last_login": "",
		"attributes.organizations.costCenter": "CC-1", "attributes.Employment.badge": "B1", "attributes.Employment.floors": "2, 3",
		"attributes.Employment.grade": "7", "attributes.Employment.none": "", "attributes.externalIds.organization": "4711",
		"attributes.isAdmin": "false", "attributes.recoveryEmail": "", "attributes.lastLoginTime": "",
	} {
		if got := text(o, name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if want := []string{"mail:ada.byron@example.test", "mail:ada@example.test"}; !slices.Equal(o.Handles, want) {
		t.Errorf("handles %v, want %v", o.Handles, want)
	}
	if !slices.Contains(o.Links, directory.Link{Type: directory.Manager, To: "mail:charles@example.test"}) {
		t.Errorf("links %v", o.Links)
	}
}

// TestOddShapes: lists that are a single object or null, a manager that is free text, and a log-in that never was.
func TestOddShapes(t *testing.T) {
	r := start(t, nil)
	id := r.Customer(0).AddUser(googlesim.User{Email: "old@example.test", Odd: map[string]any{
		"phones": map[string]any{"type": "work", "value": "1"}, "organizations": map[string]any{"title": "Keeper"}, "addresses": nil,
		"relations": []any{map[string]any{"type": "manager", "value": "the boss"}}, "externalIds": []any{nil}, "aliases": []any{}, "emails": nil,
		"locations": []any{map[string]any{"buildingId": "B"}}, "languages": []any{map[string]any{"languageCode": "cy"}},
		"isGuestUser": true, "archived": true,
	}})
	c := r.open(t, func(cfg *Config) { cfg.Users.LastLogin = true })
	w := r.full(t, c, streamUsers)
	o := w.person(t, id)
	for name, want := range map[string]string{
		"phone": "1", "title": "Keeper", "office": "B", "language": "cy", "user_type": "guest", "status": "archived", "enabled": "false", "last_login": "",
	} {
		if got := text(o, name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if len(w.invalid) > 0 || len(o.Links) != 1 {
		t.Errorf("invalid %+v, links %v", w.invalid, o.Links)
	}
}

func TestSelection(t *testing.T) {
	r := start(t, nil)
	cust := r.Customer(0)
	in := cust.AddUser(googlesim.User{Email: "in@example.test", Path: "/O'Hara/Deep"})
	near := cust.AddUser(googlesim.User{Email: "near@example.test", Path: "/O'Hara Deep"})
	asleep := cust.AddUser(googlesim.User{Email: "asleep@example.test", Path: "/O'Hara", Suspended: true})
	c := r.open(t, func(cfg *Config) {
		cfg.Users.OrgUnits, cfg.Users.IncludeSuspended = []string{"/o'hara", "/O'Hara/Deep"}, false
	})
	w := r.full(t, c, streamUsers)
	if !w.has(directory.Person, in) || w.has(directory.Person, near) || w.has(directory.Person, asleep) {
		t.Errorf("people: %d", len(w.objects))
	}
	// Who moves or is suspended leaves by Google's own word, who comes is there.
	cust.MoveUser(in, "/Elsewhere")
	cust.MoveUser(near, "/O'Hara")
	cust.EditUser(asleep, "UNSUSPEND_USER", func(u *googlesim.User) { u.Suspended = false })
	w.delta(t, c, streamUsers)
	if w.has(directory.Person, in) || !w.has(directory.Person, near) || !w.has(directory.Person, asleep) {
		t.Errorf("after the delta: %d people, removed %v", len(w.objects), w.removed)
	}
	// A query can be answered by Google only.
	q := r.open(t, func(cfg *Config) { cfg.Users.Query = "email:near*" })
	w = r.full(t, q, streamUsers)
	if len(w.objects) != 1 || len(w.cursor) > 0 {
		t.Errorf("%d people by a query, cursor %q", len(w.objects), w.cursor)
	}
}

func TestLicenceHolders(t *testing.T) {
	r := start(t, nil)
	cust := r.Customer(0)
	id := cust.AddUser(googlesim.User{Email: "Holder@example.test"})
	cust.Assign(googlesim.Licence{Product: "Google-Apps", SKU: "1010020028", SKUName: "Business Standard", Email: "holder@EXAMPLE.test"})
	cust.OwnProduct("101031")
	set := func(cfg *Config) { cfg.Licences.Products = []string{"Google-Apps", "101031"} }
	c := r.open(t, set)
	holds := directory.Link{Type: directory.Holds, To: "id:Google-Apps/1010020028"}
	w := r.full(t, c, streamUsers)
	if !slices.Contains(w.person(t, id).Links, holds) {
		t.Errorf("links %v", w.person(t, id).Links)
	}
	lic := r.full(t, c, streamLicences)
	if o := lic.objects[directory.Ref{Kind: directory.Licence, ID: "Google-Apps/1010020028"}]; text(o, "used") != "1" || text(o, "name") != "Business Standard" {
		t.Errorf("licence %+v", o)
	}
	cust.Revoke(func(*googlesim.Licence) bool { return true })
	w.delta(t, c, streamUsers)
	if slices.Contains(w.person(t, id).Links, holds) {
		t.Error("a revoked licence is still held")
	}
	// One licence that cannot be read costs its holder, who stays as it was.
	r.Misbehave(googlesim.Fault{Match: "/product/101031", Status: 200, Body: `{"kind":"x","items":[{"productId":"101031","userId":"HOLDER@example.test"}]}`})
	if w := r.full(t, c, streamUsers); len(w.invalid) != 1 || w.invalid[0].ID != id {
		t.Errorf("invalid %+v", w.invalid)
	}
	r.Behave()
	// A part of the licences that cannot be read fails the people.
	for body, want := range map[string]fault.Class{
		`{"error":{"code":403,"errors":[{"reason":"forbidden"}]}}`: fault.Forbidden, `{}`: fault.Transient,
		`{"kind":"x","items":[{"productId":"101031"}]}`: fault.Invalid,
	} {
		f := googlesim.Fault{Match: "/product/101031", Status: 200, Body: body}
		if want == fault.Forbidden {
			f.Status = 403
		}
		r.Misbehave(f)
		failing(t, c, streamUsers, want)
		r.Behave()
	}
	failing(t, r.open(t, func(cfg *Config) { cfg.Licences.Products = []string{"Google-App"} }), streamLicences, fault.Configuration)
}

func TestDevices(t *testing.T) {
	r := start(t, nil)
	r.Customer(0).AddChrome(googlesim.Device{ID: "c1", Serial: "S1", Status: "DISABLED", User: "Pat (spare)", LastSync: r.now()})
	r.Customer(0).AddMobile(googlesim.Device{ID: "m1", Status: "APPROVED", User: "Pat@example.test", LastSync: r.now()})
	c := r.open(t, func(cfg *Config) { cfg.Devices.ChromeOS, cfg.Devices.Mobile = true, true })
	w := r.full(t, c, streamDevices)
	chrome, mobile := w.objects[directory.Ref{Kind: directory.Device, ID: "c1"}], w.objects[directory.Ref{Kind: directory.Device, ID: "m1"}]
	if len(chrome.Links) > 0 || text(chrome, "enabled") != "false" || text(chrome, "last_seen") != "" {
		t.Errorf("ChromeOS device %+v", chrome)
	}
	if !slices.Contains(mobile.Links, directory.Link{Type: directory.Owner, To: "mail:pat@example.test"}) || text(mobile, "os") != "Android 16" {
		t.Errorf("mobile device %+v", mobile)
	}
	seen := r.open(t, func(cfg *Config) { cfg.Devices.Mobile, cfg.Devices.LastSeen = true, true })
	if o := r.full(t, seen, streamDevices).objects[directory.Ref{Kind: directory.Device, ID: "m1"}]; text(o, "last_seen") == "" {
		t.Error("last_seen was asked for")
	}
}

func TestSeveralCustomers(t *testing.T) {
	r := start(t, func(o *googlesim.Options) { o.Customers = []string{"C01one", "C02two", "C03three"} })
	for i := range 3 {
		r.Customer(i).Fill(5 + i)
	}
	c := r.open(t, func(cfg *Config) {
		cfg.Subject = ""
		cfg.Customers = []CustomerConfig{
			{Customer: "C01one", Subject: r.Customer(0).Admin(), Name: "One"}, {Customer: "C02two", Subject: r.Customer(1).Admin()},
			{Customer: "C03three", Subject: "gone@c03three.test", Credentials: settings.NewSecret(string(r.KeyFile()))},
		}
	})
	tenants, err := c.Tenants(t.Context())
	if err != nil || len(tenants) != 3 || tenants[0].ID != "C01one" || tenants[0].Name != "One" {
		t.Fatalf("tenants %+v, %v", tenants, err)
	}
	scopes := map[string]bool{}
	for i, want := range []int{6, 7} {
		w := newWorld()
		if err := w.read(t.Context(), c, tenants[i].ID, streamUsers, connectors.Full); err != nil || len(w.objects) != want {
			t.Errorf("%s: %d people, %v", tenants[i].ID, len(w.objects), err)
		}
		scopes[w.scope] = true
		if err := w.read(t.Context(), c, tenants[1-i].ID, streamUsers, connectors.Delta); fault.ClassOf(err) != fault.CursorExpired {
			t.Errorf("another customer's cursor: %v", err)
		}
	}
	if len(scopes) != 2 {
		t.Errorf("scopes %v", scopes)
	}
	if err := newWorld().read(t.Context(), c, "C03three", streamUsers, connectors.Full); fault.ClassOf(err) != fault.Auth {
		t.Errorf("a subject that is nobody: %v", err)
	}
	found, err := c.Check(t.Context())
	bad := 0
	for _, f := range found {
		if !f.OK {
			bad++
		}
	}
	if err != nil || bad != 1 {
		t.Errorf("findings %+v, %v", found, err)
	}
}

func TestCustomerIsPinned(t *testing.T) {
	r := start(t, func(o *googlesim.Options) { o.Customers = []string{"C01one", "C02two"} })
	failing(t, r.open(t, func(cfg *Config) { cfg.Customer = "C02two" }), streamUsers, fault.Forbidden)
	failing(t, r.open(t, func(cfg *Config) { cfg.Customer = "C09none" }), streamUsers, fault.Configuration)
	c := r.open(t, func(cfg *Config) { cfg.Customer = "C01one" })
	w := r.full(t, c, streamUsers)
	if w.scope == "" || !slices.Contains([]string{"C01one"}, c.accounts[""].id) {
		t.Errorf("scope %q", w.scope)
	}
	r.Misbehave(googlesim.Fault{Match: "/customers/", Status: 200, Body: `{"id":"C02two"}`})
	failing(t, r.open(t, func(cfg *Config) { cfg.Customer = "C01one" }), streamUsers, fault.Configuration)
	r.Behave()
	r.Misbehave(googlesim.Fault{Match: "/customers/", Status: 200, Body: `{}`})
	failing(t, r.open(t, nil), streamUsers, fault.Transient)
}
