package okta

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

// reading is one call of Read.
type reading struct {
	*Connector
	op, stream string
	emit       func(*connectors.Page) error
	access     orgAccess
	// gone are ids that were removed lately and must not come back.
	gone map[string]int64
	// listed counts entries of lists, translated or not.
	listed int
}

func (r *reading) full(ctx context.Context, resume []byte) (err error) {
	if r.access, err = r.Connector.orgAccess(ctx, true); err != nil {
		return err
	}
	if r.stream == streamGroups {
		return r.fullGroups(ctx)
	}
	from := &cursor{Connector: r.stream, Settings: r.fingerprint(r.access, r.stream), Resume: &resumePoint{}}
	if len(resume) > 0 {
		if from, err = parseResume(r.op, resume, r.stream, from.Settings, r.clock.now()); err != nil {
			return err
		}
	}
	return r.fullUsers(ctx, from)
}

func (r *reading) delta(ctx context.Context, data []byte) (err error) {
	if r.access, err = r.Connector.orgAccess(ctx, false); err != nil {
		return err
	}
	at, err := parseCursor(r.op, data, r.stream, r.fingerprint(r.access, r.stream), r.cfg.Log, r.clock.now())
	if err != nil {
		return err
	}
	r.gone = at.Gone
	if r.stream == streamUsers {
		return r.deltaUsers(ctx, at)
	}
	return r.deltaGroups(ctx, at)
}

// begin makes the cursor of a read that began at a time.
func (r *reading) begin(began time.Time) *cursor {
	c := &cursor{Connector: r.stream, Settings: r.fingerprint(r.access, r.stream), Since: began.UnixMilli()}
	if r.cfg.Log {
		c.Log = &logPosition{Since: c.Since}
	}
	return c
}

// finish emits the last page.
func (r *reading) finish(c *cursor, removed []directory.Ref) error {
	return r.emit(&connectors.Page{
		Removed: removed, Cursor: c.bytes(), Proof: &connectors.Proof{Scope: r.scope(r.access, r.stream), Count: -1, Reads: r.cfg.says(r.stream), MayBeShort: true},
	})
}

// usersWhere is the path of the list of users that the configuration narrows, and an expression narrows further.
func (r *reading) usersWhere(expression string) string {
	param, own := "filter", r.cfg.Users.Filter
	if r.cfg.Users.Search != "" {
		param, own = "search", r.cfg.Users.Search
	}
	return query(apiRoot+"users", param, and(own, expression), "limit", fmt.Sprint(r.pageSize))
}

// The lists that a full read of users is made of, in their order.
const (
	phasePlain       = iota // everybody who is not deactivated
	phaseDeactivated        // the others
	phaseChanged            // who changed in the meantime
	phases
)

// fullUsers lists everybody. The plain list leaves out those that are deactivated; they have a list of their
// own. Whoever is deactivated or reactivated while the two are read can be missing from both, so what changed in
// the meantime is read as well: by its time, and one by one if the log says so, because that list can be behind.
// A list that is behind can also still name somebody who was deleted; the log tells.
func (r *reading) fullUsers(ctx context.Context, from *cursor) error {
	resumed := from.Since > 0
	watch := &lifecycle{reading: r, moved: map[string]struct{}{}, position: &logPosition{Since: from.Since}}
	if !resumed {
		watch.position.Since = r.clock.now().UnixMilli()
	}
	if err := watch.poll(ctx); err != nil {
		return err
	}
	for phase := from.Resume.Phase; phase < phaseChanged; phase++ {
		expression := ""
		if phase == phaseDeactivated {
			if r.narrowed() {
				continue
			}
			expression = `status eq "` + statusDeprovisioned + `"`
		}
		if err := r.listPhase(ctx, from, phase, r.usersWhere(expression)); err != nil {
			return err
		}
	}
	if r.listed == 0 && !resumed && !r.access.everyone {
		return r.emptyOrg(r.op, "people")
	}
	if err := watch.poll(ctx); err != nil {
		return err
	}
	began := time.UnixMilli(from.Since)
	if _, err := r.listUsers(ctx, r.usersWhere(since("lastUpdated", began))); err != nil {
		return err
	}
	if err := watch.readMoved(ctx); err != nil {
		return err
	}
	next := r.begin(began)
	if r.cfg.Log {
		next.Gone = r.gone
	}
	return r.finish(next, nil)
}

// narrowed reports whether an expression chooses the people: one list holds them all then, whatever their status.
func (r *reading) narrowed() bool { return r.cfg.Users != (UsersConfig{}) }

// lifecycle watches the log during a full read.
type lifecycle struct {
	*reading
	position *logPosition
	// moved are people who were deactivated, activated or reactivated.
	moved map[string]struct{}
}

