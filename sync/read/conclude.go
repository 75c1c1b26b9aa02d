package read

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"dirsyncd/connectors"
	"dirsyncd/store"
	"dirsyncd/sync/directory"
)

// conclude says what follows from a full read that came to its end: what it did not list is gone, unless
// there is doubt. Absence removes only after proof; doubt removes nothing and is told to the operator.
func (l *listing) conclude(ctx context.Context, last *connectors.Page) error {
	if err := errors.Join(l.readAgain(ctx), l.thereAgain(ctx)); err != nil {
		return err
	}
	next := l.position
	next.Partial, next.Cursor, next.Known = nil, slices.Clone(last.Cursor), l.knownAfter(last)
	next.Complete = l.Now().UTC()
	next.Moved = next.Complete
	next.Reads = says(l.proof)
	newScope := next.Scope != "" && next.Scope != l.proof.Scope
	l.found.Rescoped = l.found.Rescoped || newScope && next.NewScope != l.proof.Scope
	if l.found.Inconclusive = l.found.Inconclusive || !l.certain(); !l.found.Inconclusive {
		absent, err := l.sweepObjects(ctx, newScope)
		if err != nil {
			return err
		}
		if err := l.sweepMembers(ctx, &next); err != nil {
			return err
		}
		l.tellCounted(absent)
		// A scope is accepted once nothing that the former one listed is missing from it.
		if !newScope || !absent {
			next.Scope, next.NewScope = l.proof.Scope, ""
		} else {
			next.NewScope = l.proof.Scope
			l.found.Unproven = "what the edited scope does not list waits for approval"
			l.note("%s: the connection's scope was edited; what the new one does not list waits for approval", l.stream.Name)
		}
	}
	stale, err := l.readableAgain(ctx)
	same := l.found.Inconclusive || l.sameMissed()
	if err != nil || len(stale) == 0 && same && l.isRoutine(next) {
		return err
	}
	return l.State.Update(ctx, func(tx store.Writer) error {
		for _, id := range stale {
			if _, err := tx.Unpark(id); err != nil {
				return err
			}
		}
		if err := tx.ClearSeen(l.stream.Name); err != nil {
			return err
		}
		if !same {
			if err := saveMissed(tx, l.stream.Name, l.inDoubt); err != nil {
				return err
			}
		}
		return tx.PutStream(l.stream.Name, next)
	})
}

// isRoutine reports whether a conclusion says nothing but that all is as it was a short while ago. Streams without
// delta are concluded in every cycle: an idle one must not cost a write.
func (l *listing) isRoutine(next store.StreamState) bool {
	was := &l.position
	return !l.stream.Delta && !l.cursorIsDue() && len(was.Partial) == 0 && bytes.Equal(next.Cursor, was.Cursor) && bytes.Equal(next.Known, was.Known) &&
		next.Scope == was.Scope && next.NewScope == was.NewScope && next.Emptied == was.Emptied && slices.Equal(next.Reads, was.Reads)
}

// certain reports whether absence from the listing means anything, and says so when it does not. Then the next run
// reads in full again: changes alone would never tell who is missing from this listing.
func (l *listing) certain() bool {
	if l.unnamed > 0 {
		l.found.Unproven = l.stream.Name + ": entries without a readable id"
		l.note("%s: entries came without a readable id (%d), so nobody's absence is certain; nothing was removed", l.stream.Name, l.unnamed)
		return false
	}
	if doubt := l.proof.Doubt; doubt != "" {
		l.found.Unproven = l.stream.Name + ": " + doubt
		l.note("%s: %s, so nobody's absence is certain; nothing was removed", l.stream.Name, doubt)
		return false
	}
	if listed := int(l.covered.objects.GetCardinality()); l.stream.Counted && l.proof.Count >= 0 && l.proof.Count != listed {
		l.found.Unproven = l.stream.Name + ": the source counts other objects than it lists"
		l.note("%s: the source listed %s but counts %d; nothing was removed", l.stream.Name, objects(listed), l.proof.Count)
		return false
	}
	return true
}

// readableAgain lists the entries of the stream that are parked because they could not be read, and that this
// full read found readable or did not find at all.
func (l *listing) readableAgain(ctx context.Context) (ids []uint64, err error) {
	err = l.State.View(ctx, func(tx store.Reader) error {
		return tx.Parked(func(p store.Parked) bool {
			if p.Stage == Stage && slices.Contains(l.stream.Kinds, p.Kind) &&
				!slices.Contains(l.invalid, directory.Ref{Kind: p.Kind, ID: p.Object}) {
				ids = append(ids, p.ID)
			}
			return true
		})
	})
	return ids, err
}

// objects writes "1 object" and "12 objects".
func objects(n int) string { return counted(n, "object", "objects") }

func counted(n int, one, several string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, several)
}
