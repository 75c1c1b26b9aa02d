package google

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/connectors/connectortest"
	"dirsyncd/connectors/sim/googlesim"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

func reselling(c *Config) { c.Reseller = true }

// TestResellerConformance runs the suite for the tenant of a reseller.
func TestResellerConformance(t *testing.T) {
	connectortest.Run(t, connectortest.Harness{
		Start:       resellerFixture,
		Secrets:     []string{"PRIVATE KEY", "ya29.", googlesim.ClientSecret, googlesim.RefreshToken},
		Unsupported: map[connectortest.Breakage]string{connectortest.LostCursors: "nothing has a cursor"},
	})
}

func resellerFixture(tb testing.TB) *connectortest.Fixture {
	r := start(tb, nil)
	sold := r.Reseller()
	for i := range 85 {
		sold.Sell(googlesim.Resold{ID: soldID(i), Domain: fmt.Sprintf("d%03d.test", i), Company: fmt.Sprint("Company ", i)},
			googlesim.Subscription{SKU: "S1", SKUName: "Standard", Plan: "ANNUAL", Status: "ACTIVE", Bought: 5, InUse: 3, Created: r.now()})
	}
	c := r.open(tb, reselling)
	c.batch = 10
	f := &resellerConforming{r, sold}
	return &connectortest.Fixture{
		Connector: connectors.Guard(c),
		Add:       func(_ testing.TB, stream string) directory.Ref { return f.add(stream) },
		Change:    func(_ testing.TB, stream string) directory.Ref { return f.change(stream) },
		Rename:    func(_ testing.TB, stream string) directory.Ref { return f.rename(stream) },
		Delete:    func(_ testing.TB, stream string) directory.Ref { return f.remove(stream) },
		Shorten:   func(testing.TB) { r.Misbehave(withoutFirst()) },
		Break:     f.breaks,
	}
}

func soldID(i int) string { return fmt.Sprintf("C0s%03d", i) }

type resellerConforming struct {
	*rig
	sold *googlesim.Reseller
}

func refOf(stream, id string) directory.Ref {
	if stream == streamCustomers {
		return directory.Ref{Kind: directory.Customer, ID: id}
	}
	return directory.Ref{Kind: directory.Licence, ID: id + "/S1"}
}

func (f *resellerConforming) add(stream string) directory.Ref {
	f.sold.Sell(googlesim.Resold{ID: "C0new"}, googlesim.Subscription{SKU: "S1"})
	return refOf(stream, "C0new")
}

func (f *resellerConforming) change(stream string) directory.Ref {
	f.sold.EditCustomer(soldID(3), func(c *googlesim.Resold) { c.Phone = "+44 1" })
	f.sold.Edit(soldID(3), func(s *googlesim.Subscription) { s.Status = "SUSPENDED" })
	return refOf(stream, soldID(3))
}

func (f *resellerConforming) rename(stream string) directory.Ref {
	f.sold.EditCustomer(soldID(4), func(c *googlesim.Resold) { c.Company, c.Domain, c.City = "Renamed", "renamed.test", "Elsewhere" })
	f.sold.Edit(soldID(4), func(s *googlesim.Subscription) { s.SKUName = "Renamed" })
	return refOf(stream, soldID(4))
}

func (f *resellerConforming) remove(stream string) directory.Ref {
	f.sold.Cancel(func(s *googlesim.Subscription) bool { return s.Customer == soldID(5) })
	return refOf(stream, soldID(5))
}

func (f *resellerConforming) breaks(tb testing.TB, how connectortest.Breakage) {
	tb.Helper()
	switch how {
	case connectortest.BadCredentials:
		f.DeleteKey()
	case connectortest.MissingPermission:
		f.Deny(resellerScopes()...)
	case connectortest.MidListing:
		f.Misbehave(googlesim.Fault{Status: 503, Body: "<html>", Header: map[string]string{"Content-Type": "text/html"}})
	case connectortest.Silence:
		f.Misbehave(googlesim.Fault{Kind: googlesim.Hang})
	case connectortest.Unreachable:
		_ = f.Close()
	case connectortest.BadEntry:
		f.sold.EditCustomer(soldID(7), func(c *googlesim.Resold) { c.Odd = map[string]any{"postalAddress": "no object"} })
		f.sold.Edit(soldID(7), func(s *googlesim.Subscription) { s.Odd = map[string]any{"seats": "none"} })
	default:
		tb.Fatalf("unknown breakage %q", how)
	}
}

