package google

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/sync/directory"
)

// groups reads the groups that the log names, each whole, and removes those that Google says are gone.
func (d *deltaReading) groups(ctx context.Context) error {
	named := newNamed()
	for i := range d.log.news {
		e := &d.log.news[i]
		if e.name == "UNDELETE_USER" && !e.at.Before(d.full()) {
			return d.expired("somebody was brought back, and Google does not say into which groups")
		}
		if e.group == "" {
			continue
		}
		named.add(e.group, e)
		if e.name == "CHANGE_GROUP_EMAIL" && strings.Contains(e.value, "@") {
			named.add(fold(e.value), e)
		}
	}
	if len(named.order) > mostLookups {
		return d.expired(fmt.Sprintf("more than %d groups were changed", mostLookups))
	}
	g := &groupReading{reading: d.reading, page: &connectors.Page{}}
	seen := map[string]bool{}
	err := orderedParallel(ctx, len(named.order), d.connector.cfg.Parallel, func(ctx context.Context, i int) (found, error) {
		return d.findGroup(ctx, named.order[i], named.deletes(named.order[i], d.full()))
	}, func(i int, f found) error {
		switch {
		case f.group != nil && f.gone != "" && !seen[f.gone]:
			seen[f.gone] = true
			d.removed = append(d.removed, removal{Kind: directory.Group, ID: f.gone})
		}
		switch {
		case f.group != nil && f.bad != nil && !seen[f.group.ID]:
			seen[f.group.ID] = true
			g.page.Invalid = append(g.page.Invalid, f.unreadable(d.op))
			for _, e := range named.events[named.order[i]] { // it is looked for again
				if err := d.hold(e); err != nil {
					return err
				}
			}
		case f.group != nil && !seen[f.group.ID]:
			seen[f.group.ID] = true
			g.add(g.page, &f.roster)
			g.page.Members[len(g.page.Members)-1].Remove = named.left(named.order[i])
			if len(g.page.Objects) == groupPage || g.members >= memberBatch {
				d.pages = append(d.pages, g.page)
				g.page, g.members = &connectors.Page{}, 0
			}
		case f.group == nil && f.gone != "" && !seen[f.gone]:
			seen[f.gone] = true
			d.removed = append(d.removed, removal{Kind: directory.Group, ID: f.gone})
		case f.outside:
			return d.outsider(named.events[named.order[i]])
		case f.group == nil && f.gone == "":
			return d.unknownGroup(named.events[named.order[i]])
		}
		return nil
	})
	if err != nil {
		return err
	}
	if len(g.page.Objects)+len(g.page.Invalid) > 0 {
		d.pages = append(d.pages, g.page)
	}
	return nil
}

// found is what became of a group: it is there, or the id of the one that is gone, or nobody knows.
type found struct {
	roster
	gone    string
	outside bool // Google does not say whose the address is
}

// deletes reports whether the log says that the group with an address was deleted after a time.
func (n *named) deletes(address string, after time.Time) bool {
	return slices.ContainsFunc(n.events[address], func(e *event) bool { return e.name == "DELETE_GROUP" && !e.at.Before(after) })
}

// left are those who left the group by the log's word.
func (n *named) left(address string) (handles []string) {
	for _, e := range n.events[address] {
		if e.name == "REMOVE_GROUP_MEMBER" && e.user != "" {
			handles = append(handles, mailHandle(e.user))
		}
	}
	return handles
}

// findGroup looks for a group by an address that the log has, and when the address leads nowhere by the id of the
// group that had it. When that group was deleted, the address may be another one's already: both are looked for.
func (d *deltaReading) findGroup(ctx context.Context, address string, deleted bool) (found, error) {
	x, err := d.getGroup(ctx, address)
	if outside(err) {
		return found{outside: true}, nil
	}
	id := ""
	if err == nil && x == nil {
		var ok bool
		if id, ok = d.has.of(address); !ok {
			return found{}, nil
		}
		x, err = d.getGroup(ctx, id)
	}
	switch {
	case err != nil:
		return found{}, err
	case x == nil:
		return found{gone: id}, nil
	}
	former := ""
	if deleted && id == "" {
		old, known := d.has.of(address)
		if !known {
			return found{}, d.expired("a group was deleted, its address was not known, and is another one's now")
		}
		if old != x.ID {
			y, err := d.getGroup(ctx, old)
			if err != nil {
				return found{}, err
			}
			if y == nil {
				former = old
			}
		}
	}
	one, err := d.roster(ctx, x)
	if err == nil && one.group == nil {
		return found{gone: x.ID}, nil // gone since
	}
	return found{roster: one, gone: former}, err
}

// unknownGroup decides about an address that leads nowhere and that no group is known to have had, which is so after
// a restart. If its group was deleted after the last full read, only another one finds out which it was.
func (d *deltaReading) unknownGroup(events []*event) error {
	for _, e := range events {
		if e.at.Before(d.full()) || !comesOrGoes(e) {
			continue
		}
		if e.name == "DELETE_GROUP" || e.name == "CHANGE_GROUP_EMAIL" {
			return d.expired("a group was deleted or renamed, and its address was not known")
		}
		if err := d.hold(e); err != nil {
			return err
		}
	}
	return nil
}

// licences reads all licences again when the log says that somebody gained or lost one. Licences that nobody holds
// any more are found by full reads only.
func (d *deltaReading) licences(ctx context.Context) error {
	changed, ended := false, 0
	for i := range d.log.news {
		switch e := &d.log.news[i]; {
		case strings.Contains(e.name, "LICENSE"), e.name == "DELETE_USER", e.name == "ARCHIVE_USER", e.name == "SUSPEND_USER":
			changed = true
			ended++ // of each licence one at most
		case e.name == "CREATE_USER", e.name == "UNDELETE_USER", e.name == "UNARCHIVE_USER", e.name == "UNSUSPEND_USER":
			changed = true
		}
	}
	if !changed {
		return nil
	}
	return d.listLicences(ctx, func(p *connectors.Page) error {
		p.MayLack.Fewer = ended
		d.pages = append(d.pages, p)
		return nil
	})
}
