package ldapsim

import (
	"crypto/sha256"
	"fmt"
	"slices"

	"github.com/go-ldap/ldap/v3"
)

// generalizedTime is how LDAP writes a time of day in UTC (RFC 4517).
const generalizedTime = "20060102150405Z"

// PersonDN returns the name of the person with a uid, and "" when there is none.
func (s *Server) PersonDN(uid string) string {
	s.treeMu.RLock()
	defer s.treeMu.RUnlock()
	found := ""
	s.tree.each(func(e *entry) {
		if slices.Contains(e.values("uid"), uid) {
			found = e.dn
		}
	})
	return found
}

// GroupDN returns the name of the group with a cn, and "" when there is none.
func (s *Server) GroupDN(name string) string {
	s.treeMu.RLock()
	defer s.treeMu.RUnlock()
	if e, err := s.tree.get(s.groupDN(name)); err == nil {
		return e.dn
	}
	return ""
}

// UnitDN returns the name that the unit of a department has, whether it is there or not.
func (s *Server) UnitDN(department string) string {
	return "ou=" + ldap.EscapeDN(department) + ",ou=People," + s.base
}

func (s *Server) groupDN(name string) string {
	return "cn=" + ldap.EscapeDN(name) + ",ou=Groups," + s.base
}

func (s *Server) personDN(p Person) string {
	above := "ou=People," + s.base
	if p.Department != "" {
		above = s.UnitDN(p.Department)
	}
	return "uid=" + ldap.EscapeDN(p.UID) + "," + above
}

// Values returns the values of an attribute of an entry; nil when there is no such entry or attribute.
func (s *Server) Values(dn, attr string) []string {
	s.treeMu.RLock()
	defer s.treeMu.RUnlock()
	e, err := s.tree.get(dn)
	if err != nil {
		return nil
	}
	return slices.Clone(e.values(attr))
}

// AddPerson adds a person below the unit of its department, which is made when it is not there. Its manager
// must be there.
func (s *Server) AddPerson(p Person) error {
	manager := ""
	if p.Manager != "" {
		if manager = s.PersonDN(p.Manager); manager == "" {
			return fmt.Errorf("add person %s: manager %s: %w", p.UID, p.Manager, errNoEntry)
		}
	}
	s.treeMu.Lock()
	defer s.treeMu.Unlock()
	return s.addPerson(p, manager)
}

func (s *Server) addPerson(p Person, manager string) error {
	if err := s.addUnit(p.Department); err != nil {
		return err
	}
	return s.addEntry(s.personDN(p), p.attributes(manager)...)
}

// AddGroup adds a group of people and other groups, which must be there.
func (s *Server) AddGroup(g Group) error {
	var members []string
	for _, uid := range g.People {
		members = append(members, s.PersonDN(uid))
	}
	for _, name := range g.Groups {
		members = append(members, s.GroupDN(name))
	}
	if slices.Contains(members, "") {
		return fmt.Errorf("add group %s: member: %w", g.Name, errNoEntry)
	}
	s.treeMu.Lock()
	defer s.treeMu.Unlock()
	return s.addGroup(g.Name, members)
}

func (s *Server) addGroup(name string, members []string) error {
	attrs := []attribute{{"objectClass", []string{"top", "groupOfNames"}}, {"cn", []string{name}}}
	if len(members) > 0 {
		attrs = append(attrs, attribute{"member", members})
	}
	return s.addEntry(s.groupDN(name), attrs...)
}

func (s *Server) addUnit(name string) error {
	dn := s.UnitDN(name)
	if name == "" {
		return nil
	}
	if _, err := s.tree.get(dn); err == nil {
		return nil
	}
	return s.addEntry(dn, unitAttributes(name)...)
}

// Modify replaces the values of an attribute; without values the attribute goes.
func (s *Server) Modify(dn, attr string, values ...string) error {
	return s.change(dn, func(e *entry) *entry { return e.with(attr, values...) })
}

func (s *Server) change(dn string, fn func(*entry) *entry) error {
	s.treeMu.Lock()
	defer s.treeMu.Unlock()
	e, err := s.tree.get(dn)
	if err != nil {
		return fmt.Errorf("change: %w", err)
	}
	s.tree.replace(e, s.touch(fn(e)))
	return nil
}

// lockedForGood is how OpenLDAP's password policy spells a lock without an end.
const lockedForGood = "000001010000Z"

// Lock locks the account of a person for good.
func (s *Server) Lock(dn string) error { return s.Modify(dn, "pwdAccountLockedTime", lockedForGood) }

// Unlock takes the lock from the account of a person.
func (s *Server) Unlock(dn string) error { return s.Modify(dn, "pwdAccountLockedTime") }

