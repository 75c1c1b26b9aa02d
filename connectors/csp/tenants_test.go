package csp

import (
	"net/http"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/connectors/sim/microsoftsim"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/settings"
)

func TestTenants(t *testing.T) {
	w := newWorld(t, 3, microsoftsim.Population{People: 3, SKUs: 1}, microsoftsim.Pages{})
	c := w.open(func(c *Config) {
		c.Customers = map[string]string{w.customers[1].ID(): "A name of ours"}
	})
	list := w.tenants(c)
	if len(list) != 4 || list[0].ID != w.partner.ID() || !slices.Equal(list[0].Streams, []string{streamCustomers}) || list[0].Name != "The Partner" {
		t.Fatalf("%+v", list)
	}
	if list[1].ID != w.customers[1].ID() || list[1].Name != "A name of ours" || list[1].Domain != w.customers[1].Domain() || list[1].Has(streamCustomers) || !list[1].Has(streamDevices) {
		t.Errorf("%+v", list[1])
	}
	page, err := read(t.Context(), c, list[0], streamCustomers)
	if err != nil || len(page.Objects) != 3 || page.Proof == nil {
		t.Fatalf("%+v %v", page, err)
	}
	o := page.Objects[0]
	name, _ := o.Get(directory.FieldName)
	status, _ := o.Get(directory.FieldStatus)
	roles, _ := o.Get(attributeGDAPRoles)
	ends, _ := o.Get(attributeGDAPEnds)
	if o.ID != list[1].ID || name.Text() != "A name of ours" || status.Text() != "active" || len(roles.List()) != 2 || ends.Time().Before(w.now()) {
		t.Errorf("%+v", o)
	}
	for tenant, stream := range map[int]string{0: streamUsers, 1: streamCustomers} {
		if _, err := read(t.Context(), c, list[tenant], stream); fault.ClassOf(err) != fault.Internal {
			t.Errorf("a stream of another tenant: %v", err)
		}
	}
}

func TestThousandTenants(t *testing.T) {
	w := newWorld(t, 1000, microsoftsim.Population{People: 200, Groups: 5, SKUs: 2}, microsoftsim.Pages{})
	c := w.open(nil)
	w.s.ResetCounts()
	began := time.Now()
	list := w.tenants(c)
	took := time.Since(began)
	if len(list) != 1001 {
		t.Fatalf("%d tenants", len(list))
	}
	// 2 pages of 500 customers and 10 of 100 relationships, two tokens.
	if n := w.s.Requests(""); n > 20 {
		t.Errorf("%d requests:\n%s", n, w.s.Requested())
	}
	t.Logf("1000 customers listed in %s with %d requests", took.Round(time.Millisecond), w.s.Requests(""))
	for _, i := range []int{1, 500, 1000} {
		if page, err := read(t.Context(), c, list[i], streamUsers); err != nil || len(page.Objects) != 200 {
			t.Errorf("%d: %d people, %v", i, len(page.Objects), err)
		}
	}
	w.s.ResetCounts()
	w.tenants(c)
	if n := w.s.Requests("token"); n != 0 {
		t.Errorf("%d tokens for a second listing", n)
	}
}

