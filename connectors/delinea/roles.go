package delinea

import (
	"context"
	"errors"
	"fmt"

	"dirsyncd/connectors"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

const scriptRoles = "SELECT ID, Name, RoleType, Description FROM Role ORDER BY ID"

// Types of roles, and of who is in one.
const (
	typeEverybody = "Everybody"
	typeScript    = "Script"
	memberUser    = "User"
	memberRole    = "Role"
	memberGroup   = "Group"
)

// pageOfMembers is about how many members a page holds, of however many roles.
const pageOfMembers = 2000

// readRoles lists the roles, and the members of each. A role whose members cannot be read keeps those that it had.
func (c *Connector) readRoles(ctx context.Context, emit func(*connectors.Page) error) error {
	var ids []string
	listed := 0
	err := c.list(ctx, callQuery, "ID", query(scriptRoles), func() { ids = nil }, func(rows []row) error {
		listed += len(rows)
		page, members := c.rolesOf(rows)
		ids = append(ids, members...)
		if len(page.Objects)+len(page.Invalid) == 0 {
			return nil
		}
		return emit(page)
	})
	if err != nil {
		return err
	}
	if listed == 0 {
		return c.nothing("read groups", "roles", "table Role")
	}
	m := members{Connector: c, emit: emit}
	for _, id := range ids {
		if err := m.read(ctx, id); err != nil {
			return err
		}
	}
	return m.finish()
}

// rolesOf translates a page of rows, and names the roles whose members are to be read.
func (c *Connector) rolesOf(rows []row) (page *connectors.Page, members []string) {
	page = &connectors.Page{}
	for i, r := range rows {
		o, err := role(r)
		typ, _ := o.Get(directory.FieldGroupType)
		switch {
		case err != nil:
			page.Invalid = append(page.Invalid, connectors.Invalid{
				Kind: directory.Group, ID: o.ID, Where: fmt.Sprintf("%s, row %d of a page of Role", c.host, i+1),
				Err: &fault.Error{Class: fault.Invalid, Op: "translate a role", Where: o.ID, Err: err, Hint: "look at this role in the tenant; others are not concerned"},
			})
			continue
		case typ.Text() == typeScript && !c.cfg.ScriptRoles:
			continue
		case typ.Text() == typeEverybody:
			o.Handles = append(o.Handles, everybodyHandle)
		default:
			members = append(members, o.ID)
		}
		page.Objects = append(page.Objects, o)
	}
	return page, members
}

// role translates one row; with an error the object has its id, if the row has one.
func role(r row) (directory.Object, error) {
	o := directory.Object{Kind: directory.Group, ID: r.text("ID")}
	name := r.text("Name")
	switch {
	case o.ID == "":
		return o, errors.New("it has no id")
	case name == "":
		return o, errors.New("it has no name")
	case r.text("RoleType") == "":
		return o, errors.New("it has no type, so nobody knows whether its members can be listed")
	}
	o.SetText(directory.FieldName, name)
	o.SetText(directory.FieldGroupType, r.text("RoleType"))
	o.SetText(directory.FieldDescription, r.text("Description"))
	o.Handles = []string{roleHandle(o.ID)}
	return o, nil
}

// members reads the members of roles, one role after the other.
type members struct {
	*Connector
	emit func(*connectors.Page) error

	page       []connectors.Members
	count      int
	unreadable connectors.Unreadable
	foreign    int // roles with groups of connected directories in them
}

// read reads the members of one role.
func (m *members) read(ctx context.Context, id string) error {
	list, foreign, err := m.of(ctx, id)
	switch {
	case errors.Is(err, errMember), errors.Is(err, errMoved):
	case errors.As(err, new(*refusal)) && fault.ClassOf(err) == fault.Invalid:
	case err != nil:
		return err
	default:
		m.unreadable.Read()
		if foreign {
			m.foreign++
		}
		m.page = append(m.page, connectors.Members{Group: id, Add: list, Whole: true, MayBeShort: true})
		if m.count += len(list) + 1; m.count >= pageOfMembers {
			return m.flush()
		}
		return nil
	}
	return m.unreadable.Add(connectors.Invalid{Kind: directory.Group, ID: id, Where: "role " + id, Err: &fault.Error{
		Class: fault.Invalid, Op: wordOf(callMembers), Where: "role " + id, Err: err, Hint: "it keeps the members that it had, and nobody else is held up",
	}})
}

// errMember is an entry of a list of members that names nobody. Left out, somebody would seem to have left.
var errMember = errors.New("a member is none of user, role and group, or has no id")

// of returns the members of a role, and whether groups of connected directories, which are not read, are among them.
func (m *members) of(ctx context.Context, id string) (list []string, foreign bool, err error) {
	err = m.list(ctx, callMembers, "", membersOf(id), func() { list, foreign = nil, false }, func(rows []row) error {
		for _, r := range rows {
			guid := r.text("Guid")
			switch typ := r.text("Type"); {
			case guid == "":
				return errMember
			case typ == memberUser:
				list = append(list, handle(guid))
			case typ == memberRole:
				list = append(list, roleHandle(guid))
			case typ == memberGroup:
				foreign = true
			default:
				return errMember
			}
		}
		return nil
	})
	return list, foreign, err
}

func (m *members) flush() error {
	if len(m.page) == 0 {
		return nil
	}
	page := &connectors.Page{Members: m.page}
	m.page, m.count = nil, 0
	return m.emit(page)
}

func (m *members) finish() error {
	if err := m.flush(); err != nil {
		return err
	}
	bad, err := m.unreadable.All()
	if err != nil {
		return err
	}
	last := &connectors.Page{Invalid: bad, Proof: m.proof(streamGroups, "roles")}
	if m.foreign > 0 {
		last.Notes = []string{fmt.Sprintf("%d roles hold groups of connected directories, whose members the tenant does not list: they are not in these roles here", m.foreign)}
	}
	return m.emit(last)
}

// roleHandle is by what lists of members name a role.
func roleHandle(id string) string { return "role:" + id }
