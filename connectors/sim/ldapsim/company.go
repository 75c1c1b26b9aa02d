package ldapsim

import (
	"fmt"
	"strings"
)

// Person is somebody in the directory. Empty fields are not there.
type Person struct {
	UID, GivenName, FamilyName string
	Mail, Title, Phone, Mobile string
	Department                 string // also the unit below which the entry is
	Office                     string
	EmployeeNumber             string
	EmployeeType               string
	Manager                    string // uid
	Locked                     bool
}

// Group lists people by uid and other groups by name.
type Group struct {
	Name   string
	People []string
	Groups []string
}

// Population is what a directory holds.
type Population struct {
	People []Person
	Groups []Group
}

func (p Person) attributes(manager string) []attribute {
	list := []attribute{
		{"objectClass", []string{"top", "person", "organizationalPerson", "inetOrgPerson"}},
	}
	locked := ""
	if p.Locked {
		locked = lockedForGood
	}
	for _, a := range []struct{ name, value string }{
		{"uid", p.UID}, {"cn", strings.TrimSpace(p.GivenName + " " + p.FamilyName)}, {"sn", p.FamilyName},
		{"givenName", p.GivenName}, {"mail", p.Mail}, {"title", p.Title}, {"departmentNumber", p.Department},
		{"l", p.Office}, {"telephoneNumber", p.Phone}, {"mobile", p.Mobile}, {"manager", manager},
		{"employeeNumber", p.EmployeeNumber}, {"employeeType", p.EmployeeType}, {"pwdAccountLockedTime", locked},
	} {
		if a.value != "" {
			list = append(list, attribute{a.name, []string{a.value}})
		}
	}
	return list
}

// load fills an empty directory.
func (s *Server) load(p Population) error {
	for _, unit := range []struct {
		dn    string
		attrs []attribute
	}{
		{s.base, []attribute{{"objectClass", []string{"top", "domain"}}}},
		{"ou=People," + s.base, unitAttributes("People")},
		{"ou=Groups," + s.base, unitAttributes("Groups")},
	} {
		if err := s.addEntry(unit.dn, unit.attrs...); err != nil {
			return err
		}
	}
	names := make(map[string]string, len(p.People))
	for _, person := range p.People {
		names[person.UID] = s.personDN(person)
	}
	for _, person := range p.People {
		manager, known := names[person.Manager]
		if person.Manager != "" && !known {
			return fmt.Errorf("person %s: manager %s: %w", person.UID, person.Manager, errNoEntry)
		}
		if err := s.addPerson(person, manager); err != nil {
			return err
		}
	}
	for _, group := range p.Groups {
		var members []string
		for _, uid := range group.People {
			if names[uid] == "" {
				return fmt.Errorf("group %s: member %s: %w", group.Name, uid, errNoEntry)
			}
			members = append(members, names[uid])
		}
		for _, name := range group.Groups {
			members = append(members, s.groupDN(name))
		}
		if err := s.addGroup(group.Name, members); err != nil {
			return err
		}
	}
	return nil
}

func unitAttributes(name string) []attribute {
	return []attribute{{"objectClass", []string{"top", "organizationalUnit"}}, {"ou", []string{name}}}
}

// team is a department of the made-up company.
type team struct {
	name, lead, staff string // lead and staff are titles
	share             int    // of a hundred people
}

// Company makes a small, made-up company of n people (40 look well), the same every time: departments in two
// offices with a manager each, contractors, one account that is locked, and eight groups. "All Staff" has the
// departments as its members, and "Service Desk" has "Service Desk London" and "Service Desk Leeds".
func Company(n int) Population {
	teams := []team{
		{"Service Desk", "Head of Service", "Service Desk Analyst", 25},
		{"Engineering", "Head of Engineering", "Engineer", 25},
		{"Sales", "Sales Director", "Account Manager", 20},
		{"Finance", "Finance Director", "Accountant", 10},
		{"Operations", "Head of Operations", "Operations Coordinator", 10},
		{"Contractors", "Contract Consultant", "Contract Consultant", 10},
	}
	var p Population
	members := map[string][]string{}
	for t, end := 0, 0; t < len(teams); t++ {
		begin, share := end, teams[t].share
		for end = begin; end < n && (end-begin)*100 < share*n || t == len(teams)-1 && end < n; end++ {
			person := teams[t].person(end, end-begin)
			if end > begin && teams[t].name != "Contractors" {
				person.Manager = p.People[begin].UID
			} else if end > 0 {
				person.Manager = p.People[0].UID
			}
			p.People = append(p.People, person)
			members[person.Department] = append(members[person.Department], person.UID)
			members[person.Department+" "+person.Office] = append(members[person.Department+" "+person.Office], person.UID)
		}
	}
	if n > 0 {
		p.People[n-1].Locked = true
	}
	p.Groups = []Group{
		{Name: "Service Desk London", People: members["Service Desk London"]},
		{Name: "Service Desk Leeds", People: members["Service Desk Leeds"]},
		{Name: "Service Desk", Groups: []string{"Service Desk London", "Service Desk Leeds"}},
		{Name: "Engineering", People: members["Engineering"]},
		{Name: "Sales", People: members["Sales"]},
		{Name: "Finance", People: members["Finance"]},
		{Name: "Operations", People: members["Operations"]},
		{Name: "All Staff", Groups: []string{"Service Desk", "Engineering", "Sales", "Finance", "Operations"}},
	}
	return p
}

// person makes person i of the company, who is the given one of the team.
func (t team) person(i, inTeam int) Person {
	given := [...]string{
		"Amara", "Ben", "Chloe", "Dylan", "Esme", "Farid", "Grace", "Hugo", "Isla", "Jonas", "Keira", "Leo",
		"Maya", "Nils", "Orla", "Pavel", "Quinn", "Rosa", "Sami", "Tara", "Umar", "Vera", "Will", "Xenia",
		"Yusuf", "Zara", "Aled", "Bryony", "Cem",
	}
	family := [...]string{
		"Ashdown", "Birch", "Carrow", "Dunmore", "Elstob", "Fenwick", "Garside", "Holloway", "Iveson", "Jarrow",
		"Kestrel", "Lindqvist", "Marlowe", "Northam", "Okonjo", "Penrose", "Quarmby", "Redfern", "Silverdale",
		"Thackray", "Underhill", "Vance", "Wainright", "Yarwood", "Zeller", "Ambrose", "Bellamy", "Corrigan",
		"Draycott", "Eastwell", "Farrant",
	}
	// The lengths have no common factor, so that names repeat only after their product.
	p := Person{
		GivenName: given[i%len(given)], FamilyName: family[i%len(family)],
		Title: t.staff, Department: t.name, EmployeeType: "employee",
		EmployeeNumber: fmt.Sprint(1001 + i), Phone: fmt.Sprintf("+44 20 7946 0%03d", i%1000),
	}
	p.UID = strings.ToLower(p.GivenName + "." + p.FamilyName)
	if round := i / (len(given) * len(family)); round > 0 {
		p.UID += fmt.Sprint(round + 1)
	}
	p.Mail = p.UID + "@example.test"
	p.Office = [...]string{"London", "Leeds"}[inTeam%2]
	if inTeam == 0 {
		p.Title = t.lead
	}
	if i%3 == 0 {
		p.Mobile = fmt.Sprintf("+44 7700 900%03d", i%1000)
	}
	if t.name == "Contractors" {
		p.EmployeeType = "contractor"
	}
	return p
}
