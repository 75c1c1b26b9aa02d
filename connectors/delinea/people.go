package delinea

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"dirsyncd/connectors"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

// everybodyHandle is the handle of the role Everybody, whose members nobody can list: everybody says to be in it.
const everybodyHandle = "builtin:everybody"

// handle is by what lists of members name somebody: the calls do not all write an id in the same case.
func handle(id string) string { return "user:" + strings.ToLower(id) }

// readPeople lists everybody.
func (c *Connector) readPeople(ctx context.Context, emit func(*connectors.Page) error) error {
	script := c.people.script()
	listed := 0
	err := c.list(ctx, callQuery, c.people.id, query(script), nil, func(rows []row) error {
		listed += len(rows)
		if len(rows) == 0 {
			return nil
		}
		return emit(c.peopleOf(rows))
	})
	if err != nil {
		return err
	}
	if listed == 0 {
		return c.nothing("read users", "people", "table "+c.people.name)
	}
	return emit(&connectors.Page{Proof: c.proof(streamUsers, "people of table "+c.people.name), Look: c.look})
}

// readByID reads some people by their ids. Whom the table does not show may merely not be visible: nobody is removed by that.
func (c *Connector) readByID(ctx context.Context, ids []string, emit func(*connectors.Page) error) error {
	for _, id := range ids {
		rows, err := c.byID(ctx, id)
		if err != nil {
			return err
		}
		if len(rows) > 0 {
			if err := emit(c.peopleOf(rows)); err != nil {
				return err
			}
		}
	}
	proof := c.proof(streamUsers, "people of table "+c.people.name)
	proof.MayBeShort = false
	return emit(&connectors.Page{Proof: proof})
}

// look implements connectors.Page.Look.
func (c *Connector) look(ctx context.Context, ids []string) (there []string, err error) {
	for _, id := range ids {
		if !isID(id) {
			return there, c.invalid("look for a person", "the id is none that can be asked for")
		}
		rows, err := c.byID(ctx, id)
		if err != nil {
			return there, err
		}
		if slices.ContainsFunc(rows, func(r row) bool { return r.text(c.people.id) == id }) {
			there = append(there, id)
		}
	}
	return there, nil
}

// byID returns the row of an id; none for one that cannot be asked for.
func (c *Connector) byID(ctx context.Context, id string) (found []row, err error) {
	script, ok := c.people.scriptFor(id)
	if !ok {
		return nil, nil
	}
	err = c.list(ctx, callQuery, c.people.id, query(script), func() { found = nil }, func(rows []row) error {
		found = append(found, rows...)
		return nil
	})
	if err == nil && len(found) > 1 {
		return nil, c.invalid("read a person", "%d rows have the id that was asked for", len(found))
	}
	return found, err
}

// peopleOf translates a page of rows.
func (c *Connector) peopleOf(rows []row) *connectors.Page {
	page := &connectors.Page{Objects: make([]directory.Object, 0, len(rows))}
	for i, r := range rows {
		o, err := c.person(r)
		if err != nil {
			page.Invalid = append(page.Invalid, connectors.Invalid{
				Kind: directory.Person, ID: o.ID, Where: fmt.Sprintf("%s, row %d of a page of %s", c.host, i+1, c.people.name),
				Err: &fault.Error{Class: fault.Invalid, Op: "translate a user", Where: o.ID, Err: err, Hint: "look at this user in the tenant; others are not concerned"},
			})
			continue
		}
		page.Objects = append(page.Objects, o)
	}
	return page
}

// person translates one row; with an error the object has its id, if the row has one.
func (c *Connector) person(r row) (directory.Object, error) {
	o := directory.Object{Kind: directory.Person, ID: r.text(c.people.id)}
	if o.ID == "" {
		return o, errors.New("it has no id")
	}
	status := r.text(c.people.status)
	enabled := slices.Contains(c.cfg.Statuses.Active, status)
	switch {
	case c.people.enabled != "":
		var err error
		if enabled, err = r.truth(c.people.enabled); err != nil {
			return o, err
		}
	case !enabled && !slices.Contains(statuses(), status):
		return o, fmt.Errorf("its status %q is not a documented one, so nobody knows whether it is active", status)
	}
	if c.people.lastLogin != "" {
		at, err := r.date(c.people.lastLogin)
		if err != nil {
			return o, err
		}
		if !at.IsZero() {
			o.Set(directory.FieldLastLogin, directory.Time(at))
		}
	}
	for field, columns := range c.people.fields {
		fill(&o, field, columns, r)
	}
	for _, name := range c.cfg.Attributes {
		if v := valueOf(r[name]); !v.Blank() {
			o.Set(directory.AttributePrefix+name, v)
		}
	}
	o.SetText(directory.FieldStatus, status)
	o.Set(directory.FieldEnabled, directory.Bool(enabled))
	o.Handles = []string{handle(o.ID)}
	if c.cfg.Roles {
		o.Links = []directory.Link{{Type: directory.MemberOf, To: everybodyHandle}}
	}
	return o, nil
}

func fill(o *directory.Object, field string, columns []string, r row) {
	var all []string
	for _, name := range columns {
		if text := r.text(name); text != "" {
			all = append(all, text)
		}
	}
	switch f, _ := directory.LookupCommonField(field); {
	case len(all) == 0:
	case f.Type == directory.ListType:
		o.Set(field, directory.List(all...))
	default:
		o.SetText(field, all[0])
	}
}

// nothing is the error for an empty list of what every tenant has.
func (c *Connector) nothing(op, what, where string) error {
	return &fault.Error{
		Class: fault.Forbidden, Op: op, Where: c.host, Err: fmt.Errorf("the tenant shows no %s at all (%s), and every tenant has some", what, where), Hint: hintRights,
	}
}
