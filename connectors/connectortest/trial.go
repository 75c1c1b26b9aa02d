package connectortest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

// patience is how long the suite waits for a call before it says that the call hangs.
const patience = 5 * time.Minute

// trial is one check under way.
type trial struct {
	testing.TB
	*Fixture
	harness Harness
	tenant  connectors.Tenant
	stream  connectors.Stream
	ctx     context.Context
}

func (c *trial) findTenant() {
	c.Helper()
	if c.Tenant != nil {
		c.tenant = *c.Tenant
		return
	}
	list, err := c.Connector.Tenants(c.ctx)
	if err != nil || len(list) == 0 {
		c.Fatalf("Tenants: %d tenants, error %v; want at least one", len(list), err)
	}
	c.tenant = list[0]
}

// breaks breaks the source, or skips the check when the source cannot be broken so.
func (c *trial) breaks(how Breakage) {
	c.Helper()
	c.needs(how)
	c.Break(c.TB, how)
}

func (c *trial) needs(how Breakage) {
	c.Helper()
	if c.Break == nil {
		c.Skip("the source cannot be broken")
	}
	if why, ok := c.harness.Unsupported[how]; ok {
		c.Skipf("%s: %s", how, why)
	}
}

// clean fails the test when a text shows a secret.
func (c *trial) clean(what, text string) {
	c.Helper()
	for _, secret := range c.harness.Secrets {
		if secret != "" && strings.Contains(text, secret) {
			c.Errorf("%s shows a secret", what)
		}
	}
}

// cleanError looks for secrets in every rendering of an error and of what it wraps.
func (c *trial) cleanError(what string, err error) {
	c.Helper()
	if err == nil {
		return
	}
	c.clean(what, fmt.Sprintf("%v %+v %q", err, err, err))
	for e := err; e != nil; e = errors.Unwrap(e) {
		c.clean(what, fmt.Sprintf("%#v", e))
	}
}

// listing is what a read has emitted.
type listing struct {
	pages []page
	err   error
}

// page is a copy of a page that shares nothing with the connector.
type page struct {
	objects   []directory.Object
	removed   []directory.Ref
	members   []connectors.Members
	invalid   []connectors.Invalid
	cursor    []byte
	resumable bool
	proof     *connectors.Proof
	mayLack   *connectors.MayLack
	// looksForMembers: members whom a group's list lacks can be looked for.
	looksForMembers bool
}

func copyPage(p *connectors.Page) page {
	c := page{
		removed: slices.Clone(p.Removed), invalid: slices.Clone(p.Invalid), cursor: slices.Clone(p.Cursor), resumable: p.Resumable,
		mayLack: p.MayLack, looksForMembers: p.LookMembers != nil,
	}
	for i := range p.Objects {
		o := p.Objects[i]
		o.Handles, o.Fields, o.Links = slices.Clone(o.Handles), slices.Clone(o.Fields), slices.Clone(o.Links)
		c.objects = append(c.objects, o)
	}
	for _, m := range p.Members {
		m.Add, m.Remove = slices.Clone(m.Add), slices.Clone(m.Remove)
		c.members = append(c.members, m)
	}
	if p.Proof != nil {
		proof := *p.Proof
		c.proof = &proof
	}
	return c
}

// read reads the trial's stream. each is called with every page's number; its error is that of emit.
func (c *trial) read(ctx context.Context, mode connectors.Mode, cursor []byte, each func(n int) error) listing {
	c.Helper()
	return c.readStream(ctx, connectors.Request{Tenant: c.tenant, Stream: c.stream.Name, Mode: mode, Cursor: cursor}, each)
}

// readStream calls Read and watches that it keeps to the rules of emit: on the caller's goroutine, not after an
// error, not after the end, no page after the proof.
func (c *trial) readStream(ctx context.Context, req connectors.Request, each func(n int) error) listing {
	c.Helper()
	var (
		l     listing
		emits watcher
	)
	done := make(chan struct{})
	go func() {
		defer close(done)
		caller := goroutineID()
		l.err = c.Connector.Read(ctx, req, func(p *connectors.Page) error {
			emits.enter(c.TB, caller)
			l.pages = append(l.pages, copyPage(p))
			if each == nil {
				return nil
			}
			err := each(len(l.pages) - 1)
			emits.failed.Store(err != nil)
			return err
		})
		emits.over.Store(true)
	}()
	select {
	case <-done:
	case <-time.After(patience):
		c.Fatalf("Read of %s (%s) did not return within %v", req.Stream, req.Mode, patience)
	}
	c.cleanError("the error of Read", l.err)
	for _, p := range l.pages {
		if p.proof != nil {
			c.clean("Proof.Scope", p.proof.Scope)
		}
		for _, inv := range p.invalid {
			c.cleanError("Invalid.Err", inv.Err)
		}
	}
	return l
}

