package settle

import (
	"context"
	"fmt"
	"slices"

	"github.com/RoaringBitmap/roaring/v2"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/relations"
)

// rowsAtOnce is of how many objects the rows are looked at in one call.
const rowsAtOnce = 8 * Chunk

// mustBeComplete refuses to settle from a store that never held everything: rules that look at groups which have not
// been read yet would make wrong records.
func (s *Settlement) mustBeComplete(tx store.Reader) error {
	for _, stream := range s.Streams {
		state, err := tx.Stream(stream.Name)
		if err != nil {
			return err
		}
		if state.Complete.IsZero() {
			return &fault.Error{Class: fault.Conflict, Op: "settle", Where: stream.Name,
				Err: fmt.Errorf("%s of %s were never read to the end", stream.Name, s.Partition), Hint: "run `dirsyncd sync` first"}
		}
	}
	return nil
}

// checkBasis looks for groups, memberships and licences that are gone without proof, and by which rules tell
// people apart.
func (s *Settlement) checkBasis(tx store.Reader) error {
	for _, stream := range s.Streams {
		state, err := tx.Stream(stream.Name)
		if err != nil {
			return err
		}
		if state.Emptied {
			s.basis = append(s.basis, "take everybody out of their groups: "+stream.Name+" came without a single member")
		}
		if state.NewScope != "" && slices.ContainsFunc(stream.Kinds, s.decidesPeople) {
			s.basis = append(s.basis, "follow from an edited scope of "+stream.Name+": what is missing may only be out of sight, and the rules look at it")
		}
	}
	for _, kind := range directory.Kinds() {
		if len(s.basis) > 0 || !s.decidesPeople(kind) {
			continue
		}
		var marked []store.Num
		err := tx.Dirty(kind, 0, func(n store.Num, _ store.DirtyReason) bool { marked = append(marked, n); return true })
		if err != nil {
			return err
		}
		for chunk := range slices.Chunk(marked, Chunk) {
			rows, err := tx.RowsOf(kind, chunk, nil)
			if err != nil {
				return err
			}
			if slices.ContainsFunc(rows, func(r store.Row) bool { return r.Gone != store.Here && !r.Gone.Proven() }) {
				s.basis = []string{"go by what is left of the " + plural(kind) + ": some are missing without proof that they are gone, and the rules look at them"}
				break
			}
		}
	}
	return nil
}

// plural is a kind in a sentence.
func plural(kind directory.Kind) string {
	if kind == directory.Person {
		return "people"
	}
	return kind.String() + "s"
}

// lookedAt returns the type of the links that lead to managers, to customers or to sites, and of which kinds of object the
// rules follow them; nothing for other kinds.
func (s *Settlement) lookedAt(kind directory.Kind) (directory.LinkType, [directory.Site + 1]bool) {
	switch kind {
	case directory.Person:
		return directory.Manager, s.uses.Manager
	case directory.Customer:
		return directory.OfCustomer, s.uses.Customer
	case directory.Site:
		return directory.AtSite, s.uses.Site
	default:
		return 0, [directory.Site + 1]bool{}
	}
}

// decidesPeople reports whether objects of a kind decide what people, or others that rules look at them for, become.
func (s *Settlement) decidesPeople(kind directory.Kind) bool {
	switch kind {
	case directory.Group:
		return true
	case directory.Licence:
		return s.uses.Licences
	case directory.Person:
		return s.uses.Owner || slices.Contains(s.uses.Manager[:], true)
	default:
		_, looked := s.lookedAt(kind)
		return slices.Contains(looked[:], true)
	}
}

// addAll adds everything there is.
func (s *Settlement) addAll(ctx context.Context) error {
	if err := s.addDeactivated(ctx); err != nil {
		return err
	}
	for _, kind := range directory.Kinds() {
		err := store.EachRow(ctx, s.State.View, kind, func(row store.Row) { s.worklist[kind].Add(uint32(row.Num)) })
		if err != nil {
			return err
		}
	}
	return s.State.View(ctx, func(tx store.Reader) error {
		if err := s.addDue(tx, ever()); err != nil {
			return err
		}
		return s.addMarks(tx, func(directory.Kind, store.Num) {})
	})
}