// TestOneBadOfMany: one fault of one customer is that customer's alone, and says who must do what.
func TestOneBadOfMany(t *testing.T) {
	t.Parallel() // it waits for one that does not answer
	w := newWorld(t, 9, microsoftsim.Population{People: 20, SKUs: 1}, microsoftsim.Pages{})
	// Long enough for those that answer, however busy the machine is.
	c := w.open(func(c *Config) { c.Timeout = settings.Duration(time.Minute) })
	list := w.tenants(c)
	at := func(i int) *microsoftsim.Tenant { return w.customers[i] }
	var release func()
	cases := []struct {
		name  string
		spoil func()
		class fault.Class
		hint  string
	}{
		{"never consented", func() { at(0).Revoke(customerApp) }, fault.Auth, "/" + at(0).ID() + "/adminconsent?client_id=" + customerApp},
		{"a permission is missing", func() { at(1).Revoke(customerApp, "User.Read.All") }, fault.Forbidden, "User.Read.All"},
		{"gone", func() { at(2).SetGone(true) }, fault.Auth, "exclude"},
		{"hangs", func() { release = w.s.BlackHole(at(3).ID()) }, fault.Transient, ""},
		{"throttled", func() {
			w.s.Misbehave(microsoftsim.Fault{Tenant: at(4).ID(), Path: "/users", Status: http.StatusTooManyRequests, Header: map[string]string{"Retry-After": "240"}, Body: "{}"})
		}, fault.Throttled, ""},
		{"another cloud", func() { w.s.RefuseTokens(at(5).ID(), "", 90038) }, fault.Auth, "another of Microsoft's clouds"},
		{"a policy", func() { w.s.RefuseTokens(at(6).ID(), "", 53003) }, fault.Auth, "Conditional Access"},
		{"sign-ins throttled", func() { w.s.RefuseTokens(at(7).ID(), "", 90055) }, fault.Throttled, ""},
	}
	for _, tc := range cases {
		tc.spoil()
	}
	defer release()
	errs := make([]error, len(w.customers))
	var wg sync.WaitGroup
	for i, tenant := range w.customers {
		j := slices.IndexFunc(list, func(t connectors.Tenant) bool { return t.ID == tenant.ID() })
		wg.Go(func() {
			_, errs[i] = read(t.Context(), c, list[j], streamUsers)
		})
	}
	wg.Wait()
	for i, tc := range cases {
		err := errs[i]
		if fault.ClassOf(err) != tc.class || !strings.Contains(fault.Hint(err), tc.hint) || err != nil && !strings.Contains(err.Error(), w.customers[i].Name()) {
			t.Errorf("%s: class %q: %v", tc.name, fault.ClassOf(err), err)
		}
	}
	if last := len(errs) - 1; errs[last] != nil {
		t.Errorf("the good one: %v", errs[last])
	}
	if after := fault.After(errs[4]); after != 240*time.Second {
		t.Errorf("throttled: told to wait %s", after)
	}
	// The one that hangs is not asked again for a while.
	asked := w.s.RequestsAbout(at(3).ID())
	hung := list[slices.IndexFunc(list, func(t connectors.Tenant) bool { return t.ID == at(3).ID() })]
	if _, err := read(t.Context(), c, hung, streamUsers); fault.ClassOf(err) != fault.Transient || w.s.RequestsAbout(at(3).ID()) != asked {
		t.Errorf("asked again, %d times: %v", w.s.RequestsAbout(at(3).ID())-asked, err)
	}
	w.shift.Store(int64(openFor))
	release()
	release = func() {}
	if _, err := read(t.Context(), c, hung, streamUsers); err != nil {
		t.Errorf("when it answers again: %v", err)
	}
}

// TestConsentArrives: what a customer consents to shows without a restart, whatever tokens were kept.
func TestConsentArrives(t *testing.T) {
	w := newWorld(t, 1, microsoftsim.Population{People: 5}, microsoftsim.Pages{})
	c := w.open(nil)
	tenant := w.tenants(c)[1]
	w.customers[0].Revoke(customerApp, "User.Read.All")
	if _, err := read(t.Context(), c, tenant, streamUsers); fault.ClassOf(err) != fault.Forbidden {
		t.Fatalf("without the permission: %v", err)
	}
	w.customers[0].Consent(customerApp, "User.Read.All")
	if page, err := read(t.Context(), c, tenant, streamUsers); err != nil || len(page.Objects) != 5 {
		t.Errorf("with it: %v", err)
	}
	w.customers[0].Revoke(customerApp)
	if _, err := read(t.Context(), c, tenant, streamUsers); fault.ClassOf(err) != fault.Auth || !strings.Contains(fault.Hint(err), "adminconsent") {
		t.Errorf("without the service principal: %v", err)
	}
	w.customers[0].Consent(customerApp, customerPermissions()...)
	if page, err := read(t.Context(), c, tenant, streamUsers); err != nil || len(page.Objects) != 5 {
		t.Errorf("consented again: %v", err)
	}
}

