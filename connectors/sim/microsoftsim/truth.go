package microsoftsim

import (
	"encoding/json"
	"slices"
)

// UserIDs lists the users that are there, in the order in which they were made.
func (t *Tenant) UserIDs() []string { return t.ids(users) }

// GroupIDs lists the groups that are there.
func (t *Tenant) GroupIDs() []string { return t.ids(groups) }

func (t *Tenant) ids(res resource) (ids []string) {
	t.read(func(d *directoryData) {
		for _, o := range d.objects[res] {
			if o.state == live {
				ids = append(ids, o.id)
			}
		}
	})
	return ids
}

// DeletedIDs lists the objects of every kind that are in the deleted items.
func (t *Tenant) DeletedIDs() (ids []string) {
	t.read(func(d *directoryData) {
		for _, list := range d.objects {
			for _, o := range list {
				if o.state == soft {
					ids = append(ids, o.id)
				}
			}
		}
	})
	return ids
}

// Get returns the properties of an object that were ever set, as encoding/json decodes them, and whether the
// object is there.
func (t *Tenant) Get(id string) (p Props, ok bool) {
	t.read(func(d *directoryData) {
		o := d.byID[id]
		if o == nil || o.state != live {
			return
		}
		p, ok = Props{}, true
		for _, pr := range o.props {
			var v any
			_ = json.Unmarshal([]byte(pr.raw), &v) // it was encoded here
			p[pr.name] = v
		}
	})
	return p, ok
}

// Manager returns the id of a user's manager, or "".
func (t *Tenant) Manager(id string) (manager string) {
	t.read(func(d *directoryData) { manager = d.must(id).manager })
	return manager
}

// Owners lists the ids of a group's owners in ascending order, those in the deleted items left out.
func (t *Tenant) Owners(group string) (ids []string) {
	t.read(func(d *directoryData) {
		for _, m := range d.must(group).owners {
			if o := d.byID[m.id]; !m.gone && o != nil && o.state == live {
				ids = append(ids, m.id)
			}
		}
	})
	slices.Sort(ids)
	return ids
}

// Members lists the ids of a group's direct members in ascending order, those in the deleted items left out.
func (t *Tenant) Members(group string) (ids []string) {
	t.read(func(d *directoryData) {
		for _, m := range d.must(group).members {
			if o := d.byID[m.id]; !m.gone && o != nil && o.state == live {
				ids = append(ids, m.id)
			}
		}
	})
	slices.Sort(ids)
	return ids
}
