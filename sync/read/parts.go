package read

import (
	"context"

	"github.com/RoaringBitmap/roaring/v2"

	"dirsyncd/connectors"
	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/relations"
)

// lookInGroups asks for the members of groups by another way (connectors.Page) where the parts of their lists lack somebody
// of before. It takes those out of the list who stay, and returns those who are there.
func (l *listing) lookInGroups(ctx context.Context, unlisted []unlistedMembers) (there map[store.Num]*roaring.Bitmap, err error) {
	if l.lookIn == nil {
		return nil, nil
	}
	there, asked := map[store.Num]*roaring.Bitmap{}, 0
	for i := range unlisted {
		u := &unlisted[i]
		if !u.parts {
			continue
		}
		gone, err := l.ofGone(ctx, u.handles)
		if err != nil {
			return nil, err
		}
		lacking, doubted := relations.Set(u.handles), roaring.New()
		if lacking.AndNot(gone); lacking.IsEmpty() {
			continue
		}
		var named *roaring.Bitmap
		if asked < connectors.MostLooks {
			asked++
			if named, err = l.listOfGroup(ctx, u.group); err != nil {
				return nil, err
			}
		}
		if named == nil {
			u.handles = relations.Nums(roaring.Or(gone, l.leftTwice(u.group, 0, lacking, doubted)))
			if !doubted.IsEmpty() {
				l.inDoubt.unlisted[u.group] = doubted
			}
			continue
		}
		u.handles = relations.Nums(roaring.Or(gone, roaring.AndNot(lacking, named)))
		if lacking.And(named); !lacking.IsEmpty() {
			there[u.group] = lacking
		}
	}
	return there, nil
}

// ofGone returns those of the handles whose people and groups are gone: nobody need ask why they are not listed.
func (l *listing) ofGone(ctx context.Context, handles []store.Num) (gone *roaring.Bitmap, err error) {
	err = l.State.View(ctx, func(tx store.Reader) error {
		gone = roaring.New()
		owners, err := tx.Owners(handles, nil)
		if err != nil {
			return err
		}
		for _, kind := range []directory.Kind{directory.Person, directory.Group} {
			rows, err := tx.RowsOf(kind, owners, nil)
			if err != nil {
				return err
			}
			for i := range rows {
				if rows[i].Num != 0 && rows[i].Gone.Proven() {
					gone.Add(uint32(handles[i]))
				}
			}
		}
		return nil
	})
	return gone, err
}

// listOfGroup asks for the members of one group; nil when they cannot be had.
func (l *listing) listOfGroup(ctx context.Context, group store.Num) (*roaring.Bitmap, error) {
	id := ""
	err := l.State.View(ctx, func(tx store.Reader) error {
		row, _, err := tx.Row(directory.Group, group)
		if err != nil {
			return err
		}
		o, err := l.parse(&row)
		if err == nil && o != nil {
			id = o.ID
		}
		return err
	})
	if err != nil || id == "" {
		return nil, err
	}
	handles, failed := l.lookIn(ctx, id)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if failed != nil {
		l.Log.Debug("the members of a group cannot be listed by themselves", "stream", l.stream.Name, "err", failed)
		return nil, nil
	}
	named := roaring.New()
	err = l.State.View(ctx, func(tx store.Reader) error {
		nums, err := tx.Lookup(handles, nil)
		for _, n := range nums {
			named.Add(uint32(n))
		}
		return err
	})
	return named, err
}

// tellLeftOut tells of members whom the source left out and has. Others may be missing, too: the next run reads in full,
// unless the same are missing again.
func (l *listing) tellLeftOut(there map[store.Num]*roaring.Bitmap) {
	if len(there) == 0 {
		return
	}
	again, members := true, 0
	for group, handles := range there {
		before := l.missed.unlisted[group]
		again = again && before != nil && roaring.AndNot(handles, before).IsEmpty()
		members += int(handles.GetCardinality())
		l.inDoubt.unlisted[group] = handles
	}
	l.found.Doubtful = true
	if l.stream.Delta && !again {
		l.found.Unproven = l.stream.Name + ": members were left out"
	}
	l.note("%s: the source left out %s of %s that it has: asked for by themselves they are still there, and they stay",
		l.stream.Name, counted(members, "membership", "memberships"), counted(len(there), "group", "groups"))
}
