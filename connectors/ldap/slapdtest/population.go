package slapdtest

import (
	"bufio"
	"fmt"
	"io"
)

// Population is a generated company of any size: people p0, p1, … below ou=people, and groups g0, g1, … below
// ou=groups that form a tree. The same numbers always give the same people.
type Population struct {
	People int
	// Groups is how many groups there are. Group i>0 is a member of group (i-1)/Fanout.
	Groups int
	// Fanout is how many groups a group contains directly; 4 when zero.
	Fanout int
	// GroupsPerPerson is how many groups a person is in directly; 3 when zero.
	GroupsPerPerson int
	// Posix adds posixAccount with uidNumber, gidNumber and homeDirectory to the people.
	Posix bool
}

// WriteLDIF writes the population as LDIF; it fits Options.Load.
func (p Population) WriteLDIF(out io.Writer, suffix string) error {
	if p.Fanout == 0 {
		p.Fanout = 4
	}
	if p.GroupsPerPerson == 0 {
		p.GroupsPerPerson = 3
	}
	w := bufio.NewWriterSize(out, 1<<16)
	mail := domain(suffix)
	for i := range p.People {
		p.writePerson(w, i, suffix, mail)
	}
	// Membership is a fixed function of person and group, so each group can list its members by itself.
	for g := range p.Groups {
		p.writeGroup(w, g, suffix)
	}
	return w.Flush()
}

var (
	givenNames = []string{"Ada", "Björn", "Chloé", "Dmitri", "Elif", "Femi", "Grace", "Hiro", "Ines", "Jamal"}
	surnames   = []string{"Ames", "Brandt", "Costa", "Dupont", "Eriksen", "Fischer", "García", "Hughes", "Ito", "Jansen", "Kaya"}
	units      = []string{"Sales", "Finance", "Service Desk", "Engineering", "Legal", "Marketing", "Operations"}
	offices    = []string{"London", "Leeds", "Porto", "Wien"}
)

func (p Population) writePerson(w *bufio.Writer, i int, suffix, mail string) {
	given, sn := givenNames[i%len(givenNames)], surnames[i/len(givenNames)%len(surnames)]
	unit, office := units[i%len(units)], offices[i%len(offices)]
	fmt.Fprintf(w, "dn: uid=p%d,ou=people,%s\nobjectClass: inetOrgPerson\n", i, suffix)
	if p.Posix {
		fmt.Fprintf(w, "objectClass: posixAccount\nuidNumber: %d\ngidNumber: %d\nhomeDirectory: /home/p%d\n", 10000+i, 10000, i)
	}
	fmt.Fprintf(w, "uid: p%d\ncn: %s %s %d\nsn: %s\ngivenName: %s\ndisplayName: %s %s\nmail: p%d@%s\n", i, given, sn, i, sn, given, given, sn, i, mail)
	fmt.Fprintf(w, "title: Specialist %d\ndepartmentNumber: %s\nou: %s\nl: %s\nphysicalDeliveryOfficeName: %s\n", i%9, unit, unit, office, office)
	fmt.Fprintf(w, "telephoneNumber: +44 20 7946 %04d\nemployeeNumber: E%06d\nemployeeType: staff\n", i%10000, i)
	if i > 0 {
		fmt.Fprintf(w, "manager: uid=p%d,ou=people,%s\n", i/10, suffix)
	}
	_ = w.WriteByte('\n')
}

func (p Population) writeGroup(w *bufio.Writer, g int, suffix string) {
	fmt.Fprintf(w, "dn: cn=g%d,ou=groups,%s\nobjectClass: groupOfNames\ncn: g%d\ndescription: Group %d\n", g, suffix, g, g)
	members := 0
	for c := g*p.Fanout + 1; c <= g*p.Fanout+p.Fanout && c < p.Groups; c++ {
		fmt.Fprintf(w, "member: cn=g%d,ou=groups,%s\n", c, suffix)
		members++
	}
	for _, i := range p.members(g) {
		fmt.Fprintf(w, "member: uid=p%d,ou=people,%s\n", i, suffix)
		members++
	}
	if members == 0 {
		// groupOfNames must have a member; the suffix is nobody.
		fmt.Fprintf(w, "member: %s\n", suffix)
	}
	_ = w.WriteByte('\n')
}

// members lists the people that are in a group directly: person i is in the groups (i + k·stride) mod Groups.
func (p Population) members(g int) []int {
	var list []int
	stride := max(1, p.Groups/p.GroupsPerPerson)
	for k := range min(p.GroupsPerPerson, p.Groups) {
		first := ((g-k*stride)%p.Groups + p.Groups) % p.Groups
		for i := first; i < p.People; i += p.Groups {
			list = append(list, i)
		}
	}
	return list
}

// Memberships returns how many direct memberships the population has, people and groups together.
func (p Population) Memberships() int {
	if p.GroupsPerPerson == 0 {
		p.GroupsPerPerson = 3
	}
	n := max(0, p.Groups-1)
	for g := range p.Groups {
		n += len(p.members(g))
	}
	return n
}
