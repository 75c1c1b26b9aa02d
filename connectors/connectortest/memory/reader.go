package memory

import (
	"context"
	"maps"
	"slices"
	"strings"

	"dirsyncd/connectors"
	"dirsyncd/sync/directory"
)

// reader is one read.
type reader struct {
	connector *Connector
	req       connectors.Request
	kind      directory.Kind
	tenant    *tenant
	script    trouble
	emit      func(*connectors.Page) error

	// at is the cursor of the read; its Seq is the last change before the read began, so that what changes on
	// the way is seen again by the next one.
	at    cursor
	since uint64
	pages int
	page  connectors.Page
}

// guard is emit with the defects that the conformance suite must find.
func (r *reader) guard(emit func(*connectors.Page) error, p *connectors.Page) error {
	if _, ok := r.script.has(EmitElsewhere); ok {
		done := make(chan error)
		go func() { done <- emit(p) }()
		return <-done
	}
	err := emit(p)
	if _, ok := r.script.has(EmitAfterError); ok && err != nil {
		_ = emit(p)
	}
	return err
}

// full lists everything there is, by ascending id, with what was added behind the current place left to the
// next delta.
func (r *reader) full(ctx context.Context) error {
	if _, empty := r.script.has(EmptyListing); empty {
		return r.finish(ctx, 0)
	}
	refs := r.list()
	count := len(refs)
	if r.at.After != "" {
		i, found := slices.BinarySearchFunc(refs, r.at.After, func(ref directory.Ref, id string) int {
			return strings.Compare(ref.ID, id)
		})
		if found {
			i++
		}
		refs = refs[i:]
	}
	_, reversed := r.script.has(Reorder)
	if reversed {
		slices.Reverse(refs)
	}
	for len(refs) > r.connector.opts.PageSize {
		part := refs[:r.connector.opts.PageSize]
		refs = refs[len(part):]
		r.fill(part)
		if !r.connector.opts.WithoutResume && !reversed {
			r.at.After = part[len(part)-1].ID
			r.page.Cursor, r.page.Resumable = r.at.bytes(), true
		}
		if err := r.send(ctx); err != nil || r.over() {
			return err
		}
	}
	r.fill(refs)
	return r.finish(ctx, count)
}

func (r *reader) list() []directory.Ref {
	r.connector.source.mu.Lock()
	defer r.connector.source.mu.Unlock()
	return r.tenant.refs(r.kind)
}

// fill puts the objects that are still there, and their members, on an empty page.
func (r *reader) fill(refs []directory.Ref) {
	r.connector.source.mu.Lock()
	defer r.connector.source.mu.Unlock()
	r.reset()
	for _, ref := range refs {
		o, ok := r.tenant.objects[ref]
		if !ok {
			continue
		}
		r.page.Objects = append(r.page.Objects, clone(&o))
		if ref.Kind == directory.Group {
			r.page.Members = append(r.page.Members, r.whole(ref.ID))
		}
	}
}

// reset empties the page, whose memory is used again: nobody may have kept it.
func (r *reader) reset() {
	clear(r.page.Objects)
	clear(r.page.Members)
	r.page = connectors.Page{
		Objects: r.page.Objects[:0], Members: r.page.Members[:0], Removed: r.page.Removed[:0], Invalid: r.page.Invalid[:0],
	}
}

// whole is the complete list of a group's members. The caller holds the lock.
func (r *reader) whole(group string) connectors.Members {
	return connectors.Members{Group: group, Add: slices.Sorted(maps.Keys(r.tenant.members[group])), Whole: true}
}

// delta lists what changed since the cursor.
func (r *reader) delta(ctx context.Context) error {
	for _, part := range r.changes() {
		r.page = part
		if err := r.send(ctx); err != nil || r.over() {
			return err
		}
	}
	r.page = connectors.Page{}
	return r.finish(ctx, -1)
}

// changes makes the pages of a delta, each with the latest state of what is on it.
func (r *reader) changes() []connectors.Page {
	r.connector.source.mu.Lock()
	defer r.connector.source.mu.Unlock()
	var pages []connectors.Page
	var page connectors.Page
	n := 0
	done := make(map[change]bool)
	for _, c := range r.tenant.log {
		key := change{ref: c.ref, member: c.member}
		if c.seq <= r.since || c.ref.Kind != r.kind || done[key] {
			continue
		}
		done[key] = true
		r.addChange(&page, c)
		if n++; n%r.connector.opts.PageSize == 0 {
			pages = append(pages, page)
			page = connectors.Page{}
		}
	}
	return append(pages, page)
}