func TestDelegatedFaults(t *testing.T) {
	w := newWorld(t, 4, microsoftsim.Population{People: 5}, microsoftsim.Pages{})
	path := w.delegated()
	w.customers[1].Revoke(partnerAppID)
	w.customers[2].Revoke(partnerAppID, "User.Read.All")
	w.s.SetRelationships(
		microsoftsim.Relationship{ID: "a", Tenant: w.customers[0].ID(), Status: "expired", Ends: w.now().Add(-48 * time.Hour)},
		microsoftsim.Relationship{ID: "b", Tenant: w.customers[1].ID(), Status: "active", Ends: w.now().Add(48 * time.Hour)},
		microsoftsim.Relationship{ID: "c", Tenant: w.customers[2].ID(), Status: "active", Ends: w.now().Add(48 * time.Hour)},
	)
	c := w.open(func(c *Config) { delegate(c, path) })
	list := w.tenants(c)
	for i, want := range []string{"the GDAP relationship with the customer is expired since", "applicationconsents", "Directory Readers", "there is no GDAP relationship"} {
		tenant := list[slices.IndexFunc(list, func(t connectors.Tenant) bool { return t.ID == w.customers[i].ID() })]
		_, err := read(t.Context(), c, tenant, streamUsers)
		if class := fault.ClassOf(err); class != fault.Auth && class != fault.Forbidden || !strings.Contains(fault.Hint(err), want) {
			t.Errorf("%d: %v", i, err)
		}
	}
}

// TestSourcesThatFail: a list of customers that cannot be read makes nobody vanish.
func TestSourcesThatFail(t *testing.T) {
	w := newWorld(t, 3, microsoftsim.Population{People: 1}, microsoftsim.Pages{})
	only := w.s.AddTenant(microsoftsim.TenantOptions{Name: "Only in Partner Center"})
	list := []microsoftsim.Customer{{Tenant: only.ID(), Name: only.Name(), Domain: only.Domain(), Relationship: "reseller"}}
	w.s.SetCustomers(list...)
	refuse := w.open(nil)
	keep := w.open(func(c *Config) { c.Incomplete = incompleteKeep })
	if n := len(w.tenants(refuse)); n != 5 {
		t.Fatalf("%d tenants", n)
	}
	cold := func() *Connector { return w.open(func(c *Config) { c.Incomplete = incompleteKeep }) }
	w.tenants(keep)
	for name, f := range map[string]microsoftsim.Fault{
		"down":         {Path: "/v1/customers", Status: http.StatusServiceUnavailable, Body: "{}"},
		"empty answer": {Path: "/v1/customers", Kind: microsoftsim.Empty},
		"portal":       {Path: "/v1/customers", Kind: microsoftsim.HTML},
		"cut":          {Path: "/v1/customers", Kind: microsoftsim.Cut},
		"no list":      {Path: "/v1/customers", Status: http.StatusOK, Body: `{"totalCount":0,"links":{}}`},
		"null":         {Path: "/v1/customers", Status: http.StatusOK, Body: `null`},
		"loop":         {Path: "/v1/customers", Status: http.StatusOK, Body: `{"items":[],"links":{"next":{"uri":"/customers?size=500"}}}`},
		"foreign":      {Path: "/v1/customers", Status: http.StatusOK, Body: `{"items":[],"links":{"next":{"uri":"https://evil.test/v1/customers"}}}`},
	} {
		t.Run(name, func(t *testing.T) {
			defer w.s.Misbehave(f)()
			if got, err := refuse.Tenants(t.Context()); err == nil || !strings.Contains(err.Error(), "source partner_center") {
				t.Errorf("refuse: %d tenants, %v", len(got), err)
			}
			if got, err := keep.Tenants(t.Context()); err != nil || len(got) != 5 {
				t.Errorf("keep: %d tenants, %v", len(got), err)
			}
			// Whom the failed source alone would list must not vanish because the program was started anew.
			if got, err := cold().Tenants(t.Context()); err == nil || !strings.Contains(err.Error(), "source partner_center") {
				t.Errorf("keep, without a memory: %d tenants, %v", len(got), err)
			}
			if page, err := read(t.Context(), keep, connectors.Tenant{ID: w.partner.ID()}, streamCustomers); err == nil || page.Proof != nil {
				t.Errorf("the list of customers must be whole or not at all: %v", err)
			}
		})
	}
	w.s.Misbehave(microsoftsim.Fault{Path: "/tenantRelationships", Status: http.StatusForbidden, Body: `{"error":{"code":"Authorization_RequestDenied"}}`})
	if _, err := refuse.Tenants(t.Context()); fault.ClassOf(err) != fault.Forbidden || !strings.Contains(fault.Hint(err), "DelegatedAdminRelationship.Read.All") {
		t.Errorf("forbidden: %v", err)
	}
	w.s.Misbehave(microsoftsim.Fault{Path: "/v1/customers", Status: http.StatusServiceUnavailable, Body: "{}"})
	if _, err := keep.Tenants(t.Context()); err == nil {
		t.Error("all sources fail, and there is a list")
	}
}

