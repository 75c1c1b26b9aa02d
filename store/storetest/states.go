package storetest

import (
	"bytes"
	"fmt"
	"time"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
)

func dirty(e *env) {
	var nums []store.Num
	e.both(func(w store.Writer) error {
		nums = intern(w, "a", "b", "c")
		must(0, w.MarkDirty(directory.Person, nums[2], store.Changed))
		must(0, w.MarkDirty(directory.Person, nums[0], store.Changed))
		must(0, w.MarkDirty(directory.Group, nums[1], store.MembersChanged))
		must(0, w.MarkDirty(directory.Group, nums[1], store.Regrouped))
		return w.MarkDirty(directory.Group, nums[1], store.Regrouped)
	}, func(r store.Reader) {
		e.equal("people", dirtyOf(r, directory.Person, 0), []string{fmt.Sprint(nums[0], ":1"), fmt.Sprint(nums[2], ":1")})
		e.equal("people after one", dirtyOf(r, directory.Person, nums[0]), []string{fmt.Sprint(nums[2], ":1")})
		e.equal("groups", dirtyOf(r, directory.Group, 0), []string{fmt.Sprint(nums[1], ":6")})
		calls := 0
		err := r.Dirty(directory.Person, 0, func(store.Num, store.DirtyReason) bool { calls++; return false })
		e.equal("calls until false", must(calls, err), 1)
	})
	e.both(func(w store.Writer) error {
		must(0, w.ClearDirty(directory.Person, []store.Num{nums[0], nums[1], nums[0]}))
		return w.ClearDirty(directory.Group, nums)
	}, func(r store.Reader) {
		e.equal("people", dirtyOf(r, directory.Person, 0), []string{fmt.Sprint(nums[2], ":1")})
		e.equal("groups", dirtyOf(r, directory.Group, 0), []string{})
	})
}

func streams(e *env) {
	users := store.StreamState{Cursor: []byte{0, 255}, Partial: []byte("p"), Known: []byte("k"), Scope: "dc=x", NewScope: "dc=y", Complete: now, Moved: now,
		Reads: []string{"department: ou", "manager"}}
	e.both(func(w store.Writer) error {
		must(0, w.PutStream("groups", store.StreamState{Scope: "g"}))
		must(0, w.PutStream("users", store.StreamState{Scope: "old"}))
		return w.PutStream("users", users)
	}, func(r store.Reader) {
		e.equal("users", must(r.Stream("users")), users)
		e.equal("groups", must(r.Stream("groups")), store.StreamState{Scope: "g"})
		e.equal("other", must(r.Stream("user")), store.StreamState{})
		e.equal("names", must(r.Streams()), []string{"groups", "users"})
	})
	e.both(func(w store.Writer) error { return w.PutStream("users", store.StreamState{}) },
		func(r store.Reader) {
			e.equal("cleared", must(r.Stream("users")), store.StreamState{})
			e.equal("names", must(r.Streams()), []string{"groups"})
		})
}

func seenOf(r store.Reader, stream string) []string {
	return collect(func(fn func(string) bool) error {
		return r.Seen(stream, func(chunk []byte) bool { return fn(string(chunk)) })
	})
}

func seen(e *env) {
	big := bytes.Repeat([]byte("big"), 20000)
	for _, chunk := range []string{"one", "", string(big)} {
		e.update(func(w store.Writer) error {
			buf := []byte(chunk)
			must(0, w.AppendSeen("users", buf))
			clear(buf) // it was the caller's
			return w.AppendSeen("user", []byte("other"))
		})
	}
	e.view(func(r store.Reader) error {
		e.equal("chunks", seenOf(r, "users"), []string{"one", "", string(big)})
		calls := 0
		err := r.Seen("users", func([]byte) bool { calls++; return false })
		e.equal("calls until false", must(calls, err), 1)
		return nil
	})
	e.both(func(w store.Writer) error {
		must(0, w.ClearSeen("users"))
		return w.ClearSeen("users")
	}, func(r store.Reader) {
		e.equal("cleared", seenOf(r, "users"), []string{})
		e.equal("other stream", len(seenOf(r, "user")), 3)
	})
	e.both(func(w store.Writer) error { return w.AppendSeen("users", []byte("again")) },
		func(r store.Reader) { e.equal("anew", seenOf(r, "users"), []string{"again"}) })
}

