package storetest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"time"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

func emptyPartition(e *env) {
	e.view(func(r store.Reader) error {
		e.equal("lookup", must(r.Lookup([]string{"a", "b"}, nil)), []store.Num{0, 0})
		e.equal("owner", ownerOf(r, 7), 7)
		for _, kind := range directory.Kinds() {
			_, ok, err := r.Row(kind, 1)
			e.equal("row", must(ok, err), false)
			e.equal("rows", len(rowNums(r, kind, 0)), 0)
			e.equal("count", must(r.Count(kind)), 0)
			e.equal("dirty", len(dirtyOf(r, kind, 0)), 0)
		}
		for _, kind := range directory.RecordKinds() {
			_, ok, err := r.Record(kind, 1)
			e.equal("record", must(ok, err), false)
			e.equal("active", must(r.ActiveRecords(kind)), 0)
		}
		e.equal("members", len(membersOf(r, 1)), 0)
		e.equal("groups", len(groupsOf(r, 1)), 0)
		e.equal("referrers", len(referrersOf(r, directory.Manager, 1)), 0)
		e.equal("memberships", must(r.Memberships()), 0)
		e.equal("digest", must(r.MemberDigest(1)), store.MemberDigest{})
		e.equal("stream", must(r.Stream("users")), store.StreamState{})
		e.equal("targets", must(r.Targets()), []string{})
		e.equal("claimed", must(r.Claimed("journal")), 0)
		depth, oldest, err := r.OutboxDepth("journal")
		e.equal("depth", must(depth, err), 0)
		e.equal("oldest", oldest.IsZero(), true)
		e.equal("outbox", len(queuedSeqs(r, "journal", 0)), 0)
		e.equal("parked", must(r.ParkedCount()), 0)
		_, ok, err := r.ParkedAction("journal", "user/1")
		e.equal("parked action", must(ok, err), false)
		_, ok, err = r.ParkedObject(directory.Person, "1")
		e.equal("parked object", must(ok, err), false)
		e.equal("tenant", must(r.Tenant()), store.TenantState{})
		e.equal("runs", len(collect(r.Runs)), 0)
		e.equal("seen", len(seenOf(r, "users")), 0)
		e.equal("waits", len(waitsAt(r, "journal")), 0)
		e.equal("waits of", len(must(r.WaitsOf("journal", []string{"user/1"}))), 0)
		e.equal("next wait", must(r.NextWait("journal")).IsZero(), true)
		e.equal("wait counts", len(must(r.WaitCounts("journal"))), 0)
		e.equal("links", len(linksOf(r)), 0)
		e.equal("links of", must(r.LinksOf([]string{"user/1"})), []store.Link{{}})
		e.equal("links at", len(must(r.LinksAt(directory.UserRecord, []string{"1"}))), 0)
		e.equal("link counts", len(must(r.LinkCounts())), 0)
		e.equal("rejected", len(must(r.Rejected([]string{"user/1"}))), 0)
		e.equal("reviews", len(reviewsOf(r)), 0)
		e.equal("review count", must(r.ReviewCount()), 0)
		e.equal("desk", must(r.Desk()), store.DeskState{})
		return nil
	})
	e.update(func(store.Writer) error { return nil })
	e.update(func(w store.Writer) error {
		if err := w.ClearDirty(directory.Person, []store.Num{1}); err != nil {
			return err
		}
		if err := w.DeleteRow(directory.Group, 1); err != nil {
			return err
		}
		if err := w.Dequeue("journal", []uint64{1}); err != nil {
			return err
		}
		return w.ClearSeen("users")
	})
	e.equal("partitions after looking only", must(e.store.Partitions(e.Context())), []store.Partition{})
}

