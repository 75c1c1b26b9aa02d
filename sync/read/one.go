package read

import (
	"context"
	"errors"
	"slices"

	"dirsyncd/connectors"
	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/patience"
)

// One reads one person by the id, and what refers to a name that the person gave up. Everybody else, the groups, and the cursors
// stay as they are stored. The person counts as gone when the source says so in words that it has for nothing else; that it merely
// does not name the person removes nobody. It reports whether the source said anything.
func One(ctx context.Context, t *Task, found *Result, id string) (said bool, err error) {
	m, err := openMoves(ctx, t)
	if err != nil {
		return false, err
	}
	i := slices.IndexFunc(t.Streams, func(s connectors.Stream) bool { return slices.Contains(s.Kinds, directory.Person) })
	if i < 0 || !t.Streams[i].ByID {
		return false, errNotByID
	}
	if _, err := readStream(ctx, t, found, t.Streams[i], m, manner{ids: []string{id}, byID: true}); err != nil {
		return false, err
	}
	told, err := t.told(ctx)
	if err != nil {
		return false, err
	}
	if err := m.followOne(ctx, t, found, told); err != nil {
		return false, err
	}
	return len(found.Named) > 0, nil
}

var errNotByID = &fault.Error{Class: fault.Configuration, Op: "read one person", Err: errors.New("this source cannot be asked for one person"),
	Hint: "`dirsyncd sync` with the connection alone reads what changed, or all that there is"}

// told are the streams in which what refers to somebody can be asked for.
func (t *Task) told(ctx context.Context) (told []connectors.Stream, err error) {
	err = t.State.View(ctx, func(tx store.Reader) error {
		told = nil
		for _, s := range t.Streams {
			position, err := tx.Stream(s.Name)
			if err != nil {
				return err
			}
			if s.Delta && s.Rewritten != "" && len(position.Cursor) > 0 {
				told = append(told, s)
			}
		}
		return nil
	})
	return told, err
}

// followOne reads again what refers to somebody who was renamed, moved or deleted. The next read follows once more, as it does
// after every one.
func (m *moves) followOne(ctx context.Context, t *Task, found *Result, told []connectors.Stream) error {
	if err := m.followAll(ctx, t, found, told, slices.Clone(m.now)); err != nil {
		return err
	}
	late, err := m.leadNowhere(ctx, t)
	if err != nil || len(late) == 0 || len(told) == 0 {
		return err
	}
	patience.Waits(ctx)
	if err := t.Sleep(ctx, rewriting); err != nil {
		return err
	}
	return m.followAll(ctx, t, found, told, []move{{Others: late}})
}

// nameAll notes of whom a page says something.
func (l *listing) nameAll(p *connectors.Page) {
	for i := range p.Objects {
		l.found.Named = append(l.found.Named, directory.Ref{Kind: p.Objects[i].Kind, ID: p.Objects[i].ID})
	}
	l.found.Named = append(l.found.Named, p.Removed...)
	for _, bad := range p.Invalid {
		l.found.Named = append(l.found.Named, directory.Ref{Kind: bad.Kind, ID: bad.ID})
	}
}
