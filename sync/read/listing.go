package read

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/RoaringBitmap/roaring/v2"

	"dirsyncd/connectors"
	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/relations"
)

const (
	// stalledAfter is how long a connector may go without a page. Connectors have time limits of their own for
	// everything that they wait for; this one is for what they forgot: a run must not hang for ever.
	stalledAfter = time.Hour
	// idleCursor is how old a cursor, or the time of the last full read of a stream without delta, may grow while a
	// source has nothing new. Storing each new one would make every idle cycle a write; sources keep cursors for
	// longer than this, but not all for long.
	idleCursor = time.Hour
)

// listing is one attempt at reading one stream.
type listing struct {
	*Task
	found  *Result
	stream connectors.Stream
	mode   connectors.Mode
	// position is where the stream stands, as stored.
	position store.StreamState
	covered  *coverage // Full mode only
	// sinceResumePoint is what of it no resume point covers yet.
	sinceResumePoint *coverage
	proof            *connectors.Proof
	// unlisted are the parts of the source that could not be listed, and kept the objects in them.
	unlisted []connectors.Part
	kept     *roaring.Bitmap
	lookFor  func(ctx context.Context, ids []string) (there []string, err error)   // Page.Look
	lookIn   func(ctx context.Context, group string) (handles []string, err error) // Page.LookMembers
	definite bool                                                                  // Page.Definite
	// missed is what the last list did not name; inDoubt what this one does not name, and what stays (doubt.go).
	missed, inDoubt *coverage
	lostLinks       lostLinks
	leavers         leavers
	moves           *moves
	how             manner
	// came: the source had something to say. A delta that begins at the same place again would have it say so again.
	came bool
	// unnamed counts entries without an id: with one of them, nobody's absence is certain.
	unnamed int
	// shared are handles of what was read that several objects state.
	shared []store.Num
	// invalid are the objects that were parked by this attempt.
	invalid []directory.Ref
	// unstored is why a page could not be stored: a failure of ours, whatever the connector makes of it.
	unstored error
	objects  int
	// spelled are the spellings of ids that are stored, of sources that do not tell them apart.
	spelled map[directory.Kind]spellings
	same    *same       // nil unless the connector asked for it
	rows    []store.Row // space for those of a page
	last    []byte      // the previous page's cursor, to notice a source that goes round in circles
}

// openListing works out how the stream is to be read from where it stands.
func openListing(ctx context.Context, t *Task, found *Result, s connectors.Stream, m *moves, how manner) (*listing, error) {
	l := &listing{Task: t, found: found, stream: s, mode: connectors.Delta, moves: m, how: how, kept: roaring.New()}
	asks := len(how.handles)+len(how.ids) > 0
	if asks {
		l.mode = connectors.Referrers
	}
	if how.byID {
		l.mode = connectors.ByID
	}
	err := t.State.View(ctx, func(tx store.Reader) (err error) {
		if l.position, err = tx.Stream(s.Name); err != nil {
			return err
		}
		if err := l.loadMissed(tx); err != nil {
			return err
		}
		if !how.byID && (t.Full && !asks && !how.changes || how.full || !s.Delta || len(l.position.Cursor) == 0) {
			l.mode = connectors.Full
			l.covered, l.sinceResumePoint = newCoverage(), newCoverage()
			if len(l.position.Partial) > 0 {
				err = l.covered.load(tx, s.Name)
			}
		}
		return err
	})
	return l, err
}

// read has the connector read and stores what comes. A connector that panics fails like a source.
func (l *listing) read(ctx context.Context) (err error) {
	defer func() { l.same.close() }() // also when the connector panics
	defer func() {
		if p := recover(); p != nil {
			err = internal("read "+l.stream.Name, "panic in the connector: %v\n%s", p, debug.Stack())
		}
	}()
	req := connectors.Request{Tenant: l.Tenant, Stream: l.stream.Name, Mode: l.mode, Cursor: l.position.Cursor, Known: l.position.Known,
		Owners: l.owners, Unlisted: l.notListed, Stored: l.stored, Older: l.Older, Dry: l.Dry, View: l.State.View}
	switch l.mode {
	case connectors.Full:
		req.Cursor, req.Same = l.position.Partial, l.lookUpSame
	case connectors.Referrers, connectors.ByID:
		req.Handles, req.IDs = l.how.handles, l.how.ids
	}
	stalled := &fault.Error{Class: fault.Transient, Op: "read " + l.stream.Name,
		Err: fmt.Errorf("nothing came for %s", stalledAfter), Hint: "the source hangs; if it answers others, please report it"}
	reading, giveUp := context.WithCancelCause(ctx)
	alarm := time.AfterFunc(stalledAfter, func() { giveUp(stalled) })
	err = l.Source.Read(reading, req, func(p *connectors.Page) error {
		alarm.Reset(stalledAfter)
		return l.take(ctx, p)
	})
	alarm.Stop()
	giveUp(nil)
	l.same.close()
	switch {
	case err != nil && ctx.Err() == nil && errors.Is(context.Cause(reading), stalled):
		return stalled
	case err != nil:
		return err
	}
	if l.proof == nil {
		return internal("read "+l.stream.Name, "the connector ended without a last page")
	}
	return nil
}

