package engine

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/mapping"
)

// counted counts what the engine asks a store.
type counted struct {
	store.Store
	asked *asked
}

// asked is how often every method was called.
type asked struct {
	mu    sync.Mutex
	times map[string]int
}

func (a *asked) note(method string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.times[method]++
}

func (c *counted) View(ctx context.Context, p store.Partition, fn func(store.Reader) error) error {
	return c.Store.View(ctx, p, func(tx store.Reader) error { return fn(countedReader{tx, c.asked}) })
}

func (c *counted) Update(ctx context.Context, p store.Partition, fn func(store.Writer) error) error {
	return c.Store.Update(ctx, p, func(tx store.Writer) error {
		return fn(countedWriter{countedReader{tx, c.asked}, tx})
	})
}

func (a *asked) total() (n int) {
	for _, times := range a.times {
		n += times
	}
	return n
}

type countedReader struct {
	store.Reader
	asked *asked
}

type countedWriter struct {
	countedReader
	writer
}

// writer is the writing half of a store.Writer: the reading half is the counted one.
type writer interface {
	store.WaitWriter
	store.LinkWriter
	store.MatchWriter
	Intern(handles []string, nums []store.Num) ([]store.Num, error)
	PutRow(o *directory.Object, gone store.GoneCause) (store.Num, error)
	Give(handle, object store.Num) error
	SetGone(kind directory.Kind, n store.Num, gone store.GoneCause) error
	DeleteRow(kind directory.Kind, n store.Num) error
	AddMembers(group store.Num, handles []store.Num, added []store.Num) ([]store.Num, error)
	RemoveMembers(group store.Num, handles []store.Num, removed []store.Num) ([]store.Num, error)
	SetMemberDigest(group store.Num, d store.MemberDigest) error
	MarkDirty(kind directory.Kind, n store.Num, why store.DirtyReason) error
	ClearDirty(kind directory.Kind, nums []store.Num) error
	AppendJournal(begin uint64, keep int, entries []store.JournalEntry) error
	DropJournal() error
	PutStream(name string, s store.StreamState) error
	AppendSeen(stream string, chunk []byte) error
	ClearSeen(stream string) error
	PutRecord(n store.Num, rec *directory.Record) error
	Enqueue(target string, a *directory.Action, queued time.Time) error
	Claim(target string, upTo uint64) error
	Replace(target string, seq uint64, a *directory.Action) error
	Dequeue(target string, seqs []uint64) error
	Park(p store.Parked) (id uint64, err error)
	Unpark(id uint64) (bool, error)
	PutTenant(t store.TenantState) error
	PutRun(r store.Run) error
	KeepActions(run string, from int, list []directory.RunAction) error
	ForgetActions(before string, most int64) error
	PutDue(kind directory.Kind, n store.Num, at time.Time) error
}

func (c countedReader) Lookup(handles []string, nums []store.Num) ([]store.Num, error) {
	c.asked.note("Lookup")
	return c.Reader.Lookup(handles, nums)
}

func (c countedReader) Row(kind directory.Kind, n store.Num) (store.Row, bool, error) {
	c.asked.note("Row")
	return c.Reader.Row(kind, n)
}

func (c countedReader) Rows(kind directory.Kind, after store.Num, fn func(store.Row) bool) error {
	c.asked.note("Rows")
	return c.Reader.Rows(kind, after, fn)
}

func (c countedReader) Members(group store.Num, fn func(store.Num) bool) error {
	c.asked.note("Members")
	return c.Reader.Members(group, fn)
}

func (c countedReader) MemberDigest(group store.Num) (store.MemberDigest, error) {
	c.asked.note("MemberDigest")
	return c.Reader.MemberDigest(group)
}

func (c countedReader) Dirty(kind directory.Kind, after store.Num, fn func(store.Num, store.DirtyReason) bool) error {
	c.asked.note("Dirty")
	return c.Reader.Dirty(kind, after, fn)
}

func (c countedReader) Record(kind directory.RecordKind, n store.Num) (directory.Record, bool, error) {
	c.asked.note("Record")
	return c.Reader.Record(kind, n)
}

func (c countedReader) ParkedObject(kind directory.Kind, id string) (store.Parked, bool, error) {
	c.asked.note("ParkedObject")
	return c.Reader.ParkedObject(kind, id)
}

func (c countedReader) Owners(handles, owners []store.Num) ([]store.Num, error) {
	c.asked.note("Owners")
	return c.Reader.Owners(handles, owners)
}

func (c countedReader) RowsOf(kind directory.Kind, nums []store.Num, rows []store.Row) ([]store.Row, error) {
	c.asked.note("RowsOf")
	return c.Reader.RowsOf(kind, nums, rows)
}