// fill changes a little of everything.
func fill(w store.Writer) error {
	n := must(w.PutRow(person("1", []string{"uid:a"}, "uid:b"), store.Here))
	g := must(w.PutRow(group("g"), store.Here))
	must(w.AddMembers(g, []store.Num{n}, nil))
	must(w.Park(store.Parked{Stage: "read", Kind: directory.Person, Object: "x"}))
	must(w.PutWait(waitFor("1", "customer/acme", time.Time{})))
	must(w.PutReview(store.Review{Subject: "user/1", Cause: "ambiguous"}))
	return errors.Join(
		w.PutLink(linkTo("user/1", "7")),
		w.Reject(store.Rejection{Subject: "user/1", Kind: directory.UserRecord, ID: "8"}),
		w.PutDesk(store.DeskState{Place: "https://desk"}),
		w.SetMemberDigest(g, store.MemberDigest{Count: 1}),
		w.MarkDirty(directory.Person, n, store.Changed),
		w.PutStream("users", store.StreamState{Cursor: []byte("c")}),
		w.AppendSeen("users", []byte("chunk")),
		w.PutRecord(n, &directory.Record{Kind: directory.UserRecord, Key: "hq/1", Active: true}),
		w.Enqueue("journal", action("1"), now),
		w.PutTenant(store.TenantState{Name: "Contoso"}),
		w.PutRun(store.Run{ID: "r1"}),
	)
}

// untouched checks that fill left no trace.
func (e *env) untouched() {
	e.Helper()
	e.equal("partitions", must(e.store.Partitions(e.Context())), []store.Partition{})
	emptyPartition(e)
}

func errorRollsBack(e *env) {
	err := e.store.Update(e.Context(), e.p, func(w store.Writer) error { return errors.Join(fill(w), errStop) })
	if !errors.Is(err, errStop) {
		e.Fatalf("got %v", err)
	}
	if err := e.store.Update(e.Context(), e.p, func(store.Writer) error { return errStop }); err != errStop { //nolint:errorlint // unchanged, not wrapped
		e.Errorf("update returned %v", err)
	}
	if err := e.store.View(e.Context(), e.p, func(store.Reader) error { return errStop }); err != errStop { //nolint:errorlint // unchanged, not wrapped
		e.Errorf("view returned %v", err)
	}
	e.untouched()
}

func panicRollsBack(e *env) {
	attempt := func(what string, run func()) {
		defer func() {
			if got := recover(); got != "ouch" {
				e.Errorf("%s: recovered %v", what, got)
			}
		}()
		run()
	}
	attempt("update", func() {
		_ = e.store.Update(e.Context(), e.p, func(w store.Writer) error { must(0, fill(w)); panic("ouch") })
	})
	attempt("view", func() {
		_ = e.store.View(e.Context(), e.p, func(store.Reader) error { panic("ouch") })
	})
	attempt("callback", func() {
		_ = e.store.Update(e.Context(), e.p, func(w store.Writer) error {
			must(0, fill(w))
			return w.Rows(directory.Person, 0, func(store.Row) bool { panic("ouch") })
		})
	})
	e.untouched()
}

func goexitRollsBack(e *env) {
	var done sync.WaitGroup
	done.Go(func() {
		_ = e.store.Update(e.Context(), e.p, func(w store.Writer) error {
			must(0, fill(w))
			runtime.Goexit()
			return nil
		})
	})
	done.Wait()
	e.untouched()
}

func canceledContext(e *env) {
	ctx, cancel := context.WithCancel(e.Context())
	cancel()
	called := func() error { e.Error("a transaction was begun"); return nil }
	_, listErr := e.store.Partitions(ctx)
	_, scratchErr := e.store.Scratch(ctx, e.p)
	for what, err := range map[string]error{
		"view":       e.store.View(ctx, e.p, func(store.Reader) error { return called() }),
		"update":     e.store.Update(ctx, e.p, func(store.Writer) error { return called() }),
		"drop":       e.store.DropPartition(ctx, e.p),
		"move":       e.store.MovePartition(ctx, e.p, store.Partition{Connection: "hq2"}),
		"partitions": listErr,
		"scratch":    scratchErr,
	} {
		if fault.ClassOf(err) != fault.Canceled {
			e.Errorf("%s: %v", what, err)
		}
	}
	// An update that waits for another one can be called off.
	ctx, cancel = context.WithCancel(e.Context())
	e.update(func(store.Writer) error {
		waiting := make(chan error)
		go func() { waiting <- e.store.Update(ctx, e.p, func(store.Writer) error { return nil }) }()
		cancel()
		if err := <-waiting; err != nil && fault.ClassOf(err) != fault.Canceled {
			e.Errorf("waiting update: %v", err)
		}
		return nil
	})
}

