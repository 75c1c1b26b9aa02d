package storetest

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
)

func waitFor(record, key string, due time.Time) store.Wait {
	return store.Wait{Target: "journal", Subject: "user/" + record, Action: directory.AppendAction(nil, action(record)), Cause: "reference", Key: key,
		Due: due, Text: "no " + key, Since: now}
}

func waitsAt(r store.Reader, target string) []store.Wait {
	return collect(func(fn func(store.Wait) bool) error { return r.Waits(target, 0, fn) })
}

func dueAt(r store.Reader, by time.Time) (subjects []string) {
	must(0, r.WaitsDue("journal", by, func(w store.Wait) bool { subjects = append(subjects, w.Subject); return true }))
	return subjects
}

func waits(e *env) {
	long := strings.Repeat("x", 70000)
	list := []store.Wait{
		waitFor("1", "customer/acme", time.Time{}),
		waitFor("2", "", now.Add(time.Minute)),
		waitFor(long, long, now),
		{Target: "journal2", Subject: "user/1", Action: directory.AppendAction(nil, action("1")), Cause: "review", Since: now, Tried: true},
	}
	e.both(func(w store.Writer) error {
		for i := range list {
			list[i].ID = must(w.PutWait(list[i]))
			e.equal("id is not zero", list[i].ID > 0, true)
		}
		return nil
	}, func(r store.Reader) {
		e.equal("all", waitsAt(r, "journal"), list[:3])
		e.equal("of another target", waitsAt(r, "journal2"), list[3:])
		e.equal("of none", len(waitsAt(r, "journa")), 0)
		e.equal("after one", len(collect(func(fn func(store.Wait) bool) error { return r.Waits("journal", list[0].ID, fn) })), 2)
		e.equal("after everything", len(collect(func(fn func(store.Wait) bool) error { return r.Waits("journal", 1<<64-1, fn) })), 0)
		calls := 0
		must(0, r.Waits("journal", 0, func(store.Wait) bool { calls++; return false }))
		e.equal("calls until false", calls, 1)
		e.equal("of records", must(r.WaitsOf("journal", []string{"user/2", "user/none", "user/1"})), []store.Wait{list[1], list[0]})
		e.equal("due", dueAt(r, now.Add(time.Hour)), []string{"user/" + long, "user/2"})
		e.equal("due now", dueAt(r, now), []string{"user/" + long})
		e.equal("due before", len(dueAt(r, now.Add(-1))), 0)
		calls = 0
		must(0, r.WaitsDue("journal", now.Add(time.Hour), func(store.Wait) bool { calls++; return false }))
		e.equal("calls until false", calls, 1)
		e.equal("next", must(r.NextWait("journal")), now)
		e.equal("next of the other", must(r.NextWait("journal2")).IsZero(), true)
		e.equal("counts", must(r.WaitCounts("journal")), map[string]int{"reference": 3})
		e.equal("counts of the other", must(r.WaitCounts("journal2")), map[string]int{"review": 1})
		e.equal("targets", must(r.Targets()), []string{"journal", "journal2"})
		e.equal("nothing is queued or parked", must(r.ParkedCount())+len(queuedSeqs(r, "journal", 0)), 0)
	})
	// Another one of the record takes its place, and keeps since when it waits while the cause is the same.
	again := list[0]
	again.Key, again.Due, again.Since, again.Tried = "customer/other", now.Add(time.Hour), now.Add(time.Minute), true
	e.both(func(w store.Writer) error { must(w.PutWait(again)); return nil }, func(r store.Reader) {
		again.Since = list[0].Since
		e.equal("again", must(r.WaitsOf("journal", []string{"user/1"})), []store.Wait{again})
		e.equal("counts", must(r.WaitCounts("journal")), map[string]int{"reference": 3})
	})
	again.Cause, again.Key, again.Due, again.Since = "review", "", time.Time{}, now.Add(time.Hour)
	e.both(func(w store.Writer) error { must(w.PutWait(again)); return nil }, func(r store.Reader) {
		e.equal("for another cause", must(r.WaitsOf("journal", []string{"user/1"})), []store.Wait{again})
		e.equal("counts", must(r.WaitCounts("journal")), map[string]int{"reference": 2, "review": 1})
	})
	e.both(func(w store.Writer) error {
		e.equal("ended", must(w.EndWaits("journal", []string{"user/1", "user/none", "user/1", "user/" + long})), 2)
		e.equal("ended again", must(w.EndWaits("journal", []string{"user/1"})), 0)
		must(w.EndWaits("journal2", []string{"user/1"}))
		return w.TryWaits("journal", []uint64{list[0].ID, list[1].ID, 4711})
	}, func(r store.Reader) {
		list[1].Tried = true
		e.equal("left", waitsAt(r, "journal"), list[1:2])
		e.equal("targets", must(r.Targets()), []string{"journal"})
	})
	var id uint64
	e.both(func(w store.Writer) error {
		must(w.EndWaits("journal", []string{"user/2"}))
		id = must(w.PutWait(waitFor("3", "", time.Time{})))
		return nil
	}, func(store.Reader) { e.equal("an id is not used again", id > list[3].ID, true) })
	for _, bad := range []store.Wait{{Subject: "user/1", Cause: "busy"}, {Target: "a\x00b", Subject: "user/1", Cause: "busy"}, {Target: "journal", Cause: "busy"}, {Target: "journal", Subject: "user/1"}} {
		if err := e.store.Update(e.Context(), e.p, func(w store.Writer) error { _, err := w.PutWait(bad); return err }); err == nil {
			e.Errorf("%+v was stored", bad)
		}
	}
}