// readSold reads a stream of the reseller.
func readSold(t *testing.T, c *Connector, stream string) (*world, error) {
	t.Helper()
	w := newWorld()
	return w, w.read(t.Context(), c, resellerTenant, stream, connectors.Full)
}

func TestSubscriptions(t *testing.T) {
	r := start(t, nil)
	day := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	sold := r.Reseller()
	sold.Sell(googlesim.Resold{ID: "C0a", Domain: "a.test", Company: "Acme", Street: "1 Quay", City: "Bath", Postal: "BA1", Nation: "GB", Email: "x@post.test", Phone: "+44"},
		googlesim.Subscription{SKU: "yearly", SKUName: "Business", Plan: "ANNUAL", Status: "ACTIVE", Bought: 10, Most: 99, InUse: 12, Created: day, Ends: day.AddDate(1, 0, 0), Renewal: "CANCEL"},
		googlesim.Subscription{SKU: "monthly", SKUName: "Voice", Plan: "FLEXIBLE", Status: "SUSPENDED", Bought: 1, Most: 50, Reasons: []string{"TRIAL_ENDED", "OTHER"}},
		googlesim.Subscription{SKU: "trial", Plan: "ANNUAL_YEARLY_PAY", Status: "ACTIVE", Bought: 3, Most: 10, Ends: day.AddDate(1, 0, 0), TrialEnds: day.AddDate(0, 1, 0)},
		googlesim.Subscription{SKU: "free", Plan: "FREE", Status: "ACTIVE", Odd: map[string]any{"seats": map[string]any{"maximumNumberOfSeats": "5"}}},
		googlesim.Subscription{SKU: "odd", Plan: "FREE", Status: "ACTIVE", Odd: map[string]any{"seats": nil, "plan": nil, "creationTime": 1772366400000, "trialSettings": nil}},
	)
	sold.Sell(googlesim.Resold{ID: "C0b", Team: true}, googlesim.Subscription{SKU: "s", Status: "CANCELLED"})
	c := r.open(t, reselling)
	w, err := readSold(t, c, streamLicences)
	if err != nil {
		t.Fatal(err)
	}
	for id, want := range map[string]map[string]string{
		"C0a/yearly": {
			"name": "Business", "sku": "yearly", "status": "active", "term": "annual, paid monthly; then cancel", "quantity": "10", "used": "12",
			"free": "0", "expires": "2027-03-01T12:00:00Z", "created": "2026-03-01T12:00:00Z", "attributes.customer_id": "C0a",
			"attributes.customer_domain": "a.test", "attributes.plan": "ANNUAL",
		},
		"C0a/monthly": {"quantity": "50", "used": "0", "free": "50", "status": "suspended", "term": "flexible", "expires": "", "created": "", "attributes.suspension_reasons": "OTHER, TRIAL_ENDED"},
		"C0a/trial":   {"name": "trial", "quantity": "10", "expires": "2026-04-01T12:00:00Z", "term": "trial; annual, paid yearly"},
		"C0a/free":    {"quantity": "5", "used": "", "free": ""},
		"C0a/odd":     {"quantity": "", "used": "", "term": "", "created": "2026-03-01T12:00:00Z"},
		"C0b/s":       {"status": "cancelled", "attributes.customer_domain": ""},
	} {
		o, ok := w.objects[directory.Ref{Kind: directory.Licence, ID: id}]
		if !ok {
			t.Errorf("no %s", id)
		}
		for name, want := range want {
			if got := text(o, name); got != want {
				t.Errorf("%s: %s is %q, want %q", id, name, got, want)
			}
		}
	}
	if w, err = readSold(t, c, streamCustomers); err != nil {
		t.Fatal(err)
	}
	for id, want := range map[string]map[string]string{
		"C0a": {"name": "Acme", "domain": "a.test", "status": "active", "street": "1 Quay", "city": "Bath", "postal_code": "BA1", "country": "GB", "email": "x@post.test", "phone": "+44", "attributes.domain_verified": "true"},
		"C0b": {"name": "C0b", "domain": "", "status": "cancelled", "attributes.customer_type": "team"},
	} {
		for name, want := range want {
			if got := text(w.objects[directory.Ref{Kind: directory.Customer, ID: id}], name); got != want {
				t.Errorf("%s: %s is %q, want %q", id, name, got, want)
			}
		}
	}
}