func viewIsSnapshot(e *env) {
	e.update(fill)
	begun, changed, done := make(chan bool), make(chan bool), make(chan bool)
	go func() {
		defer close(done)
		_ = e.store.View(e.Context(), e.p, func(r store.Reader) error {
			close(begun)
			<-changed
			e.equal("count in an older view", must(r.Count(directory.Person)), 1)
			e.equal("rows in an older view", len(rowNums(r, directory.Person, 0)), 1)
			e.equal("number in an older view", number(r, directory.IDHandle("2")), 0)
			return nil
		})
	}()
	<-begun
	e.update(func(w store.Writer) error {
		must(w.PutRow(person("2", nil), store.Here))
		return nil
	})
	close(changed)
	<-done
	e.view(func(r store.Reader) error {
		e.equal("count in a newer view", must(r.Count(directory.Person)), 2)
		return nil
	})
}

func concurrentUse(e *env) {
	const workers, rounds = 8, 10
	var done sync.WaitGroup
	for i := range workers {
		p := store.Partition{Connection: "c", Tenant: fmt.Sprint(i % 4)}
		done.Go(func() {
			for j := range rounds {
				err := e.store.Update(e.Context(), p, func(w store.Writer) error {
					_, err := w.PutRow(person(fmt.Sprint(i, "-", j), []string{"shared"}), store.Here)
					return err
				})
				if err != nil {
					e.Error(err)
				}
				err = e.store.View(e.Context(), p, func(r store.Reader) error {
					if n := must(r.Count(directory.Person)); n != len(rowNums(r, directory.Person, 0)) {
						e.Errorf("%d objects are counted", n)
					}
					return nil
				})
				if err != nil {
					e.Error(err)
				}
			}
		})
	}
	done.Wait()
	for _, p := range must(e.store.Partitions(e.Context())) {
		e.p = p
		e.view(func(r store.Reader) error {
			e.equal("objects", must(r.Count(directory.Person)), 2*rounds)
			return nil
		})
	}
}

func partitions(e *env) {
	list := []store.Partition{{Connection: "hq"}, {Connection: "hq", Tenant: "a"}, {Connection: "hq", Tenant: "b/c"}, {Connection: "hq2"}}
	for i := range list {
		e.p = list[len(list)-1-i]
		e.update(func(w store.Writer) error {
			must(w.PutRow(person(e.p.String(), nil), store.Here))
			return nil
		})
	}
	e.equal("partitions", must(e.store.Partitions(e.Context())), list)
	e.equal("partitions of hq", must(e.store.Partitions(e.Context(), "hq")), list[:3])
	e.equal("partitions of several", must(e.store.Partitions(e.Context(), "hq2", "none", "hq", "hq2")), list)
	e.equal("partitions of none", must(e.store.Partitions(e.Context(), "h", "")), []store.Partition{})
	e.updateEach(list)
	for _, e.p = range list {
		e.view(func(r store.Reader) error {
			e.equal("count", must(r.Count(directory.Person)), 1)
			for _, other := range list {
				n := number(r, directory.IDHandle(other.String()))
				e.equal("known in "+e.p.String()+": "+other.String(), n != 0, other == e.p)
			}
			return nil
		})
	}
	for _, p := range []store.Partition{{}, {Connection: "a\x00b"}, {Connection: "a", Tenant: "\x00"}} {
		if err := e.store.Update(e.Context(), p, fill); err == nil {
			e.Errorf("partition %q was taken", p)
		}
	}
}

