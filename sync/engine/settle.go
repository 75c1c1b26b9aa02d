package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/RoaringBitmap/roaring/v2"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

// settle makes records of what is dirty. It goes over the work twice: the first pass only counts, so that the
// guard sees the whole plan before the first action is stored; the second one, which is the same pure function
// of the same input, stores. Nothing of a plan needs to fit in memory for that.
func (r *run) settle(ctx context.Context) error {
	s, err := r.collect(ctx)
	if err != nil {
		return err
	}
	held, err := s.consider(ctx)
	if err != nil {
		return err
	}
	if held != nil {
		r.rec.Held = held.Hash
		if !held.RemovalsOnly {
			r.counts = s.drafted.counts
			return r.hold(ctx, held)
		}
	}
	// Whose absence is not proven is left alone unless the operator says so, even when nothing would follow now.
	s.keepUnproven = !s.approved
	if err := s.apply(ctx); err != nil {
		return err
	}
	return s.close(ctx, held)
}

// settlement is the settling part of a run.
type settlement struct {
	*run
	hash string // of the rules
	// look is what to look at, by kind and number.
	look [directory.Customer + 1]*roaring.Bitmap
	// vanished: groups are gone without proof, or all their members are. Everything that follows waits.
	vanished bool
	// keepUnproven leaves those alone whose absence is not proven.
	keepUnproven bool
	approved     bool
	removalsOnly bool // what was approved
	// left are groups that are left alone for now; their marks stay.
	left         *roaring.Bitmap
	surroundings *surroundings
	activity     activity
	drafted      *draft
}

// collect works out whom to look at: what is dirty, everybody whom that touches, and everybody there is when
// the rules are not those with which the records were made.
func (r *run) collect(ctx context.Context) (*settlement, error) {
	s := &settlement{run: r, hash: r.conn.Rules.Hash(), left: roaring.New()}
	for kind := range s.look {
		s.look[kind] = roaring.New()
	}
	uses := r.conn.Rules.Uses()
	s.surroundings = newSurroundings(r, uses)
	err := r.view(ctx, func(tx store.Reader) error {
		if err := s.mustBeComplete(tx); err != nil {
			return err
		}
		if err := s.findVanished(tx); err != nil {
			return err
		}
		if s.hash == r.state.RulesHash {
			return s.addDirty(tx)
		}
		return nil
	})
	if err == nil && s.hash != r.state.RulesHash {
		err = s.addAll(ctx)
	}
	return s, err
}

// mustBeComplete refuses to settle from a store that never held everything, or that holds half of what a read which
// broke off would have brought: rules that look at groups which have not been read yet would make wrong records. An
// operator who approves has seen what follows.
func (s *settlement) mustBeComplete(tx store.Reader) error {
	if s.state.HalfRead && s.job.Offline && s.job.Approve == "" {
		return &fault.Error{Class: fault.Conflict, Op: "settle", Where: s.part.String(),
			Err:  errors.New("the last read broke off half-way, so what is stored is of two times"),
			Hint: "nothing was changed; the next run that can read the source goes on from there, or `dirsyncd sync` now"}
	}
	for _, stream := range s.streams() {
		state, err := tx.Stream(stream.Name)
		if err != nil {
			return err
		}
		if state.Complete.IsZero() {
			return &fault.Error{Class: fault.Conflict, Op: "settle", Where: stream.Name,
				Err: fmt.Errorf("%s of %s were never read to the end", stream.Name, s.part), Hint: "run `dirsyncd sync` first"}
		}
	}
	return nil
}