// TestSubscriptionKeys: the subscription's own id changes with every edit, what was bought stays the same. Of an old and
// a new subscription of the same SKU the one that counts is taken, whatever page it is on.
func TestSubscriptionKeys(t *testing.T) {
	r := start(t, func(o *googlesim.Options) { o.PageCap = 2 })
	day := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	one := func(status string, seats, age int) googlesim.Subscription {
		return googlesim.Subscription{SKU: "s", Plan: "ANNUAL", Status: status, Bought: seats, Created: day.AddDate(0, 0, -age)}
	}
	r.Reseller().Sell(googlesim.Resold{ID: "C0a"}, one("CANCELLED", 1, 9), one("ACTIVE", 2, 5), one("CANCELLED", 3, 1), one("CANCELLED", 4, 0), one("CANCELLED", 5, 2))
	r.Reseller().Sell(googlesim.Resold{ID: "C0b"}, one("CANCELLED", 6, 9), one("CANCELLED", 7, 1), one("CANCELLED", 8, 3))
	c := r.open(t, reselling)
	for range 3 {
		w, err := readSold(t, c, streamLicences)
		if err != nil || len(w.objects) != 2 {
			t.Fatalf("%d objects, error %v", len(w.objects), err)
		}
		for id, want := range map[string]string{"C0a/s": "2", "C0b/s": "7"} {
			if got := text(w.objects[directory.Ref{Kind: directory.Licence, ID: id}], "quantity"); got != want {
				t.Errorf("%s: %s seats, want %s", id, got, want)
			}
		}
		r.Reseller().Edit("C0a", func(*googlesim.Subscription) {})
	}
}

// TestResellerTraps: nothing is concluded from answers that cannot be right.
func TestResellerTraps(t *testing.T) {
	drop := func(key string) func(map[string]any) { return func(doc map[string]any) { delete(doc, key) } }
	for name, tc := range map[string]struct {
		stream string
		fault  googlesim.Fault
		class  fault.Class // empty: the read goes on
		hint   string
		parked int
	}{
		"no reseller": {streamLicences, googlesim.Fault{Match: "/subscriptions", Status: 403, Body: `{"error":{"code":403,"errors":[{"reason":"forbidden"}]}}`}, fault.Forbidden, "administrator of a Google reseller", 0},
		"API off": {streamLicences, googlesim.Fault{Match: "/subscriptions", Status: 403,
			Body: `{"error":{"code":403,"errors":[{"reason":"accessNotConfigured"}]}}`}, fault.Forbidden, "Reseller API", 0},
		"empty document":       {streamLicences, googlesim.Fault{Match: "/subscriptions", Status: 200, Body: `{}`}, fault.Transient, "proxy", 0},
		"no kind":              {streamCustomers, googlesim.Fault{Match: "/subscriptions", Kind: googlesim.Change, Rewrite: drop("kind")}, fault.Transient, "proxy", 0},
		"no list":              {streamLicences, googlesim.Fault{Match: "/subscriptions", Kind: googlesim.Change, Rewrite: func(d map[string]any) { d["subscriptions"] = "x" }}, fault.Transient, "proxy", 0},
		"HTML":                 {streamCustomers, googlesim.Fault{Match: "/reseller/v1/customers/", Status: 200, Body: "<html>"}, fault.Transient, "", 0},
		"an empty customer":    {streamCustomers, googlesim.Fault{Match: "/reseller/v1/customers/", Status: 200, Body: "{}"}, fault.Transient, "proxy", 0},
		"another customer":     {streamCustomers, googlesim.Fault{Match: "customers/C0s001", Kind: googlesim.Change, Rewrite: func(d map[string]any) { d["customerId"] = "C0s002" }}, fault.Transient, "", 0},
		"one that is kept":     {streamCustomers, googlesim.Fault{Match: "customers/C0s001", Status: 403, Body: `{"error":{"code":403,"errors":[{"reason":"forbidden"}]}}`}, "", "", 1},
		"one that has left":    {streamCustomers, googlesim.Fault{Match: "customers/C0s001", Status: 404, Body: `{"error":{"code":404}}`}, "", "", 1},
		"a bad time":           {streamLicences, googlesim.Fault{Match: "/subscriptions", Times: 1, Kind: googlesim.Change, Rewrite: firstEntry("creationTime", "soon")}, "", "", 1},
		"no SKU":               {streamLicences, googlesim.Fault{Match: "/subscriptions", Times: 1, Kind: googlesim.Change, Rewrite: firstEntry("skuId", "")}, "", "", 1},
		"no customer":          {streamCustomers, googlesim.Fault{Match: "/subscriptions", Times: 1, Kind: googlesim.Change, Rewrite: firstEntry("customerId", nil)}, "", "", 1},
		"a token that circles": {streamLicences, googlesim.Fault{Match: "/subscriptions", Kind: googlesim.Change, Rewrite: func(d map[string]any) { d["nextPageToken"] = "same" }}, fault.Transient, "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t, nil)
			for i := range 25 {
				r.Reseller().Sell(googlesim.Resold{ID: soldID(i), Domain: "d.test"}, googlesim.Subscription{SKU: "S", Status: "ACTIVE", Created: r.now()})
			}
			r.Misbehave(tc.fault)
			w, err := readSold(t, r.open(t, reselling), tc.stream)
			if fault.ClassOf(err) != tc.class || !strings.Contains(fault.Hint(err), tc.hint) || len(w.invalid) != tc.parked {
				t.Errorf("class %q, %d parked, error %v; want %q, %d, hint %q", fault.ClassOf(err), len(w.invalid), err, tc.class, tc.parked, tc.hint)
			}
			if (err == nil) != (w.scope != "") {
				t.Errorf("scope %q, error %v", w.scope, err)
			}
		})
	}
}

