package googlesim

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// User is an account. Empty fields are not there.
type User struct {
	ID, Email, GivenName, FamilyName string
	Suspended, Archived, Admin       bool
	Path                             string // of its org unit
	Aliases                          []string
	Title, Department, CostCenter    string
	Company, Office, EmploymentType  string
	Phone, Mobile, EmployeeID        string
	Street, City, Country            string
	Manager                          string // an address, or anything else
	Custom                           map[string]map[string]any
	Created, LastLogin, Deleted      time.Time
	// Odd are fields of the resource as they are to be sent, in place of what the others would make of them; a nil
	// value leaves the field out.
	Odd map[string]any
}

// Member is one entry of a group's list.
type Member struct {
	ID, Email string
	Type      string // USER, GROUP, CUSTOMER or EXTERNAL
	Role      string
}

// Group is a group and its direct members.
type Group struct {
	ID, Email, Name, Description string
	Members                      []Member
	Odd                          map[string]any
}

// Licence is one assignment.
type Licence struct {
	Product, ProductName, SKU, SKUName string
	Email                              string
	Odd                                map[string]any
}

// Device is a ChromeOS or mobile device.
type Device struct {
	ID, Serial, Model, Status, User, Asset string
	LastSync                               time.Time
	Odd                                    map[string]any
}

// Customer is one account of Google's: its people, groups, licences and devices. Its methods may be called while
// the server runs; each that changes something writes the audit log as Google does, in an administrator's name.
type Customer struct {
	ID, Domain string

	s        *Server
	users    map[string]*User
	groups   map[string]*Group
	licences []*Licence
	products map[string]bool
	chrome   []*Device
	mobile   []*Device
	log      []*activity
	mute     bool
	next     int64
	place    int
	sorted   []*User
	grouped  []*Group
}

func newCustomer(s *Server, id string, place int) *Customer {
	c := &Customer{
		ID: id, Domain: "example.test", s: s, users: map[string]*User{}, groups: map[string]*Group{}, products: map[string]bool{}, place: place,
	}
	if place > 0 {
		c.Domain = strings.ToLower(id) + ".test"
	}
	c.put(&User{Email: c.Admin(), GivenName: "Sync", FamilyName: "Account", Admin: true, Path: "/"})
	return c
}

// Admin is the address of the administrator that a reader acts as.
func (c *Customer) Admin() string { return "sync-admin@" + c.Domain }

func (s *Server) customerOf(subject string) *Customer {
	for _, c := range s.customers {
		if u := c.find(subject); u != nil && u.Admin && !u.Suspended {
			return c
		}
	}
	return nil
}

// newID makes ids like Google's: digits in a text, too many for a number.
func (c *Customer) newID() string {
	c.next++
	return fmt.Sprintf("1%02d%018d", c.place, 314159+c.next*7919)
}

func (c *Customer) put(u *User) *User {
	if u.ID == "" {
		u.ID = c.newID()
	}
	if u.Created.IsZero() {
		u.Created = c.s.opts.Now().Add(-time.Second)
	}
	if u.Path == "" {
		u.Path = "/"
	}
	c.users[u.ID] = u
	c.sorted = nil
	return u
}

// live returns the users that are not deleted by ascending address.
func (c *Customer) live() []*User {
	if c.sorted == nil {
		for _, u := range c.users {
			if u.Deleted.IsZero() {
				c.sorted = append(c.sorted, u)
			}
		}
		slices.SortFunc(c.sorted, func(a, b *User) int { return strings.Compare(strings.ToLower(a.Email), strings.ToLower(b.Email)) })
	}
	return c.sorted
}

// find returns the live user with an id, address or alias.
func (c *Customer) find(key string) *User {
	if u := c.users[key]; u != nil {
		if !u.Deleted.IsZero() {
			return nil
		}
		return u
	}
	var byAlias *User
	for _, u := range c.users {
		switch {
		case !u.Deleted.IsZero():
		case strings.EqualFold(u.Email, key):
			return u
		case slices.ContainsFunc(u.Aliases, func(a string) bool { return strings.EqualFold(a, key) }):
			byAlias = u
		}
	}
	return byAlias
}

// AddUser adds somebody and returns the id.
func (c *Customer) AddUser(u User) string {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	got := c.put(&u)
	c.note("USER_SETTINGS", "CREATE_USER", "USER_EMAIL", got.Email)
	return got.ID
}

