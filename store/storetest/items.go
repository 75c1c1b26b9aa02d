package storetest

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"dirsyncd/store"
	"dirsyncd/sync/fault"
)

// keeps is a test of a store that keeps items.
func keeps(run func(*env, store.Items)) func(*env) {
	return func(e *env) {
		k, ok := as[store.Keeper](e.store)
		if !ok {
			e.Skip("the store keeps no items")
		}
		run(e, k.Items())
	}
}

func item(key, value string, until time.Time, owners ...string) store.Item {
	i := store.Item{Key: []byte(key), Value: []byte(value), Until: until}
	for _, o := range owners {
		i.Owners = append(i.Owners, []byte(o))
	}
	return i
}

// itemText is an item as the tests compare it.
func itemText(i store.Item) string {
	until := "never"
	if !i.Until.IsZero() {
		until = i.Until.Format(time.RFC3339Nano)
	}
	return fmt.Sprintf("%s=%s %s %s", i.Key, i.Value, bytes.Join(i.Owners, []byte(",")), until)
}

func scanned(ctx context.Context, items store.Items, space, owner string) []string {
	var list []string
	return must(list, items.Scan(ctx, space, []byte(owner), func(i store.Item) bool { list = append(list, itemText(i)); return true }))
}

// found is what came of a Get or a Take.
func found(i store.Item, ok bool, err error) string {
	if must(ok, err) {
		return itemText(i)
	}
	return "none"
}

func items(e *env, items store.Items) {
	ctx := e.Context()
	e.equal("nothing", found(items.Get(ctx, "session", []byte("a"))), "none")
	e.equal("nothing taken", found(items.Take(ctx, "session", []byte("a"))), "none")
	e.equal("nothing deleted", must(items.Delete(ctx, "session", []byte("a"))), 0)
	e.equal("nothing replaced", must(items.Replace(ctx, "session", item("a", "1", now))), 0)
	e.equal("nothing scanned", len(scanned(ctx, items, "session", "")), 0)
	e.equal("nothing counted", must(items.Count(ctx, "session")), 0)
	must(0, items.Put(ctx, "session"))

	given := item("a", "1", now, "ann", "idp/7")
	must(0, items.Put(ctx, "session", given, item("b", "", time.Time{})))
	given.Key[0], given.Value[0], given.Owners[0][0] = 'x', 'x', 'x'
	a, b := "a=1 ann,idp/7 2026-01-31T08:15:01Z", "b=  never" // rounded up
	e.equal("got", found(items.Get(ctx, "session", []byte("a"))), a)
	e.equal("without anything", found(items.Get(ctx, "session", []byte("b"))), b)
	e.equal("of another space", found(items.Get(ctx, "code", []byte("a"))), "none")
	e.equal("scanned", scanned(ctx, items, "session", ""), []string{a, b})
	e.equal("counted", must(items.Count(ctx, "session")), 2)

	must(0, items.Put(ctx, "session", item("a", "2", now.Add(time.Hour), "bob")))
	e.equal("put again", found(items.Get(ctx, "session", []byte("a"))), "a=2 bob 2026-01-31T09:15:01Z")
	e.equal("counted again", must(items.Count(ctx, "session")), 2)
	e.equal("former owner", len(scanned(ctx, items, "session", "ann")), 0)
	e.equal("expired at the former time", must(items.Expire(ctx, now.Add(time.Minute), 10)), 0)
	e.equal("replaced", must(items.Replace(ctx, "session", item("a", "3", time.Time{}), item("c", "3", time.Time{}))), 1)
	e.equal("after it", scanned(ctx, items, "session", ""), []string{"a=3  never", b})

	e.equal("taken", found(items.Take(ctx, "session", []byte("a"))), "a=3  never")
	e.equal("taken again", found(items.Take(ctx, "session", []byte("a"))), "none")
	must(0, items.Put(ctx, "session", item("c", "", now), item("d", "", now)))
	e.equal("deleted", must(items.Delete(ctx, "session", []byte("b"), []byte("x"), []byte("d"), []byte("d"))), 2)
	e.equal("left", scanned(ctx, items, "session", ""), []string{"c=  2026-01-31T08:15:01Z"})
	e.equal("counted at the end", must(items.Count(ctx, "session")), 1)
}