// AddMember adds a name to a group. As with OpenLDAP, nothing need have that name.
func (s *Server) AddMember(group, member string) error {
	return s.change(group, func(e *entry) *entry {
		members := e.values("member")
		if slices.Contains(members, member) {
			return e
		}
		return e.with("member", append(slices.Clip(members), member)...)
	})
}

// RemoveMember takes a name from a group. A group may end up empty, as in Active Directory.
func (s *Server) RemoveMember(group, member string) error {
	return s.change(group, func(e *entry) *entry {
		kept := slices.DeleteFunc(slices.Clone(e.values("member")), func(m string) bool { return m == member })
		return e.with("member", kept...)
	})
}

// Move gives an entry, and with it all below it, another name. References to them follow, as with OpenLDAP's
// refint overlay. entryUUID stays.
func (s *Server) Move(dn, newDN string) error {
	s.treeMu.Lock()
	defer s.treeMu.Unlock()
	top, err := s.tree.get(dn)
	if err != nil {
		return fmt.Errorf("move: %w", err)
	}
	moved, err := top.renamed(newDN)
	if err != nil {
		return fmt.Errorf("move: %w", err)
	}
	if _, above := s.tree.entries[moved.parent]; !above {
		return fmt.Errorf("move: above %s: %w", newDN, errNoEntry)
	}
	if _, there := s.tree.entries[moved.key]; there && moved.key != top.key {
		return fmt.Errorf("move: %s: %w", newDN, errExists)
	}
	renames := map[string]string{}
	for _, e := range s.tree.subtree(top.key) {
		next := moved
		if e != top {
			if next, err = e.renamed(e.dn[:len(e.dn)-len(top.dn)] + newDN); err != nil {
				return fmt.Errorf("move: %w", err)
			}
		}
		renames[e.dn] = next.dn
		if e == top {
			next = s.touch(next)
		}
		s.tree.replace(e, next)
	}
	s.rewriteReferences(renames)
	return nil
}

// Remove removes an entry and all below it, and the references to them.
func (s *Server) Remove(dn string) error {
	s.treeMu.Lock()
	defer s.treeMu.Unlock()
	top, err := s.tree.get(dn)
	if err != nil {
		return fmt.Errorf("remove: %w", err)
	}
	gone := map[string]string{}
	for _, e := range s.tree.subtree(top.key) {
		gone[e.dn] = ""
		s.tree.remove(e)
	}
	s.newCSN()
	s.rewriteReferences(gone)
	return nil
}

// rewriteReferences replaces the names of entries where others refer to them; an empty new name drops the
// reference.
func (s *Server) rewriteReferences(renames map[string]string) {
	s.tree.each(func(e *entry) {
		changed := e
		for _, attr := range []string{"member", "manager"} {
			values := e.values(attr)
			if !slices.ContainsFunc(values, func(v string) bool { _, hit := renames[v]; return hit }) {
				continue
			}
			var kept []string
			for _, v := range values {
				if next, hit := renames[v]; hit {
					v = next
				}
				if v != "" {
					kept = append(kept, v)
				}
			}
			changed = changed.with(attr, kept...)
		}
		if changed != e {
			s.tree.replace(e, s.touch(changed))
		}
	})
}

// addEntry adds an entry with the operational attributes of a new one. The caller holds the tree.
func (s *Server) addEntry(dn string, attrs ...attribute) error {
	e, err := newEntry(dn, attrs...)
	if err != nil {
		return err
	}
	e = e.with("entryUUID", s.newUUID()).with("createTimestamp", s.timestamp())
	return s.tree.add(s.touch(e))
}

// touch returns an entry as changed now.
func (s *Server) touch(e *entry) *entry {
	return e.with("modifyTimestamp", s.timestamp()).with("entryCSN", s.newCSN())
}

// newCSN is that of a change that is made now, which the context knows from then on.
func (s *Server) newCSN() string {
	s.tree.changes++
	csn := fmt.Sprintf("%s#%06x#%03x#000000", s.now().UTC().Format("20060102150405.000000Z"), s.tree.changes, s.id)
	if s.tree.context == nil {
		s.tree.context = map[string]string{}
	}
	s.tree.context[fmt.Sprintf("%03x", s.id)] = csn
	return csn
}

// WriteAs has another server of a set of writers make all later changes: contextCSN has a value for each.
func (s *Server) WriteAs(id int) {
	s.treeMu.Lock()
	defer s.treeMu.Unlock()
	s.id = id
}

func (s *Server) timestamp() string { return s.now().UTC().Format(generalizedTime) }

// newUUID returns an id that no other entry has and that is the same in every run of a program that does the
// same, so that what a demonstration prints can be compared.
func (s *Server) newUUID() string {
	s.tree.changes++
	b := sha256.Sum256(fmt.Appendf(nil, "%s %d", s.base, s.tree.changes))
	b[6] = b[6]&0x0f | 0x80 // version 8: made by a rule of one's own (RFC 9562)
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:16])
}