func firstEntry(key string, v any) func(map[string]any) {
	return func(doc map[string]any) {
		doc["subscriptions"].([]any)[0].(map[string]any)[key] = v
	}
}

// TestResellerPages: a page token that died in the middle begins the listing anew.
func TestResellerPages(t *testing.T) {
	r := start(t, func(o *googlesim.Options) { o.PageCap = 4 })
	r.Reseller().Fill(30)
	r.Misbehave(googlesim.Fault{Match: "pageToken=", Skip: 2, Times: 1, Status: 400, Body: `{"error":{"code":400}}`})
	c := r.open(t, reselling)
	w, err := readSold(t, c, streamLicences)
	if want := len(r.Reseller().Subscriptions()); err != nil || len(w.objects) != want {
		t.Errorf("%d objects, want %d, error %v", len(w.objects), want, err)
	}
	r.Misbehave(googlesim.Fault{Match: "pageToken=", Skip: 2, Times: 1, Status: 400, Body: `{"error":{"code":400}}`})
	if w, err = readSold(t, c, streamCustomers); err != nil || len(w.objects) != 30 {
		t.Errorf("%d customers, error %v", len(w.objects), err)
	}
	if !strings.Contains(w.scope, "reseller, customers, as ") {
		t.Errorf("scope %q", w.scope)
	}
}

// TestResellerRestart: what a listing said before it began anew does not outlive the new beginning.
func TestResellerRestart(t *testing.T) {
	r := start(t, func(o *googlesim.Options) { o.PageCap = 2 })
	for i := range 6 {
		r.Reseller().Sell(googlesim.Resold{ID: soldID(i)}, googlesim.Subscription{SKU: "s", Plan: "FLEXIBLE", Status: "ACTIVE", Most: 1, Created: r.now()})
	}
	r.Misbehave(googlesim.Fault{Match: "pageToken=", Times: 1, Status: 400, Body: `{"error":{"code":400}}`})
	status, pages := "", 0
	err := connectors.Guard(r.open(t, reselling)).Read(t.Context(), connectors.Request{
		Tenant: connectors.Tenant{ID: resellerTenant}, Stream: streamLicences, Mode: connectors.Full,
	}, func(p *connectors.Page) error {
		if pages++; pages == 1 {
			r.Reseller().Edit(soldID(0), func(s *googlesim.Subscription) { s.Status = "CANCELLED" })
		}
		for i := range p.Objects {
			if p.Objects[i].ID == soldID(0)+"/s" {
				status = text(p.Objects[i], directory.FieldStatus)
			}
		}
		return nil
	})
	if err != nil || status != "cancelled" {
		t.Errorf("status %q, error %v", status, err)
	}
}

