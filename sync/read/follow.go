package read

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/patience"
	"dirsyncd/sync/relations"
)

const (
	// followRounds is how often a read follows moves that it hears of while it follows others.
	followRounds = 3
	// rewriting is how long a source may take to rewrite what refers to somebody who was renamed (OpenLDAP's refint works
	// after the answer). A read that comes upon a reference which leads nowhere since the rename waits so long, once.
	rewriting = time.Second
	// rewritten is after how long a source is done with it for certain: a move is followed by every read until one that
	// begins so long after it was noted.
	rewritten = time.Minute
	// manyReferrers is how many stored objects are asked for one by one.
	manyReferrers = 10_000
)

// follow reads again what refers to whoever was renamed, moved or deleted, in the streams that told only what changed:
// those that were read in full have it.
func (m *moves) follow(ctx context.Context, t *Task, found *Result, told []connectors.Stream) error {
	todo := slices.DeleteFunc(append(slices.Clone(m.before), m.now...), func(d move) bool { return d.Followed && t.Began.Sub(d.At) < rewritten })
	if err := m.followAll(ctx, t, found, told, todo); err != nil {
		return err
	}
	late, err := m.leadNowhere(ctx, t)
	if err != nil {
		return err
	}
	if len(late) > 0 && len(told) > 0 {
		patience.Waits(ctx)
		if err := t.Sleep(ctx, rewriting); err != nil {
			return err
		}
		if err := m.followAll(ctx, t, found, told, []move{{Others: late}}); err != nil {
			return err
		}
	}
	if err := m.close(ctx, t, found); err != nil {
		return err
	}
	return m.forget(ctx, t)
}

// close reads once more what changed when somebody entered a group who is not known: he was renamed, or came, after the
// stream of people had been read and before that of groups was. Nobody loses anything by a read that came in between.
func (m *moves) close(ctx context.Context, t *Task, found *Result) error {
	strangers, err := m.strangers(ctx, t)
	if err != nil || !strangers {
		return err
	}
	again, err := t.told(ctx)
	if err != nil {
		return err
	}
	heard := len(m.now)
	for _, s := range again {
		if _, err := readStream(ctx, t, found, s, m, manner{changes: true}); err != nil {
			return err
		}
	}
	return m.followAll(ctx, t, found, again, slices.Clone(m.now[heard:]))
}

// strangers reports whether somebody entered a group who is nobody that is known to be there.
func (m *moves) strangers(ctx context.Context, t *Task) (yes bool, err error) {
	if len(m.entered) == 0 || len(m.entered) > manyMoves || m.first {
		return false, nil
	}
	err = t.State.View(ctx, func(tx store.Reader) error {
		owners, err := tx.Owners(m.entered, nil)
		if err != nil {
			return err
		}
		here := 0
		for _, kind := range []directory.Kind{directory.Person, directory.Group, directory.Device} {
			rows, err := tx.RowsOf(kind, owners, nil)
			if err != nil {
				return err
			}
			for i := range rows {
				if rows[i].Num != 0 && rows[i].Gone == store.Here {
					here++
				}
			}
		}
		yes = here < len(owners)
		return nil
	})
	return yes, err
}

// followAll follows moves, and those of which it hears on the way.
func (m *moves) followAll(ctx context.Context, t *Task, found *Result, told []connectors.Stream, todo []move) error {
	for range followRounds {
		if len(todo) == 0 || len(told) == 0 {
			return nil
		}
		heard := len(m.now)
		ask, err := m.questions(ctx, t, told, todo)
		if err != nil {
			return err
		}
		for i, s := range told {
			if ask[i].full {
				t.note("%s: so many were renamed, moved or deleted that what refers to them is read in full", s.Name)
			}
			if !ask[i].full && len(ask[i].handles)+len(ask[i].ids) == 0 {
				continue
			}
			if _, err := readStream(ctx, t, found, s, m, ask[i]); err != nil {
				return err
			}
		}
		todo = slices.Clone(m.now[heard:])
	}
	return nil
}

