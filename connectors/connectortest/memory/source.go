// Package memory is the reference connector: a source that lives in memory, can be changed while it is read,
// and misbehaves on command in every way in which real services do. Tests of the engine stand on it.
//
// Synthetic is a second source, for measurements: a population of any size that is made up while it is read.
package memory

import (
	"cmp"
	"maps"
	"slices"
	"sync"

	"dirsyncd/connectors"
	"dirsyncd/sync/directory"
)

// Source is a directory in memory. All methods may be called concurrently, also while the source is read.
// Objects are known by tenant, kind and id; a source without tenants uses the empty tenant.
type Source struct {
	mu      sync.Mutex
	tenants map[string]*tenant
	order   []connectors.Tenant
	seq     uint64 // of the last change
	epoch   int    // cursors of earlier epochs have expired
	script  []Misbehaviour
	reads   int
	broken  error
	silent  bool
}

// tenant is the content of one tenant.
type tenant struct {
	objects map[directory.Ref]directory.Object // never modified, only replaced
	members map[string]map[string]bool         // group id -> handles
	log     []change
}

// change is one entry of the change log.
type change struct {
	seq    uint64
	ref    directory.Ref
	member string // a handle; set when a membership changed rather than the object
}

// NewSource makes an empty source with one tenant that has no id.
func NewSource() *Source {
	s := &Source{tenants: make(map[string]*tenant)}
	s.AddTenant(connectors.Tenant{})
	return s
}

// NewTenantSource makes an empty source with these tenants.
func NewTenantSource(tenants ...connectors.Tenant) *Source {
	s := &Source{tenants: make(map[string]*tenant)}
	for _, t := range tenants {
		s.AddTenant(t)
	}
	return s
}

// AddTenant adds a tenant, or gives a known one another name and domain.
func (s *Source) AddTenant(t connectors.Tenant) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.tenants[t.ID]; !ok {
		s.tenants[t.ID] = &tenant{
			objects: make(map[directory.Ref]directory.Object), members: make(map[string]map[string]bool),
		}
		s.order = append(s.order, t)
		return
	}
	for i := range s.order {
		if s.order[i].ID == t.ID {
			s.order[i] = t
		}
	}
}

// RemoveTenant forgets a tenant and all it holds.
func (s *Source) RemoveTenant(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.tenants, id)
	s.order = slices.DeleteFunc(s.order, func(t connectors.Tenant) bool { return t.ID == id })
}

// in runs fn with a tenant. An unknown tenant is a mistake of the test.
func (s *Source) in(tenantID string, fn func(*tenant)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, ok := s.tenants[tenantID]
	if !ok {
		panic("memory: unknown tenant " + tenantID)
	}
	fn(t)
}

// record appends to the change log. The caller holds the lock.
func (s *Source) record(t *tenant, ref directory.Ref, member string) {
	s.seq++
	t.log = append(t.log, change{seq: s.seq, ref: ref, member: member})
}

// Put stores copies of objects, in place of those with the same kind and id.
func (s *Source) Put(tenantID string, objects ...directory.Object) {
	s.in(tenantID, func(t *tenant) {
		for i := range objects {
			o := clone(&objects[i])
			ref := directory.Ref{Kind: o.Kind, ID: o.ID}
			t.objects[ref] = o
			s.record(t, ref, "")
		}
	})
}

// Edit changes a copy of a stored object and stores it. It panics when there is none.
func (s *Source) Edit(tenantID string, ref directory.Ref, edit func(*directory.Object)) {
	s.in(tenantID, func(t *tenant) {
		o, ok := t.objects[ref]
		if !ok {
			panic("memory: no " + ref.Kind.String() + " " + ref.ID)
		}
		o = clone(&o)
		edit(&o)
		t.objects[ref] = o
		s.record(t, ref, "")
	})
}

// Remove removes objects; a group's members go with it.
func (s *Source) Remove(tenantID string, refs ...directory.Ref) {
	s.in(tenantID, func(t *tenant) {
		for _, ref := range refs {
			delete(t.objects, ref)
			if ref.Kind == directory.Group {
				delete(t.members, ref.ID)
			}
			s.record(t, ref, "")
		}
	})
}

