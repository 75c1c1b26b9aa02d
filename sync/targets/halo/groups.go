package halo

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/targets"
)

// groupKind is one of the four kinds of thing that a group record can be. Its word stands before the ids: "team:5".
type groupKind struct {
	word, path string
	every      map[string]string
	// on is the property of a person that lists groups of the kind, person its resource; ref the property of an element that
	// has the group's id. Empty for boards, which list their members themselves.
	on, person, ref string
}

func groupKinds() []groupKind {
	return []groupKind{
		{word: team, path: "Team", every: map[string]string{"includedisabled": "true", "includeenabled": "true", "showall": "true"}, on: "teams", person: "Agent", ref: "team_id"},
		{word: role, path: "Roles", on: "roles", person: "Agent", ref: "id"},
		{word: userRole, path: "UserRoles", on: "roles", person: "Users", ref: "id"},
		{word: cab, path: "CAB", every: map[string]string{"includemembers": "true"}},
	}
}

// groupOf splits an id.
func groupOf(id string) (g groupKind, number string, err error) {
	word, number, _ := strings.Cut(id, ":")
	for _, g := range groupKinds() {
		if g.word == word && number != "" {
			return g, number, nil
		}
	}
	return g, "", &fault.Error{Class: fault.Internal, Op: "deliver", Err: errors.New("the job names no group")}
}

// surveyGroups hands over the groups of all four kinds. Their lists are whole.
func (d *Desk) surveyGroups(ctx context.Context, yield func(*targets.Entity) error) (targets.Proof, error) {
	for _, g := range groupKinds() {
		_, err := d.walkList(ctx, g.path, "", d.cfg.Page, g.every, func(row object) error {
			e := d.group(g, row)
			e.Short = g.word == team
			return yield(&e)
		})
		if err != nil {
			return targets.Proof{}, err
		}
	}
	return targets.Proof{Count: -1}, nil
}

func (d *Desk) findGroups(ctx context.Context, name string) (found []targets.Entity, err error) {
	_, err = d.surveyGroups(ctx, func(e *targets.Entity) error {
		if strings.EqualFold(e.Keys["name"], name) {
			found = append(found, *e)
		}
		return nil
	})
	return found, err
}

func (d *Desk) group(g groupKind, o object) targets.Entity {
	id := groupID(o)
	name := strings.TrimSpace(o.text("name"))
	e := targets.Entity{
		Kind: directory.GroupRecord, ID: g.word + ":" + id, Keys: map[string]string{}, Refs: map[string]string{}, Active: !o.is("inactive"),
		Fields: map[string]string{directory.FieldName: name, fieldType: g.word},
	}
	if name != "" {
		e.Keys["name"] = name
	}
	if g.word == cab {
		var list []object
		if list, e.MembersKnown = o.objects("members"); e.MembersKnown {
			for _, m := range list {
				if id := memberOf(m); id != "" {
					e.Members = append(e.Members, id)
				}
			}
		}
	}
	return e
}

// groupID is a number, or the text that a role has.
func groupID(o object) string {
	if id := idOf(o["id"]); id != "" {
		return id
	}
	return o.text("id")
}

func memberOf(m object) string {
	switch {
	case m.id("agent_id") != "":
		return prefixAgent + m.id("agent_id")
	default:
		return m.id("user_id")
	}
}

func (d *Desk) readGroup(ctx context.Context, g groupKind, number string) (object, error) {
	v, err := d.client.read(ctx, g.path+"/"+url.PathEscape(number), url.Values{"includedetails": {"true"}})
	if fault.ClassOf(err) == fault.Gone {
		if _, lost := d.client.read(ctx, "Agent/me", nil); lost != nil {
			return nil, lost
		}
	}
	if err != nil {
		return nil, err
	}
	o, _ := v.(map[string]any)
	if groupID(o) != number {
		return nil, &fault.Error{Class: fault.Transient, Op: "GET " + g.path, Where: d.client.host, Err: errors.New("the answer is not the group that was asked for")}
	}
	return o, nil
}

// fetchGroup reads a group. Who is in a team is read from all agents, where their rows show it; who has a role is not shown
// in a way that can be checked, and known by what we gave.
func (d *Desk) fetchGroup(ctx context.Context, id string) (targets.Entity, error) {
	g, number, err := groupOf(id)
	if err != nil {
		// An id of another form is that of nothing here.
		return targets.Entity{}, &fault.Error{Class: fault.Gone, Op: "read a group", Where: d.client.host, Err: errors.New("there is no such group")}
	}
	o, err := d.readGroup(ctx, g, number)
	if err != nil {
		return targets.Entity{}, err
	}
	e := d.group(g, o)
	if g.word != team {
		return e, nil
	}
	shown := true
	_, err = d.walk(ctx, agents(), func(row object) error {
		list, has := row.objects(g.on)
		shown = shown && has
		if slices.ContainsFunc(list, func(t object) bool { return t.id(g.ref) == number }) {
			e.Members = append(e.Members, prefixAgent+row.id("id"))
		}
		return nil
	})
	e.MembersKnown = shown
	return e, err
}