// TestUnreadableCustomer: an entry that cannot be read makes nobody vanish, whoever it was, until the list is readable
// again.
func TestUnreadableCustomer(t *testing.T) {
	w := newWorld(t, 1, microsoftsim.Population{People: 1}, microsoftsim.Pages{})
	only := w.s.AddTenant(microsoftsim.TenantOptions{Name: "Only in Partner Center"})
	w.s.SetCustomers(microsoftsim.Customer{Tenant: only.ID(), Name: only.Name(), Domain: only.Domain(), Relationship: "reseller"})
	c := w.open(nil)
	want := w.tenants(c)
	mend := w.s.Misbehave(microsoftsim.Fault{Path: "/v1/customers", Status: http.StatusOK, Body: `{"totalCount":1,"items":[{"id":7,"companyProfile":null}],"links":{}}`})
	for range 2 {
		if page, err := read(t.Context(), c, want[0], streamCustomers); err != nil || len(page.Invalid) != 1 {
			t.Fatalf("%+v, %v", page.Invalid, err)
		}
		if got := w.tenants(c); len(got) != len(want) {
			t.Fatalf("%d tenants, want %d", len(got), len(want))
		}
	}
	mend()
	w.s.SetCustomers()
	if got := w.tenants(c); len(got) != len(want)-1 {
		t.Errorf("%d tenants after one has left", len(got))
	}
}

// TestParallel: the limit holds over all tenants, and no tenant takes it all.
func TestParallel(t *testing.T) {
	w := newWorld(t, 12, microsoftsim.Population{People: 5, Groups: 2, SKUs: 1}, microsoftsim.Pages{})
	c := w.open(func(c *Config) { c.Parallel = 3 })
	list := w.tenants(c)
	// However busy the machine is, nothing hangs.
	c.limiter.patience.First, c.limiter.patience.Least, c.limiter.patience.Most = time.Hour, time.Hour, time.Hour
	for _, tenant := range list[1:] { // so that all have their tokens
		if _, err := read(t.Context(), c, tenant, tenant.Streams[0]); err != nil {
			t.Fatal(err)
		}
	}
	w.s.ResetCounts()
	w.s.Misbehave(microsoftsim.Fault{Kind: microsoftsim.Hang, Path: "/v1.0/"}) // so that requests pile up
	var wg sync.WaitGroup
	for _, tenant := range list[1:] {
		for _, stream := range tenant.Streams {
			wg.Go(func() { _, _ = read(t.Context(), c, tenant, stream) })
		}
	}
	for began := time.Now(); time.Since(began) < 5*time.Minute && w.s.MostInFlight("") < 3; {
		runtime.Gosched()
	}
	for began := time.Now(); time.Since(began) < firstWait/2 && w.s.MostInFlight("") <= 4; {
		runtime.Gosched()
	}
	// An answer counts at the server until after it was read: so may the last one of those before.
	if n := w.s.MostInFlight(""); n < 3 || n > 4 {
		t.Errorf("%d requests at the same time", n)
	}
	for _, tenant := range w.customers {
		if n := w.s.MostInFlight(tenant.ID()); n > perTenant+1 {
			t.Errorf("%d requests of one tenant at the same time", n)
		}
	}
	w.s.Behave()
	wg.Wait()
}