// questions says what to read in each stream to follow moves.
func (m *moves) questions(ctx context.Context, t *Task, told []connectors.Stream, todo []move) ([]manner, error) {
	ask := make([]manner, len(told))
	var handles []string
	var members []directory.Ref
	many := false
	for _, d := range todo {
		handles, members, many = append(append(handles, d.Left...), d.Others...), append(members, d.Members...), many || d.Many
	}
	if many {
		for i := range ask {
			ask[i].full = true
		}
		return ask, nil
	}
	handles = sortedOnce(handles)
	var ids map[directory.Kind][]string
	err := t.State.View(ctx, func(tx store.Reader) (err error) {
		ids, err = referrers(tx, handles)
		return err
	})
	if err != nil {
		return nil, err
	}
	for i, s := range told {
		var own []string
		for _, kind := range s.Kinds {
			own = append(own, ids[kind]...)
		}
		for _, ref := range members {
			if s.Derived && slices.Contains(s.Kinds, ref.Kind) {
				own = append(own, ref.ID)
			}
		}
		ask[i] = manner{handles: handles, ids: sortedOnce(own)}
		if len(ask[i].ids) > manyReferrers {
			ask[i] = manner{full: true}
		}
	}
	return ask, nil
}

func sortedOnce(list []string) []string {
	slices.Sort(list)
	return slices.Compact(list)
}

// referrers lists the stored objects that refer to one of some handles, by their ids.
func referrers(tx store.Reader, handles []string) (map[directory.Kind][]string, error) {
	nums, err := tx.Lookup(handles, nil)
	if err != nil {
		return nil, err
	}
	by := map[directory.Kind][]store.Num{}
	if err := tx.GroupsOf(nums, func(_, g store.Num) bool { by[directory.Group] = append(by[directory.Group], g); return true }); err != nil {
		return nil, err
	}
	for _, link := range directory.LinkTypes() {
		err := relations.Referrers(tx, link, nums, func(_, n store.Num) {
			for _, kind := range link.From() {
				by[kind] = append(by[kind], n) // those of another kind are not found under it
			}
		})
		if err != nil {
			return nil, err
		}
	}
	ids := map[directory.Kind][]string{}
	for kind, list := range by {
		slices.Sort(list)
		objects, err := relations.Load(tx, kind, slices.Compact(list))
		if err != nil {
			return nil, err
		}
		for i := range objects {
			if objects[i].Here() {
				ids[kind] = append(ids[kind], objects[i].ID)
			}
		}
	}
	return ids, nil
}

// leadNowhere lists the handles that this read saw somebody give up, that others still refer to, and that are nobody's.
func (m *moves) leadNowhere(ctx context.Context, t *Task) (late []string, err error) {
	var left []string
	for _, d := range m.now {
		left = append(left, d.Left...)
	}
	if left = sortedOnce(left); len(left) == 0 {
		return nil, nil
	}
	err = t.State.View(ctx, func(tx store.Reader) error {
		late = nil
		nums, err := tx.Lookup(left, nil)
		if err != nil {
			return err
		}
		owners, err := tx.Owners(nums, nil)
		if err != nil {
			return err
		}
		nobodys := map[store.Num]string{}
		for i, n := range nums {
			if n != 0 && owners[i] == n {
				nobodys[n] = left[i]
			}
		}
		use := func(h, _ store.Num) bool {
			if nobodys[h] != "" {
				late = append(late, nobodys[h])
			}
			return true
		}
		if err := tx.GroupsOf(nums, use); err != nil {
			return err
		}
		for _, link := range directory.LinkTypes() {
			if err := relations.Referrers(tx, link, nums, func(h, n store.Num) { use(h, n) }); err != nil {
				return err
			}
		}
		return nil
	})
	return sortedOnce(late), err
}

// forget drops the moves that were followed for the last time.
func (m *moves) forget(ctx context.Context, t *Task) error {
	all := append(slices.Clone(m.before), m.now...)
	keep := slices.DeleteFunc(slices.Clone(all), func(d move) bool { return t.Began.Sub(d.At) >= rewritten })
	if i := slices.IndexFunc(keep, func(d move) bool { return d.Many }); i >= 0 {
		keep = []move{{At: keep[len(keep)-1].At, Many: true, Followed: true}} // it stands for all
	}
	if len(keep) == len(all) && (len(keep) == 0 || keep[0].Followed == all[0].Followed) {
		return nil
	}
	return t.State.Update(ctx, func(tx store.Writer) error {
		if err := tx.ClearSeen(movesName); err != nil {
			return err
		}
		for _, d := range keep {
			data, err := json.Marshal(d)
			if err != nil {
				return err
			}
			if err := tx.AppendSeen(movesName, data); err != nil {
				return err
			}
		}
		return nil
	})
}
