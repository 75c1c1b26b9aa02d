package read

import (
	"strings"

	"dirsyncd/connectors"
	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/directory/dn"
)

// spellings are the ids of the stored objects of one kind, by what is the same in all spellings of an id.
type spellings map[string]spelling

type spelling struct {
	id   string
	here bool
}

// keepSpelling gives objects whose id the source spells in another way than before the id under which they are stored.
func (l *listing) keepSpelling(tx store.Reader, p *connectors.Page) error {
	if !p.FoldedIDs {
		return nil
	}
	for _, kind := range l.stream.Kinds {
		var ids []*string
		for i := range p.Objects {
			if p.Objects[i].Kind == kind {
				ids = append(ids, &p.Objects[i].ID)
			}
		}
		for i := range p.Removed {
			if p.Removed[i].Kind == kind {
				ids = append(ids, &p.Removed[i].ID)
			}
		}
		for i := range p.Invalid {
			if p.Invalid[i].Kind == kind && p.Invalid[i].ID != "" {
				ids = append(ids, &p.Invalid[i].ID)
			}
		}
		if kind == directory.Group {
			for i := range p.Members {
				ids = append(ids, &p.Members[i].Group)
			}
		}
		if err := l.respell(tx, kind, ids); err != nil {
			return err
		}
	}
	return nil
}

func (l *listing) respell(tx store.Reader, kind directory.Kind, ids []*string) error {
	handles := make([]string, len(ids))
	for i := range ids {
		handles[i] = directory.IDHandle(*ids[i])
	}
	nums, err := tx.Lookup(handles, make([]store.Num, 0, len(handles)))
	if err != nil {
		return err
	}
	rows, err := tx.RowsOf(kind, nums, make([]store.Row, 0, len(nums)))
	if err != nil {
		return err
	}
	for i := range ids {
		if rows[i].Num != 0 && rows[i].Gone == store.Here {
			continue // as it was
		}
		known, err := l.spelledIDs(tx, kind)
		if err != nil {
			return err
		}
		folded := foldID(*ids[i])
		if as, ok := known[folded]; ok {
			*ids[i] = as.id
		} else {
			known[folded] = spelling{*ids[i], true}
		}
	}
	return nil
}

// spelledIDs reads the ids of all stored objects of a kind, once per read, and only when an id came that is not stored.
func (l *listing) spelledIDs(tx store.Reader, kind directory.Kind) (spellings, error) {
	if known := l.spelled[kind]; known != nil {
		return known, nil
	}
	known := spellings{}
	var failed error
	err := tx.Rows(kind, 0, func(row store.Row) bool {
		var o directory.Object
		if o, failed = row.Object("read " + l.stream.Name); failed != nil {
			return false
		}
		folded, here := foldID(o.ID), row.Gone == store.Here
		if as, ok := known[folded]; !ok || here && !as.here {
			known[folded] = spelling{o.ID, here}
		}
		return true
	})
	if err == nil {
		err = failed
	}
	if err != nil {
		return nil, err
	}
	if l.spelled == nil {
		l.spelled = map[directory.Kind]spellings{}
	}
	l.spelled[kind] = known
	return known, nil
}

// foldID is what all spellings of an id have in common: see connectors.Page.
func foldID(id string) string {
	return string(dn.AppendFolded(nil, strings.Join(strings.Fields(id), " ")))
}