func wokenWaits(e *env) {
	later := now.Add(time.Hour)
	wake := func(what string, want int, due []string, wake func(store.Writer) (int, error)) {
		e.Helper()
		n := 0
		e.both(func(w store.Writer) error { n = must(wake(w)); return nil }, func(r store.Reader) {
			e.Helper()
			e.equal(what, n, want)
			e.equal("due after "+what, dueAt(r, now.Add(30*time.Minute)), due)
		})
	}
	e.update(func(w store.Writer) error {
		must(w.PutWait(waitFor("1", "acme", time.Time{})))
		must(w.PutWait(waitFor("2", "acme", later)))
		must(w.PutWait(waitFor("3", "other", later)))
		must(w.PutWait(waitFor("4", "acme", now.Add(-time.Hour))))
		review := waitFor("5", "", time.Time{})
		review.Cause = "review"
		must(w.PutWait(review))
		return nil
	})
	wake("nobody", 0, []string{"user/4"}, func(w store.Writer) (int, error) { return w.WakeKeys("journal", []string{"acm", ""}, now) })
	wake("another target", 0, []string{"user/4"}, func(w store.Writer) (int, error) { return w.WakeKeys("journal2", []string{"acme"}, now) })
	wake("keys", 2, []string{"user/4", "user/1", "user/2"}, func(w store.Writer) (int, error) { return w.WakeKeys("journal", []string{"acme", "acme"}, now) })
	wake("keys again", 0, []string{"user/4", "user/1", "user/2"}, func(w store.Writer) (int, error) { return w.WakeKeys("journal", []string{"acme"}, later) })
	wake("records", 1, []string{"user/4", "user/1", "user/2", "user/5"}, func(w store.Writer) (int, error) {
		return w.WakeRecords("journal", []string{"user/5", "user/4", "user/none"}, now)
	})
	wake("a cause", 1, []string{"user/4", "user/1", "user/2", "user/3", "user/5"}, func(w store.Writer) (int, error) { return w.WakeCause("journal", "reference", now) })
}

func awaiting(e *env) {
	a, b, c := store.Partition{Connection: "hq"}, store.Partition{Connection: "hq", Tenant: "b"}, store.Partition{Connection: "hq2", Tenant: "c"}
	check := func(what string, keys []string, want ...store.Partition) {
		e.Helper()
		e.equal(what, must(e.store.Awaiting(e.Context(), "journal", keys...)), want)
	}
	put := func(record, key string, parts ...store.Partition) {
		for _, e.p = range parts {
			e.update(func(w store.Writer) error { must(w.PutWait(waitFor(record, key, time.Time{}))); return nil })
		}
	}
	check("nobody", nil)
	put("1", "acme", c, a)
	put("2", "acme", a)
	put("3", "other", b)
	put("4", "", b)
	check("anything", nil, a, b, c)
	check("acme", []string{"acme"}, a, c)
	check("either", []string{"other", "acme", "none"}, a, b, c)
	check("nothing", []string{""})
	e.equal("another target", must(e.store.Awaiting(e.Context(), "journa")), []store.Partition{})
	e.p = a
	e.update(func(w store.Writer) error { must(w.EndWaits("journal", []string{"user/1"})); return nil })
	check("one is left", []string{"acme"}, a, c)
	put("2", "other", a)
	check("it waits for something else", []string{"acme"}, c)
	check("that", []string{"other"}, a, b)
	e.p = a
	err := e.store.Update(e.Context(), e.p, func(w store.Writer) error {
		must(w.EndWaits("journal", []string{"user/2"}))
		return errStop
	})
	e.equal("error", err, errStop)
	check("a transaction that fails", []string{"other"}, a, b)
	e.update(func(w store.Writer) error { must(w.EndWaits("journal", []string{"user/2"})); return nil })
	check("nothing is left", nil, b, c)
	must(0, e.store.DropPartition(e.Context(), b))
	check("dropped", nil, c)
	check("dropped", []string{"other", "acme"}, c)
	e.equal("queued", must(e.store.Waiting(e.Context(), "journal")), []store.Partition{})
}

