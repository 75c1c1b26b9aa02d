package microsoftsim

import (
	"fmt"
	"slices"
	"strings"
)

// AddUser adds a user and returns its id. Properties that are not given are left out, except those that every
// user has: id, accountEnabled, displayName, userPrincipalName, userType, createdDateTime.
func (t *Tenant) AddUser(p Props) string { return t.add(users, p) }

// AddGroup adds a group, a security group unless the properties say otherwise, and returns its id.
func (t *Tenant) AddGroup(p Props) string { return t.add(groups, p) }

func (t *Tenant) add(res resource, p Props) (id string) {
	t.change(func(d *directoryData) {
		d.serial++
		name := fmt.Sprintf("Added %s %d", strings.TrimSuffix(res.String(), "s"), d.serial)
		all := Props{"id": seededGUID(t.made.Seed, 'a'+byte(res), d.serial), "displayName": name, "createdDateTime": t.s.stamp()}
		switch res {
		case users:
			all["userPrincipalName"] = fmt.Sprintf("added%d@%s", d.serial, t.domain)
			all["accountEnabled"], all["userType"] = true, "Member"
		case groups:
			all["securityEnabled"], all["mailEnabled"], all["groupTypes"] = true, false, []string{}
		}
		for name, value := range p {
			all[name] = value
		}
		id = fmt.Sprint(all["id"])
		o := &object{res: res, id: id}
		for _, pr := range all.encode() {
			o.set(pr.name, pr.raw)
		}
		d.add(o)
		d.note(o, created, nil, "")
	})
	return id
}

func (s *Server) stamp() string { return s.o.Now().UTC().Format("2006-01-02T15:04:05Z") }

// note appends to the log.
func (d *directoryData) note(o *object, w what, props []string, member string) {
	d.log = append(d.log, event{o, w, props, member, d.polls})
}

// must returns an object that the program named.
func (d *directoryData) must(id string) *object {
	o := d.byID[id]
	if o == nil {
		panic("simulator: no object " + id) // a mistake in the program that uses the simulator
	}
	return o
}

// Set changes properties of an object; nil clears one.
func (t *Tenant) Set(id string, p Props) {
	t.change(func(d *directoryData) {
		o := d.must(id)
		var names []string
		for _, pr := range p.encode() {
			if o.set(pr.name, pr.raw) {
				names = append(names, pr.name)
			}
		}
		if len(names) > 0 {
			d.note(o, changed, names, "")
		}
	})
}

// SetManager gives a user a manager; empty takes it away.
func (t *Tenant) SetManager(id, manager string) {
	t.change(func(d *directoryData) {
		o := d.must(id)
		o.manager = manager
		d.note(o, changed, []string{"manager"}, "")
	})
}

// SetOwners gives a group owners, in place of those that it has.
func (t *Tenant) SetOwners(group string, ids ...string) {
	t.change(func(d *directoryData) {
		g := d.must(group)
		for i := range g.owners {
			if m := &g.owners[i]; !m.gone && !slices.Contains(ids, m.id) {
				m.gone = true
				d.note(g, owned, nil, m.id)
			}
		}
		for _, id := range ids {
			i := slices.IndexFunc(g.owners, func(m member) bool { return m.id == id })
			switch {
			case i < 0:
				g.owners = append(g.owners, member{id: id})
			case !g.owners[i].gone:
				continue
			default:
				g.owners[i].gone = false
			}
			d.note(g, owned, nil, id)
		}
	})
}

// SoftDelete puts an object into the deleted items. Its memberships stay, and groups say nothing of it, as in the
// real service.
func (t *Tenant) SoftDelete(id string) { t.remove(id, soft) }

// Purge deletes an object for good. Unless Quirks.PurgeInGroups is set, the groups delta says nothing of it.
func (t *Tenant) Purge(id string) {
	t.remove(id, deleted)
	_, quirks := t.s.settings()
	if !quirks.PurgeInGroups {
		return
	}
	t.change(func(d *directoryData) {
		for _, g := range d.objects[groups] {
			if i := g.slot(id); i >= 0 && !g.members[i].gone {
				g.members[i].gone = true
				d.note(g, membered, nil, id)
			}
		}
	})
}

func (t *Tenant) remove(id string, to state) {
	t.change(func(d *directoryData) {
		o := d.must(id)
		if o.state >= to {
			return
		}
		o.state = to
		d.note(o, removed, nil, "")
	})
}

// Restore brings an object back from the deleted items, with its memberships.
func (t *Tenant) Restore(id string) {
	t.change(func(d *directoryData) {
		o := d.must(id)
		if o.state == soft {
			o.state = live
			d.note(o, created, nil, "")
		}
	})
}

// AddMember puts an object into a group.
func (t *Tenant) AddMember(group, id string) {
	t.change(func(d *directoryData) {
		g := d.must(group)
		switch i := g.slot(id); {
		case i < 0:
			g.slots[id] = len(g.members)
			g.members = append(g.members, member{id: id})
		case !g.members[i].gone:
			return
		default:
			g.members[i].gone = false
		}
		d.note(g, membered, nil, id)
	})
}

// RemoveMember takes an object out of a group.
func (t *Tenant) RemoveMember(group, id string) {
	t.change(func(d *directoryData) {
		g := d.must(group)
		if i := g.slot(id); i >= 0 && !g.members[i].gone {
			g.members[i].gone = true
			d.note(g, membered, nil, id)
		}
	})
}
