package oktasim

import (
	"maps"
	"slices"
	"time"
)

// person is a user. What differs from the made-up profile of its number is in profile.
type person struct {
	num     int
	id      string
	status  string
	created time.Time
	updated time.Time
	profile map[string]any // nil values are JSON nulls
	odd     bool           // cannot be translated
	gone    bool
	// older are states that the lagging index may still show, oldest first.
	older []version
}

// version is a state of a person that was replaced at a time.
type version struct {
	until   time.Time
	exists  bool
	status  string
	updated time.Time
	profile map[string]any
}

// numbers is a sorted set of people.
type numbers []int

func (l *numbers) add(n int) bool {
	i, ok := slices.BinarySearch(*l, n)
	if !ok {
		*l = slices.Insert(*l, i, n)
	}
	return !ok
}

func (l *numbers) remove(n int) bool {
	i, ok := slices.BinarySearch(*l, n)
	if ok {
		*l = slices.Delete(*l, i, i+1)
	}
	return ok
}

type group struct {
	id, typ, name, description       string
	created, updated, membersUpdated time.Time
	members                          numbers
	odd, gone                        bool
}

type app struct {
	id, name, label, status string
	users                   numbers
	gone                    bool
}

// User is a user as it is now.
type User struct {
	ID, Status string
	Created    time.Time
	Profile    map[string]any
}

// Group is a group as it is now. The members of Everyone are not listed.
type Group struct {
	ID, Type, Name, Description string
	Members                     []string
}

// App is an application as it is now.
type App struct {
	ID, Name, Label, Status string
	Users                   []string
}

func (s *Server) profile(p *person, over map[string]any) map[string]any {
	full := s.profileOf(p.num)
	maps.Copy(full, over)
	return full
}

// Users returns all users there are, those that are deactivated among them.
func (s *Server) Users() []User {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []User
	for _, p := range s.people {
		if !p.gone {
			list = append(list, User{p.id, p.status, p.created, s.profile(p, p.profile)})
		}
	}
	return list
}

// UserIDs returns the ids of Users.
func (s *Server) UserIDs() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]string, 0, len(s.people))
	for _, p := range s.people {
		if !p.gone {
			list = append(list, p.id)
		}
	}
	return list
}

// Groups returns all groups there are.
func (s *Server) Groups() []Group {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []Group
	for _, g := range s.groups {
		if !g.gone {
			list = append(list, Group{g.id, g.typ, g.name, g.description, s.ids(g.members)})
		}
	}
	return list
}

// Apps returns all applications there are.
func (s *Server) Apps() []App {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []App
	for _, a := range s.apps {
		if !a.gone {
			list = append(list, App{a.id, a.name, a.label, a.status, s.ids(a.users)})
		}
	}
	return list
}

func (s *Server) ids(l numbers) []string {
	list := make([]string, len(l))
	for i, n := range l {
		list[i] = s.people[n].id
	}
	return list
}