func itemsByOwner(e *env, items store.Items) {
	ctx := e.Context()
	var list []store.Item
	var all, even []string
	for i := range 2500 {
		next := item(fmt.Sprintf("%05d", i), "", time.Time{}, "all")
		if i%2 == 0 {
			next.Owners = append(next.Owners, []byte("even"))
			even = append(even, itemText(next))
		}
		all = append(all, itemText(next))
		list = append(list, next)
	}
	must(0, items.Put(ctx, "session", list...))
	must(0, items.Put(ctx, "session-2", item("x", "", time.Time{}, "even")))
	must(0, items.Put(ctx, "s", item("x", "", time.Time{}, "even", "large")))
	e.equal("of one", scanned(ctx, items, "session", "even"), even)
	e.equal("of all", scanned(ctx, items, "session", "all"), all)
	e.equal("all", scanned(ctx, items, "session", ""), all)
	e.equal("of nobody", len(scanned(ctx, items, "session", "eve")), 0)
	calls := 0
	must(0, items.Scan(ctx, "session", []byte("all"), func(store.Item) bool { calls++; return calls < 1200 }))
	e.equal("stopped", calls, 1200)
	// What is handed out may be changed while it is handed out.
	must(0, items.Scan(ctx, "session", []byte("even"), func(i store.Item) bool {
		return must(items.Delete(ctx, "session", i.Key)) == 1
	}))
	e.equal("after it", must(items.Count(ctx, "session")), len(all)-len(even))
	e.equal("none left", len(scanned(ctx, items, "session", "even")), 0)
	e.equal("of the other space", len(scanned(ctx, items, "session-2", "even")), 1)

	large := strings.Repeat("x", store.MaxItemValue)
	for i := range 12 {
		must(0, items.Put(ctx, "large", item(fmt.Sprint("k", i), large, time.Time{}, "large")))
	}
	e.equal("large ones", len(scanned(ctx, items, "large", "large")), 12)
}

func itemsOnce(e *env, items store.Items) {
	ctx := e.Context()
	long := []byte(strings.Repeat("id", 4000))
	for _, step := range []struct {
		key   []byte
		until time.Time
		fresh bool
	}{
		{[]byte("a"), now, true}, {[]byte("a"), now, false}, {[]byte("b"), now, true}, {long, now, true}, {long, now.Add(-time.Hour), false},
		{[]byte("a"), now.Add(time.Hour), false}, // later than before
	} {
		e.equal(fmt.Sprintf("once %.5s until %s", step.key, step.until), must(items.Once(ctx, step.key, step.until)), step.fresh)
	}
	e.equal("before their time", must(items.Expire(ctx, now, 10)), 0)
	e.equal("expired", must(items.Expire(ctx, now.Add(time.Second), 10)), 2)
	e.equal("fresh again", must(items.Once(ctx, []byte("b"), now)), true)
	e.equal("used for longer", must(items.Once(ctx, []byte("a"), now)), false)
	e.equal("no item", must(items.Count(ctx, "session")), 0)
	for what, bad := range map[string]func() (bool, error){
		"without a key":  func() (bool, error) { return items.Once(ctx, nil, now) },
		"without a time": func() (bool, error) { return items.Once(ctx, []byte("c"), time.Time{}) },
	} {
		if fresh, err := bad(); fresh || fault.ClassOf(err) != fault.Internal {
			e.Errorf("%s: %v, %v", what, fresh, err)
		}
	}
}