// EditUser changes somebody. The event is the word for what was done, such as CHANGE_USER_ORGANIZATION.
func (c *Customer) EditUser(id, event string, edit func(u *User)) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	u := c.users[id]
	edit(u)
	c.sorted = nil
	c.note("USER_SETTINGS", event, "USER_EMAIL", u.Email)
}

// RenameUser gives somebody another address. The former one becomes an alias.
func (c *Customer) RenameUser(id, email string) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	u := c.users[id]
	old := u.Email
	for _, l := range c.licences {
		if strings.EqualFold(l.Email, old) {
			l.Email = email
		}
	}
	for _, g := range c.groups {
		for i := range g.Members {
			if g.Members[i].ID == id {
				g.Members[i].Email = email
			}
		}
	}
	u.Email, u.Aliases = email, append(u.Aliases, old)
	c.sorted = nil
	c.note("USER_SETTINGS", "RENAME_USER", "USER_EMAIL", old, "NEW_VALUE", email)
}

// MoveUser puts somebody into another org unit.
func (c *Customer) MoveUser(id, path string) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	u := c.users[id]
	old := u.Path
	u.Path = path
	c.note("USER_SETTINGS", "MOVE_USER_TO_ORG_UNIT", "USER_EMAIL", u.Email, "ORG_UNIT_NAME", old, "NEW_VALUE", path)
}

// MoveUnit renames an org unit and everything below it.
func (c *Customer) MoveUnit(from, to string) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	for _, u := range c.users {
		if u.Path == from || strings.HasPrefix(u.Path, from+"/") {
			u.Path = to + strings.TrimPrefix(u.Path, from)
		}
	}
	c.note("ORG_SETTINGS", "EDIT_ORG_UNIT_NAME", "ORG_UNIT_NAME", from, "NEW_VALUE", to)
}

// DeleteUser deletes somebody: out of every group, without licences, with the address free for another. For 20 days
// the account is on the list of the deleted.
func (c *Customer) DeleteUser(id string) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	u := c.users[id]
	u.Deleted, u.Aliases = c.s.opts.Now(), nil
	for _, g := range c.groups {
		g.Members = slices.DeleteFunc(g.Members, func(m Member) bool { return m.ID == id })
	}
	c.licences = slices.DeleteFunc(c.licences, func(l *Licence) bool { return strings.EqualFold(l.Email, u.Email) })
	c.sorted = nil
	c.note("USER_SETTINGS", "DELETE_USER", "USER_EMAIL", u.Email)
}

// UndeleteUser brings somebody back under the same id. It reports false when the address is somebody else's by now.
func (c *Customer) UndeleteUser(id string) bool {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	u := c.users[id]
	if u == nil || u.Deleted.IsZero() || c.find(u.Email) != nil {
		return false
	}
	u.Deleted = time.Time{}
	c.sorted = nil
	c.note("USER_SETTINGS", "UNDELETE_USER", "USER_EMAIL", u.Email)
	return true
}

// AddGroup adds a group and returns its id.
func (c *Customer) AddGroup(g Group) string {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	if g.ID == "" {
		c.next++
		g.ID = fmt.Sprintf("03x%d%011x", c.place, 0x5eed+c.next*104729)
	}
	c.groups[g.ID] = &g
	c.grouped = nil
	c.note("GROUP_SETTINGS", "CREATE_GROUP", "GROUP_EMAIL", g.Email)
	return g.ID
}

// EditGroup changes a group. The event is the word for what was done, such as CHANGE_GROUP_DESCRIPTION.
func (c *Customer) EditGroup(id, event string, edit func(g *Group)) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	g := c.groups[id]
	old := g.Email
	edit(g)
	c.grouped = nil
	if g.Email != old {
		c.note("GROUP_SETTINGS", "CHANGE_GROUP_EMAIL", "GROUP_EMAIL", old, "NEW_VALUE", g.Email)
		return
	}
	c.note("GROUP_SETTINGS", event, "GROUP_EMAIL", g.Email)
}

// DeleteGroup deletes a group for good.
func (c *Customer) DeleteGroup(id string) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	g := c.groups[id]
	delete(c.groups, id)
	for _, other := range c.groups {
		other.Members = slices.DeleteFunc(other.Members, func(m Member) bool { return m.ID == id })
	}
	c.grouped = nil
	c.note("GROUP_SETTINGS", "DELETE_GROUP", "GROUP_EMAIL", g.Email)
}