func (c countedReader) MembersOf(groups []store.Num, fn func(group, handle store.Num) bool) error {
	c.asked.note("MembersOf")
	return c.Reader.MembersOf(groups, fn)
}

func (c countedReader) GroupsOf(handles []store.Num, fn func(handle, group store.Num) bool) error {
	c.asked.note("GroupsOf")
	return c.Reader.GroupsOf(handles, fn)
}

func (c countedReader) ReferrersOf(link directory.LinkType, handles []store.Num, fn func(handle, object store.Num) bool) error {
	c.asked.note("ReferrersOf")
	return c.Reader.ReferrersOf(link, handles, fn)
}

func (c countedReader) RecordsOf(m *directory.Memory, kinds []directory.RecordKind, nums []store.Num, fn func(store.Num, directory.Record) bool) error {
	c.asked.note("RecordsOf")
	return c.Reader.RecordsOf(m, kinds, nums, fn)
}

// crowd is a world whose pages are large: people with a manager each, in three groups each.
type crowd struct {
	*world
	people, groups int
	changed        int // so many have another name
}

func (c *crowd) Describe() connectors.Description {
	d := c.world.Describe()
	d.Streams[0].Delta = true
	return d
}

const crowdPage = 500

func (c *crowd) Read(_ context.Context, req connectors.Request, emit func(*connectors.Page) error) error {
	proof := &connectors.Proof{Scope: "all", Count: -1}
	var p connectors.Page
	send := func(last bool) error {
		if last {
			p.Proof, p.Cursor = proof, []byte("delta")
		}
		err := emit(&p)
		p = connectors.Page{}
		return err
	}
	if req.Stream == "groups" {
		for g := range c.groups {
			o := directory.Object{Kind: directory.Group, ID: fmt.Sprint("g", g)}
			o.SetText(directory.FieldName, o.ID)
			m := connectors.Members{Group: o.ID, Whole: true}
			for i := range 3 * c.people / c.groups {
				m.Add = append(m.Add, fmt.Sprint("p:", (g*c.people/c.groups+i)%c.people))
			}
			p.Objects, p.Members = append(p.Objects, o), append(p.Members, m)
			if len(p.Objects) == crowdPage {
				if err := send(false); err != nil {
					return err
				}
			}
		}
		return send(true)
	}
	n := c.people
	if req.Mode == connectors.Delta {
		n = c.changed
	}
	for i := range n {
		o := directory.Object{Kind: directory.Person, ID: fmt.Sprint(i), Handles: []string{fmt.Sprint("p:", i)}}
		o.Links = []directory.Link{{Type: directory.Manager, To: fmt.Sprint("p:", i/10)}}
		o.Set(directory.FieldEnabled, directory.Bool(true))
		o.SetText(directory.FieldName, fmt.Sprint("P", i))
		if i < c.changed {
			o.SetText(directory.FieldName, fmt.Sprint("Q", i))
		}
		p.Objects = append(p.Objects, o)
		if len(p.Objects) == crowdPage {
			if err := send(false); err != nil {
				return err
			}
		}
	}
	return send(true)
}

// A store may be at the far end of a wire: what a run asks it must follow the number of pages and of chunks, not that
// of objects.
func TestReadsComeInBatches(t *testing.T) {
	const people = 4000
	r := newRig(t)
	boss := field("boss", "= manager.name")
	spec := mapping.Spec{Name: "m",
		Rules:  []mapping.RuleSpec{agent("desk", `"g1" in groups`), user("everyone", "enabled")},
		Groups: []mapping.RuleSpec{rule("teams", "true", directory.GroupRecord)},
		Fields: map[directory.RecordKind][]mapping.FieldSpec{directory.UserRecord: {field("name", "= name"), boss},
			directory.AgentRecord: {field("name", "= name")}, directory.GroupRecord: {field("name", "= name")}},
	}
	r.mapping(spec)
	r.conn.Guard = nil
	r.engine.chunk = 1000
	source := &crowd{world: r.world, people: people, groups: people / 40}
	r.conn.Source = source
	for _, step := range []struct {
		name   string
		change func()
		most   int
	}{
		{"first sync", func() {}, 230},
		{"nothing new", func() {}, 130},
		{"delta of 1000", func() { source.changed = 1000 }, 220},
		{"rule edit", func() {
			spec.Rules[1].Name = "all"
			r.mapping(spec)
		}, 250},
	} {
		step.change()
		st := &counted{Store: r.store, asked: &asked{times: map[string]int{}}}
		r.engine.store = st
		if _, res := r.sync(); res.Err != nil {
			t.Fatal(res.Err)
		}
		t.Logf("%s: %d %v", step.name, st.asked.total(), st.asked.times)
		if st.asked.total() > step.most {
			t.Errorf("%s: the store was asked %d times, more than %d", step.name, st.asked.total(), step.most)
		}
	}
}