// TestPermissionArrives is TestConsentArrives for the partner's own application.
func TestPermissionArrives(t *testing.T) {
	w := newWorld(t, 1, microsoftsim.Population{People: 5}, microsoftsim.Pages{})
	w.partner.Revoke(partnerAppID, "DelegatedAdminRelationship.Read.All")
	c := w.open(nil)
	if _, err := c.Tenants(t.Context()); fault.ClassOf(err) != fault.Forbidden {
		t.Fatalf("without the permission: %v", err)
	}
	w.partner.Consent(partnerAppID, "DelegatedAdminRelationship.Read.All")
	if _, err := c.Tenants(t.Context()); err != nil {
		t.Errorf("with it: %v", err)
	}
	w.s.ExpireAccessTokens()
	if _, err := c.Tenants(t.Context()); err != nil {
		t.Errorf("with tokens that were withdrawn: %v", err)
	}
}

// TestScope: what changes who is listed changes the scope, and nothing else does.
func TestScope(t *testing.T) {
	w := newWorld(t, 0, microsoftsim.Population{}, microsoftsim.Pages{})
	scope := func(edit func(*Config)) string { return w.open(edit).scopeOfCustomers() }
	same := scope(nil)
	seen := map[string]string{same: "the defaults"}
	for name, edit := range map[string]func(*Config){
		"sources":  func(c *Config) { c.Sources = []string{sourceGDAP} },
		"include":  func(c *Config) { c.Include = []string{"a.test"} },
		"another":  func(c *Config) { c.Include = []string{"b.test"} },
		"exclude":  func(c *Config) { c.Exclude = []string{"a.test"} },
		"identity": func(c *Config) { c.PartnerApp.ClientID = guid(9) },
		"named":    func(c *Config) { c.NewTenants, c.Customers = false, map[string]string{guid(1): "One"} },
		"renamed":  func(c *Config) { c.NewTenants, c.Customers = false, map[string]string{guid(2): "One"} },
	} {
		text := scope(edit)
		if before, ok := seen[text]; ok {
			t.Errorf("%s: the same scope as %s: %s", name, before, text)
		}
		seen[text] = name
		if strings.Contains(text, partnerSecret) || strings.Contains(text, appSecret) {
			t.Error("a scope shows a secret")
		}
	}
	for name, edit := range map[string]func(*Config){
		"order of sources": func(c *Config) { c.Sources = []string{sourceGDAP, sourcePartnerCenter} },
		"names":            func(c *Config) { c.Customers = map[string]string{guid(1): "One"} },
		"streams":          func(c *Config) { c.Groups = false },
	} {
		if text := scope(edit); text != same {
			t.Errorf("%s changes the scope: %s", name, text)
		}
	}
}

// TestThrottledTenant: a quota is that of one application in one tenant. Who waits delays nobody else.
func TestThrottledTenant(t *testing.T) {
	w := newWorld(t, 2, microsoftsim.Population{People: 10}, microsoftsim.Pages{})
	c := w.open(nil)
	list := w.tenants(c)
	w.s.Misbehave(microsoftsim.Throttle("/users/delta", "7", 0))
	_, err := read(t.Context(), c, list[1], streamUsers)
	if fault.ClassOf(err) != fault.Throttled || fault.After(err) != 7*time.Second {
		t.Errorf("%v", err)
	}
	w.s.Behave()
	if _, err := read(t.Context(), c, list[2], streamUsers); err != nil {
		t.Error(err)
	}
	w.s.Misbehave(microsoftsim.PartnerThrottle("/v1/customers", 57, 0))
	if _, err := c.Tenants(t.Context()); fault.ClassOf(err) != fault.Throttled || fault.After(err) != 57*time.Second {
		t.Errorf("Partner Center: %v", err)
	}
}

