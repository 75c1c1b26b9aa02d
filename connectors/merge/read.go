package merge

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"dirsyncd/connectors"
	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

// reading is one read.
type reading struct {
	*Connector
	ctx  context.Context //nolint:containedctx // of the one call that the reading lives for
	view func(context.Context, func(store.Reader) error) error
	emit func(*connectors.Page) error

	parts     []contributor
	from      cursor // where a delta goes on
	decisions []*decision
	said      int
	since     map[string]*question     // who waited before, by subject
	merged    map[store.Num]*mergedRow // merged people as stored; nil: no person
	page      connectors.Page
}

// open finds out where the read stands.
func (r *reading) open(req connectors.Request) (err error) {
	if r.parts, err = r.contributors(r.ctx); err != nil {
		return err
	}
	if err := r.mustBeWhole(); err != nil {
		return err
	}
	r.since = map[string]*question{}
	err = r.view(r.ctx, func(tx store.Reader) error {
		if r.decisions, r.said, err = decisionsOf(tx); err != nil {
			return err
		}
		before, _ := storedCursor(tx) // what cannot be read was another version's
		for _, q := range before.Questions {
			r.since[q.Subject] = q
		}
		return nil
	})
	if err != nil || req.Mode != connectors.Delta {
		return err
	}
	if json.Unmarshal(req.Cursor, &r.from) != nil || r.from.Settings != r.settingsSum() {
		return r.expired("the connection's settings were edited")
	}
	if len(r.from.Positions) != len(r.parts) {
		return r.expired("there are other tenants than before")
	}
	for i := range r.parts {
		if _, ok := r.from.Positions[r.parts[i].String()]; !ok {
			return r.expired("there are other tenants than before")
		}
	}
	return nil
}

func (r *reading) expired(why string) error {
	return &fault.Error{Class: fault.CursorExpired, Op: "read " + streamName, Err: errors.New(why)}
}

func (r *reading) settingsSum() string {
	sum := sha256.Sum256([]byte(r.settings()))
	return hex.EncodeToString(sum[:8])
}

// in views a contributor's partition.
func (r *reading) in(part *contributor, fn func(tx store.Reader) error) error {
	if err := r.ctx.Err(); err != nil {
		return err
	}
	return r.env.Stored.View(r.ctx, part.Partition, fn)
}

// personOf makes a person of a stored object.
func (r *reading) personOf(part int, row *store.Row, o *directory.Object) *person {
	c := &r.parts[part]
	return &person{name: c.nameOf(o.ID), source: c.source, rank: r.rank(c.source), part: part, num: row.Num, anchors: r.cfg.anchors(c.connection, o)}
}

// full reads everything.
func (r *reading) full() error {
	var people []*person
	for i := range r.parts {
		part := &r.parts[i]
		err := r.in(part, func(tx store.Reader) (err error) {
			if _, part.position, err = tx.JournalBounds(); err != nil {
				return err
			}
			return each(tx, directory.Person, func(rows []store.Row, objects []directory.Object) error {
				for n := range rows {
					people = append(people, r.personOf(i, &rows[n], &objects[n]))
				}
				return r.ctx.Err()
			})
		})
		if err != nil {
			return err
		}
	}
	groups, err := r.who(people)
	if err != nil {
		return err
	}
	if err := r.send(groups); err != nil {
		return err
	}
	for i := range r.parts {
		if err := r.pass(&r.parts[i]); err != nil {
			return err
		}
	}
	return r.end(groups)
}

// who works out who is who, and under which key.
func (r *reading) who(people []*person) (groups []*group, err error) {
	slices.SortFunc(people, func(a, b *person) int { return strings.Compare(a.name, b.name) })
	err = r.view(r.ctx, func(tx store.Reader) error { return r.formerly(tx, people) })
	if err != nil {
		return nil, err
	}
	groups = join(people, len(r.cfg.Join), r.decisions)
	err = r.view(r.ctx, func(tx store.Reader) error {
		var failed error
		keys(groups, func(key string) bool {
			used, err := r.used(tx, key)
			failed = errors.Join(failed, err)
			return used
		})
		return failed
	})
	if r.nothingStored() {
		keys(groups, func(string) bool { return false })
	}
	// Numbers are given in the order in which objects are stored, which is that of the strongest: so it is with keys of one read
	// that one is older than another.
	return groups, err
}

// nothingStored reports whether the read is one without a memory.
func (r *reading) nothingStored() bool {
	called := false
	_ = r.view(r.ctx, func(store.Reader) error { called = true; return nil })
	return !called
}

// send emits merged people.
func (r *reading) send(groups []*group) error {
	for chunk := range slices.Chunk(groups, r.pageSize) {
		objects, err := r.composeAll(chunk)
		if err != nil {
			return err
		}
		r.page.Objects = append(r.page.Objects, objects...)
		if err := r.flush(false); err != nil {
			return err
		}
	}
	return nil
}

