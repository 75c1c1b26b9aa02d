package oktasim

import (
	"fmt"
	"strings"
	"time"
)

const idLetters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// objectID makes an id that looks like Okta's, 20 characters, of a number.
func objectID(prefix string, n int) string {
	id := []byte(prefix + "0000000000000d7sim7d7")[:20]
	for i := 12; n > 0 && i >= 3; i-- {
		id[i] = idLetters[n%len(idLetters)]
		n /= len(idLetters)
	}
	return string(id)
}

func pick(list string, n int) string {
	words := strings.Fields(list)
	return strings.ReplaceAll(words[n%len(words)], "_", " ")
}

const (
	givenNames = "Ada Björn Carmen Dinesh Elif Farid Grace Hana Ines Jorge Kwame Lena Mateo Nadia Oskar Priya Quentin Rosa " +
		"Sven Tomoko Uma Viktor Wanjiru Ximena Yusuf Zoë"
	familyNames = "Adeyemi Bauer Castillo Dubois Eriksen Fischer García Haddad Ivanova Jensen Kowalski Lindqvist Moreau " +
		"Nakamura O'Brien Petrov Quispe Rossi Singh Tanaka Ueda Vargas Weber Xu Yılmaz Zieliński"
	departments = "Sales Engineering Finance Service_Desk Operations Legal Marketing"
	titles      = "Analyst Engineer Manager Technician Accountant Consultant Director"
	cities      = "London Berlin Madrid Oslo Warsaw Lyon Osaka"
	countries   = "GB DE ES NO PL FR JP"
)

// profileOf makes up the profile of the person with a number. The population of another seed differs.
func (s *Server) profileOf(n int) map[string]any {
	k := n + s.o.Seed*7919
	given, family := pick(givenNames, k), pick(familyNames, k/26+k)
	login := fmt.Sprintf("user%d@example.com", n)
	p := map[string]any{
		"login": login, "email": login, "firstName": given, "lastName": family, "displayName": given + " " + family,
		"title": pick(titles, k/3), "department": pick(departments, k/5), "city": pick(cities, k), "countryCode": pick(countries, k),
		"employeeNumber": fmt.Sprintf("E%06d", n), "organization": "Example", "mobilePhone": nil, "secondEmail": nil,
		"userType": "Employee", "badge": int64(9007199254740993 + n),
	}
	if n%3 == 0 {
		p["mobilePhone"] = fmt.Sprintf("+44 7700 9%05d", n%100000)
	}
	if n > 0 {
		p["managerId"] = s.managerOf(n / 8)
	}
	return p
}

// managerOf spells a manager in one of the ways in which people fill managerId.
func (s *Server) managerOf(n int) string {
	switch n % 4 {
	case 0:
		return fmt.Sprintf("user%d@example.com", n)
	case 1:
		return strings.ToUpper(fmt.Sprintf("user%d@Example.com", n))
	case 2:
		return fmt.Sprintf("E%06d", n)
	default:
		return objectID("00u", n+1)
	}
}

func statusOf(n int) string {
	switch {
	case n%19 == 7:
		return "DEPROVISIONED"
	case n%23 == 5:
		return "SUSPENDED"
	case n%29 == 6:
		return "STAGED"
	case n%31 == 8:
		return "LOCKED_OUT"
	case n%37 == 9:
		return "PASSWORD_EXPIRED"
	case n%41 == 10:
		return "PROVISIONED"
	case n%43 == 11:
		return "RECOVERY"
	default:
		return "ACTIVE"
	}
}

// populate makes the population of the options, a month old.
func (s *Server) populate() {
	born := s.now().Add(-30 * 24 * time.Hour)
	everyone := &group{id: objectID("00g", 1), typ: "BUILT_IN", name: "Everyone", description: "All users in your organization"}
	everyone.created, everyone.updated, everyone.membersUpdated = born, born, born
	s.groups = append(s.groups, everyone)
	for i := range s.o.Groups {
		g := &group{id: objectID("00g", i+2), typ: "OKTA_GROUP", name: fmt.Sprintf("%s %d", pick(departments, i), i)}
		if i%5 == 4 {
			g.typ = "APP_GROUP"
		}
		if i%2 == 0 {
			g.description = "Made by the simulator"
		}
		g.created, g.updated, g.membersUpdated = born, born, born
		s.groups = append(s.groups, g)
	}
	for i := range s.o.Apps {
		a := &app{id: objectID("0oa", i+1), name: fmt.Sprintf("app_%d", i), label: fmt.Sprintf("Application %d", i), status: "ACTIVE"}
		s.apps = append(s.apps, a)
	}
	s.people = make([]*person, 0, s.o.People)
	for n := range s.o.People {
		p := &person{num: n, id: objectID("00u", n+1), status: statusOf(n), created: born, updated: born}
		s.byID[p.id] = n
		s.people = append(s.people, p)
		if p.status == "DEPROVISIONED" {
			continue
		}
		for k := range min(s.o.GroupsPerPerson, s.o.Groups) {
			g := s.groups[1+(n*7+k*(s.o.Groups/s.o.GroupsPerPerson+1))%s.o.Groups]
			g.members.add(n)
		}
		for k := range min(s.o.AppsPerPerson, s.o.Apps) {
			s.apps[(n+k*3)%s.o.Apps].users.add(n)
		}
	}
	s.next = max(s.o.People, s.o.Groups, s.o.Apps) + 10
}