// AddMembers adds handles to a group's members.
func (s *Source) AddMembers(tenantID, group string, handles ...string) {
	s.in(tenantID, func(t *tenant) {
		if t.members[group] == nil {
			t.members[group] = make(map[string]bool)
		}
		for _, h := range handles {
			t.members[group][h] = true
			s.record(t, directory.Ref{Kind: directory.Group, ID: group}, h)
		}
	})
}

// RemoveMembers takes handles from a group's members.
func (s *Source) RemoveMembers(tenantID, group string, handles ...string) {
	s.in(tenantID, func(t *tenant) {
		for _, h := range handles {
			delete(t.members[group], h)
			s.record(t, directory.Ref{Kind: directory.Group, ID: group}, h)
		}
	})
}

// Rewrite puts one handle in the place of another wherever that is a member or the end of a link, or with an empty one
// takes it away, as servers do that keep references right by themselves. No delta tells of it.
func (s *Source) Rewrite(tenantID, from, to string) {
	s.in(tenantID, func(t *tenant) {
		for _, members := range t.members {
			if members[from] {
				delete(members, from)
				if to != "" {
					members[to] = true
				}
			}
		}
		for ref, o := range t.objects {
			o = clone(&o)
			o.Links = slices.DeleteFunc(o.Links, func(l directory.Link) bool { return l.To == from && to == "" })
			for i := range o.Links {
				if o.Links[i].To == from {
					o.Links[i].To = to
				}
			}
			t.objects[ref] = o
		}
	})
}

// refers reports whether an object has one of some handles as the end of a link or among its members. The caller holds
// the lock.
func (t *tenant) refers(ref directory.Ref, handles []string) bool {
	links := t.objects[ref].Links
	return slices.ContainsFunc(handles, func(h string) bool {
		return ref.Kind == directory.Group && t.members[ref.ID][h] || slices.ContainsFunc(links, func(l directory.Link) bool { return l.To == h })
	})
}

// Get returns a copy of an object.
func (s *Source) Get(tenantID string, ref directory.Ref) (o directory.Object, ok bool) {
	s.in(tenantID, func(t *tenant) {
		if o, ok = t.objects[ref]; ok {
			o = clone(&o)
		}
	})
	return o, ok
}

// Refs lists the objects of a kind by ascending id.
func (s *Source) Refs(tenantID string, kind directory.Kind) (refs []directory.Ref) {
	s.in(tenantID, func(t *tenant) { refs = t.refs(kind) })
	return refs
}

// Members lists the members of a group in ascending order.
func (s *Source) Members(tenantID, group string) (handles []string) {
	s.in(tenantID, func(t *tenant) { handles = slices.Sorted(maps.Keys(t.members[group])) })
	return handles
}

// ExpireCursors makes every cursor that was handed out so far expired.
func (s *Source) ExpireCursors() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.epoch++
	for _, t := range s.tenants {
		t.log = nil
	}
}

// Break makes everything fail with an error from now on, reads that are under way included. Break(nil) mends it.
func (s *Source) Break(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broken = err
}

// Silence makes the source answer nothing from now on: reads hang until their context ends.
func (s *Source) Silence(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.silent = on
}

// state returns what Break and Silence set.
func (s *Source) state() (silent bool, broken error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.silent, s.broken
}

// Reads returns how many reads were begun.
func (s *Source) Reads() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reads
}

// refs lists the objects of a kind. The caller holds the lock.
func (t *tenant) refs(kind directory.Kind) []directory.Ref {
	var refs []directory.Ref
	for ref := range t.objects {
		if ref.Kind == kind {
			refs = append(refs, ref)
		}
	}
	slices.SortFunc(refs, func(a, b directory.Ref) int { return cmp.Compare(a.ID, b.ID) })
	return refs
}

// clone copies an object so that it shares nothing that can be written.
func clone(o *directory.Object) directory.Object {
	c := *o
	c.Handles, c.Fields, c.Links = slices.Clone(o.Handles), slices.Clone(o.Fields), slices.Clone(o.Links)
	return c
}
