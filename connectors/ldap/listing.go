package ldap

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-ldap/ldap/v3"

	"dirsyncd/connectors"
	"dirsyncd/connectors/ldap/internal/wire"
	"dirsyncd/sync/fault"
)

// listing is a full read of one stream: every entry that a line finds, one line after the other, page by page. It
// reads ahead of the one who takes the pages: while one batch is taken, the next is decoded and the server
// makes up the one after.
type listing struct {
	*reading
	conn   *wire.Conn
	ranges *rangeReader
	cursor func() []byte // gives the cursor of the last page, at its end
	// doubt is why absence proves nothing; empty when it does.
	doubt string
	// seen holds the ids of the entries so far where an entry can be found twice; nil elsewhere.
	seen map[string]struct{}

	references references

	same  *sameEntries // nil where every entry is translated
	entry wire.Entry
	spare chan *batch // to fill
	ready chan *batch // to take; closed at the end
	batch *batch
	err   error // valid when ready is closed
}

// batches is how many batches are under way: one being taken, one ready, one being filled.
const batches = 3

// emit hands the batches to fn, on the caller's goroutine, until the listing ends. It returns the error of fn or
// of the context; that of the listing is in err then.
func (l *listing) emit(ctx context.Context, fn func(*connectors.Page) error) error {
	for b := range l.ready {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := fn(&b.page); err != nil {
			return err
		}
		l.spare <- b
	}
	return nil
}

// drain waits for the end of a listing whose context is over.
func (l *listing) drain() {
	for range l.ready {
		continue // what is still ready is thrown away
	}
}

// errStopped ends a listing whose taker has gone.
var errStopped = errors.New("stopped")

func (l *listing) run(ctx context.Context) {
	defer close(l.ready)
	defer func() {
		if p := recover(); p != nil {
			l.err = &fault.Error{Class: fault.Internal, Op: l.op, Err: fmt.Errorf("panic: %v", p)}
		}
	}()
	l.err = l.readAll(ctx)
}

func (l *listing) readAll(ctx context.Context) error {
	for range batches - 1 {
		l.spare <- new(batch)
	}
	l.batch = new(batch)
	if t := l.tr.twins; t != nil && len(t.known) > 0 {
		l.batch.page.Notes = append(l.batch.page.Notes, t.note(l.tr.anchorName))
	}
	for i, line := range l.query.lines {
		if err := l.readLine(ctx, line, i == len(l.query.lines)-1); err != nil {
			return err
		}
	}
	return nil
}

// readLine reads what one line finds to its end. The proof goes out with the end of the last one.
func (l *listing) readLine(ctx context.Context, line searchLine, last bool) error {
	pages := pager{
		search: wire.Search{
			Base: line.base, Scope: line.scope, Filter: line.filter, Attributes: l.tr.row.wanted(),
			PageSize: l.query.pageSize, Controls: l.tr.controls(),
		},
	}
	if err := l.send(&pages); err != nil {
		return err
	}
	for {
		began := time.Now()
		entries, res, err := l.readPage(ctx, line.base)
		next := false
		if err == nil {
			next, err = pages.after(l.op, l.session.server, entries, res)
		}
		l.session.requested("page", began, err)
		if err != nil {
			return err
		}
		if next {
			// The server works on the next page while this one is taken.
			if err := l.send(&pages); err != nil {
				return err
			}
		}
		if !next && pages.unanswered && l.session.root.paging() {
			if err := l.askAgain(line); err != nil {
				return err
			}
		}
		if !next && last {
			if err := l.prove(ctx); err != nil {
				return err
			}
		}
		if err := l.deliver(ctx); err != nil {
			return err
		}
		if !next {
			return nil
		}
	}
}

// prove ends the last page.
func (l *listing) prove(ctx context.Context) error {
	parts, err := l.unlisted(ctx)
	if err != nil {
		return err
	}
	page := &l.batch.page
	page.Proof, page.Unlisted, page.Known, page.Cursor = l.proof(), parts, l.known.encode(), l.cursor()
	page.Proof.Doubt = l.doubt
	page.Notes = append(page.Notes, l.tr.outside.notes()...)
	return nil
}

// askAgain asks a server that left the control for pages out of its answer for one entry of many. One that leaves it out
// there, too, hands the request to several servers (OpenLDAP's back-meta and back-asyncmeta): what one of them would have
// had is missing while it is down, and the answer is success all the same.
func (l *listing) askAgain(line searchLine) error {
	began := time.Now()
	err := l.conn.Send(wire.Search{Base: line.base, Scope: ldap.ScopeWholeSubtree, Filter: "(objectClass=*)", Attributes: []string{"1.1"}, PageSize: 1})
	if err != nil {
		return operationError(l.op, l.session.server, err)
	}
	for {
		var entry wire.Entry
		item, res, err := l.conn.Next(&entry)
		if err == nil && item != wire.DoneItem {
			continue
		}
		l.session.requested("page", began, err)
		if err != nil {
			return transportError(l.op, l.session.server, err)
		}
		if !res.Paged {
			l.doubt = "the server offers pages and never gives any, as a proxy in front of several servers does: while one of them is down, the others' " +
				"entries look like all (page_size: 0 says that this cannot be; see docs/ldap.md)"
		}
		return nil
	}
}