func itemsExpire(e *env, items store.Items) {
	ctx := e.Context()
	var list []store.Item
	for i := range 10 {
		list = append(list, item(fmt.Sprint(i), "", now.Add(time.Duration(-i)*time.Minute), "o"))
	}
	must(0, items.Put(ctx, "session", list...))
	must(0, items.Put(ctx, "code", item("ever", "", time.Time{}), item("old", "", time.Unix(-1e9, 0)), item("zero", "", time.Unix(0, 0))))
	at := now.Truncate(time.Second).Add(time.Second)
	e.equal("limited", must(items.Expire(ctx, at, 5)), 5) // two of the other space are older
	e.equal("oldest first", fmt.Sprint(len(scanned(ctx, items, "session", "o")), scanned(ctx, items, "code", "")), "7 [ever=  never]")
	e.equal("not yet", must(items.Expire(ctx, at.Add(-time.Minute-time.Nanosecond), 100)), 5)
	e.equal("left", len(scanned(ctx, items, "session", "")), 2)
	e.equal("all", must(items.Expire(ctx, at.Add(time.Hour), 100)), 2)
	e.equal("nothing", must(items.Expire(ctx, at.Add(time.Hour), 100)), 0)
	e.equal("for ever", must(items.Count(ctx, "code")), 1)
	if _, err := items.Expire(ctx, now, 0); err == nil {
		e.Error("nothing was to expire, and it was no error")
	}
}

func itemBounds(e *env, items store.Items) {
	ctx := e.Context()
	most := item(strings.Repeat("k", store.MaxItemKey), strings.Repeat("v", store.MaxItemValue), now)
	for i := range store.MaxItemOwners {
		most.Owners = append(most.Owners, bytes.Repeat([]byte{byte(i)}, store.MaxItemOwner))
	}
	must(0, items.Put(ctx, strings.Repeat("s", 32), most))
	got, ok, err := items.Get(ctx, strings.Repeat("s", 32), most.Key)
	e.equal("the most", must(ok, err) && bytes.Equal(got.Value, most.Value) && slices.EqualFunc(got.Owners, most.Owners, bytes.Equal), true)
	good := item("a", "", now)
	for what, bad := range map[string]error{
		"no space":         items.Put(ctx, "", good),
		"a space":          items.Put(ctx, "Session", good),
		"a long space":     items.Put(ctx, strings.Repeat("s", 33), good),
		"no key":           items.Put(ctx, "s", good, item("", "", now)),
		"a long key":       items.Put(ctx, "s", good, item(string(most.Key)+"k", "", now)),
		"a long value":     items.Put(ctx, "s", good, item("b", string(most.Value)+"v", now)),
		"a blank owner":    items.Put(ctx, "s", good, item("b", "", now, "")),
		"a doubled owner":  items.Put(ctx, "s", good, item("b", "", now, "x", "y", "x")),
		"a long owner":     items.Put(ctx, "s", good, item("b", "", now, strings.Repeat("o", store.MaxItemOwner+1))),
		"too many owners":  items.Put(ctx, "s", good, store.Item{Key: []byte("b"), Owners: append(slices.Clone(most.Owners), []byte("x"))}),
		"scan of no space": items.Scan(ctx, "", nil, func(store.Item) bool { return true }),
	} {
		if fault.ClassOf(bad) != fault.Internal {
			e.Errorf("%s: %v", what, bad)
		}
	}
	e.equal("none of them", must(items.Count(ctx, "s")), 0)
	ended, cancel := context.WithCancel(ctx)
	cancel()
	_, err1 := items.Once(ended, []byte("x"), now)
	_, _, err2 := items.Get(ended, "s", []byte("x"))
	for _, err := range []error{items.Put(ended, "s", good), err1, err2} {
		if fault.ClassOf(err) != fault.Canceled {
			e.Errorf("after the end of the context: %v", err)
		}
	}
	held, release, err := e.store.Lease(ctx, "sweep", time.Minute)
	must(0, err)
	must(0, items.Put(held, "s", good))
	release()
	if err := items.Put(context.WithoutCancel(held), "s", item("b", "", now)); fault.ClassOf(err) != fault.Conflict {
		e.Errorf("under a lease that was released: %v", err)
	}
	e.equal("under a lease", must(items.Count(ctx, "s")), 1)
}