// addMarks adds what has a dirty mark, and calls others for what people point to and must be looked at for.
func (s *Settlement) addMarks(tx store.Reader, others func(directory.Kind, store.Num)) error {
	for _, kind := range directory.Kinds() {
		err := tx.Dirty(kind, 0, func(n store.Num, why store.DirtyReason) bool {
			s.worklist[kind].Add(uint32(n))
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
// group that changed, people whose manager changed, holders of a licence that changed, devices whose owner did, and
// whoever belongs to a customer or a site that changed.
func (s *Settlement) addDirty(tx store.Reader) error {
	var groups, licences []store.Num
	places := map[directory.Kind][]store.Num{}
	err := s.addMarks(tx, func(kind directory.Kind, n store.Num) {
		switch kind {
		case directory.Group:
			groups = append(groups, n)
		case directory.Licence:
			licences = append(licences, n)
		case directory.Customer, directory.Site:
			places[kind] = append(places[kind], n)
		}
	})
	if err != nil {
		return err
	}
	people := s.worklist[directory.Person]
	changed := relations.Nums(people)
	if err := s.addBelonging(tx, directory.Person, changed); err != nil {
		return err
	}
	if s.uses.Owner {
		if err := addReferrers(tx, directory.Person, changed, directory.Owner, s.worklist[directory.Device]); err != nil {
			return err
		}
	}
	if s.uses.Licences {
		if err := addReferrers(tx, directory.Licence, licences, directory.Holds, people); err != nil {
			return err
		}
	}
	for _, kind := range []directory.Kind{directory.Customer, directory.Site} {
		if err := s.addBelonging(tx, kind, places[kind]); err != nil {
			return err
		}
	}
	if !s.uses.Groups {
		return nil
	}
	for chunk := range slices.Chunk(groups, Chunk) {
		tree, err := relations.Below(tx, chunk)
		if err != nil {
			return err
		}
		tree.AddEverybody(people)
	}
	if s.uses.OwnerGroups {
		return addReferrers(tx, directory.Person, relations.Nums(people), directory.Owner, s.worklist[directory.Device])
	}
	return nil
}

// addBelonging adds whoever is managed by some people, or belongs to some customers or sites, as far as the rules look at that.
func (s *Settlement) addBelonging(tx store.Reader, kind directory.Kind, places []store.Num) error {
	link, looked := s.lookedAt(kind)
	if len(places) == 0 || !slices.Contains(looked[:], true) {
		return nil
	}
	all := roaring.New()
	if err := addReferrers(tx, kind, places, link, all); err != nil {
		return err
	}
	for _, from := range link.From() {
		if !looked[from] {
			continue
		}
		for chunk := range slices.Chunk(relations.Nums(all), rowsAtOnce) {
			rows, err := tx.RowsOf(from, chunk, nil)
			if err != nil {
				return err
			}
			for i := range rows {
				if rows[i].Num != 0 { // the others are of other kinds
					s.worklist[from].Add(uint32(rows[i].Num))
				}
			}
		}
	}
	return nil
}

// addReferrers adds those who state a link of a type to any of some objects of a kind.
func addReferrers(tx store.Reader, kind directory.Kind, targets []store.Num, link directory.LinkType, to *roaring.Bitmap) error {
	for chunk := range slices.Chunk(targets, rowsAtOnce) {
		rows, err := tx.RowsOf(kind, chunk, nil)
		if err != nil {
			return err
		}
		var handles []store.Num
		for i := range rows {
			if rows[i].Num != 0 {
				handles = append(append(handles, rows[i].Num), rows[i].Handles...)
			}
		}
		if err := relations.Referrers(tx, link, handles, func(_, n store.Num) { to.Add(uint32(n)) }); err != nil {
			return err
		}
	}
	return nil
}
