package google

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/api/googleapi"

	"dirsyncd/connectors"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

const (
	// groupPage and memberPage are the most that Google puts on a page.
	groupPage  = 200
	memberPage = 200
	// memberBatch is how many members are gathered before a page of groups is handed on.
	memberBatch = 10_000
)

// group is what is read of Google's group resource (Directory API, groups).
type group struct {
	ID           string   `json:"id"`
	Email        string   `json:"email"`
	Name         string   `json:"name"`
	Description  string   `json:"description"`
	Aliases      []string `json:"aliases"`
	FixedAliases []string `json:"nonEditableAliases"`
	// Count is how many direct members Google counts, users alone or all, whichever it is; it lags.
	Count string `json:"directMembersCount"`
}

const groupMask = "id,email,name,description,aliases,nonEditableAliases,directMembersCount"

// member is an entry of a group's list (Directory API, members).
type member struct {
	ID    string `json:"id"`
	Email string `json:"email"`
	Type  string `json:"type"`
}

// handle is how the member is known: by its id, or by its address when it is nobody of the customer. The whole
// customer as a member has the customer's id, which is that of the group that stands for it.
func (m *member) handle(customer string) string {
	switch {
	case m.Type == "CUSTOMER":
		return directory.IDHandle(customer)
	case m.Type == "EXTERNAL" && m.Email != "", m.ID == "" && m.Email != "":
		return mailHandle(m.Email)
	case m.ID != "":
		return directory.IDHandle(m.ID)
	}
	return ""
}

// roster is a group and the complete list of its direct members.
type roster struct {
	group   *group // nil: it is gone
	handles []string
	users   int   // entries that are users
	outside int   // entries that are somebody from outside
	all     int   // entries
	bad     error // why the list cannot be read, though the group is there; nobody else is held up by that
}

// counted holds the list against Google's own count. What that counts are the users, by the documentation, those from
// outside among them or not, or all: people reports whether it agrees by one of these. Groups in the group have nobody who
// counts them for certain. more is by how many it exceeds what of these is nearest below it: so many are missing, unless the
// count is behind, or counts somebody whom Google does not list. A count that is below all of them is behind.
func (one *roster) counted() (people bool, more int) {
	n, err := strconv.Atoi(one.group.Count)
	if err != nil {
		return false, 0
	}
	for _, listed := range []int{one.users, one.users + one.outside, one.all} {
		switch {
		case listed == n:
			return true, 0
		case listed < n:
			more = n - listed
		}
	}
	return false, more
}

// unreadable is the group whose members cannot be read.
func (one *roster) unreadable(op string) connectors.Invalid {
	where := "group " + firstOf(one.group.Email, one.group.ID)
	return connectors.Invalid{
		Kind: directory.Group, ID: one.group.ID, Where: where,
		Err: &fault.Error{
			Class: fault.Invalid, Op: op, Where: where, Err: one.bad,
			Hint: "it stays as it was, and nobody else is held up; look at who owns the group, and at its members in the Admin console",
		},
	}
}

// groupReading is one read of groups.
type groupReading struct {
	*reading
	page    *connectors.Page
	members int
	pages   int
	done    map[string]bool // groups that were handed on
	last    map[string]bool
	lastKey string
	// unreadable are those whose members cannot be read.
	unreadable connectors.Unreadable
}

// fullGroups lists all groups with their members. Google has no list of memberships: every group's members are a
// list of their own, so that some are read ahead.
func (r *reading) fullGroups(ctx context.Context) error {
	g := &groupReading{reading: r, page: &connectors.Page{}, done: map[string]bool{}, last: map[string]bool{}}
	c := &pager{
		op: r.op, entries: func(d *listPage) []json.RawMessage { return d.Groups },
		fetch: func(ctx context.Context, token string) ([]byte, error) {
			return g.askGroups(ctx, token, groupPage, "ASCENDING")
		},
		take: func(entries []json.RawMessage) error { return g.take(ctx, entries) },
	}
	if err := c.follow(ctx); err != nil {
		return err
	}
	if err := g.probe(ctx); err != nil {
		return err
	}
	last := r.closing()
	var err error
	if last.Invalid, err = g.unreadable.All(); err != nil {
		return err
	}
	// It is there whether a group has it as a member at the moment or not: between two full reads nobody would tell
	// when the last one loses it.
	if g.connector.cfg.Groups.Organisation {
		last.Objects = append(last.Objects, r.organisation())
	}
	return r.emit(last)
}