// owners is the request's Owners.
func (l *listing) owners(ctx context.Context, handles []string) (ids []string, err error) {
	err = l.State.View(ctx, func(tx store.Reader) error {
		ids = make([]string, len(handles))
		nums, err := tx.Lookup(handles, nil)
		if err != nil {
			return err
		}
		owners, err := tx.Owners(nums, nil)
		if err != nil {
			return err
		}
		for _, kind := range l.stream.Kinds {
			rows, err := tx.RowsOf(kind, owners, nil)
			if err != nil {
				return err
			}
			for i := range rows {
				if rows[i].Num == 0 || rows[i].Gone != store.Here {
					continue
				}
				o, err := l.parse(&rows[i])
				if err != nil {
					return err
				}
				ids[i] = o.ID
			}
		}
		return nil
	})
	return ids, err
}

// notListed is the request's Unlisted.
func (l *listing) notListed(ctx context.Context, group string, listed []string) (people, groups []string, err error) {
	err = l.State.View(ctx, func(tx store.Reader) error {
		people, groups = nil, nil
		nums, err := tx.Lookup(append([]string{directory.IDHandle(group)}, listed...), nil)
		if err != nil || nums[0] == 0 {
			return err
		}
		members := roaring.New()
		if err := tx.Members(nums[0], func(n store.Num) bool { members.Add(uint32(n)); return true }); err != nil {
			return err
		}
		owners, err := tx.Owners(relations.Nums(members), nil)
		if err != nil {
			return err
		}
		named, err := tx.Owners(nums[1:], nil)
		if err != nil {
			return err
		}
		absent := relations.Set(owners)
		absent.AndNot(relations.Set(named))
		for kind, ids := range map[directory.Kind]*[]string{directory.Person: &people, directory.Group: &groups} {
			objects, err := l.here(tx, kind, relations.Nums(absent))
			if err != nil {
				return err
			}
			for i := range objects {
				if objects[i].ID != "" {
					*ids = append(*ids, objects[i].ID)
				}
			}
		}
		return nil
	})
	return people, groups, err
}

// stored is the request's Stored.
func (l *listing) stored(ctx context.Context, kind directory.Kind, ids []string) (objects []directory.Object, err error) {
	handles := make([]string, len(ids))
	for i, id := range ids {
		handles[i] = directory.IDHandle(id)
	}
	err = l.State.View(ctx, func(tx store.Reader) error {
		nums, err := tx.Lookup(handles, nil)
		if err != nil {
			return err
		}
		objects, err = l.here(tx, kind, nums)
		return err
	})
	return objects, err
}

// here returns the objects of a kind with some numbers, in their order; one without an id in place of any that is not stored, or gone.
func (l *listing) here(tx store.Reader, kind directory.Kind, nums []store.Num) ([]directory.Object, error) {
	rows, err := tx.RowsOf(kind, nums, nil)
	if err != nil {
		return nil, err
	}
	objects := make([]directory.Object, len(rows))
	for i := range rows {
		if rows[i].Num == 0 || rows[i].Gone != store.Here {
			continue
		}
		o, err := l.parse(&rows[i])
		if err != nil {
			return nil, err
		}
		objects[i] = *o
	}
	return objects, nil
}