func (r *reader) addChange(page *connectors.Page, c change) {
	o, there := r.tenant.objects[c.ref]
	switch {
	case c.member != "" && r.tenant.members[c.ref.ID][c.member]:
		page.Members = append(page.Members, connectors.Members{Group: c.ref.ID, Add: []string{c.member}})
	case c.member != "":
		page.Members = append(page.Members, connectors.Members{Group: c.ref.ID, Remove: []string{c.member}})
	case there:
		page.Objects = append(page.Objects, clone(&o))
	case !r.connector.opts.WithoutTombstones:
		page.Removed = append(page.Removed, c.ref)
	}
}

// referrers lists what refers to the handles of the request, and the objects that it names.
func (r *reader) referrers(ctx context.Context) error {
	refs, handles := r.list(), r.req.Handles
	if _, none := r.script.has(NoReferrers); none {
		handles = nil
	}
	r.connector.source.mu.Lock()
	refs = slices.DeleteFunc(refs, func(ref directory.Ref) bool {
		return !slices.Contains(r.req.IDs, ref.ID) && !r.tenant.refers(ref, handles)
	})
	r.connector.source.mu.Unlock()
	for len(refs) > r.connector.opts.PageSize {
		r.fill(refs[:r.connector.opts.PageSize])
		refs = refs[r.connector.opts.PageSize:]
		if err := r.send(ctx); err != nil || r.over() {
			return err
		}
	}
	r.fill(refs)
	return r.finish(ctx, -1)
}

// byID lists the objects that the request names, and as removed whom it names and who is not there.
func (r *reader) byID(ctx context.Context) error {
	refs := r.list()
	for _, id := range r.req.IDs {
		if ref := (directory.Ref{Kind: r.kind, ID: id}); !slices.Contains(refs, ref) {
			r.page.Removed = append(r.page.Removed, ref)
		}
	}
	if _, silent := r.script.has(NothingByID); silent {
		r.page.Removed = nil
	}
	removed := r.page.Removed
	r.fill(slices.DeleteFunc(refs, func(ref directory.Ref) bool { return !slices.Contains(r.req.IDs, ref.ID) }))
	r.page.Removed, r.page.Members = removed, nil
	return r.finish(ctx, -1)
}

// finish sends the last page: with the cursor for the next delta, and the proof.
func (r *reader) finish(ctx context.Context, count int) error {
	next := r.at
	next.Full, next.After = false, ""
	if !r.connector.opts.WithoutDelta && r.req.Mode != connectors.Referrers && r.req.Mode != connectors.ByID {
		r.page.Cursor = next.bytes()
	}
	r.page.Resumable = false
	proof := &connectors.Proof{Scope: r.connector.opts.Scope, Count: -1}
	if !r.connector.opts.WithoutCount && r.req.Mode == connectors.Full {
		proof.Count = count
	}
	if m, ok := r.script.has(WrongCount); ok {
		proof.Count += m.Count
	}
	if m, ok := r.script.has(ChangedScope); ok {
		proof.Scope = m.Scope
	}
	r.page.Proof = proof
	return r.send(ctx)
}

// over reports whether a Cut ended the read.
func (r *reader) over() bool {
	_, cut := r.script.at(Cut, r.pages)
	return cut
}

// send emits the page, unless the script has something else for it.
func (r *reader) send(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	silent, broken := r.connector.source.state()
	if broken != nil {
		return broken
	}
	n := r.pages
	if m, ok := r.script.at(Fail, n); ok {
		return m.Err
	}
	if r.over() {
		return nil
	}
	if _, ok := r.script.at(Panic, n); ok {
		panic("scripted panic")
	}
	if _, ok := r.script.at(Hang, n); ok || silent {
		<-ctx.Done()
		return ctx.Err()
	}
	if _, ok := r.script.has(LeakGoroutine); ok {
		go func() { select {} }()
	}
	r.spoil(n)
	if _, ok := r.script.at(RepeatPage, n); ok {
		first := r.page
		first.Proof, first.Cursor, first.Resumable = nil, nil, false
		if err := r.emit(&first); err != nil {
			return err
		}
	}
	err := r.emit(&r.page)
	r.pages++
	return err
}

// spoil puts an entry that could not be translated on the page.
func (r *reader) spoil(page int) {
	if _, ok := r.script.at(InvalidEntry, page); ok {
		r.page.Invalid = append(r.page.Invalid, connectors.Invalid{Kind: r.kind, Where: "scripted", Err: errInvalid(r.kind)})
	}
	if _, ok := r.script.at(InvalidEntryWithID, page); ok && len(r.page.Objects) > 0 {
		id := r.page.Objects[0].ID
		r.page.Objects = r.page.Objects[1:]
		r.page.Invalid = append(r.page.Invalid, connectors.Invalid{Kind: r.kind, ID: id, Where: "scripted", Err: errInvalid(r.kind)})
	}
}