// updateEach stores what belongs to each of some partitions, all of it or none.
func (e *env) updateEach(list []store.Partition) {
	name := func(p store.Partition) string {
		var state store.TenantState
		err := e.store.View(e.Context(), p, func(r store.Reader) (err error) { state, err = r.Tenant(); return err })
		if err != nil {
			e.Error(err)
		}
		return state.Name
	}
	write := func(p store.Partition, w store.Writer) error { return w.PutTenant(store.TenantState{Name: p.String()}) }
	if err := store.UpdateEach(e.Context(), e.store, list, write); err != nil {
		e.Error(err)
	}
	for _, p := range list {
		e.equal("written to "+p.String(), name(p), p.String())
	}
	broken := errors.New("broken")
	err := store.UpdateEach(e.Context(), e.store, list, func(p store.Partition, w store.Writer) error {
		if err := w.PutTenant(store.TenantState{Name: "half"}); err != nil || p == list[2] {
			return cmp.Or(err, broken)
		}
		return nil
	})
	if !errors.Is(err, broken) || name(list[2]) == "half" || name(list[3]) == "half" {
		e.Errorf("a failure in the third: %v; stored are %s and %s", err, name(list[2]), name(list[3]))
	}
}

func dropPartition(e *env) {
	e.update(fill)
	e.p.Tenant = "other"
	e.update(fill)
	for range 2 {
		if err := e.store.DropPartition(e.Context(), e.p); err != nil {
			e.Fatal(err)
		}
	}
	e.equal("partitions", must(e.store.Partitions(e.Context())), []store.Partition{{Connection: "hq", Tenant: "contoso"}})
	e.view(func(r store.Reader) error {
		e.equal("number", number(r, "uid:a"), 0)
		e.equal("count", must(r.Count(directory.Person)), 0)
		e.equal("targets", must(r.Targets()), []string{})
		e.equal("parked", must(r.ParkedCount()), 0)
		return nil
	})
}

func movePartition(e *env) {
	from, to := e.p, store.Partition{Connection: "renamed", Tenant: "contoso"}
	e.update(fill)
	want := contentOf(e)
	e.p = store.Partition{Connection: "never"}
	empty := contentOf(e)
	e.p = store.Partition{Connection: "hq2"}
	e.update(fill)
	if err := e.store.MovePartition(e.Context(), from, e.p); fault.ClassOf(err) != fault.Internal {
		e.Errorf("onto another: %v", err)
	}
	must(0, e.store.MovePartition(e.Context(), from, to))
	must(0, e.store.MovePartition(e.Context(), from, to)) // there is nothing any more
	e.equal("partitions", must(e.store.Partitions(e.Context())), []store.Partition{e.p, to})
	e.equal("waiting", must(e.store.Waiting(e.Context(), "journal")), []store.Partition{e.p, to})
	e.equal("awaiting", must(e.store.Awaiting(e.Context(), "journal", "customer/acme")), []store.Partition{e.p, to})
	e.p = from
	e.equal("what is left", contentOf(e), empty)
	e.p = to
	e.equal("what was moved", contentOf(e), want)
	e.update(func(w store.Writer) error { // and it goes on there
		_, err := w.PutRow(person("later", nil), store.Here)
		return errors.Join(err, w.Dequeue("journal", queuedSeqs(w, "journal", 0)))
	})
	e.equal("waiting", must(e.store.Waiting(e.Context(), "journal")), []store.Partition{{Connection: "hq2"}})
}