func records(e *env) {
	var nums []store.Num
	rec := func(kind directory.RecordKind, key string, active bool) *directory.Record {
		stamp := directory.Stamp{Run: "r1", Time: now.Truncate(time.Second)}
		return &directory.Record{Kind: kind, Key: key, Active: active, Rule: "everyone", Revision: 3, Changed: stamp,
			Members: []uint32{1, 7, 4294967295},
			Fields:  []directory.RecordField{{Field: directory.Field{Name: "name", Value: directory.Text("A")}, Since: &stamp}}}
	}
	put := func(n store.Num, want *directory.Record, active int) {
		e.both(func(w store.Writer) error { return w.PutRecord(n, want) }, func(r store.Reader) {
			got, ok, err := r.Record(want.Kind, n)
			e.equal("found", must(ok, err), true)
			if got.Undone != nil && want.Undone != nil {
				e.equal("undone", *got.Undone, *want.Undone)
				got.Undone = want.Undone
			}
			e.equal("record", got, *want)
			e.equal("active", must(r.ActiveRecords(want.Kind)), active)
		})
	}
	e.update(func(w store.Writer) error { nums = intern(w, "a", "b", "c"); return nil })
	put(nums[1], rec(directory.UserRecord, "hq/b", true), 1)
	put(nums[0], rec(directory.UserRecord, "hq/a", true), 2)
	put(nums[0], rec(directory.AgentRecord, "hq/a", true), 1)
	put(nums[0], rec(directory.UserRecord, "hq/a", false), 1)
	put(nums[0], rec(directory.UserRecord, "hq/a", false), 1)
	put(nums[2], rec(directory.UserRecord, "hq/c", false), 1)
	put(nums[0], rec(directory.UserRecord, "hq/a", true), 2)
	undone := func(rec *directory.Record) *directory.Record {
		rec.Undone = &directory.Undone{Of: "r0", By: "ann", At: rec.Changed, Op: directory.Reactivate}
		return rec
	}
	put(nums[0], undone(rec(directory.UserRecord, "hq/a", true)), 2)
	put(nums[0], undone(rec(directory.UserRecord, "hq/a", false)), 1)
	put(nums[0], undone(rec(directory.UserRecord, "hq/a", true)), 2)
	put(nums[0], rec(directory.UserRecord, "hq/a", true), 2)
	e.update(func(w store.Writer) error { // of a number that is new, after all were read
		n := intern(w, "d")[0]
		must(0, w.PutRecord(n, rec(directory.CustomerRecord, "hq/d", true)))
		must(0, w.Records(directory.CustomerRecord, 0, func(store.Num, directory.Record) bool { return true }))
		_, ok, err := w.Record(directory.CustomerRecord, n)
		e.equal("found again", must(ok, err), true)
		return nil
	})
	e.view(func(r store.Reader) error {
		var got []store.Num
		list := func(after store.Num, limit int) []store.Num {
			got = nil
			err := r.Records(directory.UserRecord, after, func(n store.Num, rec directory.Record) bool {
				got = append(got, n)
				return len(got) < limit
			})
			return must(got, err)
		}
		e.equal("all", list(0, 9), nums)
		e.equal("after one", list(nums[0], 9), nums[1:])
		e.equal("until false", list(0, 2), nums[:2])
		return nil
	})
}

func tenant(e *env) {
	state := store.TenantState{Name: "Contoso", Domain: "contoso.test", Domains: []string{"a.test", "contoso.test"}, RulesHash: "h", Reads: []string{"users"}, WantFull: true, Why: "asked",
		Proven: now, Failing: &store.Failure{Class: "auth", Text: "no", Since: now, Runs: 2},
		Taken: []store.TakenSeats{{Kind: "agent", Field: "licence", Of: map[string]int{"Full": 3, "Light": 0}}},
		Held:  &store.HeldPlan{Hash: "x", Counts: map[string]map[string]int{"user": {"delete": 3}}, Since: now}}
	for _, want := range []store.TenantState{state, state, {Name: "Fabrikam"}, {}} {
		e.both(func(w store.Writer) error { return w.PutTenant(want) }, func(r store.Reader) {
			got := must(r.Tenant())
			if want.Held != nil {
				e.equal("held", *got.Held, *want.Held)
				e.equal("failing", *got.Failing, *want.Failing)
			}
			got.Held, got.Failing = want.Held, want.Failing
			e.equal("tenant", got, want)
		})
	}
}

