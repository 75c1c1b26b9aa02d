package google

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/sync/directory"
)

type removal = directory.Ref

// mostLookups is from how many people or groups on reading them one by one costs more than reading everybody.
const mostLookups = 2000

// users finds out what became of everybody whom the log names.
func (d *deltaReading) users(ctx context.Context) error {
	named := newNamed()
	deleted := false
	for i := range d.log.news {
		e := &d.log.news[i]
		if why := d.concernsEverybody(e); why != "" && !e.at.Before(d.full()) {
			return d.expired(why)
		}
		if e.user == "" || e.kind == "GROUP_SETTINGS" {
			continue
		}
		named.add(e.user, e)
		deleted = deleted || e.name == "DELETE_USER"
		if e.name == "RENAME_USER" && strings.Contains(e.value, "@") {
			named.add(fold(e.value), e)
			named.renamed[e.user] = fold(e.value)
		}
	}
	if len(named.order) > mostLookups {
		return d.expired(fmt.Sprintf("more than %d people were changed", mostLookups))
	}
	if len(named.order) == 0 {
		return nil
	}
	people := &lookup{deltaReading: d, there: map[string]json.RawMessage{}, user: map[string]*user{}, settled: map[string]bool{}, outside: map[string]bool{}}
	if err := people.byAddress(ctx, named.order); err != nil {
		return err
	}
	people.buried = map[string]bool{}
	if deleted || len(people.settled) < len(named.order) {
		if err := people.deleted(ctx, d.log.from); err != nil {
			return err
		}
	}
	for _, address := range named.order {
		if people.isSettled(named, address) && (people.buried[address] || !named.deletedForGood(address)) {
			continue
		}
		if people.outside[address] {
			if err := d.outsider(named.events[address]); err != nil {
				return err
			}
			continue
		}
		for _, e := range named.events[address] {
			if !comesOrGoes(e) {
				continue // whoever it was, another event says or will say where the address went
			}
			if err := d.hold(e); err != nil {
				return err
			}
		}
	}
	return people.emit(ctx)
}

// comesOrGoes reports whether somebody, or an address, is there or not by what an event says.
func comesOrGoes(e *event) bool {
	switch e.name {
	case "CREATE_USER", "DELETE_USER", "UNDELETE_USER", "RENAME_USER", "CREATE_GROUP", "DELETE_GROUP", "CHANGE_GROUP_EMAIL":
		return true
	}
	return false
}

// concernsEverybody says why an event cannot be followed person by person.
func (d *deltaReading) concernsEverybody(e *event) string {
	switch {
	case e.name == "MOVE_ORG_UNIT" || e.name == "EDIT_ORG_UNIT_NAME":
		return "an org unit was moved or renamed, and with it everybody in it"
	case strings.Contains(e.name, "LICENSE") && e.user == "" && len(d.connector.cfg.Licences.Products) > 0:
		return "licences of a whole org unit were changed"
	}
	return ""
}

// named are the addresses that the log mentions, each with the events that do.
type named struct {
	order   []string
	events  map[string][]*event
	renamed map[string]string // former address to new
}

func newNamed() *named { return &named{events: map[string][]*event{}, renamed: map[string]string{}} }

func (n *named) add(address string, e *event) {
	if n.events[address] == nil {
		n.order = append(n.order, address)
	}
	n.events[address] = append(n.events[address], e)
}

// deletedForGood reports whether the log says that whoever had the address was deleted, and not that somebody was
// brought back: then that person must be on the list of the deleted, whoever has the address now.
func (n *named) deletedForGood(address string) bool {
	deleted := false
	for _, e := range n.events[address] {
		if e.name == "UNDELETE_USER" {
			return false
		}
		deleted = deleted || e.name == "DELETE_USER"
	}
	return deleted
}

// lookup is what became of the people that the log names.
type lookup struct {
	*deltaReading
	user    map[string]*user           // by id
	there   map[string]json.RawMessage // by id
	settled map[string]bool            // addresses that need no further look
	outside map[string]bool            // addresses that may not be looked up
	buried  map[string]bool            // addresses of those who are on the list of the deleted
}

// byAddress reads people by the addresses they had. A former address is an alias of the same person, or by now
// somebody else's: either way it is somebody who is there.
func (l *lookup) byAddress(ctx context.Context, list []string) error {
	type found struct {
		user    *user
		raw     json.RawMessage
		outside bool
	}
	return orderedParallel(ctx, len(list), l.connector.cfg.Parallel, func(ctx context.Context, i int) (found, error) {
		u, raw, err := l.getUser(ctx, list[i])
		if outside(err) {
			return found{outside: true}, nil
		}
		return found{user: u, raw: raw}, err
	}, func(i int, f found) error {
		if f.outside {
			l.outside[list[i]] = true
		}
		if f.user != nil && f.user.Deleted == "" {
			l.settled[list[i]] = true
			l.user[f.user.ID], l.there[f.user.ID] = f.user, f.raw
		}
		return nil
	})
}

