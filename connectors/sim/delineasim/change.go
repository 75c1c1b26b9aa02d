package delineasim

import (
	"fmt"
	"slices"
)

// People returns the ids of the people, in order of the table.
func (s *Server) People() (ids []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.people {
		ids = append(ids, p.id)
	}
	return ids
}

// Roles returns the ids of the roles that have lists of members.
func (s *Server) Roles() (ids []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.roles {
		if r.typ == "PrincipalList" {
			ids = append(ids, r.id)
		}
	}
	return ids
}

// AddUser adds somebody.
func (s *Server) AddUser() (id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next++
	p := &person{id: GUID(1, s.next), login: fmt.Sprintf("user%d@example.test", s.next), name: "Added", mail: "added@example.test", title: "New", status: "Active"}
	s.people = append(s.people, p)
	return p.id
}

// SetName renames somebody.
func (s *Server) SetName(id, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.person(id).name = name
}

// SetUser changes everything by which people know somebody.
func (s *Server) SetUser(id, login, name, mail string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.person(id)
	p.login, p.name, p.mail = login, name, mail
}

// SetStatus sets the StatusEnum of somebody.
func (s *Server) SetStatus(id, status string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.person(id).status = status
}

// SetDirectory sets the SourceDsType of somebody.
func (s *Server) SetDirectory(id, typ string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.person(id).source = typ
}

// DeleteUser deletes somebody, who stays in lists of members as a name of nobody.
func (s *Server) DeleteUser(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.people = slices.DeleteFunc(s.people, func(p *person) bool { return p.id == id })
}

// AddRole adds a role without members.
func (s *Server) AddRole(name string) (id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next++
	r := &role{id: GUID(2, s.next), name: name, typ: "PrincipalList"}
	s.roles = append(s.roles, r)
	return r.id
}

// SetRole changes name and description of a role.
func (s *Server) SetRole(id, name, description string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.role(id)
	r.name, r.description = name, description
}

// DeleteRole deletes a role.
func (s *Server) DeleteRole(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.roles = slices.DeleteFunc(s.roles, func(r *role) bool { return r.id == id })
}

// AddMember adds a member of a type, User, Role or Group, to a role.
func (s *Server) AddMember(id, guid, typ string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.role(id)
	r.members = append(r.members, member{guid, "Added", typ})
}

// RemoveMember takes somebody out of a role.
func (s *Server) RemoveMember(id, guid string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.role(id)
	r.members = slices.DeleteFunc(r.members, func(m member) bool { return m.guid == guid })
}

// Spoil makes a person or role one that nobody can translate.
func (s *Server) Spoil(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.person(id); p != nil {
		p.spoilt = true
	}
	if r := s.role(id); r != nil {
		r.spoilt = true
	}
}

func (s *Server) person(id string) *person {
	for _, p := range s.people {
		if p.id == id {
			return p
		}
	}
	return nil
}

func (s *Server) role(id string) *role {
	for _, r := range s.roles {
		if r.id == id {
			return r
		}
	}
	return nil
}