func runActions(e *env) {
	type at struct {
		At int
		Of directory.RunAction
	}
	from := func(r store.Reader, run string, from int) []at {
		return collect(func(fn func(at) bool) error {
			return r.RunActions(run, from, func(i int, a directory.RunAction) bool { return fn(at{i, a}) })
		})
	}
	of := func(r store.Reader, run string) (list []directory.RunAction) {
		for i, a := range from(r, run, 0) {
			e.equal("position", a.At, i)
			list = append(list, a.Of)
		}
		return list
	}
	joiner := directory.RunAction{Op: directory.Create, Kind: directory.UserRecord, Num: 1, Key: "hq/1", Name: "Ann", Rule: "staff", Revision: 1}
	mover := directory.RunAction{Op: directory.Update, Kind: directory.UserRecord, Num: 2, Key: "hq/2", Reason: "so", Revision: 7,
		Changes: []directory.FieldChange{{Name: "seen", From: directory.Null(), To: directory.Time(now)}, {Name: "site", From: directory.Text("Leeds"), To: directory.List("a", "b")}}}
	team := directory.RunAction{Op: directory.Update, Kind: directory.GroupRecord, Num: 3, Key: "hq/3", Name: "Desk", Rule: "staff", Revision: 2, Added: 2, Removed: 1, Entered: []uint32{1, 900}, Left: []uint32{2}}
	e.both(func(w store.Writer) error {
		must(0, w.KeepActions("r000", 0, []directory.RunAction{joiner, mover}))
		must(0, w.KeepActions("r000", 2, []directory.RunAction{team}))
		must(0, w.KeepActions("r000", 3, nil))
		return w.KeepActions("r0001", 0, []directory.RunAction{team})
	}, func(r store.Reader) {
		e.equal("in order", of(r, "r000"), []directory.RunAction{joiner, mover, team})
		e.equal("of another run", of(r, "r0001"), []directory.RunAction{team})
		e.equal("of none", len(of(r, "r00")), 0)
		e.equal("from within", from(r, "r000", 1), []at{{1, mover}, {2, team}})
		e.equal("from the last on", from(r, "r000", 2), []at{{2, team}})
		e.equal("from behind it", len(from(r, "r000", 3)), 0)
		e.equal("from far behind it", len(from(r, "r000", 1<<33)), 0)
		calls := 0
		err := r.RunActions("r000", 0, func(int, directory.RunAction) bool { calls++; return false })
		e.equal("calls until false", must(calls, err), 1)
		about := func(key string) []string {
			return collect(func(fn func(string) bool) error {
				return r.ActionsOf(key, func(run string, a directory.RunAction) bool { return fn(run + " " + a.Key + " " + a.Op.String()) })
			})
		}
		e.equal("of a key, newest first", about("hq/3"), []string{"r0001 hq/3 update", "r000 hq/3 update"})
		e.equal("of one key", about("hq/2"), []string{"r000 hq/2 update"})
		e.equal("of no key", len(about("hq/"))+len(about("hq"))+len(about(""))+len(about("other/2")), 0)
		calls = 0
		err = r.ActionsOf("hq/3", func(string, directory.RunAction) bool { calls++; return false })
		e.equal("calls until false", must(calls, err), 1)
		first, at, bytes, err := r.ActionsKept()
		e.equal("first", must(first, err), "r000")
		e.equal("position", at, 0)
		e.equal("takes something", bytes > 0, true)
	})
}

