package connectortest

import (
	"context"
	"errors"
	"maps"
	"reflect"
	"slices"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

func checkFullRead(c *trial) {
	l := c.full()
	c.severalPages(l)
	if len(c.stream.Kinds) > 0 && len(l.ids()) == 0 {
		c.Errorf("stream %s lists no object", c.stream.Name)
	}
}

func checkRepeatable(c *trial) {
	first, second := c.full(), c.full()
	if !maps.Equal(first.content(), second.content()) {
		c.Error("two full reads of an unchanged source differ")
	}
	if p, q := first.proof(), second.proof(); p != nil && q != nil && !reflect.DeepEqual(p, q) {
		c.Errorf("two full reads of an unchanged source have different proofs: %+v and %+v", *p, *q)
	}
}

func checkEmitError(c *trial) {
	pages := len(c.full().pages)
	stop := errors.New("stop here")
	for _, at := range slices.Compact([]int{0, 1, pages - 1}) {
		l := c.read(c.ctx, connectors.Full, nil, func(n int) error {
			if n == at {
				return stop
			}
			return nil
		})
		if l.err != stop { //nolint:errorlint // unchanged means identical
			c.Errorf("emit failed on page %d: Read returned %v, want emit's own error unchanged", at, l.err)
		}
		if len(l.pages) != at+1 {
			c.Errorf("emit failed on page %d: emitted %d pages", at, len(l.pages))
		}
	}
}

func checkCancelled(c *trial) {
	ctx, cancel := context.WithCancel(c.ctx)
	cancel()
	l := c.read(ctx, connectors.Full, nil, nil)
	c.ended(l, context.Canceled)
	if len(l.pages) > 0 {
		c.Errorf("a cancelled context: %d pages were emitted", len(l.pages))
	}
	ctx, cancel = context.WithDeadline(c.ctx, time.Unix(1, 0))
	defer cancel()
	c.ended(c.read(ctx, connectors.Full, nil, nil), context.DeadlineExceeded)
}

// ended fails unless a read ended with the context's own error, unchanged and without a proof.
func (c *trial) ended(l listing, want error) {
	c.Helper()
	if l.err != want { //nolint:errorlint // unchanged means identical
		c.Errorf("the context ended: Read returned %v, want %v unchanged", l.err, want)
	}
	c.unproven(l)
}

func checkCancelledMidPage(c *trial) {
	c.severalPages(c.full())
	ctx, cancel := context.WithCancel(c.ctx)
	defer cancel()
	l := c.read(ctx, connectors.Full, nil, func(n int) error {
		if n == 1 {
			cancel()
		}
		return nil
	})
	c.ended(l, context.Canceled)
	if len(l.pages) != 2 {
		c.Errorf("cancelled within the second page: %d pages were emitted", len(l.pages))
	}
}

// checkSilence cancels a read whose source has stopped answering.
func checkSilence(c *trial) {
	c.needs(Silence)
	c.severalPages(c.full())
	ctx, cancel := context.WithCancel(c.ctx)
	defer cancel()
	l := c.read(ctx, connectors.Full, nil, func(n int) error {
		if n == 0 {
			c.Break(c.TB, Silence)
			time.AfterFunc(100*time.Millisecond, cancel)
		}
		return nil
	})
	c.ended(l, context.Canceled)
}

// refused fails unless a read ended before its first page with an error of one of the classes.
func (c *trial) refused(what string, l listing, want ...fault.Class) {
	c.Helper()
	c.classified(what, l.err, want...)
	if len(l.pages) > 0 {
		c.Errorf("%s: %d pages were emitted before the error", what, len(l.pages))
	}
}

func checkReadCredentials(c *trial) {
	c.breaks(BadCredentials)
	l := c.read(c.ctx, connectors.Full, nil, nil)
	c.refused("Read with bad credentials", l, fault.Auth, fault.Forbidden)
	if fault.Hint(l.err) == "" {
		c.Error("the error for bad credentials has no hint")
	}
}

func checkReadUnreachable(c *trial) {
	c.breaks(Unreachable)
	c.refused("Read of an unreachable source", c.read(c.ctx, connectors.Full, nil, nil), fault.Transient, fault.Throttled)
}

func checkMidListing(c *trial) {
	c.needs(MidListing)
	c.severalPages(c.full())
	l := c.read(c.ctx, connectors.Full, nil, func(n int) error {
		if n == 0 {
			c.Break(c.TB, MidListing)
		}
		return nil
	})
	c.classified("an error in mid-listing", l.err)
	c.unproven(l)
	if len(l.pages) == 0 {
		c.Error("no page was emitted before the error")
	}
}

// checkBadEntry: the read goes on, names the entry, and does not claim that it lists it.
func checkBadEntry(c *trial) {
	before := c.full()
	c.breaks(BadEntry)
	after := c.full()
	invalid := 0
	for _, p := range after.pages {
		invalid += len(p.invalid)
	}
	if invalid == 0 {
		c.Error("an entry cannot be translated, and no page names it")
	}
	if len(after.ids()) < len(before.ids())-invalid {
		c.Errorf("%d objects before, %d after, and %d invalid entries", len(before.ids()), len(after.ids()), invalid)
	}
}

func checkStableIDs(c *trial) {
	if c.Rename == nil {
		c.Skip("nothing can be renamed at the source")
	}
	before := c.full()
	ref := c.Rename(c.TB, c.stream.Name)
	after := c.full()
	if !slices.Equal(before.ids(), after.ids()) {
		c.Error("a rename at the source changed the set of ids")
	}
	if before.content()[ref] == after.content()[ref] {
		c.Errorf("%s %s was renamed and reads the same as before", ref.Kind, ref.ID)
	}
}

func checkChanges(c *trial) {
	if c.Change == nil || c.Add == nil || c.Delete == nil {
		c.Skip("the source cannot be changed")
	}
	before := c.full()
	changed := c.Change(c.TB, c.stream.Name)
	after := c.full()
	was, is := before.content(), after.content()
	for ref, content := range is {
		if (was[ref] == content) == (ref == changed) {
			c.Errorf("%s %s: changed at the source %t, reads differently %t", ref.Kind, ref.ID, ref == changed, was[ref] != content)
		}
	}
	deleted, added := c.Delete(c.TB, c.stream.Name), c.Add(c.TB, c.stream.Name)
	ids := c.full().ids()
	if contains(ids, deleted) || !contains(ids, added) {
		c.Errorf("deleted object listed: %t; added object listed: %t", contains(ids, deleted), contains(ids, added))
	}
}

func contains(refs []directory.Ref, ref directory.Ref) bool { return slices.Contains(refs, ref) }