// outside reports whether the look-up of a single person or group was refused: addresses outside the customer are
// refused rather than not found, and so is somebody who was moved to where the subject may not look.
func outside(err error) bool {
	var answer *answerError
	return errors.As(err, &answer) && aboutOne(err) && (answer.status == http.StatusForbidden || answer.status == http.StatusBadRequest)
}

// outsider decides about events of somebody or a group that may not be looked up, and whose absence therefore says
// nothing: who comes or goes is waited for, and anything else is worth one full read, which settles it.
func (d *deltaReading) outsider(events []*event) error {
	for _, e := range events {
		switch {
		case comesOrGoes(e):
			if err := d.hold(e); err != nil {
				return err
			}
		case e.at.After(time.UnixMilli(d.cursor.Full)):
			return d.expired("an address of the audit log may not be looked up")
		}
	}
	return nil
}

// deleted reads who was deleted lately, and has the ones that it finds confirmed by looking for them among the
// living: the list may be older than an undeletion.
func (l *lookup) deleted(ctx context.Context, from time.Time) error {
	var graves []string
	c := &pager{
		op: l.op, restart: func() { graves = nil }, entries: func(d *listPage) []json.RawMessage { return d.Users },
		fetch: func(ctx context.Context, token string) ([]byte, error) {
			return ask(ctx, "list users", func(ctx context.Context) error {
				call := l.reading.users.Users.List().Context(ctx).Customer(l.customer).ShowDeleted("true").MaxResults(userPage)
				call.Fields("kind,etag,nextPageToken,users(id,primaryEmail,deletionTime)")
				if token != "" {
					call.PageToken(token)
				}
				_, err := call.Do()
				return err
			})
		},
		take: func(entries []json.RawMessage) error {
			for _, raw := range entries {
				var u user
				if json.Unmarshal(raw, &u) != nil || u.ID == "" {
					return odd(l.op, errors.New("a deleted user has no id"))
				}
				at, ok := parseTime(u.Deleted)
				if !ok {
					continue
				}
				l.settled[fold(u.PrimaryEmail)], l.buried[fold(u.PrimaryEmail)] = true, true
				if !at.Before(from.Add(-skew)) {
					graves = append(graves, u.ID)
				}
			}
			return nil
		},
	}
	if err := c.follow(ctx); err != nil {
		return err
	}
	if len(graves) > mostLookups {
		return l.expired(fmt.Sprintf("more than %d people were deleted", mostLookups))
	}
	type found struct {
		user *user
		raw  json.RawMessage
	}
	return orderedParallel(ctx, len(graves), l.connector.cfg.Parallel, func(ctx context.Context, i int) (found, error) {
		if l.user[graves[i]] != nil {
			return found{}, nil
		}
		u, raw, err := l.getUser(ctx, graves[i])
		if outside(err) {
			return found{}, nil // not among those who may be seen, and on the list of the deleted
		}
		return found{u, raw}, err
	}, func(i int, f found) error {
		id := graves[i]
		switch {
		case f.user != nil && f.user.Deleted == "":
			l.user[id], l.there[id] = f.user, f.raw
		case l.user[id] == nil:
			l.removed = append(l.removed, removal{Kind: directory.Person, ID: id})
		}
		return nil
	})
}

// isSettled reports whether it is known what became of an address: of itself, or of the one it was renamed to.
func (l *lookup) isSettled(n *named, address string) bool {
	for range len(n.renamed) + 1 {
		if l.settled[address] {
			return true
		}
		next, ok := n.renamed[address]
		if !ok {
			return false
		}
		address = next
	}
	return false
}

// emit makes pages of those who are there. Somebody whom the configuration does not ask for, by Google's own word
// about state and org unit, is removed; it may never have been read.
func (l *lookup) emit(ctx context.Context) error {
	ids := make([]string, 0, len(l.there))
	for id := range l.there {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	var held *holdings
	if len(ids) > 0 {
		var err error
		if held, err = l.holdings(ctx); err != nil {
			return err
		}
	}
	for chunk := range slices.Chunk(ids, userPage) {
		p := &connectors.Page{MayLack: l.mayLack(true)}
		for _, id := range chunk {
			u := l.user[id]
			if !l.connector.selected(u) {
				if u.OrgUnitPath != "" && (u.CustomerID == "" || u.CustomerID == l.customer) {
					l.removed = append(l.removed, removal{Kind: directory.Person, ID: id})
				}
				continue
			}
			if err := l.addPerson(p, u, l.there[id], held); err != nil {
				return err
			}
		}
		if len(p.Objects)+len(p.Invalid) > 0 {
			l.pages = append(l.pages, p)
		}
	}
	return nil
}
