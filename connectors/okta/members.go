package okta

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

const (
	// longestList is how many members of one group a full read holds at once; a longer list comes in parts.
	longestList = 50_000
	// pageOfMembers is about how many members a page holds, of however many groups.
	pageOfMembers = 2000
)

// memberJob is a group whose members are to be read.
type memberJob struct {
	id, name, path string
	// result gives the parts of the list in order, and is closed after the last one.
	result chan memberPart
}

// memberPart is a part of a group's members, or why there is none.
type memberPart struct {
	members connectors.Members
	// bad is set in place of members where they cannot be read, though the group is there.
	bad *connectors.Invalid
	// began is when the list was begun to be read, by the org's clock.
	began time.Time
	err   error
}

// readMembers reads the members of groups, several groups at once, and hands them to take in the order of the
// groups. With whole, every list comes in one piece. A group that is no longer there is left out: nothing is
// concluded from its absence.
func (r *reading) readMembers(ctx context.Context, groups []groupSeen, whole bool, take func(memberPart) error) error {
	inner, cancel := context.WithCancel(ctx)
	var workers sync.WaitGroup
	defer workers.Wait()
	defer cancel()

	var jobs []memberJob
	for _, g := range groups {
		if g.path != "" {
			jobs = append(jobs, memberJob{g.id, g.name, g.path, make(chan memberPart, 1)})
		}
	}
	turn := make(chan memberJob)
	for range min(r.cfg.Parallel, len(jobs)) {
		workers.Go(func() {
			for job := range turn {
				r.readGroup(inner, job, whole)
			}
		})
	}
	// Jobs are begun in order, so the one that take waits for is always under way.
	workers.Go(func() {
		defer close(turn)
		for _, job := range jobs {
			select {
			case turn <- job:
			case <-inner.Done():
				return
			}
		}
	})
	for _, job := range jobs {
		for {
			var part memberPart
			var more bool
			select {
			case part, more = <-job.result:
			case <-ctx.Done():
				return ctx.Err()
			}
			if !more {
				break
			}
			if part.err != nil {
				return part.err
			}
			if err := take(part); err != nil {
				return err
			}
		}
	}
	return nil
}

// readGroup reads the members of one group. What cannot be read is asked for once more.
func (r *reading) readGroup(ctx context.Context, job memberJob, whole bool) {
	defer close(job.result)
	send := func(p memberPart) bool {
		select {
		case job.result <- p:
			return true
		case <-ctx.Done():
			return false
		}
	}
	list, parts := []string{}, 0
	read := func() (_ time.Time, err error) {
		defer fault.Recover("read the members of a group", &err)
		return r.list(ctx, query(job.path, "limit", fmtInt(r.pageSize)), func(entries []json.RawMessage, _ string) error {
			for _, raw := range entries {
				var e memberEntry
				if err := json.Unmarshal(raw, &e); err != nil || e.ID == "" {
					return fmt.Errorf("%w", errNoMember)
				}
				if e.holds() {
					list = append(list, directory.IDHandle(e.ID))
				}
			}
			if !whole && len(list) >= longestList {
				if !send(memberPart{members: connectors.Members{Group: job.id, Add: list}}) {
					return ctx.Err()
				}
				list, parts = nil, parts+1
			}
			return nil
		})
	}
	began, err := read()
	if err != nil && aboutOne(err) && parts == 0 {
		list = []string{}
		began, err = read()
	}
	if fault.ClassOf(err) == fault.Gone {
		if err = r.vanished(ctx, job, err); err == nil {
			return
		}
	}
	switch {
	case err != nil && aboutOne(err):
		send(memberPart{bad: r.unreadableMembers(&job, err)})
		return
	case err != nil:
		send(memberPart{err: err})
		return
	}
	if parts == 0 || len(list) > 0 {
		send(memberPart{members: connectors.Members{Group: job.id, Add: list, Whole: parts == 0, MayBeShort: parts == 0}, began: began})
	}
}