// makeGroup makes a team or a board. What a role lets people do is for people to say.
func (d *Desk) makeGroup(ctx context.Context, job *targets.Job) (targets.Entity, []string, error) {
	word := valueIn(fieldType, job.Fields, job.Sent)
	if word == "" {
		word = d.cfg.Group
	}
	i := slices.IndexFunc(groupKinds(), func(g groupKind) bool { return g.word == word })
	name := groupName(job.Fields, job.Sent)
	switch {
	case i < 0:
		return targets.Entity{}, nil, &fault.Error{
			Class: fault.Invalid, Op: "make a group", Err: errors.New("its type is none that the desk knows"), Hint: "the field type of a group is team, role, user_role or cab",
		}
	case name == "":
		return targets.Entity{}, nil, missing("name", "the record has neither name nor title")
	case word == role || word == userRole:
		return targets.Entity{}, nil, &fault.Error{
			Class: fault.Invalid, Op: "make a role", Where: d.client.host, Err: errors.New("the desk has no role of that name"),
			Hint: "make the role in Halo, with its permissions, and send the group again: a sync does not say what people may do",
		}
	}
	g := groupKinds()[i]
	body := object{"name": name}
	if word == team && d.cfg.Department > 0 {
		body["department_id"] = d.cfg.Department
	}
	if there, err := d.findGroups(ctx, name); err != nil {
		return targets.Entity{}, nil, err
	} else if slices.ContainsFunc(there, func(e targets.Entity) bool { return e.Fields[fieldType] == word }) {
		return targets.Entity{}, nil, &fault.Error{Class: fault.Invalid, Op: "POST " + g.path, Where: d.client.host, Err: targets.ErrExists}
	}
	add := job.Add
	if word == cab {
		list := []object{}
		for _, id := range add {
			list = append(list, seat(id))
		}
		body["members"], add = list, nil
	}
	answer, err := d.client.write(ctx, g.path, body)
	if err != nil {
		return targets.Entity{}, nil, err
	}
	number := groupID(answer)
	warnings, err := d.members(ctx, g, number, add, nil)
	if err != nil {
		return targets.Entity{}, nil, err
	}
	e, err := d.fetchGroup(ctx, g.word+":"+number)
	return e, warnings, err
}

// changeGroup renames a team or board, takes a team out of use, and changes who is in it.
func (d *Desk) changeGroup(ctx context.Context, job *targets.Job) (targets.Entity, []string, error) {
	g, number, err := groupOf(job.ID)
	if err != nil {
		return targets.Entity{}, nil, &fault.Error{Class: fault.Gone, Op: "deliver", Where: d.client.host, Err: errors.New("there is no such group")}
	}
	now, err := d.readGroup(ctx, g, number)
	if err != nil {
		return targets.Entity{}, nil, err
	}
	body := object{}
	name := groupName(job.Fields, job.Sent)
	renames := touches(job.Fields, directory.FieldName, directory.FieldTitle) && name != "" && name != now.text("name")
	switch {
	case (job.Op == directory.Deactivate || job.Op == directory.Reactivate) && g.word != team:
		return targets.Entity{}, nil, &fault.Error{
			Class: fault.Invalid, Op: "POST " + g.path, Where: d.client.host, Err: fmt.Errorf("a %s cannot be taken out of use", g.word),
			Hint: "leavers: {group: {do: keep}} leaves it as it is",
		}
	case job.Op == directory.Deactivate && !now.is("inactive"):
		body["inactive"] = true
	case job.Op == directory.Reactivate && now.is("inactive"):
		body["inactive"] = false
	}
	if renames && (g.word == team || g.word == cab) {
		body["name"] = name
	}
	if len(body) > 0 {
		body["id"] = whole(number)
		if _, err := d.client.write(ctx, g.path, body); err != nil {
			return targets.Entity{}, nil, err
		}
	}
	warnings, err := d.members(ctx, g, number, job.Add, job.Remove)
	if err != nil {
		return targets.Entity{}, nil, err
	}
	e, err := d.fetchGroup(ctx, job.ID)
	if err == nil && (job.Op == directory.Deactivate && e.Active || job.Op == directory.Reactivate && !e.Active) {
		return targets.Entity{}, nil, unmoved("POST "+g.path, d.client.host)
	}
	return e, warnings, err
}