func scratch(e *env) {
	hq := e.p
	other, third := store.Partition{Connection: "hq", Tenant: "other"}, store.Partition{Connection: "hq2"}
	for _, e.p = range []store.Partition{hq, other, third} {
		e.update(fill)
	}
	for range 3 { // what is numbered goes on in the copy where it was
		e.update(func(w store.Writer) error {
			must(0, w.PutRun(store.Run{ID: fmt.Sprint("run ", must(w.ParkedCount()))}))
			must(w.Park(store.Parked{Stage: "read"}))
			return w.AppendSeen("users", []byte("more"))
		})
	}
	e.p = hq
	copied := must(e.store.Scratch(e.Context(), third, hq, store.Partition{Connection: "nobody"}, hq))
	c := &env{T: e.T, store: copied, p: e.p}
	e.equal("partitions of the copy", must(copied.Partitions(e.Context())), []store.Partition{hq, third})
	e.equal("waiting in the copy", must(copied.Waiting(e.Context(), "journal")), []store.Partition{hq, third})
	e.equal("awaiting in the copy", must(copied.Awaiting(e.Context(), "journal", "customer/acme")), []store.Partition{hq, third})
	same := func(copied store.Store, p store.Partition) bool {
		var want, got string
		read := func(to *string) func(store.Reader) error {
			return func(r store.Reader) error { *to = everything(r); return nil }
		}
		must(0, errors.Join(e.store.View(e.Context(), p, read(&want)), copied.View(e.Context(), p, read(&got))))
		return got == want
	}
	for _, p := range []store.Partition{hq, third, other} {
		e.equal("the copy of "+p.String()+" says the same", same(copied, p), p != other)
	}
	for i := range 10 { // a small part of the state may be copied in another way than most of it
		e.p = store.Partition{Connection: "more", Tenant: fmt.Sprint(i)}
		e.update(fill)
	}
	e.p = hq
	part := must(e.store.Scratch(e.Context(), hq))
	e.equal("partitions of a small part", must(part.Partitions(e.Context())), []store.Partition{hq})
	e.equal("waiting in a small part", must(part.Waiting(e.Context(), "journal")), []store.Partition{hq})
	e.equal("awaiting in a small part", must(part.Awaiting(e.Context(), "journal")), []store.Partition{hq})
	e.equal("the copy of a small part says the same", same(part, hq), true)
	c.verify(part)
	must(0, part.Close())
	c.update(func(w store.Writer) error {
		e.equal("count in the copy", must(w.Count(directory.Person)), 1)
		must(w.PutRow(person("2", nil), store.Here))
		must(0, w.AppendSeen("users", []byte("copied")))
		return w.PutRun(store.Run{ID: "of the copy"})
	})
	e.update(func(w store.Writer) error {
		e.equal("count in the original", must(w.Count(directory.Person)), 1)
		must(w.PutRow(person("3", nil), store.Here))
		must(w.PutRow(person("4", nil), store.Here))
		return nil
	})
	second := must(copied.Scratch(e.Context(), hq))
	empty := must(copied.Scratch(e.Context()))
	c.view(func(r store.Reader) error {
		e.equal("count in the copy", must(r.Count(directory.Person)), 2)
		e.equal("seen in the copy", seenOf(r, "users"), []string{"chunk", "copied"})
		e.equal("newest run in the copy", collect(r.Runs)[0].ID, "of the copy")
		return nil
	})
	e.equal("partitions of the second copy", must(second.Partitions(e.Context())), []store.Partition{hq})
	e.equal("partitions of the empty copy", must(empty.Partitions(e.Context())), []store.Partition{})
	c.verify(copied)
	c.verify(second)
	c.verify(empty)
	must(0, errors.Join(copied.Close(), second.Close(), empty.Close()))
	if _, err := e.store.Scratch(e.Context(), store.Partition{}); err == nil {
		e.Error("a partition without a connection was copied")
	}
}

// contentOf renders what fill changed in the partition.
func contentOf(e *env) (content string) {
	e.view(func(r store.Reader) error { content = everything(r); return nil })
	return content
}

// everything renders what fill changed.
func everything(r store.Reader) string {
	var b strings.Builder
	for _, kind := range directory.Kinds() {
		must(0, r.Rows(kind, 0, func(row store.Row) bool { fmt.Fprintln(&b, row); return true }))
		fmt.Fprintln(&b, must(r.Count(kind)), dirtyOf(r, kind, 0))
	}
	for _, kind := range directory.RecordKinds() {
		must(0, r.Records(kind, 0, func(n store.Num, rec directory.Record) bool { fmt.Fprintln(&b, n, rec); return true }))
	}
	must(0, r.Outbox("journal", 0, func(q store.Queued) bool { fmt.Fprintln(&b, q); return true }))
	fmt.Fprintln(&b, must(r.Lookup([]string{"uid:a", "id:1", "id:g"}, nil)), must(r.Memberships()), must(r.Targets()), must(r.ParkedCount()),
		collect(r.Parked), collect(r.Runs), must(r.Tenant()), must(r.Stream("users")), seenOf(r, "users"))
	fmt.Fprintln(&b, waitsAt(r, "journal"), must(r.WaitCounts("journal")), linksOf(r), must(r.LinkCounts()), reviewsOf(r),
		must(r.Rejected([]string{"user/1"})), must(r.Desk()))
	return b.String()
}
