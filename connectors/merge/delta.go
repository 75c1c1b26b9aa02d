package merge

import (
	"slices"
	"strings"

	"dirsyncd/connectors"
	"dirsyncd/store"
	"dirsyncd/sync/directory"
)

// following is what a delta read goes over.
type following struct {
	*reading
	people map[string]*person  // that are there, by name
	seen   map[string]bool     // names that were looked at
	met    map[string]bool     // anchors whose holders were looked at
	stored map[store.Num]bool  // merged people that were looked at: they are made anew
	next   []string            // names to look at
	pairs  map[string][]string // who was decided about together
}

// delta reads what changed since the cursor.
func (r *reading) delta() error {
	f := &following{reading: r, people: map[string]*person{}, seen: map[string]bool{}, met: map[string]bool{}, stored: map[store.Num]bool{}, pairs: map[string][]string{}}
	for _, d := range r.decisions {
		f.pairs[d.A], f.pairs[d.B] = append(f.pairs[d.A], d.B), append(f.pairs[d.B], d.A)
	}
	changed := make([]changes, len(r.parts))
	quiet := r.said == r.from.Said
	for i := range r.parts {
		if err := r.changesOf(&r.parts[i], &changed[i]); err != nil {
			return err
		}
		quiet = quiet && len(changed[i].entries) == 0
	}
	if quiet {
		r.page.Cursor = nil // nothing differs
		groups := make([]*group, len(r.from.Questions))
		for i, q := range r.from.Questions {
			groups[i] = &group{asks: q}
		}
		return r.end(groups)
	}
	for i := range r.parts {
		if err := f.begin(i, &changed[i]); err != nil {
			return err
		}
	}
	for _, q := range r.from.Questions { // who waits is nowhere else
		f.look(q.Subject)
		for _, l := range q.Candidates {
			f.look(l.Name)
		}
	}
	if r.said != r.from.Said {
		if err := f.lookAtDecided(); err != nil {
			return err
		}
	}
	for len(f.next) > 0 {
		if err := f.step(); err != nil {
			return err
		}
	}
	groups, err := f.send()
	if err != nil {
		return err
	}
	for i := range r.parts {
		if err := f.pass(i, &changed[i]); err != nil {
			return err
		}
	}
	return r.end(groups)
}

// changes are what a contributor's journal names.
type changes struct{ entries []store.JournalEntry }

// changesOf reads a contributor's journal from where the last read was.
func (r *reading) changesOf(part *contributor, into *changes) error {
	after := r.from.Positions[part.String()]
	return r.in(part, func(tx store.Reader) error {
		first, last, err := tx.JournalBounds()
		if err != nil {
			return err
		}
		part.position = last
		if last == after {
			return nil
		}
		if after < first-1 || after > last {
			return r.expired("what changed in " + part.String() + " is remembered no longer")
		}
		type what struct {
			kind        directory.Kind
			num, member store.Num
		}
		seen := map[what]bool{}
		return tx.Journal(after, func(_ uint64, entries []store.JournalEntry) bool {
			for _, e := range entries {
				if of := (what{e.Kind, e.Num, e.Member}); e.Record == 0 && !seen[of] {
					seen[of] = true
					into.entries = append(into.entries, e)
				}
			}
			return true
		})
	})
}

// look puts somebody on the list of those to look at.
func (f *following) look(names ...string) {
	for _, name := range names {
		if !f.seen[name] {
			f.seen[name] = true
			f.next = append(f.next, name)
		}
	}
}