func (g *groupReading) askGroups(ctx context.Context, token string, size int64, order string) ([]byte, error) {
	return ask(ctx, "list groups", func(ctx context.Context) error {
		call := g.groups.Groups.List().Context(ctx).Customer(g.customer).MaxResults(size).OrderBy("email").SortOrder(order)
		call.Fields("kind,etag,nextPageToken,groups(" + groupMask + ")")
		if token != "" {
			call.PageToken(token)
		}
		_, err := call.Do()
		return err
	})
}

func parseGroup(raw json.RawMessage) (*group, error) {
	var x group
	if err := json.Unmarshal(raw, &x); err != nil {
		return nil, shapeOnly(err)
	}
	if x.ID == "" {
		return nil, errors.New("it has no id")
	}
	return &x, nil
}

// take reads the members of a page of groups and hands them on with their groups.
func (g *groupReading) take(ctx context.Context, entries []json.RawMessage) error {
	g.pages++
	if len(entries) > 0 {
		clear(g.last)
	}
	var list []*group
	for i, raw := range entries {
		x, err := parseGroup(raw)
		if err != nil {
			where := fmt.Sprintf("groups, page %d, entry %d", g.pages, i+1)
			g.page.Invalid = append(g.page.Invalid, invalid(directory.Group, raw, "id", err, where))
			continue
		}
		g.last[x.ID], g.lastKey = true, fold(x.Email)
		if !g.done[x.ID] {
			list = append(list, x)
		}
	}
	err := orderedParallel(ctx, len(list), g.connector.cfg.Parallel, func(ctx context.Context, i int) (roster, error) {
		return g.roster(ctx, list[i])
	}, func(i int, one roster) error {
		g.done[list[i].ID] = true
		switch {
		case one.group == nil:
			return nil
		case one.bad != nil:
			return g.unreadable.Add(one.unreadable(g.op))
		}
		g.unreadable.Read()
		g.add(g.page, &one)
		if g.members < memberBatch {
			return nil
		}
		return g.flush()
	})
	if err != nil {
		return err
	}
	return g.flush()
}

// add puts a group and its members on a page.
func (g *groupReading) add(p *connectors.Page, one *roster) {
	g.has.learn(one.group.Email, one.group.ID)
	p.Objects = append(p.Objects, one.group.object())
	m := connectors.Members{Group: one.group.ID, Add: one.handles, Whole: true, MayBeShort: true}
	if g.connector.cfg.Groups.Counts {
		m.PeopleCounted, m.CountedMore = one.counted()
	}
	p.Members = append(p.Members, m)
	g.members += len(one.handles)
}

func (g *groupReading) flush() error {
	if len(g.page.Objects)+len(g.page.Invalid) == 0 {
		return nil
	}
	p := g.page
	g.page, g.members = &connectors.Page{}, 0
	return g.emit(p)
}

// probe is that of people: the last group must have been listed.
func (g *groupReading) probe(ctx context.Context) error {
	body, err := g.askGroups(ctx, "", 1, "DESCENDING")
	if err != nil {
		return err
	}
	d, err := parseListPage(g.op, body)
	if err != nil {
		return err
	}
	for _, raw := range d.Groups {
		x, err := parseGroup(raw)
		if err != nil || g.last[x.ID] || fold(x.Email) <= g.lastKey {
			continue
		}
		// A group does not say when it was made. One that was made while the list was read leads to another try.
		return endedEarly(g.op)
	}
	return nil
}

// object translates a group.
func (x *group) object() directory.Object {
	o := directory.Object{Kind: directory.Group, ID: x.ID}
	o.SetText(directory.FieldName, firstOf(x.Name, x.Email))
	o.SetText(directory.FieldDescription, strings.TrimSpace(x.Description))
	o.SetText(directory.FieldEmail, strings.TrimSpace(x.Email))
	for _, list := range [][]string{{x.Email}, x.Aliases, x.FixedAliases} {
		for _, a := range list {
			if h := mailHandle(a); h != "mail:" && !strings.HasSuffix(h, testSuffix) && !slices.Contains(o.Handles, h) {
				o.Handles = append(o.Handles, h)
			}
		}
	}
	slices.Sort(o.Handles[min(1, len(o.Handles)):])
	return o
}