// TestTenantsComeAndGo: what is kept for a tenant goes with it.
func TestTenantsComeAndGo(t *testing.T) {
	w := newWorld(t, 2, microsoftsim.Population{People: 10}, microsoftsim.Pages{})
	c := w.open(nil)
	for _, tenant := range w.tenants(c)[1:] {
		if _, err := read(t.Context(), c, tenant, streamUsers); err != nil {
			t.Fatal(err)
		}
	}
	w.s.SetCustomers(microsoftsim.Customer{Tenant: w.customers[0].ID(), Name: "One", Domain: "one.test", Relationship: "reseller"})
	w.s.SetRelationships()
	if n := len(w.tenants(c)); n != 2 || len(c.clients.open) != 1 {
		t.Errorf("%d tenants, %d clients", n, len(c.clients.open))
	}
	added := w.addCustomer(microsoftsim.Population{People: 4})
	list := w.tenants(c)
	i := slices.IndexFunc(list, func(t connectors.Tenant) bool { return t.ID == added.ID() })
	if i < 0 {
		t.Fatal("the new one is not listed")
	}
	if page, err := read(t.Context(), c, list[i], streamUsers); err != nil || len(page.Objects) != 4 {
		t.Errorf("the new one: %v", err)
	}
}

// TestReadElsewhere: one process lists the tenants and another reads them, from the first one's cursors on.
func TestReadElsewhere(t *testing.T) {
	w := newWorld(t, 3, microsoftsim.Population{People: 10, Groups: 2, SKUs: 1}, microsoftsim.Pages{})
	path := w.delegated()
	w.customers[1].Revoke(partnerAppID)
	open := func() *Connector { return w.open(func(c *Config) { delegate(c, path) }) }
	lists, reads := open(), open()
	tenants := w.tenants(lists)
	at := func(t *microsoftsim.Tenant) connectors.Tenant {
		return tenants[slices.IndexFunc(tenants, func(o connectors.Tenant) bool { return o.ID == t.ID() })]
	}
	for _, tenant := range []connectors.Tenant{at(w.customers[0]), at(w.partner)} {
		for _, stream := range tenant.Streams {
			here, err := read(t.Context(), lists, tenant, stream)
			if err != nil {
				t.Fatal(err)
			}
			there, err := read(t.Context(), reads, tenant, stream)
			if err != nil || len(there.Objects) != len(here.Objects) || there.Proof == nil || !reflect.DeepEqual(there.Proof, here.Proof) {
				t.Errorf("%s: %d objects and %d elsewhere, %v", stream, len(here.Objects), len(there.Objects), err)
			}
		}
	}
	first, err := read(t.Context(), lists, at(w.customers[2]), streamUsers)
	if err != nil {
		t.Fatal(err)
	}
	added := w.customers[2].AddUser(nil)
	if page, err := readFrom(t.Context(), reads, at(w.customers[2]), streamUsers, first.Cursor); err != nil || len(page.Objects) != 1 || page.Objects[0].ID != added {
		t.Errorf("changes, elsewhere: %+v, %v", page.Objects, err)
	}
	if _, err := read(t.Context(), reads, at(w.customers[1]), streamUsers); fault.ClassOf(err) != fault.Auth || !strings.Contains(fault.Hint(err), "applicationconsents") {
		t.Errorf("without consent, elsewhere: %v", err)
	}
}

// TestOneCustomerHangsInPartnerCenter: the partner's own road stays open.
func TestOneCustomerHangsInPartnerCenter(t *testing.T) {
	t.Parallel() // it waits for one that does not answer
	w := newWorld(t, 2, microsoftsim.Population{People: 10, SKUs: 1}, microsoftsim.Pages{})
	c := w.open(func(c *Config) { c.Timeout, c.CustomerDetails = settings.Duration(time.Minute), true })
	list := w.tenants(c)
	if page, err := read(t.Context(), c, list[0], streamCustomers); err != nil || len(page.Objects) != 2 {
		t.Fatal(err)
	} else if v, _ := page.Objects[0].Get(directory.FieldCity); v.Text() != "London" {
		t.Errorf("no address: %+v", page.Objects[0])
	}
	defer w.s.Misbehave(microsoftsim.Fault{Kind: microsoftsim.Hang, Path: "/v1/customers/" + list[1].ID})()
	if _, err := read(t.Context(), c, list[1], streamLicences); fault.ClassOf(err) != fault.Transient {
		t.Errorf("%v", err)
	}
	if _, err := read(t.Context(), c, list[2], streamLicences); err != nil {
		t.Errorf("another customer: %v", err)
	}
	w.tenants(c)
}
