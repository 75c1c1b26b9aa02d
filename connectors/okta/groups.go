package okta

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

func fmtInt(n int) string { return strconv.Itoa(n) }

// translateGroup is group or application.
type translateGroup func(raw json.RawMessage, where string) (directory.Object, groupSeen, *connectors.Invalid)

// groupsWhere is the path of the list of groups that the configuration narrows, and an expression narrows further.
func (r *reading) groupsWhere(expression string) string {
	filter := and(anyOf("type", r.cfg.Groups.Types), r.cfg.Groups.Filter)
	return query(apiRoot+"groups", "filter", and(filter, expression), "limit", fmtInt(r.pageSize))
}

// fullGroups lists all groups with their members, and the active applications with the people who have them.
func (r *reading) fullGroups(ctx context.Context) error {
	var unreadable connectors.Unreadable
	began, err := r.listGroups(ctx, r.groupsWhere(""), group, &unreadable)
	if err != nil {
		return err
	}
	if r.listed == 0 && !r.access.everyone {
		return r.emptyOrg(r.op, "groups")
	}
	if r.cfg.Apps {
		path := query(apiRoot+"apps", "filter", `status eq "`+statusActive+`"`, "limit", fmtInt(r.pageSize))
		if _, err := r.listGroups(ctx, path, application, &unreadable); err != nil {
			return err
		}
	}
	bad, err := unreadable.All()
	if err != nil {
		return err
	}
	if len(bad) > 0 {
		if err := r.emit(&connectors.Page{Invalid: bad}); err != nil {
			return err
		}
	}
	return r.finish(r.begin(began), nil)
}

// listGroups emits a list of groups, and after each page of it the members of its groups.
func (r *reading) listGroups(ctx context.Context, path string, translate translateGroup, unreadable *connectors.Unreadable) (time.Time, error) {
	return r.list(ctx, path, func(entries []json.RawMessage, _ string) error {
		groups, err := r.emitGroups(entries, translate)
		if err != nil {
			return err
		}
		pages := &memberPages{reading: r}
		err = r.readMembers(ctx, groups, false, func(p memberPart) error {
			if p.bad != nil {
				return unreadable.Add(*p.bad)
			}
			unreadable.Read()
			return pages.add(p.members)
		})
		if err != nil {
			return err
		}
		return pages.flush()
	})
}

// emitGroups emits a page of groups, and returns those that could be translated.
func (r *reading) emitGroups(entries []json.RawMessage, translate translateGroup) ([]groupSeen, error) {
	if len(entries) == 0 {
		return nil, nil
	}
	r.listed += len(entries)
	page := &connectors.Page{}
	var groups []groupSeen
	for i, raw := range entries {
		o, seen, invalid := translate(raw, fmt.Sprintf("%s, entry %d of a page of groups", r.host, i+1))
		if invalid != nil {
			page.Invalid = append(page.Invalid, *invalid)
			continue
		}
		if _, gone := r.gone[o.ID]; gone {
			continue
		}
		page.Objects = append(page.Objects, o)
		groups = append(groups, seen)
	}
	return groups, r.emit(page)
}

// groupChanges gathers what an incremental read of groups finds.
type groupChanges struct {
	// listed are groups that changed, in the order of the list.
	listed []groupSeen
	// groups and apps are those of which the log tells that members changed, and when.
	groups, apps map[string]int64
	// closed are applications that were deactivated or deleted.
	closed map[string]struct{}
}

// deltaGroups reads the groups that changed, and the whole list of members of those whose members did. The log
// tells of deletions, and of memberships that the groups' own times do not show (yet).
func (r *reading) deltaGroups(ctx context.Context, at *cursor) error {
	from := time.UnixMilli(at.Since)
	ch := &groupChanges{groups: map[string]int64{}, apps: map[string]int64{}, closed: map[string]struct{}{}}
	path := r.groupsWhere(since("lastUpdated", from) + " or " + since("lastMembershipUpdated", from))
	began, err := r.list(ctx, path, func(entries []json.RawMessage, _ string) error {
		groups, err := r.emitGroups(entries, group)
		ch.listed = append(ch.listed, groups...)
		return err
	})
	if err != nil {
		return err
	}
	next := r.begin(began)
	for id, last := range at.Read {
		switch last.At {
		case groupNotRead:
			ch.groups[id] = 1
		case appNotRead:
			ch.apps[id] = 1
		}
	}
	var removed []directory.Ref
	if !r.cfg.Log {
		err = r.listHinted(ctx, ch)
	} else {
		if removed, err = r.groupEvents(ctx, at, next, ch); err != nil {
			return err
		}
		for _, ref := range removed {
			delete(ch.groups, ref.ID)
		}
		if err := r.listHinted(ctx, ch); err != nil {
			return err
		}
		closed, err := r.deltaApps(ctx, at, next, ch)
		if err != nil {
			return err
		}
		removed = append(removed, closed...)
	}
	if err != nil {
		return err
	}
	if err := r.changedMembers(ctx, at, next, ch); err != nil {
		return err
	}
	return r.finish(next, removed)
}

