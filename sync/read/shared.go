package read

import (
	"context"
	"strings"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/relations"
)

// noteShared remembers the handles of a page's objects that others state, too.
func (l *listing) noteShared(tx store.Reader, d *pageDiff) error {
	var handles []store.Num
	for i := range l.rows {
		handles = append(handles, l.rows[i].Handles...)
	}
	if len(handles) == 0 {
		return nil
	}
	return tx.Contestants(handles, func(handle, _ store.Num) bool { d.shared = append(d.shared, handle); return true })
}

// sharedBy returns the names and numbers of objects that others state, too.
func sharedBy(tx store.Reader, objects []*directory.Object) (shared []store.Num, err error) {
	var texts []string
	for _, o := range objects {
		if o == nil {
			continue
		}
		for _, h := range o.Handles {
			if directory.IsNameHandle(h) || directory.IsNumberHandle(h) {
				texts = append(texts, h)
			}
		}
	}
	if len(texts) == 0 {
		return nil, nil
	}
	handles, err := tx.Lookup(texts, make([]store.Num, 0, len(texts)))
	if err != nil {
		return nil, err
	}
	err = tx.Contestants(handles, func(handle, _ store.Num) bool { shared = append(shared, handle); return true })
	return shared, err
}

// namedAtOnce is how many names that several objects have are told of one by one.
const namedAtOnce = 3

// tellShared tells of names and numbers that several of the objects that were read have. Ids stand for them: what the
// operator is told is also logged.
func (l *listing) tellShared(ctx context.Context) error {
	if len(l.shared) == 0 {
		return nil
	}
	for _, kind := range l.stream.Kinds {
		var shared [][]string
		err := l.State.View(ctx, func(tx store.Reader) (err error) {
			shared, err = relations.Shared(tx, kind, l.shared)
			return err
		})
		if err != nil {
			return err
		}
		if len(shared) == 0 {
			continue
		}
		var who []string
		for i, ids := range shared {
			if i == namedAtOnce {
				who = append(who, "and others")
				break
			}
			who = append(who, strings.Join(ids[:min(len(ids), namedAtOnce)], " and "))
		}
		if kind == directory.Group {
			l.note("%s: %s not unique, groups have the same: %s; whoever has one as primary group is in all of them",
				l.stream.Name, counted(len(shared), "group number is", "group numbers are"), strings.Join(who, "; "))
		} else {
			l.note("%s: %s not unique, people have the same: %s; a group that lists members by it means whom it meant before, or else nobody",
				l.stream.Name, counted(len(shared), "log-in name is", "log-in names are"), strings.Join(who, "; "))
		}
	}
	return nil
}
