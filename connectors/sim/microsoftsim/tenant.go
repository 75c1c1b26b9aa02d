package microsoftsim

import (
	"slices"
	"strings"
	"sync"
)

// Kind is what sort of tenant it is.
type Kind uint8

// The kinds.
const (
	Workforce Kind = iota // an organisation's own
	B2C                   // Azure AD B2C: no delta, no notifications, no $count
	External              // External ID: the same limits
)

// TenantOptions describe a tenant. What is empty is made up from the number of tenants so far.
type TenantOptions struct {
	ID      string // a GUID
	Name    string
	Domain  string   // the initial domain
	Domains []string // further ones
	Kind    Kind
	Population
}

// Tenant is one directory. Its methods may be called concurrently.
type Tenant struct {
	s       *Server
	id      string
	name    string
	domain  string
	domains []string
	kind    Kind
	made    Population

	mu     sync.RWMutex
	grants map[string]*grant // by client id
	gone   bool
	// d is the content; nil when nobody has looked at it for a while. pinned: it is not what the seed says.
	d      *directoryData
	pinned bool
}

// grant is what an application may do in a tenant.
type grant struct {
	roles  []string // application permissions
	scopes []string // delegated permissions
}

// AddTenant adds a tenant.
func (s *Server) AddTenant(o TenantOptions) *Tenant {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.order)
	if o.Seed == 0 {
		o.Seed = uint64(n + 1)
	}
	if o.ID == "" {
		o.ID = seededGUID(o.Seed, 'T', n)
	}
	if o.Name == "" {
		o.Name = companyName(n)
	}
	if o.Domain == "" {
		o.Domain = domainName(o.Name, n) + ".onmicrosoft.test"
	}
	t := &Tenant{
		s: s, id: strings.ToLower(o.ID), name: o.Name, domain: o.Domain, kind: o.Kind, made: o.Population,
		domains: append([]string{o.Domain}, o.Domains...), grants: map[string]*grant{},
	}
	s.order = append(s.order, t)
	s.tenants[t.id] = t
	for _, d := range t.domains {
		s.tenants[strings.ToLower(d)] = t
	}
	return t
}

// find returns a tenant by id or domain, or nil.
func (s *Server) find(name string) *Tenant {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tenants[strings.ToLower(name)]
}

// Tenant returns a tenant by id or domain, or nil.
func (s *Server) Tenant(name string) *Tenant { return s.find(name) }

// Tenants lists the tenants in the order in which they were added.
func (s *Server) Tenants() []*Tenant {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.order)
}

// ID is the tenant's id.
func (t *Tenant) ID() string { return t.id }

// Name is the organisation's name.
func (t *Tenant) Name() string { return t.name }

// Domain is the initial domain.
func (t *Tenant) Domain() string { return t.domain }

// Domains are all verified domains, the initial one first.
func (t *Tenant) Domains() []string { return slices.Clone(t.domains) }

// SetGone deletes the tenant as seen from outside, or brings it back: the token endpoint says AADSTS90002.
func (t *Tenant) SetGone(gone bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.gone = gone
}

func (t *Tenant) isGone() bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.gone
}

// Consent gives an application permissions of the application type (User.Read.All, ...). The first consent makes its
// service principal. Access tokens that exist already stay without the permissions.
func (t *Tenant) Consent(client string, roles ...string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	g := t.grantOf(client)
	g.roles = union(g.roles, roles)
}

// ConsentDelegated gives an application permissions of the delegated type, for use with a refresh token.
func (t *Tenant) ConsentDelegated(client string, scopes ...string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	g := t.grantOf(client)
	g.scopes = union(g.scopes, scopes)
}

func (t *Tenant) grantOf(client string) *grant {
	g := t.grants[client]
	if g == nil {
		g = &grant{}
		t.grants[client] = g
	}
	return g
}

func union(have, more []string) []string {
	out := slices.Clone(have)
	for _, m := range more {
		if !slices.Contains(out, m) {
			out = append(out, m)
		}
	}
	return out
}

// Revoke takes permissions of either type away, at once also from access tokens that exist; without names it
// removes the application's service principal.
func (t *Tenant) Revoke(client string, permissions ...string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(permissions) == 0 {
		delete(t.grants, client)
		return
	}
	if g := t.grants[client]; g != nil {
		named := func(p string) bool { return slices.Contains(permissions, p) }
		g.roles = slices.DeleteFunc(slices.Clone(g.roles), named)
		g.scopes = slices.DeleteFunc(slices.Clone(g.scopes), named)
	}
}

// granted returns a copy of what an application may do here, and whether it has a service principal.
func (t *Tenant) granted(client string) (grant, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	g, ok := t.grants[client]
	if !ok {
		return grant{}, false
	}
	return *g, true
}

// read calls fn with the content, which it must not change or keep.
func (t *Tenant) read(fn func(*directoryData)) {
	t.s.touch(t)
	t.mu.RLock()
	if t.d != nil {
		defer t.mu.RUnlock()
		fn(t.d)
		return
	}
	t.mu.RUnlock()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.fill()
	fn(t.d)
}

// change calls fn with the content, which it may change.
func (t *Tenant) change(fn func(*directoryData)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.fill()
	t.pinned = true
	fn(t.d)
}

// fill makes the content up when it is not there. The caller holds the lock.
func (t *Tenant) fill() {
	if t.d == nil {
		t.d = t.made.generate(t)
	}
}

// touch notes that a tenant was looked at, and lets go of the pristine tenant that was not for the longest time.
func (s *Server) touch(t *Tenant) {
	s.mu.Lock()
	var old *Tenant
	if n := len(s.recent); n == 0 || s.recent[n-1] != t {
		if i := slices.Index(s.recent, t); i >= 0 {
			s.recent = slices.Delete(s.recent, i, i+1)
		}
		s.recent = append(s.recent, t)
		if len(s.recent) > s.o.Pristine {
			old, s.recent = s.recent[0], slices.Delete(s.recent, 0, 1)
		}
	}
	s.mu.Unlock()
	if old == nil {
		return
	}
	old.mu.Lock()
	defer old.mu.Unlock()
	if !old.pinned {
		old.d = nil
	}
}