// Join makes a member of a group, Leave takes it out.
func (c *Customer) Join(group string, m Member) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	g := c.groups[group]
	if !slices.ContainsFunc(g.Members, func(o Member) bool { return o.ID == m.ID && o.Email == m.Email }) {
		g.Members = append(g.Members, m)
	}
	c.note("GROUP_SETTINGS", "ADD_GROUP_MEMBER", "GROUP_EMAIL", g.Email, "USER_EMAIL", m.Email)
}

// Leave takes the member at a place out of a group.
func (c *Customer) Leave(group string, i int) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	g := c.groups[group]
	m := g.Members[i]
	g.Members = slices.Delete(g.Members, i, i+1)
	c.note("GROUP_SETTINGS", "REMOVE_GROUP_MEMBER", "GROUP_EMAIL", g.Email, "USER_EMAIL", m.Email)
}

// Assign gives somebody a licence.
func (c *Customer) Assign(l Licence) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	c.products[l.Product] = true
	same := func(o *Licence) bool {
		return o.SKU == l.SKU && o.Product == l.Product && strings.EqualFold(o.Email, l.Email)
	}
	if !slices.ContainsFunc(c.licences, same) {
		c.licences = append(c.licences, &l)
	}
	c.note("LICENSES_SETTINGS", "USER_LICENSE_ASSIGNMENT", "USER_EMAIL", l.Email, "PRODUCT_NAME", l.ProductName, "NEW_VALUE", l.SKUName)
}

// Revoke takes assignments away that a function picks.
func (c *Customer) Revoke(pick func(l *Licence) bool) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	c.licences = slices.DeleteFunc(c.licences, func(l *Licence) bool {
		if !pick(l) {
			return false
		}
		c.note("LICENSES_SETTINGS", "USER_LICENSE_REVOKE", "USER_EMAIL", l.Email, "PRODUCT_NAME", l.ProductName)
		return true
	})
}

// EditLicences changes assignments without a word in the log.
func (c *Customer) EditLicences(edit func(l *Licence)) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	for _, l := range c.licences {
		edit(l)
	}
}

// OwnProduct makes a product known that nobody holds.
func (c *Customer) OwnProduct(id string) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	c.products[id] = true
}

// AddChrome adds a ChromeOS device.
func (c *Customer) AddChrome(d Device) {
	c.EditDevices(func(chrome, _ *[]*Device) { *chrome = append(*chrome, &d) })
}

// AddMobile adds a mobile device.
func (c *Customer) AddMobile(d Device) {
	c.EditDevices(func(_, mobile *[]*Device) { *mobile = append(*mobile, &d) })
}

// EditDevices changes the devices.
func (c *Customer) EditDevices(edit func(chrome, mobile *[]*Device)) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	edit(&c.chrome, &c.mobile)
}

// Quietly makes changes that the audit log never shows.
func (c *Customer) Quietly(change func()) {
	c.setMute(true)
	defer c.setMute(false)
	change()
}

func (c *Customer) setMute(on bool) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	c.mute = on
}

// Users are copies of the live users by ascending address; Deleted of those on the list of the deleted.
func (c *Customer) Users() []User {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	list := make([]User, 0, len(c.users))
	for _, u := range c.live() {
		list = append(list, *u)
	}
	return list
}

// Deleted lists the users that can be brought back.
func (c *Customer) Deleted() []User {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	var list []User
	for _, id := range slices.Sorted(maps.Keys(c.users)) {
		if u := c.users[id]; c.buried(u) {
			list = append(list, *u)
		}
	}
	return list
}

// buried reports whether a user is on the list of the deleted.
func (c *Customer) buried(u *User) bool {
	return !u.Deleted.IsZero() && c.s.opts.Now().Sub(u.Deleted) < 20*24*time.Hour
}

// Groups are copies of the groups by ascending address.
func (c *Customer) Groups() []Group {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	var list []Group
	for _, g := range c.sortedGroups() {
		one := *g
		one.Members = slices.Clone(g.Members)
		list = append(list, one)
	}
	return list
}

// Licences are copies of the assignments.
func (c *Customer) Licences() []Licence {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	var list []Licence
	for _, l := range c.licences {
		list = append(list, *l)
	}
	return list
}

func (c *Customer) sortedGroups() []*Group {
	if c.grouped == nil {
		for _, g := range c.groups {
			c.grouped = append(c.grouped, g)
		}
		slices.SortFunc(c.grouped, func(a, b *Group) int { return strings.Compare(strings.ToLower(a.Email), strings.ToLower(b.Email)) })
	}
	return c.grouped
}
