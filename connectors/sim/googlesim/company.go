package googlesim

import (
	"fmt"
	"strings"
)

// Fill puts a made-up company of n people into the customer, the same every time: departments in three offices, each
// an org unit with a head, contractors, a suspended and an archived account, nested groups, a group that everybody is
// in, a guest from outside, licences of two products, and a few devices. Forty people look well. The audit log says
// nothing of it.
func (c *Customer) Fill(n int) {
	c.Quietly(func() {
		people := c.fillPeople(n)
		c.fillGroups(people)
		c.fillLicences(people)
		c.fillDevices(people)
	})
}

type section struct {
	name, head, staff string
	weight            int
}

func sections() []section {
	return []section{
		{"Customer Care", "Head of Customer Care", "Support Engineer", 5}, {"Product", "Director of Product", "Software Engineer", 6},
		{"Sales", "Sales Director", "Account Executive", 4}, {"Finance", "Finance Director", "Controller", 2},
		{"People", "Head of People", "People Partner", 1}, {"Contractors", "Consultant", "Consultant", 2},
	}
}

func (c *Customer) fillPeople(n int) []User {
	given := [...]string{
		"Aisha", "Bruno", "Carys", "Diego", "Elif", "Fergus", "Gita", "Henrik", "Imogen", "Jarek", "Kofi", "Linnea", "Mateo", "Niamh",
		"Oskar", "Priya", "Rafe", "Saskia", "Tariq", "Una", "Viktor", "Wren", "Yara", "Zoltan", "Anouk", "Bilal", "Ciara", "Duncan", "Esra",
	}
	family := [...]string{
		"Abernathy", "Blackwood", "Castell", "Delacroix", "Everard", "Fairweather", "Gallowglass", "Harkness", "Ingleby", "Juniper",
		"Kirkbride", "Larkspur", "Merriweather", "Nightingale", "Osgood", "Pemberton", "Ravenhill", "Sorensen", "Tremayne", "Ullmann",
		"Vasquez", "Winterbourne", "Yeo", "Zimmer", "Ashgrove", "Brightwell", "Cobham", "Dragomir", "Ekwueme", "Fontaine", "Greenhalgh",
	}
	offices := [...]struct{ city, street, country, building string }{
		{"London", "12 Tanner Street", "United Kingdom", "LON-1"}, {"Leeds", "4 Canal Wharf", "United Kingdom", "LDS-1"}, {"Lisbon", "80 Rua do Prata", "Portugal", "LIS-1"},
	}
	list, total := sections(), 0
	for _, s := range list {
		total += s.weight
	}
	var people []User
	heads := map[string]string{}
	chief := ""
	for i := range n {
		slot, k := i*7%total, 0
		for ; slot >= list[k].weight; k++ {
			slot -= list[k].weight
		}
		s := list[k]
		office := offices[(i/3)%len(offices)]
		first, last := given[i%len(given)], family[i%len(family)]
		local := strings.ToLower(first + "." + last)
		if round := i / (len(given) * len(family)); round > 0 {
			local += fmt.Sprint(round + 1)
		}
		u := User{
			Email: local + "@" + c.Domain, GivenName: first, FamilyName: last, Title: s.staff, Department: s.name,
			Path: "/" + s.name + "/" + office.city, Company: "Simulated Ltd", Office: office.building, Street: office.street, City: office.city,
			Country: office.country, EmploymentType: "Employee", EmployeeID: fmt.Sprint(40001 + i), CostCenter: fmt.Sprintf("CC-%02d", k+1),
			Created: c.s.opts.Now().AddDate(-2, 0, -i%300),
			Phone:   fmt.Sprintf("+44 20 7946 0%03d", i%1000), Manager: heads[s.name],
			Custom: map[string]map[string]any{"Employment": {"badge": fmt.Sprintf("B%05d", i), "grade": fmt.Sprint(i%7 + 1)}},
		}
		if i%4 == 0 {
			u.Mobile = fmt.Sprintf("+44 7700 900%03d", i%1000)
		}
		if s.name == "Contractors" {
			u.EmploymentType = "Contractor"
		}
		if heads[s.name] == "" {
			heads[s.name], u.Title, u.Manager = u.Email, s.head, chief
			if chief == "" {
				chief = u.Email
			}
		}
		u.Suspended, u.Archived = i == n-1 && n > 3, i == n-2 && n > 3
		u.ID = c.AddUser(u)
		people = append(people, u)
	}
	return people
}

func (c *Customer) fillGroups(people []User) {
	byName := map[string][]Member{}
	for _, u := range people {
		m := Member{ID: u.ID, Email: u.Email, Type: "USER"}
		byName[u.Department] = append(byName[u.Department], m)
		byName[u.Department+" "+u.City] = append(byName[u.Department+" "+u.City], m)
	}
	add := func(name, local string, members []Member) Member {
		g := Group{Name: name, Email: local + "@" + c.Domain, Description: name + " of Simulated Ltd", Members: members}
		return Member{ID: c.AddGroup(g), Email: g.Email, Type: "GROUP"}
	}
	var all []Member
	for _, s := range sections() {
		local := strings.ToLower(strings.ReplaceAll(s.name, " ", "-"))
		if s.name != "Customer Care" {
			all = append(all, add(s.name, local, byName[s.name]))
			continue
		}
		var desks []Member
		for _, city := range []string{"London", "Leeds", "Lisbon"} {
			desks = append(desks, add("Service Desk "+city, "desk-"+strings.ToLower(city), byName[s.name+" "+city]))
		}
		all = append(all, add("Service Desk", "desk", desks))
	}
	add("All Staff", "all-staff", append(all, Member{ID: "118446744073709551616", Email: "auditor@partner.example", Type: "EXTERNAL"}))
	add("Announcements", "announcements", []Member{{ID: c.ID, Type: "CUSTOMER"}})
}

func (c *Customer) fillLicences(people []User) {
	for i, u := range people {
		sku, name := "1010020028", "Google Workspace Business Standard"
		if i%5 == 0 {
			sku, name = "1010020020", "Google Workspace Enterprise Plus"
		}
		c.Assign(Licence{Product: "Google-Apps", ProductName: "Google Workspace", SKU: sku, SKUName: name, Email: u.Email})
		if i%3 == 0 {
			c.Assign(Licence{Product: "101031", ProductName: "Google Workspace for Education", SKU: "1010310005", SKUName: "Education Standard", Email: u.Email})
		}
	}
}

func (c *Customer) fillDevices(people []User) {
	for i, u := range people {
		switch {
		case i%6 == 0:
			c.AddChrome(Device{
				ID: fmt.Sprintf("5eed0000-0000-4000-8000-%012d", i), Serial: fmt.Sprintf("CB%06d", 7000+i), Model: "Chromebook Plus 14",
				Status: "ACTIVE", User: u.Email, Asset: fmt.Sprintf("LT-%04d", i),
			})
		case i%6 == 3:
			c.AddMobile(Device{
				ID: fmt.Sprintf("AFiQxQ5eed%010d", i), Serial: fmt.Sprintf("MB%06d", 9000+i), Model: "Pixel 11", Status: "APPROVED", User: u.Email,
			})
		}
	}
}