// findVanished looks for groups, memberships and licences that are gone without proof, and by which rules tell
// people apart.
func (s *settlement) findVanished(tx store.Reader) error {
	for _, stream := range s.streams() {
		state, err := tx.Stream(stream.Name)
		if err != nil {
			return err
		}
		telling := slices.ContainsFunc(stream.Kinds, s.tellsApart)
		s.vanished = s.vanished || state.Emptied || (state.NewScope != "" && telling)
	}
	for _, kind := range directory.Kinds() {
		if !s.tellsApart(kind) {
			continue
		}
		err := tx.Dirty(kind, 0, func(n store.Num, _ store.DirtyReason) bool {
			row, ok, err := tx.Row(kind, n)
			if err == nil && ok && row.Gone != store.Here && !row.Gone.Proven() {
				s.vanished = true
			}
			return !s.vanished
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// tellsApart reports whether objects of a kind decide what people become.
func (s *settlement) tellsApart(kind directory.Kind) bool {
	uses := &s.surroundings.uses
	return kind == directory.Group || kind == directory.Licence && uses.Licences || kind == directory.Person && (uses.Manager || uses.Owner)
}

// addAll adds everything there is.
func (s *settlement) addAll(ctx context.Context) error {
	for _, kind := range directory.Kinds() {
		if err := s.eachRow(ctx, kind, func(row store.Row) { s.look[kind].Add(uint32(row.Num)) }); err != nil {
			return err
		}
	}
	return s.view(ctx, func(tx store.Reader) error { return s.addMarks(tx, func(directory.Kind, store.Num) {}) })
}

// addMarks adds what has a dirty mark, and calls others for what people point to and must be looked at for.
func (s *settlement) addMarks(tx store.Reader, others func(directory.Kind, store.Num)) error {
	for _, kind := range directory.Kinds() {
		err := tx.Dirty(kind, 0, func(n store.Num, why store.DirtyReason) bool {
			s.look[kind].Add(uint32(n))
			if why&(store.Changed|store.Regrouped) != 0 {
				others(kind, n)
			}
			return true
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// addDirty adds the dirty ones and, as far as the rules look at it, those whom they touch: people below a
// group that changed, people whose manager changed, holders of a licence that changed, devices whose owner did.
func (s *settlement) addDirty(tx store.Reader) error {
	var groups, licences []store.Num
	err := s.addMarks(tx, func(kind directory.Kind, n store.Num) {
		switch kind {
		case directory.Group:
			groups = append(groups, n)
		case directory.Licence:
			licences = append(licences, n)
		}
	})
	if err != nil {
		return err
	}
	people, uses := s.look[directory.Person], s.surroundings.uses
	changed := nums(people)
	if uses.Manager {
		if err := s.surroundings.addReferrers(tx, directory.Person, changed, directory.Manager, people); err != nil {
			return err
		}
	}
	if uses.Owner {
		if err := s.surroundings.addReferrers(tx, directory.Person, changed, directory.Owner, s.look[directory.Device]); err != nil {
			return err
		}
	}
	if uses.Licences {
		if err := s.surroundings.addReferrers(tx, directory.Licence, licences, directory.Holds, people); err != nil {
			return err
		}
	}
	if uses.Groups {
		return s.surroundings.addBelow(tx, groups, people)
	}
	return nil
}

// apply is the second pass.
func (s *settlement) apply(ctx context.Context) error {
	if err := s.introduceTargets(ctx); err != nil {
		return err
	}
	if err := s.state.update(ctx, nil, settling(s.hash, s.conn.Targets)); err != nil {
		return err
	}
	return s.pass(ctx, func(ctx context.Context, b *batch) error {
		if err := s.commit(ctx, b); err != nil {
			return err
		}
		for i := range b.outcomes {
			for _, step := range b.outcomes[i].steps {
				if step.Action != nil {
					s.counts.Add(step.Action.Kind, step.Action.Op)
				}
			}
		}
		return nil
	})
}

// close clears what has no outcome of its own and says with which rules everything was settled.
func (s *settlement) close(ctx context.Context, held *store.HeldPlan) error {
	var write func(store.Writer) error
	groups := roaring.AndNot(s.look[directory.Group], s.left)
	if !groups.IsEmpty() || s.approved {
		write = func(tx store.Writer) error {
			if err := tx.ClearDirty(directory.Group, nums(groups)); err != nil || !s.approved {
				return err
			}
			return s.acceptScopes(tx)
		}
	}
	return s.state.update(ctx, write, settled(s.hash, &s.tenant, s.conn.Targets), holds(held))
}

// acceptScopes makes what the operator approved the measure of later reads.
func (s *settlement) acceptScopes(tx store.Writer) error {
	for _, stream := range s.streams() {
		state, err := tx.Stream(stream.Name)
		if err != nil {
			return err
		}
		if state.NewScope == "" && !state.Emptied {
			continue
		}
		if state.NewScope != "" {
			state.Scope, state.NewScope = state.NewScope, ""
		}
		state.Emptied = false
		if err := tx.PutStream(stream.Name, state); err != nil {
			return err
		}
	}
	return nil
}
