package csp

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"
)

func guid(n int) string { return fmt.Sprintf("00000000-0000-4000-8000-%012d", n) }

func inCenter(n int, name, domain string) *partnerCustomer {
	c := &partnerCustomer{ID: guid(n), Relationship: "reseller"}
	c.Company.Name, c.Company.Domain = name, domain
	return c
}

func relates(n int, id, status string, ends time.Time, roles ...string) *relationship {
	r := &relationship{ID: id, Status: status, ends: ends}
	r.Customer.TenantID, r.Customer.Name = guid(n), fmt.Sprint("GDAP ", n)
	for _, role := range roles {
		r.Access.Roles = append(r.Access.Roles, struct {
			ID string `json:"roleDefinitionId"`
		}{role})
	}
	return r
}

func TestReconcile(t *testing.T) {
	now := time.Date(2026, 1, 10, 0, 0, 0, 0, time.UTC)
	day := func(n int) time.Time { return now.AddDate(0, 0, n) }
	a := answers{
		center: []*partnerCustomer{inCenter(1, "One", "one.test"), inCenter(2, " Two ", "two.test"), inCenter(7, "", "seven.test")},
		relations: []*relationship{
			relates(1, "a", "terminated", day(400)), relates(1, "b", "active", day(30), "r2", "r1"), relates(1, "c", "active", day(90), "r3", "r1"),
			relates(2, "d", "expired", day(-300)),                                          // long ago, but Partner Center lists the customer
			relates(3, "e", "active", day(5), "r1"),                                        // looked after, sells nothing
			relates(4, "f", "expired", day(-3)),                                            // just forgotten
			relates(5, "g", "expired", day(-200)),                                          // long gone
			relates(6, "h", "approvalPending", time.Time{}),                                // not yet
			relates(8, "i", "active", day(-1)),                                             // the service has not noticed yet
			relates(9, "j", "terminated", day(100)),                                        // ended on purpose
			relates(2, "k", "approvalPending", time.Time{}),                                // asked for again
			relates(10, "l", "expired", day(-3)), relates(10, "m", "created", time.Time{}), // forgotten and asked for again
		},
		contracts: []*contract{{guid(1), "old-one.test", "Old One"}, {guid(3), "three.test", "Three"}, {guid(11), "eleven.test", "Eleven"}, {guid(11), "b.test", "B"}},
	}
	want := map[int]string{
		1:  "One one.test active 2026-04-10 [r1 r2 r3] [contracts gdap partner_center]",
		2:  "Two two.test approvalPending 0001-01-01 [] [partner_center]",
		3:  "GDAP 3 three.test active 2026-01-15 [r1] [contracts gdap]",
		4:  "GDAP 4  expired 2026-01-07 [] [gdap]",
		7:  "seven.test seven.test  0001-01-01 [] [partner_center]",
		8:  "GDAP 8  expired 2026-01-09 [] [gdap]",
		10: "GDAP 10  created 0001-01-01 [] [gdap]",
		11: "B b.test  0001-01-01 [] [contracts]",
	}
	check := func() {
		t.Helper()
		got := reconcile(a, now)
		for n, text := range want {
			c := got[guid(n)]
			if c == nil {
				t.Errorf("%d is not listed", n)
				continue
			}
			is := fmt.Sprintf("%s %s %s %s %v %v", c.name, c.domain, c.gdap, c.ends.Format(time.DateOnly), c.roles, c.sources)
			if is != text {
				t.Errorf("%d: %s\nwant %s", n, is, text)
			}
		}
		if len(got) != len(want) {
			t.Errorf("%d customers, want %d", len(got), len(want))
		}
	}
	check()
	first := reconcile(a, now)
	for range 50 { // the order of the lists means nothing
		rand.Shuffle(len(a.center), func(i, j int) { a.center[i], a.center[j] = a.center[j], a.center[i] })
		rand.Shuffle(len(a.relations), func(i, j int) { a.relations[i], a.relations[j] = a.relations[j], a.relations[i] })
		rand.Shuffle(len(a.contracts), func(i, j int) { a.contracts[i], a.contracts[j] = a.contracts[j], a.contracts[i] })
		if !reflect.DeepEqual(first, reconcile(a, now)) {
			t.Fatal("another order gives another list")
		}
	}
	check()
}

func TestChoice(t *testing.T) {
	all := map[string]*customer{}
	for i, domain := range []string{"one.test", "two.test", "three.test", ""} {
		c := &customer{id: guid(i + 1), name: fmt.Sprint("Customer ", i+1), domain: domain}
		if domain != "" {
			c.domains = []string{domain}
		}
		all[c.id] = c
	}
	for name, tc := range map[string]struct {
		edit func(*Config)
		want string
	}{
		"all":                 {func(*Config) {}, "1 2 3 4"},
		"only":                {func(c *Config) { c.Include = []string{guid(2), "THREE.test"} }, "2 3"},
		"without":             {func(c *Config) { c.Exclude = []string{strings.ToUpper(guid(2)), "three.test"} }, "1 4"},
		"no part of a domain": {func(c *Config) { c.Exclude = []string{"hree.test", "test"} }, "1 2 3 4"},
		"no name":             {func(c *Config) { c.Include = []string{"Customer 1"} }, ""},
		"named ones only": {func(c *Config) {
			c.NewTenants, c.Customers = false, map[string]string{guid(4): "Four"}
		}, "4"},
		"named besides only": {func(c *Config) {
			c.Include, c.Customers = []string{"one.test"}, map[string]string{guid(4): "A first"}
		}, "4 1"},
		"without wins": {func(c *Config) {
			c.Exclude, c.Customers = []string{"one.test"}, map[string]string{guid(1): "One"}
		}, "2 3 4"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := Defaults()
			tc.edit(cfg)
			h := newCustomerFilter(cfg)
			var got []string
			for _, c := range h.pick(all) {
				got = append(got, strings.TrimLeft(c.id[len(c.id)-12:], "0"))
			}
			if strings.Join(got, " ") != tc.want {
				t.Errorf("got %v, want %s", got, tc.want)
			}
		})
	}
}

func BenchmarkReconcile(b *testing.B) {
	now := time.Now()
	var a answers
	for i := range 2000 {
		a.center = append(a.center, inCenter(i, fmt.Sprint("Customer ", i), fmt.Sprintf("c%d.test", i)))
		for k := range 3 {
			a.relations = append(a.relations, relates(i, fmt.Sprint(i, "-", k), "active", now.AddDate(0, k, 0), "r1", "r2"))
		}
	}
	for b.Loop() {
		if len(reconcile(a, now)) != 2000 {
			b.Fatal("lost some")
		}
	}
}

// BenchmarkCustomers decodes a page of Partner Center.
func BenchmarkCustomers(b *testing.B) {
	const page = 500
	var items []string
	for i := range page {
		items = append(items, fmt.Sprintf(`{"id":%q,"companyProfile":{"tenantId":%q,"domain":"c%d.test","companyName":"Customer %d"},"relationshipToPartner":"reseller"}`, guid(i), guid(i), i, i))
	}
	body := []byte(`{"totalCount":500,"items":[` + strings.Join(items, ",") + `],"links":{}}`)
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		var c collection
		if err := json.Unmarshal(body, &c); err != nil {
			b.Fatal(err)
		}
		n := 0
		_ = eachOf(*c.Items, func(*partnerCustomer) error { n++; return nil })
		if n != page {
			b.Fatal(n)
		}
	}
	b.ReportMetric(float64(page*b.N)/b.Elapsed().Seconds(), "customers/s")
}
