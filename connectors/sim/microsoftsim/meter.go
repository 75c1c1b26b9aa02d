package microsoftsim

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// meter counts requests and the resource units that they cost.
type meter struct {
	mu       *sync.Mutex
	requests map[string]int // by what was asked
	tenants  map[string]int // by tenant
	units    map[bucketKey]int
	refused  int // throttled by the budget
	inFlight map[string]int
	most     map[string]int
	limit    int
	window   time.Duration
	buckets  map[bucketKey]*bucket
}

// bucketKey names a budget: the service counts per application and tenant.
type bucketKey struct{ app, tenant string }

type bucket struct {
	began time.Time
	used  int
}

func newMeter() meter {
	return meter{
		mu: new(sync.Mutex), requests: map[string]int{}, tenants: map[string]int{}, units: map[bucketKey]int{},
		inFlight: map[string]int{}, most: map[string]int{}, buckets: map[bucketKey]*bucket{},
	}
}

// enter counts a request as being answered until the returned function is called. The empty name stands for all
// tenants together.
func (m *meter) enter(tenant string) (leave func()) {
	names := []string{""}
	if tenant != "" {
		names = append(names, tenant)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, n := range names {
		m.inFlight[n]++
		m.most[n] = max(m.most[n], m.inFlight[n])
	}
	return func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		for _, n := range names {
			m.inFlight[n]--
		}
	}
}

// count counts a request: "GET /v1.0/users/delta", ids in the path left out.
func (m *meter) count(x *exchange) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.requests[x.r.Method+" "+plainPath(x.r.URL.Path)]++
	m.tenants[x.tenantName()]++
}

// plainPath replaces ids by {id} and the tenant of a sign-in by {tenant}, and spells delta in one way.
func plainPath(path string) string {
	parts := strings.Split(strings.TrimSuffix(strings.Trim(path, "/"), "()"), "/")
	for i, p := range parts {
		switch {
		case len(p) == 36 && strings.Count(p, "-") == 4:
			parts[i] = "{id}"
		case p == "microsoft.graph.delta":
			parts[i] = "delta"
		}
	}
	if first := parts[0]; first != "v1.0" && first != "beta" && first != "v1" && first != "customers" {
		parts[0] = "{tenant}"
	}
	return "/" + strings.Join(parts, "/")
}

// Requests returns how many requests came whose word, such as "GET /v1.0/users/delta" or "POST
// /{tenant}/oauth2/v2.0/token", contains a text. Requests inside a batch count, and the batch does.
func (s *Server) Requests(containing string) int {
	s.meter.mu.Lock()
	defer s.meter.mu.Unlock()
	n := 0
	for name, count := range s.meter.requests {
		if strings.Contains(name, containing) {
			n += count
		}
	}
	return n
}

// Requested lists the words of the requests that came, with their numbers, for messages of tests.
func (s *Server) Requested() string {
	s.meter.mu.Lock()
	defer s.meter.mu.Unlock()
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(s.meter.requests)) {
		lines = append(lines, fmt.Sprintf("%5d %s", s.meter.requests[name], name))
	}
	return strings.Join(lines, "\n")
}

// RequestsAbout returns how many requests were about a tenant.
func (s *Server) RequestsAbout(tenant string) int {
	s.meter.mu.Lock()
	defer s.meter.mu.Unlock()
	return s.meter.tenants[strings.ToLower(tenant)]
}

// Units returns the resource units that an application has used in a tenant.
func (s *Server) Units(app, tenant string) int {
	s.meter.mu.Lock()
	defer s.meter.mu.Unlock()
	return s.meter.units[bucketKey{app, strings.ToLower(tenant)}]
}

// Refused returns how many requests the budget refused.
func (s *Server) Refused() int {
	s.meter.mu.Lock()
	defer s.meter.mu.Unlock()
	return s.meter.refused
}

// MostInFlight returns how many requests about a tenant were under way at the same time at most; about all tenants
// together when the name is empty.
func (s *Server) MostInFlight(tenant string) int {
	s.meter.mu.Lock()
	defer s.meter.mu.Unlock()
	return s.meter.most[strings.ToLower(tenant)]
}

// ResetCounts begins to count anew.
func (s *Server) ResetCounts() {
	m := &s.meter
	m.mu.Lock()
	defer m.mu.Unlock()
	clear(m.requests)
	clear(m.tenants)
	clear(m.units)
	clear(m.most)
	m.refused = 0
}

// SetBudget limits every application to so many resource units per tenant and window, by the server's clock. What is
// more is answered with 429 and a Retry-After. Zero units lift the limit.
func (s *Server) SetBudget(units int, window time.Duration) {
	s.meter.mu.Lock()
	defer s.meter.mu.Unlock()
	s.meter.limit, s.meter.window = units, window
	clear(s.meter.buckets)
}

// withinBudget reports whether the request's application has units left, and refuses it otherwise.
func (x *exchange) withinBudget() bool {
	m, now := &x.s.meter, x.s.o.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.limit == 0 {
		return true
	}
	b := m.bucketOf(x.key(), now)
	if b.used < m.limit {
		return true
	}
	m.refused++
	wait := int(b.began.Add(m.window).Sub(now).Seconds()) + 1
	x.out.Set("Retry-After", strconv.Itoa(wait))
	x.out.Set("x-ms-throttle-scope", "Tenant_Application/ReadWrite/"+x.claims.App+"/"+x.tenant.id)
	x.out.Set("x-ms-throttle-information", "ResourceUnitLimitExceeded")
	x.refuse(http.StatusTooManyRequests, "TooManyRequests", "Please retry again later.")
	return false
}

func (x *exchange) key() bucketKey { return bucketKey{x.claims.App, x.tenant.id} }

func (m *meter) bucketOf(key bucketKey, now time.Time) *bucket {
	b := m.buckets[key]
	if b == nil || now.Sub(b.began) >= m.window {
		b = &bucket{began: now}
		m.buckets[key] = b
	}
	return b
}

// charge works out what a request to directory objects costs.
func (x *exchange) charge(res resource, rest []string) {
	cost := 1
	switch {
	case len(rest) == 0 && res == users:
		cost = 2
	case len(rest) == 2 && rest[1] == "members":
		cost = 3
	case len(rest) == 2 && rest[1] == "transitiveMembers":
		cost = 5
	case len(rest) == 2 && (rest[1] == "licenseDetails" || rest[1] == "memberOf"):
		cost = 2
	}
	x.spend(cost)
}

// spend notes what a request costs, and says so in its answer.
func (x *exchange) spend(cost int) {
	q := x.r.URL.Query()
	if q.Has("$select") {
		cost--
	}
	if q.Has("$expand") {
		cost++
	}
	if n, err := strconv.Atoi(q.Get("$top")); err == nil && n < 20 {
		cost--
	}
	cost = max(cost, 1)
	x.out.Set("x-ms-resource-unit", strconv.Itoa(cost))
	m, now := &x.s.meter, x.s.o.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.units[x.key()] += cost
	if m.limit == 0 {
		return
	}
	b := m.bucketOf(x.key(), now)
	b.used += cost
	if share := float64(b.used) / float64(m.limit); share >= 0.8 {
		x.out.Set("x-ms-throttle-limit-percentage", strconv.FormatFloat(min(share, 1.8), 'f', 1, 64))
	}
}