// domainsOf puts mail domains into the form in which rules compare them, whatever order and case the source has today.
func domainsOf(told []string) []string {
	list := make([]string, 0, len(told))
	for _, domain := range told {
		if domain = strings.ToLower(strings.TrimSpace(domain)); domain != "" {
			list = append(list, domain)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// take is called for every page: it validates it, stores it, and concludes after the last one.
func (l *listing) take(ctx context.Context, p *connectors.Page) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if l.unstored = l.same.failed(); l.unstored != nil {
		return l.unstored
	}
	if err := l.validatePage(p); err != nil {
		return err
	}
	if p.Proof != nil && p.Proof.Older != "" {
		l.found.Older = p.Proof.Older
		l.note("%s: the source knows less than was read from it before; what follows waits for approval: %s", l.stream.Name, p.Proof.Older)
	}
	if err := l.storePage(ctx, p); err != nil {
		if !errors.Is(err, errTwice) {
			l.unstored = err
		}
		return err
	}
	for _, text := range p.Notes {
		l.note("%s: %s", l.stream.Name, text)
	}
	if p.Proof != nil && len(p.Domains) > 0 {
		l.found.Domains = domainsOf(p.Domains)
	}
	if l.mode == connectors.ByID {
		l.nameAll(p)
	}
	l.objects += len(p.Objects) + len(p.Same)
	l.found.Read += len(p.Objects) + len(p.Same)
	l.Progress(l.stream.Name, l.objects)
	l.Log.Debug("page", "stream", l.stream.Name, "objects", len(p.Objects), "same", len(p.Same), "removed", len(p.Removed), "groups", len(p.Members))
	if p.Proof == nil {
		return nil
	}
	l.proof, l.lookFor, l.definite, l.unlisted, l.lookIn = p.Proof, p.Look, p.Definite, p.Unlisted, p.LookMembers
	switch l.mode {
	case connectors.Full:
		l.unstored = l.conclude(ctx, p)
	case connectors.Delta:
		l.unstored = l.noteReads(ctx)
	}
	if l.unstored == nil {
		l.unstored = l.tellShared(ctx)
	}
	return l.unstored
}

// noteReads stores what a delta says that it reads, where that is not known: the full read may have been another version's.
func (l *listing) noteReads(ctx context.Context) error {
	reads := says(l.proof)
	if slices.Equal(l.position.Reads, reads) {
		return nil
	}
	l.position.Reads = reads
	return l.State.Update(ctx, func(tx store.Writer) error {
		now, err := tx.Stream(l.stream.Name)
		if err != nil {
			return err
		}
		now.Reads = reads
		return tx.PutStream(l.stream.Name, now)
	})
}

// says is what a proof says is read, sorted.
func says(p *connectors.Proof) []string { return slices.Compact(slices.Sorted(slices.Values(p.Reads))) }

// validatePage refuses pages that break the contract before they do harm.
func (l *listing) validatePage(p *connectors.Page) error {
	op := "read " + l.stream.Name
	if l.proof != nil {
		return internal(op, "the connector sent a page after the last one")
	}
	if l.mode == connectors.Full && len(p.Removed) > 0 {
		return internal(op, "the connector sent removals in a full read")
	}
	if l.mode == connectors.Referrers && len(p.Removed)+len(p.Cursor) > 0 {
		return internal(op, "the connector sent removals or a cursor with what refers to others")
	}
	if l.mode == connectors.ByID && len(p.Members)+len(p.Cursor) > 0 {
		return internal(op, "the connector sent members or a cursor with objects that were asked for by id")
	}
	if p.Proof == nil && len(p.Cursor) > 0 && bytes.Equal(p.Cursor, l.last) && len(p.Objects)+len(p.Same)+len(p.Members) == 0 {
		return &fault.Error{Class: fault.Transient, Op: op, Err: fmt.Errorf("the source answers the same empty page again and again")}
	}
	l.last = append(l.last[:0], p.Cursor...)
	for i := range p.Objects {
		o := &p.Objects[i]
		if o.ID == "" || !l.lists(o) {
			return internal(op, "the connector sent a %s object (id given: %t) that the stream does not have", o.Kind, o.ID != "")
		}
	}
	return l.validateSame(p)
}

// forgetCursor makes the stream's next read a full one from its beginning.
func (l *listing) forgetCursor(ctx context.Context) error {
	l.position.Cursor, l.position.Partial = nil, nil
	return l.State.Update(ctx, func(tx store.Writer) error {
		if err := tx.ClearSeen(l.stream.Name); err != nil {
			return err
		}
		return tx.PutStream(l.stream.Name, l.position)
	})
}

func internal(op, format string, args ...any) error {
	return &fault.Error{Class: fault.Internal, Op: op, Err: fmt.Errorf(format, args...),
		Hint: "this is a defect of dirsyncd or of its connector; please report it"}
}