// begin looks at the people whom a journal names, and at what they were part of: some are gone by now.
func (f *following) begin(part int, c *changes) error {
	var nums []store.Num
	for _, e := range c.entries {
		if e.Kind == directory.Person {
			nums = append(nums, e.Num)
		}
	}
	for chunk := range slices.Chunk(nums, chunkOf) {
		handles := make([]string, len(chunk))
		for i, n := range chunk {
			handles[i] = f.parts[part].handle(n)
		}
		if err := f.lookAtMerged(handles); err != nil {
			return err
		}
		err := f.in(&f.parts[part], func(tx store.Reader) error {
			rows, objects, err := some(tx, directory.Person, chunk)
			for i := range rows {
				f.add(part, &rows[i], &objects[i])
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// add takes in somebody who is there.
func (f *following) add(part int, row *store.Row, o *directory.Object) {
	p := f.personOf(part, row, o)
	f.people[p.name] = p
	f.look(p.name)
}

// lookAtMerged looks at all parts of the merged people that state any of some handles.
func (f *following) lookAtMerged(handles []string) error {
	return f.view(f.ctx, func(tx store.Reader) error {
		list, err := f.mergedBy(tx, handles)
		for _, m := range list {
			f.stored[m.num] = true
			f.look(m.names...)
		}
		return err
	})
}

// lookAtDecided looks at everybody of whom somebody has ever decided something.
func (f *following) lookAtDecided() error {
	for name := range f.pairs {
		f.look(name)
	}
	// What was undone is no decision any longer.
	return f.view(f.ctx, func(tx store.Reader) error {
		return tx.Seen(decisionsName, func(chunk []byte) bool {
			if d := parseDecision(chunk); d != nil && d.A != "" {
				f.look(d.A, d.B)
			}
			return true
		})
	})
}

// step looks at those on the list: what they are, what they were part of, and who has an anchor in common with them.
func (f *following) step() error {
	names := f.next
	f.next = nil
	ids := make([][]string, len(f.parts))
	for _, name := range names {
		f.look(f.pairs[name]...)
		if f.people[name] == nil {
			if i, id := f.partOf(name); i >= 0 {
				ids[i] = append(ids[i], directory.IDHandle(id))
			}
		}
	}
	for i, handles := range ids {
		if len(handles) == 0 {
			continue
		}
		err := f.in(&f.parts[i], func(tx store.Reader) error {
			nums, err := tx.Lookup(handles, nil)
			if err != nil {
				return err
			}
			rows, objects, err := some(tx, directory.Person, nums)
			for n := range rows {
				f.add(i, &rows[n], &objects[n])
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	var handles []string
	for _, name := range names {
		handles = append(handles, partHandle(name))
		if p := f.people[name]; p != nil {
			for _, a := range p.anchors {
				if a != "" && !f.met[a] {
					f.met[a] = true
					handles = append(handles, a)
				}
			}
		}
	}
	for chunk := range slices.Chunk(handles, chunkOf) {
		if err := f.lookAtMerged(chunk); err != nil {
			return err
		}
	}
	return nil
}

// partOf finds the contributor whose object has a name; -1 when it is of none any more.
func (f *following) partOf(name string) (part int, id string) {
	part = -1
	for i := range f.parts {
		if rest, ok := strings.CutPrefix(name, f.parts[i].name+"/"); ok && (part < 0 || len(rest) < len(id)) {
			part, id = i, rest
		}
	}
	return part, id
}

// send emits those who were looked at as they are now, and says which merged people are no longer.
func (f *following) send() ([]*group, error) {
	var people []*person
	for _, p := range f.people {
		people = append(people, p)
	}
	groups, err := f.who(people)
	if err != nil {
		return nil, err
	}
	there := map[string]bool{}
	for _, g := range groups {
		there[g.key] = true
	}
	if err := f.reading.send(groups); err != nil {
		return nil, err
	}
	for n := range f.stored {
		if m := f.merged[n]; m != nil && !m.gone && !there[m.key] {
			f.page.Removed = append(f.page.Removed, directory.Ref{Kind: directory.Person, ID: m.key})
		}
	}
	slices.SortFunc(f.page.Removed, func(a, b directory.Ref) int { return strings.Compare(a.ID, b.ID) })
	return groups, f.flush(false)
}

// pass emits what else changed.
func (f *following) pass(part int, c *changes) error {
	for _, kind := range passedKinds() {
		var nums []store.Num
		for _, e := range c.entries {
			if e.Kind == kind && e.Member == 0 {
				nums = append(nums, e.Num)
			}
		}
		for chunk := range slices.Chunk(nums, f.pageSize) {
			if err := f.passSome(part, kind, chunk); err != nil {
				return err
			}
		}
	}
	return f.passMembers(part, c)
}

func (f *following) passSome(part int, kind directory.Kind, nums []store.Num) error {
	c := &f.parts[part]
	var gone []string
	err := f.in(c, func(tx store.Reader) error {
		rows, objects, err := some(tx, kind, nums)
		if err != nil {
			return err
		}
		there := map[store.Num]bool{}
		for i := range rows {
			there[rows[i].Num] = true
		}
		for _, n := range nums {
			if !there[n] {
				gone = append(gone, c.handle(n))
			}
		}
		f.page.Objects, err = c.passed(tx, rows, objects)
		if err == nil && kind == directory.Group {
			// A group that comes again has its list with it.
			f.page.Members, err = c.members(tx, rows, f.page.Objects)
		}
		return err
	})
	if err != nil {
		return err
	}
	err = f.view(f.ctx, func(tx store.Reader) error {
		nums, err := tx.Lookup(gone, nil)
		if err != nil {
			return err
		}
		owners, err := tx.Owners(nums, nil)
		if err != nil {
			return err
		}
		rows, err := tx.RowsOf(kind, owners, nil)
		for i := range rows {
			if rows[i].Num == 0 || rows[i].Gone != store.Here {
				continue
			}
			o, err := directory.ParseObject(rows[i].Data)
			if err != nil {
				return err
			}
			f.page.Removed = append(f.page.Removed, directory.Ref{Kind: kind, ID: o.ID})
		}
		return err
	})
	if err != nil {
		return err
	}
	return f.flush(false)
}

// passMembers emits the memberships that differ, as they are now.
func (f *following) passMembers(part int, c *changes) error {
	changed := map[store.Num][]store.Num{} // handles by group
	whole := map[store.Num]bool{}
	for _, e := range c.entries {
		if e.Member != 0 {
			changed[e.Num] = append(changed[e.Num], e.Member)
		} else if e.Kind == directory.Group {
			whole[e.Num] = true
		}
	}
	for group, handles := range changed {
		if whole[group] {
			continue // its list was sent
		}
		err := f.in(&f.parts[part], func(tx store.Reader) error {
			_, objects, err := some(tx, directory.Group, []store.Num{group})
			if err != nil || len(objects) == 0 {
				return err
			}
			in := map[store.Num]bool{}
			err = tx.GroupsOf(handles, func(handle, of store.Num) bool {
				in[handle] = in[handle] || of == group
				return true
			})
			m := connectors.Members{Group: f.parts[part].nameOf(objects[0].ID)}
			for _, h := range handles {
				if in[h] {
					m.Add = append(m.Add, f.parts[part].handle(h))
				} else {
					m.Remove = append(m.Remove, f.parts[part].handle(h))
				}
			}
			f.page.Members = append(f.page.Members, m)
			return err
		})
		if err != nil {
			return err
		}
	}
	return f.flush(false)
}