// TestResellerTenants: beside the reseller's tenant are those of the listed customers, into whose directories the
// reseller's administrator may look.
func TestResellerTenants(t *testing.T) {
	r := start(t, func(o *googlesim.Options) { o.Customers = []string{"C0own", "C0acme", "C0shut"} })
	r.Customer(1).Fill(12)
	r.Reseller().Sell(googlesim.Resold{ID: "C0acme"}, googlesim.Subscription{SKU: "S", Status: "ACTIVE"})
	r.Reseller().Sell(googlesim.Resold{ID: "C0shut", Closed: true}, googlesim.Subscription{SKU: "S", Status: "ACTIVE"})
	alone := r.open(t, reselling)
	tenants, err := alone.Tenants(t.Context())
	if err != nil || len(tenants) != 1 || tenants[0].ID != resellerTenant || len(alone.Describe().Streams) != 2 {
		t.Errorf("tenants %+v, error %v, streams %+v", tenants, err, alone.Describe().Streams)
	}
	c := r.open(t, func(c *Config) {
		reselling(c)
		c.Customers = []CustomerConfig{{Customer: "C0acme", Name: "Acme"}, {Customer: "C0shut"}}
		c.Licences.Products = []string{"Google-Apps"}
	})
	if tenants, err = c.Tenants(t.Context()); err != nil || len(tenants) != 3 {
		t.Fatalf("tenants %+v, error %v", tenants, err)
	}
	for i, want := range []string{"licences users groups", "licences users groups", "licences customers"} {
		if got := strings.Join(tenants[i].Streams, " "); got != want {
			t.Errorf("streams of %s: %s, want %s", tenants[i].ID, got, want)
		}
	}
	for _, stream := range []string{streamLicences, streamUsers, streamGroups} {
		w := newWorld()
		if err := w.read(t.Context(), c, "C0acme", stream, connectors.Full); err != nil || len(w.objects) == 0 {
			t.Errorf("%s of a customer: %d objects, error %v", stream, len(w.objects), err)
		}
	}
	if err := newWorld().read(t.Context(), c, "C0shut", streamUsers, connectors.Full); fault.ClassOf(err) != fault.Forbidden {
		t.Errorf("a customer that keeps the reseller out: %v", err)
	}
	for _, wrong := range []struct{ tenant, stream string }{{"C0acme", streamCustomers}, {resellerTenant, streamUsers}, {"", streamUsers}} {
		if err := newWorld().read(t.Context(), c, wrong.tenant, wrong.stream, connectors.Full); fault.ClassOf(err) != fault.Internal {
			t.Errorf("%s of %q: %v", wrong.stream, wrong.tenant, err)
		}
	}
	w := newWorld()
	w.cursor = []byte("x")
	if err := w.read(t.Context(), c, resellerTenant, streamLicences, connectors.Delta); fault.ClassOf(err) != fault.CursorExpired {
		t.Errorf("a delta: %v", err)
	}
	if w, err := readSold(t, c, streamLicences); err != nil || len(w.cursor) > 0 {
		t.Errorf("cursor %q, error %v", w.cursor, err)
	}
}

func TestResellerCheck(t *testing.T) {
	r := start(t, nil)
	found := func(c *Connector) connectors.Finding {
		t.Helper()
		list, err := c.Check(t.Context())
		if err != nil || len(list) == 0 {
			t.Fatalf("findings %+v, error %v", list, err)
		}
		return list[len(list)-1]
	}
	c := r.open(t, reselling)
	if f := found(c); f.OK || !strings.Contains(f.Hint, "remove reseller") || f.Subject != "reseller: subscriptions" {
		t.Errorf("not a reseller: %+v", f)
	}
	r.Reseller().Fill(3)
	if f := found(c); !f.OK {
		t.Errorf("a reseller: %+v", f)
	}
	r.Deny(resellerScopes()...)
	if f := found(r.open(t, reselling)); f.OK || !strings.Contains(f.Hint, resellerScopes()[0]) {
		t.Errorf("a scope that is missing: %+v", f)
	}
}

