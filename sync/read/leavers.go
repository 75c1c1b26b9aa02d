package read

import (
	"context"
	"slices"

	"github.com/RoaringBitmap/roaring/v2"

	"dirsyncd/connectors"
	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/relations"
)

// askForLeavers asks for people whom a whole list of members in an incremental read does not name and that may be short
// (connectors.Page): who is in the group all the same is put back, and who is not has left, by two answers. Whom there is
// no asking for is in doubt (doubt.go).
func (l *listing) askForLeavers(ctx context.Context, p *connectors.Page) error {
	if l.mode != connectors.Delta {
		return nil
	}
	for i := range p.Members {
		m := &p.Members[i]
		if !m.Whole || !m.MayBeShort || p.LookMembersOf == nil {
			continue
		}
		ids, gone, err := l.leaversOf(ctx, m)
		if err != nil {
			return err
		}
		m.Remove = append(m.Remove, gone...)
		ids = ids[:min(len(ids), connectors.MostLooks-l.leavers.asked)]
		if len(ids) == 0 {
			continue
		}
		l.leavers.asked += len(ids)
		there, failed := p.LookMembersOf(ctx, m.Group, ids)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if failed != nil {
			l.Log.Debug("members cannot be asked for one by one", "stream", l.stream.Name, "err", failed)
		}
		for _, id := range ids {
			switch {
			case slices.Contains(there, id):
				m.Add = append(m.Add, directory.IDHandle(id))
				l.leavers.there++
			case failed == nil:
				m.Remove = append(m.Remove, directory.IDHandle(id))
			}
		}
	}
	if p.Proof != nil && l.leavers.there > 0 {
		l.found.Doubtful, l.found.Unproven = true, l.stream.Name+": members were left out"
		l.note("%s: the source left out %s that it has: asked for by themselves they are still there, and they stay",
			l.stream.Name, counted(l.leavers.there, "membership", "memberships"))
	}
	return nil
}

// leavers counts the people of groups who were asked for, and those who were there.
type leavers struct{ asked, there int }

// leaversOf returns the ids of the people who are stored as members of a group and whom the list neither names nor says to
// have left, and the handles of those of them who are gone altogether.
func (l *listing) leaversOf(ctx context.Context, m *connectors.Members) (ids, gone []string, err error) {
	err = l.State.View(ctx, func(tx store.Reader) error {
		ids, gone = nil, nil
		groups, err := tx.Lookup([]string{directory.IDHandle(m.Group)}, nil)
		if err != nil || groups[0] == 0 {
			return err
		}
		if stored, err := tx.MemberDigest(groups[0]); err != nil || stored == digestOf(m.Add) {
			return err
		}
		named, err := tx.Lookup(slices.Concat(m.Add, m.Remove), nil)
		if err != nil {
			return err
		}
		have := roaring.New()
		if err := tx.Members(groups[0], func(h store.Num) bool { have.Add(uint32(h)); return true }); err != nil {
			return err
		}
		for _, n := range named {
			have.Remove(uint32(n))
		}
		owners, err := tx.Owners(relations.Nums(have), nil)
		if err != nil {
			return err
		}
		rows, err := tx.RowsOf(directory.Person, owners, nil)
		for i := range rows {
			if rows[i].Num == 0 {
				continue
			}
			o, err := l.parse(&rows[i])
			if err != nil {
				return err
			}
			if rows[i].Gone.Proven() {
				gone = append(gone, directory.IDHandle(o.ID))
			} else {
				ids = append(ids, o.ID)
			}
		}
		return err
	})
	return ids, gone, err
}