// watcher sees calls of emit that must not be.
type watcher struct{ failed, over atomic.Bool }

func (w *watcher) enter(tb testing.TB, caller string) {
	if id := goroutineID(); id != caller {
		tb.Errorf("emit was called on %s, Read on %s", id, caller)
	}
	if w.failed.Load() {
		tb.Error("emit was called again after it had returned an error")
	}
	if w.over.Load() {
		tb.Error("emit was called after Read had returned")
	}
}

// full reads everything and fails the test unless that succeeds.
func (c *trial) full() listing {
	c.Helper()
	l := c.read(c.ctx, connectors.Full, nil, nil)
	if l.err != nil {
		c.Fatalf("full read: %v", l.err)
	}
	c.wellFormed(l, connectors.Full)
	return l
}

// severalPages fails the test when a source is too small for what is to be checked.
func (c *trial) severalPages(l listing) {
	c.Helper()
	if len(l.pages) < 3 {
		c.Fatalf("the fixture gives %d pages of %s; it must hold enough for eight", len(l.pages), c.stream.Name)
	}
}

// content is a listing as a map from object to canonical bytes, members among them; of an object that came
// twice the later one holds.
func (l listing) content() map[directory.Ref]string {
	m := make(map[directory.Ref]string)
	lists := make(map[string][]string)
	for _, p := range l.pages {
		for i := range p.objects {
			o := &p.objects[i]
			m[directory.Ref{Kind: o.Kind, ID: o.ID}] = string(directory.AppendObject(nil, o))
		}
		for _, g := range p.members {
			if g.Whole {
				lists[g.Group] = nil
			}
			lists[g.Group] = append(lists[g.Group], g.Add...)
		}
	}
	for group, list := range lists {
		slices.Sort(list)
		m[directory.Ref{ID: "members of " + group}] = strings.Join(slices.Compact(list), "\n")
	}
	return m
}

// ids lists the objects of a listing in ascending order, each once.
func (l listing) ids() []directory.Ref {
	var refs []directory.Ref
	for _, p := range l.pages {
		for i := range p.objects {
			refs = append(refs, directory.Ref{Kind: p.objects[i].Kind, ID: p.objects[i].ID})
		}
	}
	slices.SortFunc(refs, compareRefs)
	return slices.Compact(refs)
}

func compareRefs(a, b directory.Ref) int {
	if a.Kind != b.Kind {
		return int(a.Kind) - int(b.Kind)
	}
	return strings.Compare(a.ID, b.ID)
}

// proof returns the proof of the last page, or nil.
func (l listing) proof() *connectors.Proof {
	if len(l.pages) == 0 {
		return nil
	}
	return l.pages[len(l.pages)-1].proof
}

// unproven fails the test when a listing that did not end well claims anything that only a complete one may.
func (c *trial) unproven(l listing) {
	c.Helper()
	for i, p := range l.pages {
		if p.proof != nil {
			c.Errorf("page %d of a listing that ended with an error carries a Proof", i)
		}
		if len(p.removed) > 0 {
			c.Errorf("page %d of a full listing that ended with an error names removed objects", i)
		}
	}
}

// classified fails the test unless an error says what kind it is and what to do.
func (c *trial) classified(what string, err error, want ...fault.Class) {
	c.Helper()
	var e *fault.Error
	switch {
	case err == nil:
		c.Errorf("%s: no error", what)
	case !errors.As(err, &e):
		c.Errorf("%s: the error is not classified: %v", what, err)
	case len(want) > 0 && !slices.Contains(want, fault.ClassOf(err)):
		c.Errorf("%s: class %s, want one of %v: %v", what, fault.ClassOf(err), want, err)
	case len(want) == 0 && fault.ClassOf(err) == fault.Internal:
		c.Errorf("%s: an error of the source is classified as a defect of ours: %v", what, err)
	}
}
