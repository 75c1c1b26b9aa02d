package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
)

// action makes an action about a record.
func action(key string) *directory.Action {
	return &directory.Action{Key: "k" + key, Op: directory.Create, Kind: directory.UserRecord, Record: key,
		Time: now.Truncate(time.Second), Fields: []directory.Field{{Name: "name", Value: directory.Text("N" + key)}}}
}

func queuedSeqs(r store.Reader, target string, after uint64) []uint64 {
	var list []uint64
	err := r.Outbox(target, after, func(q store.Queued) bool { list = append(list, q.Seq); return true })
	return must(list, err)
}

func outbox(e *env) {
	e.both(func(w store.Writer) error {
		for i := range 5 {
			must(0, w.Enqueue("journal", action(fmt.Sprint(i)), now.Add(time.Duration(i)*time.Minute)))
		}
		return w.Enqueue("hook", action("x"), time.Time{})
	}, func(r store.Reader) {
		seqs := queuedSeqs(r, "journal", 0)
		e.equal("waiting", len(seqs), 5)
		e.equal("in order", slices.IsSorted(seqs), true)
		e.equal("first is not zero", seqs[0] > 0, true)
		e.equal("after one", queuedSeqs(r, "journal", seqs[1]), seqs[2:])
		e.equal("after everything", queuedSeqs(r, "journal", 1<<64-1), []uint64{})
		depth, oldest, err := r.OutboxDepth("journal")
		e.equal("depth", must(depth, err), 5)
		e.equal("oldest", oldest, now)
		i := 0
		must(0, r.Outbox("journal", 0, func(q store.Queued) bool {
			e.equal("action", q.Data, directory.AppendAction(nil, action(fmt.Sprint(i))))
			e.equal("queued", q.Queued, now.Add(time.Duration(i)*time.Minute))
			i++
			return i < 3
		}))
		e.equal("calls until false", i, 3)
		depth, oldest, err = r.OutboxDepth("hook")
		e.equal("depth of the other", must(depth, err), 1)
		e.equal("oldest of the other", oldest.IsZero(), true)
	})
	e.both(func(w store.Writer) error {
		seqs := queuedSeqs(w, "journal", 0)
		return w.Dequeue("journal", []uint64{seqs[0], seqs[3], seqs[0], 777})
	}, func(r store.Reader) {
		e.equal("waiting", len(queuedSeqs(r, "journal", 0)), 3)
		depth, oldest, err := r.OutboxDepth("journal")
		e.equal("depth", must(depth, err), 3)
		e.equal("oldest", oldest, now.Add(time.Minute))
	})
	var last uint64
	e.both(func(w store.Writer) error {
		seqs := queuedSeqs(w, "journal", 0)
		last = seqs[len(seqs)-1]
		must(0, w.Dequeue("journal", seqs))
		return w.Enqueue("journal", action("new"), now)
	}, func(r store.Reader) {
		seqs := queuedSeqs(r, "journal", 0)
		e.equal("waiting", len(seqs), 1)
		e.equal("a sequence number is not used again", seqs[0] > last, true)
	})
}

func claimAndReplace(e *env) {
	var seqs []uint64
	e.update(func(w store.Writer) error {
		for i := range 4 {
			must(0, w.Enqueue("journal", action(fmt.Sprint(i)), now.Add(time.Duration(i)*time.Minute)))
		}
		seqs = queuedSeqs(w, "journal", 0)
		return nil
	})
	claimed := func(want uint64) func(store.Reader) {
		return func(r store.Reader) { e.Helper(); e.equal("claimed", must(r.Claimed("journal")), want) }
	}
	e.both(func(w store.Writer) error { return w.Claim("journal", seqs[1]) }, claimed(seqs[1]))
	e.both(func(w store.Writer) error { return w.Claim("journal", seqs[0]) }, claimed(seqs[1]))
	e.both(func(w store.Writer) error { return w.Replace("journal", seqs[2], action("other")) }, func(r store.Reader) {
		e.equal("waiting", queuedSeqs(r, "journal", 0), seqs)
		must(0, r.Outbox("journal", seqs[1], func(q store.Queued) bool {
			e.equal("replaced", q.Data, directory.AppendAction(nil, action("other")))
			e.equal("queued", q.Queued, now.Add(2*time.Minute))
			return false
		}))
	})
	if err := e.store.Update(e.Context(), e.p, func(w store.Writer) error { return w.Replace("journal", seqs[1], action("x")) }); err == nil {
		e.Error("an action that may have been sent was replaced")
	}
	// What is queued later is not claimed, however far the claim went.
	e.both(func(w store.Writer) error {
		must(0, w.Claim("journal", seqs[3]+100))
		must(0, w.Enqueue("journal", action("later"), now))
		return w.Replace("journal", queuedSeqs(w, "journal", seqs[3])[0], action("later still"))
	}, claimed(seqs[3]))
}