// members puts people into a group and takes them out of it. The lists are replaced as a whole, so each is read, changed and written
// back, by one at a time: what others have put there stays.
func (d *Desk) members(ctx context.Context, g groupKind, number string, add, remove []string) (warnings []string, err error) {
	if len(add)+len(remove) == 0 {
		return nil, nil
	}
	d.memberships.Lock()
	defer d.memberships.Unlock()
	if g.word == cab {
		return nil, d.board(ctx, number, add, remove)
	}
	for _, change := range []struct {
		ids []string
		in  bool
	}{{add, true}, {remove, false}} {
		for _, id := range change.ids {
			warning, err := d.member(ctx, g, number, id, change.in)
			if err != nil {
				return nil, err
			}
			if warning != "" {
				warnings = append(warnings, warning)
			}
		}
	}
	return warnings, nil
}

// member puts one person into a group, or takes it out.
func (d *Desk) member(ctx context.Context, g groupKind, number, id string, in bool) (warning string, err error) {
	r := agents()
	if g.person == "Users" {
		r = users()
	}
	agent := strings.HasPrefix(id, prefixAgent)
	switch {
	case agent && g.person == "Users":
		return "an agent has no roles of users", nil
	case !agent && g.person == "Agent":
		// A user who is an agent, too, is in teams as that.
		user, err := d.one(ctx, users(), id)
		if fault.ClassOf(err) == fault.Gone && !in {
			return "", nil
		}
		if err != nil {
			return "", noMember(err)
		}
		if id = user.id("linked_agent_id"); id == "" {
			return "a user who is no agent is in no " + g.word, nil
		}
	}
	now, err := d.one(ctx, r, id)
	if fault.ClassOf(err) == fault.Gone && !in {
		return "", nil // who is not there is in nothing
	}
	if err != nil {
		return "", noMember(err)
	}
	list, shown := now.whole(g.on)
	at := slices.IndexFunc(list, func(o object) bool { return inGroup(g, o) == number })
	if (at >= 0) == in {
		return "", nil
	}
	if !shown {
		// To write a list that was not shown would be to take away all that is in it.
		return "", &fault.Error{
			Class: fault.Invalid, Op: "POST " + r.path, Where: d.client.host, Err: fmt.Errorf("the desk does not show %s, and writing them replaces them all", g.on),
			Hint: "give the application's agent the right to see them",
		}
	}
	if in {
		list = append(list, object{g.ref: whole(number)})
	} else {
		list = slices.Delete(list, at, at+1)
	}
	body := object{"id": whole(now.id("id")), g.on: list}
	for name, value := range r.quiet {
		body[name] = value
	}
	if _, err := d.client.write(ctx, r.path, body); err != nil {
		return "", err
	}
	after, err := d.one(ctx, r, now.id("id"))
	if err != nil {
		return "", err
	}
	if list, _ := after.objects(g.on); slices.ContainsFunc(list, func(o object) bool { return inGroup(g, o) == number }) != in {
		return "", unmoved("POST "+r.path, d.client.host)
	}
	return "", nil
}

// noMember makes of an error that says that somebody is gone one about the group that he was to be in: that is there.
func noMember(err error) error {
	if fault.ClassOf(err) != fault.Gone {
		return err
	}
	return &fault.Error{Class: fault.Invalid, Op: "put a member into a group", Err: err, Hint: "`dirsyncd audit TARGET` says who is gone"}
}

func inGroup(g groupKind, element object) string {
	if id := idOf(element[g.ref]); id != "" {
		return id
	}
	return element.text(g.ref)
}

// board changes the members of a change advisory board.
func (d *Desk) board(ctx context.Context, number string, add, remove []string) error {
	g := groupKinds()[3]
	now, err := d.readGroup(ctx, g, number)
	if err != nil {
		return err
	}
	list, shown := now.whole("members")
	if !shown {
		return &fault.Error{Class: fault.Invalid, Op: "POST CAB", Where: d.client.host, Err: errors.New("the desk does not show the members, and writing them replaces them all")}
	}
	before := len(list)
	list = slices.DeleteFunc(list, func(m object) bool { return slices.Contains(remove, memberOf(m)) })
	changed := len(list) != before
	for _, id := range add {
		if slices.ContainsFunc(list, func(m object) bool { return memberOf(m) == id }) {
			continue
		}
		changed = true
		list = append(list, seat(id))
	}
	if !changed {
		return nil
	}
	_, err = d.client.write(ctx, g.path, object{"id": whole(number), "members": list})
	return err
}

// seat is a member of a board as it is written.
func seat(id string) object {
	if number, agent := strings.CutPrefix(id, prefixAgent); agent {
		return object{"agent_id": whole(number)}
	}
	return object{"user_id": whole(id)}
}

func groupName(fields, sent []directory.Field) string {
	for _, name := range []string{directory.FieldName, directory.FieldTitle} {
		if v := valueIn(name, fields, sent); v != "" {
			return v
		}
	}
	return ""
}