// organisation is the group that stands for the whole customer. People state that they are in it themselves.
func (r *reading) organisation() directory.Object {
	o := directory.Object{Kind: directory.Group, ID: r.customer}
	o.SetText(directory.FieldName, "Everyone in the organisation")
	o.SetText(directory.FieldGroupType, "organisation")
	return o
}

// roster reads the members of a group that was listed just now. A group that has vanished since is looked for once
// more: only when Google says twice that it is not there does it count as gone. One whose members cannot be read, though
// it is there, says so in roster.bad.
func (r *reading) roster(ctx context.Context, x *group) (roster, error) {
	one, err := r.readRoster(ctx, x)
	if err != nil && aboutOne(err) {
		return roster{group: x, bad: err}, nil
	}
	return one, err
}

func (r *reading) readRoster(ctx context.Context, x *group) (roster, error) {
	one := roster{group: x}
	err := r.members(ctx, &one)
	if err == nil && len(one.handles) == 0 {
		// Nobody in it, or an answer without its list: the two look alike, so it must be said twice. The group's own
		// count is no help, as it lags and leaves out whoever is no user.
		one = roster{group: x}
		err = r.members(ctx, &one)
	}
	if !gone(err) {
		return one, err
	}
	again, err2 := r.getGroup(ctx, x.ID)
	switch {
	case err2 != nil:
		return one, err2
	case again == nil:
		return roster{}, nil
	}
	one = roster{group: x}
	if err = r.members(ctx, &one); !gone(err) {
		return one, err
	}
	return one, fmt.Errorf("%w: the group is there and its members are not: %w", errUnreadable, err)
}

// members fills in the complete list of a group's direct members.
func (r *reading) members(ctx context.Context, one *roster) error {
	c := &pager{
		op: r.op, entries: func(d *listPage) []json.RawMessage { return d.Members },
		restart: func() { one.handles, one.users, one.outside, one.all = nil, 0, 0, 0 },
		fetch: func(ctx context.Context, token string) ([]byte, error) {
			return ask(ctx, "list members", func(ctx context.Context) error {
				call := r.groups.Members.List(one.group.ID).Context(ctx).MaxResults(memberPage)
				call.Fields(googleapi.Field("kind,etag,nextPageToken,members(id,email,type)"))
				if token != "" {
					call.PageToken(token)
				}
				_, err := call.Do()
				return err
			})
		},
		take: func(entries []json.RawMessage) error {
			for _, raw := range entries {
				var m member
				err := json.Unmarshal(raw, &m)
				handle := ""
				if err == nil {
					handle = m.handle(r.customer)
				}
				if handle == "" {
					// Left out, somebody would seem to have left the group.
					return fmt.Errorf("%w: a member has neither an id nor an address", errUnreadable)
				}
				one.all++
				switch m.Type {
				case "USER":
					one.users++
				case "EXTERNAL":
					one.outside++
				}
				one.handles = append(one.handles, handle)
			}
			return nil
		},
	}
	if err := c.follow(ctx); err != nil {
		return err
	}
	slices.Sort(one.handles)
	one.handles = slices.Compact(one.handles)
	return nil
}

// lookForGroups asks for groups one by one and returns the ids of those that are there.
func (r *reading) lookForGroups(ctx context.Context, ids []string) (there []string, err error) {
	for _, id := range ids {
		switch x, err := r.getGroup(ctx, id); {
		case err != nil:
			return there, err
		case x != nil:
			there = append(there, id)
		}
	}
	return there, nil
}

// getGroup reads one group by id or address. A nil group is not there.
func (r *reading) getGroup(ctx context.Context, key string) (*group, error) {
	body, err := ask(ctx, "get a group", func(ctx context.Context) error {
		_, err := r.groups.Groups.Get(key).Context(ctx).Fields("kind,etag," + groupMask).Do()
		return err
	})
	switch {
	case gone(err):
		return nil, nil
	case err != nil:
		return nil, err
	}
	x, err := parseGroup(body)
	if err != nil {
		return nil, odd(r.op, fmt.Errorf("a single group: %w", err))
	}
	return x, nil
}