func targets(e *env) {
	park := func(w store.Writer, target, subject string) uint64 {
		return must(w.Park(store.Parked{Stage: "deliver", Target: target, Subject: subject}))
	}
	var id uint64
	e.both(func(w store.Writer) error {
		must(0, w.Enqueue("queued", action("1"), now))
		must(0, w.Enqueue("both", action("1"), now))
		park(w, "both", "user/1")
		park(w, "both", "user/2")
		park(w, "parke", "user/1")
		id = park(w, "parked", "user/1")
		return nil
	}, func(r store.Reader) {
		e.equal("targets", must(r.Targets()), []string{"both", "parke", "parked", "queued"})
	})
	e.both(func(w store.Writer) error {
		must(w.Unpark(id))
		must(0, w.Dequeue("queued", queuedSeqs(w, "queued", 0)))
		must(0, w.Enqueue("claimed", action("1"), now))
		must(0, w.Claim("claimed", 1))
		return w.Dequeue("claimed", []uint64{1})
	}, func(r store.Reader) {
		e.equal("targets", must(r.Targets()), []string{"both", "claimed", "parke"})
	})
}

func waiting(e *env) {
	a, b, c := store.Partition{Connection: "hq"}, store.Partition{Connection: "hq", Tenant: "b"}, store.Partition{Connection: "hq2", Tenant: "c"}
	check := func(target string, want ...store.Partition) {
		e.Helper()
		e.equal("waiting for "+target, must(e.store.Waiting(e.Context(), target)), want)
	}
	check("journal")
	enqueue := func(target string, parts ...store.Partition) {
		for _, e.p = range parts {
			e.update(func(w store.Writer) error { return w.Enqueue(target, action("1"), now) })
		}
	}
	dequeueAll := func(target string) {
		e.update(func(w store.Writer) error { return w.Dequeue(target, queuedSeqs(w, target, 0)) })
	}
	enqueue("journal", c, a, b, a)
	enqueue("journal2", b)
	check("journal", a, b, c)
	check("journal2", b)
	check("nobody")
	// A transaction that leaves things as they are, in the end or because it fails.
	e.p = b
	err := e.store.Update(e.Context(), e.p, func(w store.Writer) error {
		return errors.Join(w.Dequeue("journal", queuedSeqs(w, "journal", 0)), w.Enqueue("hook", action("1"), now), errStop)
	})
	if !errors.Is(err, errStop) {
		e.Fatal(err)
	}
	e.update(func(w store.Writer) error {
		must(0, w.Dequeue("journal", queuedSeqs(w, "journal", 0)))
		must(w.Targets())
		must(0, w.Enqueue("hook", action("1"), now))
		must(0, w.Dequeue("hook", queuedSeqs(w, "hook", 0)))
		return w.Enqueue("journal", action("2"), now)
	})
	check("journal", a, b, c)
	check("hook")
	e.p = a
	e.update(func(w store.Writer) error { return w.Dequeue("journal", queuedSeqs(w, "journal", 0)[:1]) })
	check("journal", a, b, c)
	e.update(func(w store.Writer) error { return w.Claim("journal", 1<<62) })
	check("journal", a, b, c)
	dequeueAll("journal")
	check("journal", b, c)
	e.update(func(w store.Writer) error {
		must(w.Park(store.Parked{Stage: "deliver", Target: "journal", Subject: "user/1"}))
		return nil
	})
	check("journal", b, c)
	must(0, e.store.DropPartition(e.Context(), b))
	check("journal", c)
	check("journal2")
	enqueue("journal", b)
	check("journal", b, c)
}