// vanished returns an error unless the group itself is gone, too. A list of members that is not there although the
// group is says nothing about anybody: left out, it would empty the group in a full read, and lose the change in an
// incremental one.
func (r *reading) vanished(ctx context.Context, job memberJob, gone error) error {
	_, err := r.get(ctx, strings.TrimSuffix(job.path, "/users"))
	switch {
	case fault.ClassOf(err) == fault.Gone:
		return nil
	case err != nil:
		return err
	}
	return &fault.Error{
		Class: fault.Invalid, Op: "list " + resourceName(job.path), Where: r.host, Err: fmt.Errorf("the group is there and its list of members is not: %w", gone),
	}
}

// unreadableMembers is a group, or application, whose members cannot be read.
func (r *reading) unreadableMembers(job *memberJob, err error) *connectors.Invalid {
	where := job.name
	if where == "" {
		where = job.id
	}
	return &connectors.Invalid{
		Kind: directory.Group, ID: job.id, Where: where,
		Err: &fault.Error{
			Class: fault.Invalid, Op: "list " + resourceName(job.path), Where: "group " + where, Err: err,
			Hint: "it keeps the members that it had, and nobody else is held up",
		},
	}
}

// memberEntry is what is read of a member of a group, or of who has an application.
type memberEntry struct {
	ID string `json:"id"`
	// Scope is USER or GROUP, and set for users of applications only.
	Scope  string `json:"scope"`
	Status string `json:"status"`
}

// holds reports whether an entry counts. An application also lists people from whom it was taken away.
func (m *memberEntry) holds() bool {
	if m.Scope == "" {
		return true
	}
	switch m.Status {
	case statusDeprovisioned, "UNASSIGNED", "REVOKED":
		return false
	default:
		return true
	}
}

// lookMembersOf asks of people one by one whether they are in a group, or have an application. Only a list of their groups
// without it, and the org's word that somebody does not have the application, says that they are not.
func (r *reading) lookMembersOf(ctx context.Context, group string, ids []string) (there []string, err error) {
	for _, id := range ids {
		in, err := r.isIn(ctx, group, id)
		if err != nil {
			return there, err
		}
		if in {
			there = append(there, id)
		}
	}
	return there, nil
}

func (r *reading) isIn(ctx context.Context, group, id string) (in bool, err error) {
	if strings.HasPrefix(group, appIDPrefix) {
		a, err := r.get(ctx, apiRoot+"apps/"+pathID(group)+"/users/"+pathID(id))
		var refused *refusal
		if errors.As(err, &refused) && refused.code == "E0000007" {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		var e memberEntry
		if json.Unmarshal(a.body, &e) != nil || e.ID != id {
			return false, r.invalid("read apps/{id}/users/{id}", "the answer is not about the user who was asked for")
		}
		return e.holds(), nil
	}
	take := func(entries []json.RawMessage, _ string) error {
		for _, raw := range entries {
			var e memberEntry
			if json.Unmarshal(raw, &e) != nil || e.ID == "" {
				return errNoMember
			}
			in = in || e.ID == group
		}
		return nil
	}
	path := apiRoot + "users/" + pathID(id) + "/groups"
	a, err := r.get(ctx, path)
	if err != nil {
		return false, err
	}
	entries, problem := entriesOf(a.body)
	switch {
	case problem != "":
		return false, r.invalid("list users/{id}/groups", "%s", problem)
	case a.next != "": // not documented as paged
		_, err = r.list(ctx, path, take)
	default:
		err = take(entries, "")
	}
	return in, err
}

// appIDPrefix begins the ids of applications.
const appIDPrefix = "0oa"

// memberPages gathers lists of members into pages.
type memberPages struct {
	reading *reading
	page    []connectors.Members
	count   int
}

func (p *memberPages) add(m connectors.Members) error {
	p.page = append(p.page, m)
	p.count += len(m.Add) + 1
	if p.count < pageOfMembers {
		return nil
	}
	return p.flush()
}

func (p *memberPages) flush() error {
	if len(p.page) == 0 {
		return nil
	}
	page := &connectors.Page{Members: p.page, LookMembersOf: p.reading.lookMembersOf}
	p.page, p.count = nil, 0
	return p.reading.emit(page)
}