// poll notes what happened since the last poll; the first one reaches back by the overlap. Without the log it
// does nothing.
func (l *lifecycle) poll(ctx context.Context) (err error) {
	if !l.cfg.Log {
		return nil
	}
	const deleted = "user.lifecycle.delete.completed"
	types := []string{deleted, "user.lifecycle.deactivate", "user.lifecycle.activate", "user.lifecycle.reactivate"}
	l.position, err = l.reading.poll(ctx, l.position, types, func(e *event) {
		for _, id := range e.targets("User") {
			if e.Type != deleted {
				l.moved[id] = struct{}{}
				continue
			}
			if l.gone == nil {
				l.gone = map[string]int64{}
			}
			l.gone[id] = l.clock.now().UnixMilli()
		}
	})
	return err
}

// readMoved reads the people who moved, one by one.
func (l *lifecycle) readMoved(ctx context.Context) error {
	if l.narrowed() {
		return nil
	}
	var found []json.RawMessage
	for _, id := range sortedKeys(l.moved) {
		a, err := l.get(ctx, apiRoot+"users/"+pathID(id))
		switch {
		case fault.ClassOf(err) == fault.Gone:
			continue // deleted for good
		case err != nil:
			return err
		}
		var e userEntry
		if err := json.Unmarshal(a.body, &e); e.ID != id {
			return l.invalid("read users/{id}", "the answer is not the user that was asked for (%t)", err == nil)
		}
		if found = append(found, a.body); len(found) == l.pageSize {
			if err := l.emitUsers(found, nil); err != nil {
				return err
			}
			found = nil
		}
	}
	if len(found) == 0 {
		return nil
	}
	return l.emitUsers(found, nil)
}

// listPhase emits one list of a full read. Every page can be gone on from.
func (r *reading) listPhase(ctx context.Context, from *cursor, phase int, path string) error {
	at := from.Resume
	going := phase == at.Phase && at.Next != ""
	if resource, _, _ := strings.Cut(at.Next, "?"); going && resource == apiRoot+"users" {
		path = at.Next
	}
	first := true
	_, err := r.list(ctx, path, func(entries []json.RawMessage, next string) error {
		first = false
		if from.Since == 0 {
			from.Since = r.clock.now().UnixMilli()
		}
		from.Resume = &resumePoint{Phase: phase, Next: next}
		if next == "" {
			from.Resume.Phase = phase + 1
		}
		if len(entries) == 0 {
			return nil
		}
		r.listed += len(entries)
		return r.emitUsers(entries, from.bytes())
	})
	if class := fault.ClassOf(err); going && first && (class == fault.Invalid || class == fault.Gone) {
		_, err = expiredCursor(r.op, "the org no longer takes the link to the next page")
	}
	return err
}

// deltaUsers reads who changed since the last read, and who was deleted, which only the log says.
func (r *reading) deltaUsers(ctx context.Context, at *cursor) error {
	began, err := r.listUsers(ctx, r.usersWhere(since("lastUpdated", time.UnixMilli(at.Since))))
	if err != nil {
		return err
	}
	next := r.begin(began)
	var removed []directory.Ref
	if r.cfg.Log {
		removed, err = r.deleted(ctx, at, next, directory.Person, []string{"user.lifecycle.delete.completed"}, "User", nil)
		if err != nil {
			return err
		}
	}
	return r.finish(next, removed)
}

// since is the expression for what changed at a time or later, with the overlap.
func since(attribute string, t time.Time) string {
	return attribute + ` ge "` + stamp(t.Add(-overlap)) + `"`
}

// listUsers emits a list of users page by page.
func (r *reading) listUsers(ctx context.Context, path string) (time.Time, error) {
	return r.list(ctx, path, func(entries []json.RawMessage, _ string) error {
		if len(entries) == 0 {
			return nil
		}
		r.listed += len(entries)
		return r.emitUsers(entries, nil)
	})
}

// emitUsers emits one page of users, with the cursor from which a full read can be resumed after it.
func (r *reading) emitUsers(entries []json.RawMessage, resume []byte) error {
	page := &connectors.Page{Objects: make([]directory.Object, 0, len(entries)), Cursor: resume, Resumable: len(resume) > 0}
	for i, raw := range entries {
		o, invalid := r.users.user(raw, fmt.Sprintf("%s, entry %d of a page of users", r.host, i+1))
		if invalid != nil {
			page.Invalid = append(page.Invalid, *invalid)
			continue
		}
		if _, gone := r.gone[o.ID]; !gone {
			page.Objects = append(page.Objects, o)
		}
	}
	return r.emit(page)
}

// pathID makes an id a part of a path.
func pathID(id string) string { return url.PathEscape(id) }