func parked(e *env) {
	long := strings.Repeat("x", 70000)
	list := []store.Parked{
		{Since: now, Reason: "bad mail", Class: "invalid", Stage: "map", Kind: directory.Person, Object: "1"},
		{Since: now, Reason: "refused", Class: "forbidden", Stage: "deliver", Target: "hook", Subject: "user/1", Action: []byte{1, 2}},
		{Since: now, Stage: "read", Kind: directory.Group, Object: long},
		{Since: now, Stage: "deliver", Target: "journal", Subject: long},
		{Since: now, Stage: "read", Reason: "about nobody in particular"},
		{Since: now, Stage: "read", Reason: "about nobody in particular"},
	}
	e.both(func(w store.Writer) error {
		for i := range list {
			list[i].ID = must(w.Park(list[i]))
			e.equal("id is not zero", list[i].ID > 0, true)
		}
		return nil
	}, func(r store.Reader) {
		e.equal("all, oldest first", collect(r.Parked), list)
		e.equal("count", must(r.ParkedCount()), len(list))
		for _, p := range list[:4] {
			got, ok, err := r.ParkedObject(p.Kind, p.Object)
			if p.Target != "" {
				got, ok, err = r.ParkedAction(p.Target, p.Subject)
			}
			e.equal("found", must(ok, err), true)
			e.equal("entry", got, p)
		}
		_, ok, err := r.ParkedObject(directory.Group, "1")
		e.equal("another kind", must(ok, err), false)
		_, ok, err = r.ParkedAction("journal", "user/1")
		e.equal("another target", must(ok, err), false)
		calls := 0
		err = r.Parked(func(store.Parked) bool { calls++; return false })
		e.equal("calls until false", must(calls, err), 1)
	})
	e.both(func(w store.Writer) error {
		e.equal("unpark", must(w.Unpark(list[0].ID)), true)
		e.equal("unpark", must(w.Unpark(list[1].ID)), true)
		e.equal("unpark again", must(w.Unpark(list[1].ID)), false)
		e.equal("unpark nothing", must(w.Unpark(12345)), false)
		return nil
	}, func(r store.Reader) {
		e.equal("left", collect(r.Parked), list[2:])
		e.equal("count", must(r.ParkedCount()), len(list)-2)
		_, ok, err := r.ParkedObject(directory.Person, "1")
		e.equal("object", must(ok, err), false)
		_, ok, err = r.ParkedAction("hook", "user/1")
		e.equal("action", must(ok, err), false)
	})
}

// parkedAgain: an entry about the same thing takes the other one's place, id included.
func parkedAgain(e *env) {
	object := store.Parked{Stage: "read", Kind: directory.Person, Object: "1", Reason: "first"}
	sent := store.Parked{Stage: "deliver", Kind: directory.Person, Object: "1", Target: "hook", Subject: "user/1", Reason: "first"}
	e.both(func(w store.Writer) error {
		object.ID, sent.ID = must(w.Park(object)), must(w.Park(sent))
		return nil
	}, func(r store.Reader) { e.equal("both", collect(r.Parked), []store.Parked{object, sent}) })
	object.Reason, sent.Reason = "second", "second"
	e.both(func(w store.Writer) error {
		e.equal("id", must(w.Park(sent)), sent.ID)
		e.equal("id", must(w.Park(object)), object.ID)
		return nil
	}, func(r store.Reader) {
		e.equal("both", collect(r.Parked), []store.Parked{object, sent})
		e.equal("count", must(r.ParkedCount()), 2)
	})
	e.both(func(w store.Writer) error {
		e.equal("unpark", must(w.Unpark(sent.ID)), true)
		e.equal("a new id", must(w.Park(sent)) > sent.ID, true)
		return nil
	}, func(r store.Reader) { e.equal("count", must(r.ParkedCount()), 2) })
	e.update(func(w store.Writer) error { // whatever was read beside it meanwhile
		sent.Reason = "third"
		must(w.Park(sent))
		_, ok, err := w.ParkedObject(directory.Person, "1")
		e.equal("object", must(ok, err), true)
		e.equal("parked", len(collect(w.Parked)), 2)
		got, ok, err := w.ParkedAction("hook", "user/1")
		e.equal("action", must(ok, err), true)
		e.equal("reason", got.Reason, "third")
		return nil
	})
}

func resultsOutlive(e *env) {
	var state store.StreamState
	var rec directory.Record
	var park store.Parked
	var nums []store.Num
	e.update(fill)
	e.view(func(r store.Reader) (err error) {
		state = must(r.Stream("users"))
		nums = must(r.Lookup([]string{"id:1"}, nil))
		rec, _, err = r.Record(directory.UserRecord, nums[0])
		must(0, err)
		park, _, err = r.ParkedObject(directory.Person, "x")
		return err
	})
	e.update(func(w store.Writer) error {
		must(0, w.PutStream("users", store.StreamState{Cursor: bytes.Repeat([]byte("z"), 5000)}))
		rec := directory.Record{Kind: directory.UserRecord, Key: strings.Repeat("z", 5000)}
		return w.PutRecord(nums[0], &rec)
	})
	e.equal("cursor", string(state.Cursor), "c")
	e.equal("record", rec.Key, "hq/1")
	e.equal("parked", park.Object, "x")
}