// composeAll makes merged people. Whose parts have gone meanwhile is left to the next read.
func (r *reading) composeAll(groups []*group) (objects []directory.Object, err error) {
	wanted := make([][]store.Num, len(r.parts))
	for _, g := range groups {
		for _, p := range g.people {
			wanted[p.part] = append(wanted[p.part], p.num)
		}
	}
	type place struct {
		part int
		num  store.Num
	}
	found := map[place]part{}
	for i, nums := range wanted {
		if len(nums) == 0 {
			continue
		}
		c := &r.parts[i]
		err := r.in(c, func(tx store.Reader) error {
			rows, list, err := some(tx, directory.Person, nums)
			if err != nil {
				return err
			}
			handles, err := c.owned(tx, rows)
			if err != nil {
				return err
			}
			links, err := c.links(tx, list)
			if err != nil {
				return err
			}
			for n := range rows {
				found[place{i, rows[n].Num}] = part{connection: c.connection, rank: r.rank(c.source), led: c.connection == r.cfg.Leader,
					object: list[n], handles: handles[n], links: links[n]}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	for _, g := range groups {
		if g.key == "" {
			continue
		}
		var parts []part
		led := false
		for _, p := range g.people {
			if part, ok := found[place{p.part, p.num}]; ok {
				parts = append(parts, part)
			}
			if m := r.merged[p.age]; m != nil && m.key == g.key {
				led = led || m.led
			}
		}
		if len(parts) > 0 {
			objects = append(objects, r.compose(g, parts, led))
		}
	}
	return objects, nil
}

// passedKinds are those that pass through, in the order in which they do.
func passedKinds() []directory.Kind {
	return []directory.Kind{directory.Customer, directory.Site, directory.Group, directory.Licence, directory.Device}
}

// pass emits what else a contributor has.
func (r *reading) pass(part *contributor) error {
	return r.in(part, func(tx store.Reader) error {
		for _, kind := range passedKinds() {
			err := each(tx, kind, func(rows []store.Row, objects []directory.Object) error {
				objects, err := part.passed(tx, rows, objects)
				if err != nil {
					return err
				}
				for chunk := range slices.Chunk(objects, r.pageSize) {
					r.page.Objects = append(r.page.Objects, chunk...)
					if kind == directory.Group {
						if r.page.Members, err = part.members(tx, rows[:len(chunk)], chunk); err != nil {
							return err
						}
					}
					rows = rows[len(chunk):]
					if err := r.flush(false); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// members returns the whole lists of groups.
func (c *contributor) members(tx store.Reader, rows []store.Row, groups []directory.Object) ([]connectors.Members, error) {
	list := make([]connectors.Members, len(rows))
	nums := make([]store.Num, len(rows))
	place := map[store.Num]int{}
	for i := range rows {
		nums[i], place[rows[i].Num] = rows[i].Num, i
		list[i] = connectors.Members{Group: groups[i].ID, Whole: true}
	}
	err := tx.MembersOf(nums, func(group, handle store.Num) bool {
		m := &list[place[group]]
		m.Add = append(m.Add, c.handle(handle))
		return true
	})
	return list, err
}

// flush emits the page, if it is the last or holds something.
func (r *reading) flush(last bool) error {
	if !last && len(r.page.Objects)+len(r.page.Removed)+len(r.page.Members) == 0 {
		return nil
	}
	page := r.page
	r.page = connectors.Page{}
	return r.emit(&page)
}

// mustBeWhole refuses to go by what is of two times: somebody who moves from one group to another is in neither in between.
func (r *reading) mustBeWhole() error {
	for i := range r.parts {
		err := r.in(&r.parts[i], func(tx store.Reader) error {
			state, err := tx.Tenant()
			if err != nil || !state.HalfRead {
				return err
			}
			return &fault.Error{Class: fault.Transient, Op: "read " + streamName, Where: r.parts[i].String(),
				Err:  errors.New("it is being read, or its last read broke off half-way"),
				Hint: "nothing is merged until it was read to its end: `dirsyncd sync " + r.parts[i].connection + "`"}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// end emits the last page, unless a contributor's read began meanwhile.
func (r *reading) end(groups []*group) error {
	if err := r.mustBeWhole(); err != nil {
		return err
	}
	at := cursor{Settings: r.settingsSum(), Positions: map[string]uint64{}, Said: r.said}
	for i := range r.parts {
		at.Positions[r.parts[i].String()] = r.parts[i].position
	}
	for _, g := range groups {
		if g.asks == nil {
			continue
		}
		q := *g.asks
		q.Since = r.env.Now().UTC()
		if before := r.since[q.Subject]; before != nil {
			q.Since = before.Since
		}
		at.Questions = append(at.Questions, &q)
	}
	slices.SortFunc(at.Questions, func(a, b *question) int { return strings.Compare(a.Subject, b.Subject) })
	if n := len(at.Questions); n > 0 {
		r.page.Notes = []string{itoa(n) + " people wait for a human to say who they are: `dirsyncd match list`"}
	}
	data, err := json.Marshal(at)
	if err != nil {
		return err
	}
	r.page.Cursor, r.page.Proof = data, &connectors.Proof{Scope: r.scope(), Count: -1}
	return r.flush(true)
}