// itemsRace: of many who take or use the same at a time, one gets it, and nothing of what they put is lost.
func itemsRace(e *env, items store.Items) {
	ctx := e.Context()
	const workers, each = 8, 20
	var taken, fresh [each]atomic.Int32
	for i := range each {
		must(0, items.Put(ctx, "code", item(fmt.Sprint(i), "", now)))
	}
	var done sync.WaitGroup
	for w := range workers {
		done.Go(func() {
			for i := range each {
				key := []byte(fmt.Sprint(i))
				_, got, err1 := items.Take(ctx, "code", key)
				first, err2 := items.Once(ctx, key, now)
				err3 := items.Put(ctx, "session", item(fmt.Sprint(w, ".", i), "", now, fmt.Sprint(w)))
				err4 := items.Put(ctx, "Wrong", item("x", "", now)) // fails alone
				if err1 != nil || err2 != nil || err3 != nil || err4 == nil {
					e.Error(err1, err2, err3, err4)
				}
				if got {
					taken[i].Add(1)
				}
				if first {
					fresh[i].Add(1)
				}
			}
		})
	}
	done.Wait()
	for i := range each {
		e.equal(fmt.Sprint("who got ", i), []int32{taken[i].Load(), fresh[i].Load()}, []int32{1, 1})
	}
	e.equal("put", must(items.Count(ctx, "session")), workers*each)
	e.equal("of one", len(scanned(ctx, items, "session", "3")), each)
}

// itemsBeside: items are in no partition, and no copy for a try has them.
func itemsBeside(e *env, items store.Items) {
	ctx := e.Context()
	must(0, items.Put(ctx, "session", item("a", "", now)))
	e.equal("partitions", len(must(e.store.Partitions(ctx))), 0)
	must(0, e.put(ctx, "1"))
	for _, parts := range [][]store.Partition{nil, {e.p}} {
		s := must(e.store.Scratch(ctx, parts...))
		if k, ok := as[store.Keeper](s); ok {
			e.equal("in a copy", must(k.Items().Count(ctx, "session")), 0)
			must(0, k.Items().Put(ctx, "session", item("b", "", now)))
		}
		e.verify(s)
		must(0, s.Close())
	}
	must(0, e.store.DropPartition(ctx, e.p))
	e.equal("after all partitions", scanned(ctx, items, "session", ""), []string{"a=  2026-01-31T08:15:01Z"})
}

// randomItems makes random changes to a store and to a map, and compares the two.
func randomItems(e *env, items store.Items) {
	ctx, rnd := e.Context(), rand.New(rand.NewPCG(1, 1))
	model := map[string]store.Item{}
	for range 400 {
		next := item(fmt.Sprint(rnd.IntN(20)), fmt.Sprint(rnd.IntN(100)), now.Add(time.Duration(rnd.IntN(100))*time.Second).Truncate(time.Second))
		if rnd.IntN(4) == 0 {
			next.Until = time.Time{}
		}
		for _, o := range rnd.Perm(4)[:rnd.IntN(3)] {
			next.Owners = append(next.Owners, []byte(fmt.Sprint("o", o)))
		}
		key := string(next.Key)
		_, there := model[key]
		switch rnd.IntN(8) {
		case 0, 1, 2:
			must(0, items.Put(ctx, "s", next))
			model[key] = next
		case 3:
			e.equal("replaced", must(items.Replace(ctx, "s", next)) == 1, there)
			if there {
				model[key] = next
			}
		case 4:
			want := "none"
			if there {
				want = itemText(model[key])
			}
			e.equal("taken", found(items.Take(ctx, "s", next.Key)), want)
			delete(model, key)
		case 5:
			e.equal("deleted", must(items.Delete(ctx, "s", next.Key)) == 1, there)
			delete(model, key)
		case 6:
			at := now.Add(time.Duration(rnd.IntN(30)) * time.Second)
			want := 0
			for k, i := range model {
				if !i.Until.IsZero() && !i.Until.After(at) {
					want++
					delete(model, k)
				}
			}
			e.equal("expired", must(items.Expire(ctx, at, 100)), want)
		case 7:
			owner := fmt.Sprint("o", rnd.IntN(4))
			var want []string
			for _, k := range slices.Sorted(maps.Keys(model)) {
				if slices.ContainsFunc(model[k].Owners, func(o []byte) bool { return string(o) == owner }) {
					want = append(want, itemText(model[k]))
				}
			}
			e.equal("of an owner", scanned(ctx, items, "s", owner), want)
		}
		e.equal("counted", must(items.Count(ctx, "s")), len(model))
	}
	var want []string
	for _, k := range slices.Sorted(maps.Keys(model)) {
		want = append(want, itemText(model[k]))
	}
	e.equal("all", scanned(ctx, items, "s", ""), want)
}
