package ldap

import (
	"context"
	"time"

	"github.com/go-ldap/ldap/v3"

	"dirsyncd/connectors"
	"dirsyncd/connectors/ldap/internal/wire"
	"dirsyncd/sync/directory"
)

// Limits of what a delta holds back until its answer is complete. Beyond them a full read, whose pages need not be
// held back, is the better way.
const (
	heldEntries = 50_000
	heldBytes   = 32 << 20
)

// delta makes pages of the entries and removals of an answer, in the order in which they come. With hold, the
// pages wait for release.
type delta struct {
	*reading
	conn *wire.Conn
	emit func(*connectors.Page) error
	hold bool
	// blind: the method cannot name removals, so none is named.
	blind bool
	entry wire.Entry

	// doubtful, when not nil, collects removals until it is known that no other line finds the entry, and taken
	// the ids of the objects so far.
	doubtful, taken map[string]bool

	ranges  *rangeReader
	batch   *batch
	held    []*batch
	entries int
	bytes   int
}

func (r *reading) newDelta(conn *wire.Conn, emit func(*connectors.Page) error) *delta {
	return &delta{
		reading: r, conn: conn, emit: emit, batch: new(batch),
		ranges: &rangeReader{connector: r.connector, op: r.op, server: r.session.server},
	}
}

// take adds the object of the entry that was read last.
func (d *delta) take(ctx context.Context, uuid string) error {
	if len(d.batch.page.Removed) > 0 {
		// Within a page, removals come after objects.
		if err := d.flush(); err != nil {
			return err
		}
	}
	d.tr.row.load(&d.entry)
	if len(d.tr.row.partial) > 0 {
		if err := d.ranges.complete(ctx, d.tr); err != nil {
			return err
		}
	}
	if !d.tr.anchors[0].unique {
		return d.takeTwins(ctx, uuid)
	}
	return d.translated(uuid)
}

// translated adds the object of the loaded entry.
func (d *delta) translated(uuid string) error {
	invalid := len(d.batch.page.Invalid)
	d.tr.translate(d.batch)
	if d.tr.madeUp {
		return d.expired("a group whose members the server makes up can only be read in full")
	}
	if len(d.batch.page.Invalid) > invalid {
		if bad := &d.batch.page.Invalid[invalid]; bad.ID == "" || uuid != "" {
			bad.ID = uuid
		}
	} else if d.doubtful != nil {
		d.taken[d.batch.page.Objects[len(d.batch.page.Objects)-1].ID] = true
	}
	return d.added(d.entry.Size)
}

// remove adds the removal of an object.
func (d *delta) remove(id string) error {
	switch {
	case d.blind:
		return nil
	case d.doubtful != nil:
		d.doubtful[id] = true
		return nil
	}
	d.batch.page.Removed = append(d.batch.page.Removed, directory.Ref{Kind: d.kind, ID: id})
	return d.added(len(id))
}

func (d *delta) added(size int) error {
	d.batch.entries++
	d.batch.bytes += size
	d.entries++
	d.bytes += size
	if d.hold && (d.entries > heldEntries || d.bytes > heldBytes) {
		return d.expired("more has changed than a full read is worth")
	}
	if d.batch.full() {
		return d.flush()
	}
	return nil
}

// flush ends the page.
func (d *delta) flush() error {
	switch {
	case d.batch.entries == 0:
		return nil
	case d.hold:
		d.held = append(d.held, d.batch)
		d.batch = new(batch)
		return nil
	}
	err := d.emit(&d.batch.page)
	d.batch.reset()
	return err
}

// release emits what was held back and holds back nothing more.
func (d *delta) release() error {
	if err := d.flush(); err != nil {
		return err
	}
	d.hold = false
	for i, b := range d.held {
		if err := d.emit(&b.page); err != nil {
			return err
		}
		d.held[i] = nil
	}
	d.held = nil
	return nil
}

// pages reads a listing to its end, page by page, and calls take for every entry, which is in d.entry then.
func (d *delta) pages(ctx context.Context, search wire.Search, take func() error) error {
	search.PageSize = d.query.pageSize
	p := pager{search: search}
	for {
		began := time.Now()
		if err := d.conn.Send(p.search); err != nil {
			return operationError(d.op, d.session.server, err)
		}
		entries, res, err := d.page(take)
		next := false
		if err == nil {
			next, err = p.after(d.op, d.session.server, entries, res)
		}
		d.session.requested("page", began, err)
		if err != nil || !next {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

func (d *delta) page(take func() error) (entries int, res wire.Result, err error) {
	for {
		item, res, err := d.conn.Next(&d.entry)
		switch {
		case err != nil:
			return 0, res, transportError(d.op, d.session.server, err)
		case item == wire.DoneItem:
			return entries, res, nil
		case item == wire.EntryItem:
			entries++
			if err := take(); err != nil {
				return 0, res, err
			}
		}
	}
}

// relist reads the objects below a container that was changed. When it was renamed or moved, everything below it
// has another DN without having been changed. What lies outside the stream's scope has left it, or was never in
// it. A container that is no longer there was changed again: the next delta names it, or what it held.
func (d *delta) relist(ctx context.Context, set *searchSet, container string) error {
	err := d.pages(ctx, wire.Search{
		Base: container, Scope: ldap.ScopeWholeSubtree, Filter: set.filter, Attributes: d.tr.row.names,
	}, func() error {
		if set.holds(d.entry.DN) {
			return d.take(ctx, "")
		}
		d.tr.row.load(&d.entry)
		if id, ok := d.tr.id(); ok {
			return d.remove(id)
		}
		return nil
	})
	if hidden(err) {
		return nil
	}
	return err
}