// forgottenActions: by size, by age, and the runs with their last one.
func forgottenActions(e *env) {
	one := []directory.RunAction{{Op: directory.Create, Kind: directory.UserRecord, Num: 1, Key: "hq/1", Revision: 1}}
	count := func(r store.Reader, run string) (n int) {
		must(0, r.RunActions(run, 0, func(int, directory.RunAction) bool { n++; return true }))
		return n
	}
	stored := func(r store.Reader) int {
		return len(collect(func(fn func(string) bool) error { return r.Runs(func(run store.Run) bool { return fn(run.ID) }) }))
	}
	const many = 1000
	run := func(i int) string { return fmt.Sprintf("r%03d", i) }
	e.update(func(w store.Writer) error {
		for i := range many {
			must(0, w.PutRun(store.Run{ID: run(i)}))
			must(0, w.KeepActions(run(i), 0, one))
			must(0, w.KeepActions(run(i), 1, one))
		}
		return w.KeepActions("r9999", 0, one) // of a run that was cut
	})
	var all int64
	e.view(func(r store.Reader) error {
		e.equal("runs stay with their actions", stored(r), many)
		_, _, bytes, err := r.ActionsKept()
		all = must(bytes, err)
		return nil
	})
	e.both(func(w store.Writer) error { return w.ForgetActions("", all) }, func(r store.Reader) {
		e.equal("nothing is too much", stored(r), many)
	})
	e.both(func(w store.Writer) error { return w.ForgetActions(run(500), all) }, func(r store.Reader) {
		e.equal("too old", count(r, run(499)), 0)
		e.equal("not too old", count(r, run(500)), 2)
		e.equal("the runs go, too", stored(r), many-500)
		first, _, _, err := r.ActionsKept()
		e.equal("first", must(first, err), run(500))
	})
	e.update(func(w store.Writer) error {
		_, _, bytes, err := w.ActionsKept()
		must(0, err)
		return w.ForgetActions("", bytes-1)
	})
	e.view(func(r store.Reader) error {
		first, at, _, err := r.ActionsKept()
		e.equal("the oldest goes alone", must(first, err), run(500))
		e.equal("its position", at, 1)
		e.equal("of its run", count(r, run(500)), 1)
		e.equal("its run stays", stored(r), many-500)
		return nil
	})
	e.both(func(w store.Writer) error { return w.ForgetActions("s", 0) }, func(r store.Reader) {
		first, _, bytes, err := r.ActionsKept()
		e.equal("none", must(first, err), "")
		e.equal("no bytes", bytes, int64(0))
		e.equal("of the last", count(r, "r9999"), 0)
		if n := stored(r); n < 10 || n >= many-500 {
			e.Fatalf("%d runs are kept without actions", n)
		}
	})
}

func runs(e *env) {
	ids := func(r store.Reader) []string {
		return collect(func(fn func(string) bool) error { return r.Runs(func(run store.Run) bool { return fn(run.ID) }) })
	}
	first := store.Run{ID: "b", Trigger: "cron", Started: now, Notes: []string{"n"}, Counts: map[string]map[string]int{"user": {"create": 1}}}
	e.both(func(w store.Writer) error {
		must(0, w.PutRun(first))
		return w.PutRun(store.Run{ID: "a"})
	}, func(r store.Reader) { e.equal("newest first", ids(r), []string{"a", "b"}) })
	first.Outcome, first.Ended = "clean", now.Add(time.Minute)
	e.both(func(w store.Writer) error { return w.PutRun(first) }, func(r store.Reader) {
		e.equal("stored again, in its place", ids(r), []string{"a", "b"})
		e.equal("run", collect(r.Runs)[1], first)
		calls := 0
		err := r.Runs(func(store.Run) bool { calls++; return false })
		e.equal("calls until false", must(calls, err), 1)
	})
	const many = 1000
	e.update(func(w store.Writer) error {
		for i := range many {
			must(0, w.PutRun(store.Run{ID: fmt.Sprint("r", i)}))
		}
		return nil
	})
	e.view(func(r store.Reader) error {
		kept := ids(r)
		if len(kept) < 10 || len(kept) > many {
			e.Fatalf("%d runs are kept", len(kept))
		}
		for i, id := range kept {
			e.equal("kept", id, fmt.Sprint("r", many-1-i))
		}
		return nil
	})
}