// groupEvents polls the log for everything that concerns groups.
func (r *reading) groupEvents(ctx context.Context, at, next *cursor, ch *groupChanges) ([]directory.Ref, error) {
	note := func(m map[string]int64, typ string) func(*event) {
		return func(e *event) {
			for _, id := range e.targets(typ) {
				m[id] = max(m[id], e.published(), 1)
			}
		}
	}
	others := map[string]func(*event){
		"group.user_membership.add": note(ch.groups, "UserGroup"), "group.user_membership.remove": note(ch.groups, "UserGroup"),
	}
	if r.cfg.Apps {
		for _, typ := range []string{
			"application.user_membership.add", "application.user_membership.remove", "application.user_membership.update",
			"application.lifecycle.create", "application.lifecycle.update", "application.lifecycle.activate",
			"application.lifecycle.deactivate", "application.lifecycle.delete",
			"group.application_assignment.add", "group.application_assignment.remove",
		} {
			others[typ] = note(ch.apps, "AppInstance")
		}
	}
	return r.deleted(ctx, at, next, directory.Group, []string{"group.lifecycle.delete"}, "UserGroup", others)
}

// listHinted lists the groups that the log speaks of and the list of changed groups does not hold. Those that the
// configuration leaves out stay out.
func (r *reading) listHinted(ctx context.Context, ch *groupChanges) error {
	var missing []string
	for _, id := range sortedKeys(ch.groups) {
		if !slices.ContainsFunc(ch.listed, func(g groupSeen) bool { return g.id == id }) {
			missing = append(missing, id)
		}
	}
	const atOnce = 20 // keeps the address short
	for ids := range slices.Chunk(missing, atOnce) {
		_, err := r.list(ctx, r.groupsWhere(anyOf("id", ids)), func(entries []json.RawMessage, _ string) error {
			groups, err := r.emitGroups(entries, group)
			ch.listed = append(ch.listed, groups...)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// deltaApps reads the applications that the log speaks of again, with the people who have them, and returns those
// that are no longer active or no longer there. Only the log tells of changes of applications.
func (r *reading) deltaApps(ctx context.Context, at, next *cursor, ch *groupChanges) ([]directory.Ref, error) {
	var closed []directory.Ref
	for _, id := range sortedKeys(ch.apps) {
		if r.settled(at, id, 0, ch.apps[id]) {
			r.keepRead(at, next, id)
			continue
		}
		a, err := r.get(ctx, apiRoot+"apps/"+pathID(id))
		if fault.ClassOf(err) == fault.Gone {
			closed = append(closed, directory.Ref{Kind: directory.Group, ID: id})
			continue
		}
		if err != nil {
			return nil, err
		}
		var e appEntry
		if err := json.Unmarshal(a.body, &e); e.ID != id {
			return nil, r.invalid("read apps/{id}", "the answer is not the application that was asked for (%t)", err == nil)
		}
		if e.Status != "" && e.Status != statusActive {
			closed = append(closed, directory.Ref{Kind: directory.Group, ID: id})
			continue
		}
		apps, err := r.emitGroups([]json.RawMessage{a.body}, application)
		if err != nil {
			return nil, err
		}
		ch.listed = append(ch.listed, apps...)
		ch.groups[id] = ch.apps[id]
	}
	return closed, nil
}

// changedMembers reads the members of the groups whose members changed, each list whole.
func (r *reading) changedMembers(ctx context.Context, at, next *cursor, ch *groupChanges) error {
	from := at.Since - overlap.Milliseconds()
	changed, notRead := map[string]int64{}, map[string]int64{}
	var groups []groupSeen
	for _, g := range ch.listed {
		hint := ch.groups[g.id]
		if g.changed < from && g.changed != 0 && hint == 0 {
			continue // something else about it changed
		}
		if r.settled(at, g.id, g.changed, hint) {
			r.keepRead(at, next, g.id)
			continue
		}
		changed[g.id], notRead[g.id] = g.changed, groupNotRead
		if strings.HasPrefix(g.path, apiRoot+"apps/") {
			notRead[g.id] = appNotRead
		}
		groups = append(groups, g)
	}
	pages := &memberPages{reading: r}
	err := r.readMembers(ctx, groups, true, func(p memberPart) error {
		if next.Read == nil {
			next.Read = map[string]memberRead{}
		}
		if p.bad != nil {
			next.Read[p.bad.ID] = memberRead{At: notRead[p.bad.ID]}
			return r.emit(&connectors.Page{Invalid: []connectors.Invalid{*p.bad}})
		}
		next.Read[p.members.Group] = memberRead{Changed: changed[p.members.Group], At: p.began.UnixMilli()}
		return pages.add(p.members)
	})
	if err != nil {
		return err
	}
	return pages.flush()
}

// settled reports whether a group's members were read long enough after their last change. Lists that overlap
// name a group again and again; its members are read when it is named first, and once more when things have
// settled.
func (r *reading) settled(at *cursor, id string, changed, hint int64) bool {
	last, ok := at.Read[id]
	return ok && last.Changed == changed && last.At >= max(changed, hint)+settle.Milliseconds()
}

// keepRead remembers for the next time when members were read.
func (r *reading) keepRead(at, next *cursor, id string) {
	if next.Read == nil {
		next.Read = map[string]memberRead{}
	}
	next.Read[id] = at.Read[id]
}
