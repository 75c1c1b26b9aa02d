package oktasim

import (
	"fmt"
	"maps"
	"slices"
)

// living returns the person with an id, or nil.
func (s *Server) living(id string) *person {
	n, ok := s.byID[id]
	if !ok || s.people[n].gone {
		return nil
	}
	return s.people[n]
}

// change keeps the state that the index may still show, and lets f change the person.
func (s *Server) change(p *person, f func()) {
	if s.o.IndexLag > 0 {
		now := s.now()
		p.older = slices.DeleteFunc(p.older, func(v version) bool { return now.After(v.until.Add(s.o.IndexLag)) })
		p.older = append(p.older, version{now, !p.gone, p.status, p.updated, maps.Clone(p.profile)})
	}
	f()
	p.updated = s.now()
}

// AddUser adds an active user. What profile does not say is made up.
func (s *Server) AddUser(profile map[string]any) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.people)
	p := &person{num: n, id: objectID("00u", n+1), status: "ACTIVE", created: s.now(), gone: true}
	s.people = append(s.people, p)
	s.byID[p.id] = n
	s.change(p, func() { p.gone, p.profile = false, maps.Clone(profile) })
	s.groups[0].membersUpdated = s.now()
	s.event("user.lifecycle.create", target{"User", p.id})
	return p.id
}

// SetProfile changes one attribute of a user; nil is JSON's null.
func (s *Server) SetProfile(id, name string, value any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.living(id)
	if p == nil {
		return
	}
	s.change(p, func() {
		if p.profile == nil {
			p.profile = map[string]any{}
		}
		p.profile[name] = value
	})
	s.event("user.account.update_profile", target{"User", p.id})
}

// SetStatus moves a user to a status. One that is deactivated leaves all groups and applications.
func (s *Server) SetStatus(id, status string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.living(id)
	if p == nil || p.status == status {
		return
	}
	s.setStatus(p, status)
}

func (s *Server) setStatus(p *person, status string) {
	old := p.status
	s.change(p, func() { p.status = status })
	switch {
	case status == "DEPROVISIONED":
		s.event("user.lifecycle.deactivate", target{"User", p.id})
		for _, g := range s.groups {
			if g.members.remove(p.num) {
				s.membersMoved(g, p, "remove")
			}
		}
		for _, a := range s.apps {
			if a.users.remove(p.num) {
				s.event("application.user_membership.remove", target{"AppInstance", a.id}, target{"User", p.id})
			}
		}
	case old == "DEPROVISIONED":
		s.event("user.lifecycle.reactivate", target{"User", p.id})
	case status == "SUSPENDED":
		s.event("user.lifecycle.suspend", target{"User", p.id})
	default:
		s.event("user.lifecycle.activate", target{"User", p.id})
	}
	s.groups[0].membersUpdated = s.now()
}

// DeleteUser deletes a user for good, deactivating it first.
func (s *Server) DeleteUser(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.living(id)
	if p == nil {
		return
	}
	if p.status != "DEPROVISIONED" {
		s.setStatus(p, "DEPROVISIONED")
	}
	s.event("user.lifecycle.delete.initiated", target{"User", p.id})
	s.change(p, func() { p.gone = true })
	s.event("user.lifecycle.delete.completed", target{"User", p.id})
}

// Spoil makes a user or group impossible to translate: its profile is a text.
func (s *Server) Spoil(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.living(id); p != nil {
		s.change(p, func() { p.odd = true })
	}
	if g := s.group(id); g != nil {
		g.odd, g.updated = true, s.now()
	}
}

func (s *Server) group(id string) *group {
	i := slices.IndexFunc(s.groups, func(g *group) bool { return g.id == id && !g.gone })
	if i < 0 {
		return nil
	}
	return s.groups[i]
}

// AddGroup adds an OKTA_GROUP without members.
func (s *Server) AddGroup(name string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next++
	now := s.now()
	g := &group{id: objectID("00g", s.next), typ: "OKTA_GROUP", name: name, created: now, updated: now, membersUpdated: now}
	s.groups = append(s.groups, g)
	s.event("group.lifecycle.create", target{"UserGroup", g.id})
	return g.id
}

// RenameGroup gives a group another name and description.
func (s *Server) RenameGroup(id, name, description string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if g := s.group(id); g != nil {
		g.name, g.description, g.updated = name, description, s.now()
		s.event("group.profile.update", target{"UserGroup", g.id})
	}
}

// DeleteGroup deletes a group.
func (s *Server) DeleteGroup(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if g := s.group(id); g != nil {
		g.gone = true
		s.event("group.lifecycle.delete", target{"UserGroup", g.id})
	}
}

// AddMember puts a user into a group.
func (s *Server) AddMember(groupID, userID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, p := s.group(groupID), s.living(userID)
	if g != nil && p != nil && p.status != "DEPROVISIONED" && g.members.add(p.num) {
		s.membersMoved(g, p, "add")
	}
}

// RemoveMember takes a user out of a group.
func (s *Server) RemoveMember(groupID, userID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, p := s.group(groupID), s.living(userID)
	if g != nil && p != nil && g.members.remove(p.num) {
		s.membersMoved(g, p, "remove")
	}
}

// membersMoved notes a change of a group's members. The targets of the event stand in either order.
func (s *Server) membersMoved(g *group, p *person, how string) {
	g.membersUpdated = s.now()
	switch {
	case s.o.SummaryEvents:
		s.event("system.import.group_membership.complete")
	case p.num%2 == 0:
		s.event("group.user_membership."+how, target{"User", p.id}, target{"UserGroup", g.id})
	default:
		s.event("group.user_membership."+how, target{"UserGroup", g.id}, target{"User", p.id})
	}
}

func (s *Server) app(id string) *app {
	i := slices.IndexFunc(s.apps, func(a *app) bool { return a.id == id && !a.gone })
	if i < 0 {
		return nil
	}
	return s.apps[i]
}

// AddApp adds an active application.
func (s *Server) AddApp(label string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next++
	a := &app{id: objectID("0oa", s.next), name: fmt.Sprintf("app_%d", s.next), label: label, status: "ACTIVE"}
	s.apps = append(s.apps, a)
	s.event("application.lifecycle.create", target{"AppInstance", a.id})
	return a.id
}

// RenameApp gives an application another label.
func (s *Server) RenameApp(id, label string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a := s.app(id); a != nil {
		a.label = label
		s.event("application.lifecycle.update", target{"AppInstance", a.id})
	}
}

// SetAppActive activates or deactivates an application.
func (s *Server) SetAppActive(id string, active bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.app(id)
	switch {
	case a == nil:
	case active:
		a.status = "ACTIVE"
		s.event("application.lifecycle.activate", target{"AppInstance", a.id})
	default:
		a.status = "INACTIVE"
		s.event("application.lifecycle.deactivate", target{"AppInstance", a.id})
	}
}

// DeleteApp deletes an application.
func (s *Server) DeleteApp(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a := s.app(id); a != nil {
		a.gone = true
		s.event("application.lifecycle.delete", target{"AppInstance", a.id})
	}
}

// Assign gives a user an application, or takes it away.
func (s *Server) Assign(appID, userID string, assigned bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, p := s.app(appID), s.living(userID)
	switch {
	case a == nil || p == nil || p.status == "DEPROVISIONED":
	case assigned && a.users.add(p.num):
		s.event("application.user_membership.add", target{"User", p.id}, target{"AppInstance", a.id})
	case !assigned && a.users.remove(p.num):
		s.event("application.user_membership.remove", target{"AppInstance", a.id}, target{"User", p.id})
	}
}