func TestStatusOfResold(t *testing.T) {
	for _, tc := range []struct{ statuses, want string }{
		{"", ""}, {"CANCELLED", "CANCELLED"}, {"SUSPENDED CANCELLED", "SUSPENDED"}, {"X SUSPENDED ACTIVE", "ACTIVE"}, {"X B", "B"},
	} {
		c := resold{statuses: map[string]bool{}}
		for _, s := range strings.Fields(tc.statuses) {
			c.statuses[s] = true
		}
		if got := c.status(); got != tc.want {
			t.Errorf("%s: %s, want %s", tc.statuses, got, tc.want)
		}
	}
}

// FuzzSubscription: whatever Google says becomes an object with its key, or an error.
func FuzzSubscription(f *testing.F) {
	f.Add(`{"customerId":"C1","skuId":"S","seats":{"numberOfSeats":"4"},"creationTime":"1772366400000"}`)
	f.Add(`{"customerId":"C1","skuId":"S","plan":{"commitmentInterval":{"endTime":"9223372036854775807"}},"suspensionReasons":["b","a"]}`)
	f.Add(`{"customerId":"C1","seats":null,"plan":[]}`)
	f.Fuzz(func(t *testing.T, raw string) {
		s, err := parseSubscription([]byte(raw))
		if err != nil {
			if bad := invalidSubscription([]byte(raw), err, "x"); bad.Err == nil || bad.Where == "" {
				t.Errorf("%+v", bad)
			}
			return
		}
		o := s.licence()
		if o.ID != s.CustomerID+"/"+s.SKUID {
			t.Errorf("object %+v", o)
		}
		wellFormed(t, &o)
	})
}

// TestResellerRandom follows a reseller through random sales with one world, page tokens dying on the way.
func TestResellerRandom(t *testing.T) {
	rnd := rand.New(rand.NewPCG(connectortest.Seed(t), 7))
	r := start(t, func(o *googlesim.Options) { o.PageCap = 3 })
	sold := r.Reseller()
	sold.Fill(5)
	c := r.open(t, reselling)
	licences, customers := newWorld(), newWorld()
	for range 40 {
		id := soldID(rnd.IntN(20))
		switch rnd.IntN(5) {
		case 0, 1:
			sku := fmt.Sprint("S", rnd.IntN(3))
			sold.Cancel(func(s *googlesim.Subscription) bool { return s.Customer == id && s.SKU == sku })
			sold.Sell(googlesim.Resold{ID: id, Company: fmt.Sprint(rnd.IntN(9))}, googlesim.Subscription{SKU: sku, Plan: "FLEXIBLE", Status: "ACTIVE", Most: 1 + rnd.IntN(9)})
		case 2:
			sold.Edit(id, func(s *googlesim.Subscription) { s.Most = 1 + rnd.IntN(9) })
		case 3:
			sold.Cancel(func(s *googlesim.Subscription) bool { return s.Customer == id })
		default:
			r.Misbehave(googlesim.Fault{Match: "pageToken=", Times: 1, Status: 400, Body: `{"error":{"code":400}}`})
		}
		for stream, w := range map[string]*world{streamLicences: licences, streamCustomers: customers} {
			if err := w.read(t.Context(), c, resellerTenant, stream, connectors.Full); err != nil {
				t.Fatal(err)
			}
		}
		buyers := map[string]bool{}
		truth := sold.Subscriptions()
		for i := range truth {
			buyers[truth[i].Customer] = true
			key := directory.Ref{Kind: directory.Licence, ID: truth[i].Customer + "/" + truth[i].SKU}
			most := truth[i].Most
			if truth[i].Plan == "ANNUAL" {
				most = truth[i].Bought
			}
			if got := text(licences.objects[key], directory.FieldQuantity); got != fmt.Sprint(most) {
				t.Fatalf("%s: %s seats, want %d", key.ID, got, most)
			}
		}
		if len(licences.objects) != len(truth) || len(customers.objects) != len(buyers) {
			t.Fatalf("%d licences, want %d; %d customers, want %d", len(licences.objects), len(truth), len(customers.objects), len(buyers))
		}
	}
}