// randomWaits makes random changes to what waits, and to a map.
func randomWaits(e *env) {
	rnd := rand.New(rand.NewPCG(1, 2))
	model := map[string]store.Wait{}
	for range 60 {
		var next map[string]store.Wait
		fails, seed := rnd.IntN(5) == 0, rnd.Uint64()
		err := e.store.Update(e.Context(), e.p, func(w store.Writer) error {
			next = maps.Clone(model)
			rnd := rand.New(rand.NewPCG(seed, seed)) // every attempt makes the same changes
			for range rnd.IntN(20) {
				changeWaits(w, next, rnd)
			}
			compareWaits(e, w, next)
			if fails {
				return errStop
			}
			return nil
		})
		if !fails {
			must(0, err)
			model = next
		}
		e.view(func(r store.Reader) error { compareWaits(e, r, model); return nil })
		for i := range 4 {
			key := fmt.Sprint("key", i)
			waits := slices.ContainsFunc(slices.Collect(maps.Values(model)), func(w store.Wait) bool { return w.Key == key })
			e.equal("awaiting "+key, len(must(e.store.Awaiting(e.Context(), "journal", key))) > 0, waits)
		}
		if e.Failed() {
			return
		}
	}
}

func changeWaits(w store.Writer, model map[string]store.Wait, rnd *rand.Rand) {
	at := now.Add(time.Duration(rnd.IntN(100)) * time.Minute)
	wait := waitFor(fmt.Sprint(rnd.IntN(15)), "", time.Time{})
	wait.Cause = []string{"reference", "review", "busy"}[rnd.IntN(3)]
	if rnd.IntN(2) == 0 {
		wait.Key = fmt.Sprint("key", rnd.IntN(4))
	}
	if rnd.IntN(2) == 0 {
		wait.Due = at
	}
	wake := func(which func(store.Wait) bool) {
		for subject, w := range model {
			if which(w) && (w.Due.IsZero() || w.Due.After(at)) {
				w.Due = at
				model[subject] = w
			}
		}
	}
	switch rnd.IntN(7) {
	case 0, 1, 2:
		wait.ID = must(w.PutWait(wait))
		if old, ok := model[wait.Subject]; ok && old.Cause == wait.Cause {
			wait.Since = old.Since
		}
		model[wait.Subject] = wait
	case 3:
		must(w.EndWaits("journal", []string{wait.Subject}))
		delete(model, wait.Subject)
	case 4:
		must(w.WakeKeys("journal", []string{"key0", "key1"}, at))
		wake(func(w store.Wait) bool { return w.Key == "key0" || w.Key == "key1" })
	case 5:
		must(w.WakeCause("journal", wait.Cause, at))
		wake(func(w store.Wait) bool { return w.Cause == wait.Cause })
	case 6:
		if old, ok := model[wait.Subject]; ok {
			must(0, w.TryWaits("journal", []uint64{old.ID}))
			old.Tried = true
			model[wait.Subject] = old
		}
	}
}

func compareWaits(e *env, r store.Reader, model map[string]store.Wait) {
	e.Helper()
	list := slices.SortedFunc(maps.Values(model), func(a, b store.Wait) int { return cmp.Compare(a.ID, b.ID) })
	e.equal("waits", waitsAt(r, "journal"), list)
	counts := map[string]int{}
	var due []store.Wait
	for _, w := range list {
		counts[w.Cause]++
		if !w.Due.IsZero() {
			due = append(due, w)
		}
	}
	slices.SortStableFunc(due, func(a, b store.Wait) int { return a.Due.Compare(b.Due) })
	var subjects []string
	for _, w := range due {
		subjects = append(subjects, w.Subject)
	}
	e.equal("due", dueAt(r, now.Add(1000*time.Hour)), subjects)
	e.equal("counts", must(r.WaitCounts("journal")), counts)
}