func (l *listing) send(p *pager) error {
	if err := l.conn.Send(p.search); err != nil {
		return operationError(l.op, l.session.server, err)
	}
	return nil
}

// readPage reads the answer to one search to its end.
func (l *listing) readPage(ctx context.Context, base string) (entries int, res wire.Result, err error) {
	for {
		item, res, err := l.conn.Next(&l.entry)
		if err != nil {
			return 0, res, transportError(l.op, l.session.server, err)
		}
		switch item {
		case wire.DoneItem:
			return entries, res, nil
		case wire.ReferenceItem:
			l.references.add(base, res.Referrals)
			continue
		case wire.KnownItem:
			l.batch.page.Same = append(l.batch.page.Same, l.same.digest)
			err = l.added(ctx)
		default:
			err = l.take(ctx)
		}
		if err != nil {
			return 0, res, err
		}
		entries++
	}
}

// take translates one entry.
func (l *listing) take(ctx context.Context) error {
	l.tr.row.load(&l.entry)
	if l.again() {
		return nil
	}
	if len(l.tr.row.partial) > 0 {
		if err := l.ranges.complete(ctx, l.tr); err != nil {
			return err
		}
	}
	l.tr.translate(l.batch)
	l.same.note(l.tr, l.batch)
	return l.added(ctx)
}

// added counts an entry and hands the batch over when it is full.
func (l *listing) added(ctx context.Context) error {
	l.batch.entries++
	l.batch.bytes += l.entry.Size
	if l.batch.full() {
		return l.deliver(ctx)
	}
	return nil
}

// again reports whether the loaded entry was found before.
func (l *listing) again() bool {
	if l.seen == nil {
		return false
	}
	id, ok := l.tr.id()
	if !ok {
		return false
	}
	if l.tr.twins != nil {
		id += " " + l.tr.key()
	}
	if _, known := l.seen[id]; known {
		return true
	}
	l.seen[id] = struct{}{}
	return false
}

// deliver hands the batch over and takes a spare one. A batch with nothing in it waits for more.
func (l *listing) deliver(ctx context.Context) error {
	if l.batch.entries == 0 && l.batch.page.Proof == nil {
		return nil
	}
	select {
	case l.ready <- l.batch:
	case <-ctx.Done():
		return errStopped
	}
	select {
	case l.batch = <-l.spare:
		l.batch.reset()
		return nil
	case <-ctx.Done():
		return errStopped
	}
}

// pager decides whether another page follows and when a listing may be called complete.
type pager struct {
	search wire.Search
	pages  int
	// unanswered: a page was asked for, and the answer does not say so.
	unanswered bool
}

// smallerPage is the page size to try when a server refuses one as too large (OpenLDAP's size.pr limit), or refuses
// pages altogether (size.prtotal=disabled): 0 asks for everything in one answer.
func smallerPage(size int) int {
	switch {
	case size > 500:
		return 500
	case size > 100:
		return 100
	default:
		return 0
	}
}

// refusesPages reports whether a result can mean that the server does not answer in pages.
func refusesPages(code uint16) bool {
	return code == ldap.LDAPResultAdminLimitExceeded || code == ldap.LDAPResultUnwillingToPerform ||
		code == ldap.LDAPResultUnavailableCriticalExtension
}

// after looks at the end of a page. It prepares the search for the next one and returns true, or returns false
// when the listing is complete: the server said success, and that nothing follows. Everything else is an error.
//
// A server that does not know the control answers as if it were not there (RFC 4511 section 4.1.11): success is then the
// end of the whole listing, for one that was cut short ends otherwise (section 4.5.2). A proxy can hand the control on and
// leave it out of the answer. Then what came may be one page: if it is exactly that long, everything is asked for at once.
func (p *pager) after(op, server string, entries int, res wire.Result) (next bool, err error) {
	incomplete := func(what string) error {
		return &fault.Error{Class: fault.Transient, Op: op, Where: server, Err: errors.New(what)}
	}
	if refusesPages(res.Code) && p.pages == 0 && entries == 0 && p.search.PageSize > 0 {
		// The size of a page changes nothing about what is read.
		size := 0
		if res.Code == ldap.LDAPResultAdminLimitExceeded {
			size = smallerPage(p.search.PageSize)
		}
		p.search.PageSize = size
		return true, nil
	}
	if res.Code != ldap.LDAPResultSuccess {
		return false, resultError(op, server, res.Code, res.Text)
	}
	p.pages++
	p.unanswered = p.unanswered || p.search.PageSize > 0 && !res.Paged
	switch {
	case !res.Paged && p.pages > 1:
		return false, incomplete("the server stopped paging without saying that the listing is complete")
	case !res.Paged && p.search.PageSize > 0 && entries == p.search.PageSize:
		p.search.PageSize, p.pages = 0, 0
		return true, nil
	case !res.Paged || res.Cookie == "":
		return false, nil
	case entries == 0 && res.Cookie == p.search.Cookie:
		return false, incomplete("the server repeats a page without entries")
	}
	p.search.Cookie = res.Cookie
	return true, nil
}
