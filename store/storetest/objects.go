package storetest

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
)

func numbers(e *env) {
	var first []store.Num
	e.update(func(w store.Writer) error {
		first = must(w.Intern([]string{"b", "a", "b", strings.Repeat("long", 20000), ""}, []store.Num{99}))
		e.equal("kept", first[0], 99)
		e.equal("same handle", first[1], first[3])
		e.equal("again", must(w.Intern([]string{"a"}, nil))[0], first[2])
		e.equal("ascending", slices.IsSorted([]store.Num{first[1], first[2], first[4], first[5]}), true)
		e.equal("not zero", first[1] > 0, true)
		return nil
	})
	_ = e.store.Update(e.Context(), e.p, func(w store.Writer) error { intern(w, "lost"); return errStop })
	e.both(func(w store.Writer) error {
		e.equal("rolled back", number(w, "lost"), 0)
		more := intern(w, "c")
		e.equal("greater", more[0] > slices.Max(first[1:]), true)
		return nil
	}, func(r store.Reader) {
		got := must(r.Lookup([]string{"b", "nobody", "a"}, []store.Num{1, 2}))
		e.equal("lookup", got, []store.Num{1, 2, first[1], 0, first[2]})
	})
	// Enough to pass through every form that a table of names takes on while it grows.
	all := make(map[store.Num]bool)
	for i := range 6 {
		var nums []store.Num
		e.update(func(w store.Writer) error {
			nums = nums[:0]
			for j := range 10000 {
				nums = append(nums, intern(w, fmt.Sprint("h", i*10000+j))...)
			}
			return nil
		})
		for _, n := range nums {
			if all[n] {
				e.Fatalf("number %d was given twice", n)
			}
			all[n] = true
		}
	}
	e.view(func(r store.Reader) error {
		for i := range 60000 {
			if !all[number(r, fmt.Sprint("h", i))] {
				e.Fatalf("handle %d lost its number", i)
			}
		}
		return nil
	})
}

func rows(e *env) {
	o := person("1", []string{"uid:z", "dn:a", "uid:z"}, "uid:b")
	changed := person("1", []string{"uid:z", "dn:a", "uid:z"}, "uid:b")
	changed.SetText(directory.FieldTitle, "Head")
	for _, want := range []*directory.Object{o, o, changed, o} {
		var n store.Num
		e.both(func(w store.Writer) (err error) {
			n, err = w.PutRow(want, store.Here)
			return err
		}, func(r store.Reader) {
			e.equal("number", n, number(r, directory.IDHandle("1")))
			row, ok, err := r.Row(directory.Person, n)
			if err != nil || !ok {
				e.Fatalf("row: %v, %v", ok, err)
			}
			e.equal("row number", row.Num, n)
			e.equal("data", row.Data, data(want))
			e.equal("handles", row.Handles, must(r.Lookup(want.Handles, nil)))
			_, ok, err = r.Row(directory.Group, n)
			e.equal("row of another kind", must(ok, err), false)
			e.equal("count", must(r.Count(directory.Person)), 1)
			e.equal("count of another kind", must(r.Count(directory.Group)), 0)
		})
	}
}

func rowOrder(e *env) {
	const count = 50
	objects := make(map[store.Num]*directory.Object)
	var nums []store.Num
	e.update(func(w store.Writer) error {
		nums = nil
		for i := range count {
			o := person(fmt.Sprint(i), []string{fmt.Sprint("uid:", i)}, fmt.Sprint("uid:", i/10))
			n := must(w.PutRow(o, store.Here))
			objects[n] = o
			nums = append(nums, n)
		}
		return nil
	})
	e.equal("ascending", slices.IsSorted(nums), true)
	e.view(func(r store.Reader) error {
		e.equal("all", rowNums(r, directory.Person, 0), nums)
		e.equal("after one", rowNums(r, directory.Person, nums[9]), nums[10:])
		e.equal("after the last", rowNums(r, directory.Person, nums[count-1]), []store.Num{})
		e.equal("after everything", rowNums(r, directory.Person, 1<<32-1), []store.Num{})
		calls := 0
		must(0, r.Rows(directory.Person, 0, func(row store.Row) bool {
			calls++
			if !bytes.Equal(row.Data, data(objects[row.Num])) || len(row.Handles) != 1 {
				e.Errorf("row %d has other data or handles", row.Num)
			}
			return calls < 3
		}))
		e.equal("calls until false", calls, 3)
		// Rows that are looked up stay valid while others are.
		var kept []store.Row
		for _, n := range nums {
			row, _, err := r.Row(directory.Person, n)
			kept = append(kept, must(row, err))
		}
		for _, row := range kept {
			if !bytes.Equal(row.Data, data(objects[row.Num])) ||
				row.Handles[0] != number(r, objects[row.Num].Handles[0]) {
				e.Errorf("row %d changed in the transaction", row.Num)
			}
		}
		return nil
	})
}

func goneRows(e *env) {
	o := person("1", []string{"uid:a"})
	causes := []store.GoneCause{store.NamedRemoved, store.Absent, store.Here, store.OutOfScope, store.EmptyListing, store.NotRead, store.Here}
	for _, cause := range causes {
		e.both(func(w store.Writer) error {
			_, err := w.PutRow(o, cause)
			return err
		}, func(r store.Reader) {
			n := number(r, directory.IDHandle("1"))
			row, ok, err := r.Row(directory.Person, n)
			e.equal("found", must(ok, err), true)
			e.equal("cause", row.Gone, cause)
			e.equal("listed", rowNums(r, directory.Person, 0), []store.Num{n})
			want := 0
			if cause == store.Here {
				want = 1
			}
			e.equal("count", must(r.Count(directory.Person)), want)
		})
	}
	for _, cause := range causes {
		e.both(func(w store.Writer) error {
			return w.SetGone(directory.Person, number(w, directory.IDHandle("1")), cause)
		}, func(r store.Reader) {
			row, ok, err := r.Row(directory.Person, number(r, directory.IDHandle("1")))
			e.equal("found", must(ok, err), true)
			e.equal("cause", row.Gone, cause)
			e.equal("data", row.Data, data(o))
			e.equal("handles", row.Handles, must(r.Lookup(o.Handles, nil)))
			e.owner(r, "uid:a", "1")
			e.equal("nobody is counted", must(r.Count(directory.Person)) == 0, cause != store.Here)
		})
	}
	e.both(func(w store.Writer) error {
		must(w.PutRow(o, store.NamedRemoved))
		return w.DeleteRow(directory.Person, number(w, directory.IDHandle("1")))
	}, func(r store.Reader) { e.equal("count", must(r.Count(directory.Person)), 0) })
}

func (e *env) owner(r store.Reader, handle, id string) {
	e.Helper()
	e.equal("owner of "+handle, ownerOf(r, number(r, handle)), number(r, directory.IDHandle(id)))
}

func (e *env) contestants(r store.Reader, handle string, ids ...string) {
	e.Helper()
	var want []store.Num
	for _, id := range ids {
		want = append(want, number(r, directory.IDHandle(id)))
	}
	e.equal("contestants of "+handle, contestantsOf(r, number(r, handle)), want)
}

func handles(e *env) {
	put := func(objects ...*directory.Object) func(store.Writer) error {
		return func(w store.Writer) error {
			for _, o := range objects {
				must(w.PutRow(o, store.Here))
			}
			return nil
		}
	}
	free := func(r store.Reader, handle string) {
		n := number(r, handle)
		e.equal("owner of "+handle, ownerOf(r, n), n)
	}
	e.both(put(person("1", []string{"uid:a", "dn:a"})), func(r store.Reader) {
		e.owner(r, "uid:a", "1")
		e.owner(r, "dn:a", "1")
		e.owner(r, "id:1", "1")
	})
	e.both(put(person("1", []string{"dn:b", "uid:a"})), func(r store.Reader) {
		e.owner(r, "dn:b", "1")
		free(r, "dn:a")
	})
	// The last one to claim a handle has it, and keeps it when the one before gives it up.
	e.both(put(person("2", []string{"uid:a"})), func(r store.Reader) { e.owner(r, "uid:a", "2") })
	e.both(put(person("1", []string{"dn:b"})), func(r store.Reader) { e.owner(r, "uid:a", "2") })
	// When the owner gives it up, it goes back to an object that states it.
	e.both(put(person("1", []string{"uid:a", "dn:b"})), func(r store.Reader) { e.owner(r, "uid:a", "1") })
	e.both(put(person("1", []string{"dn:b"})), func(r store.Reader) { e.owner(r, "uid:a", "2") })
	// Whoever states it can be given it, and nobody. The next to be stored with it has it again.
	e.both(put(person("1", []string{"uid:a", "dn:b"})), func(r store.Reader) { e.contestants(r, "uid:a", "2") })
	e.both(func(w store.Writer) error { return w.Give(number(w, "uid:a"), number(w, "id:2")) }, func(r store.Reader) {
		e.owner(r, "uid:a", "2")
		e.contestants(r, "uid:a", "1")
	})
	e.both(func(w store.Writer) error { return w.Give(number(w, "uid:a"), 0) }, func(r store.Reader) {
		free(r, "uid:a")
		e.contestants(r, "uid:a", "1", "2")
	})
	e.both(put(person("1", []string{"uid:a", "dn:b"})), func(r store.Reader) {
		e.owner(r, "uid:a", "1")
		e.contestants(r, "uid:a", "2")
	})
	e.both(func(w store.Writer) error { return w.Give(number(w, "uid:a"), 0) }, func(r store.Reader) { free(r, "uid:a") })
	e.both(put(person("1", []string{"dn:b"})), func(r store.Reader) {
		free(r, "uid:a")
		e.contestants(r, "uid:a", "2")
	})
	e.both(func(w store.Writer) error { return w.Give(number(w, "uid:a"), number(w, "id:2")) }, func(r store.Reader) {
		e.owner(r, "uid:a", "2")
		e.contestants(r, "uid:a")
	})
	if err := e.store.Update(e.Context(), e.p, func(w store.Writer) error { return w.Give(number(w, "uid:a"), number(w, "id:1")) }); err == nil {
		e.Error("a handle is given to somebody who does not state it")
	}
	// Two objects change names in one transaction.
	e.both(put(person("2", []string{"dn:b"}), person("1", []string{"uid:a"})), func(r store.Reader) {
		e.owner(r, "dn:b", "2")
		e.owner(r, "uid:a", "1")
	})
	// A group's handle is claimed in the same way, and a handle may be known before its owner is.
	e.update(func(w store.Writer) error { intern(w, "cn:g"); return nil })
	o := group("g")
	o.Handles = []string{"cn:g"}
	e.both(put(o), func(r store.Reader) { e.owner(r, "cn:g", "g") })
	// Its own id as one of its handles changes nothing.
	e.both(put(person("1", []string{"id:1"})), func(r store.Reader) {
		e.owner(r, "id:1", "1")
		free(r, "uid:a")
	})
}

func referrers(e *env) {
	check := func(step string, manager string, want ...string) func(store.Reader) {
		return func(r store.Reader) {
			var nums []store.Num
			for _, id := range want {
				nums = append(nums, number(r, directory.IDHandle(id)))
			}
			e.equal(step, referrersOf(r, directory.Manager, number(r, manager)), sorted(nums))
		}
	}
	put := func(objects ...*directory.Object) func(store.Writer) error {
		return func(w store.Writer) error {
			for _, o := range objects {
				must(w.PutRow(o, store.Here))
			}
			return nil
		}
	}
	e.both(put(person("3", nil, "uid:boss"), person("1", nil, "uid:boss"), person("2", nil, "uid:boss", "uid:boss")),
		check("new", "uid:boss", "1", "2", "3"))
	e.both(put(person("1", nil, "uid:boss", "uid:other")), check("one more link", "uid:boss", "1", "2", "3"))
	e.view(func(r store.Reader) error { check("one more link", "uid:other", "1")(r); return nil })
	e.both(put(person("1", nil, "uid:other"), person("2", []string{"x"})), check("given up", "uid:boss", "3"))
	e.both(put(person("3", nil), person("3", nil, "uid:boss")), check("given up and taken again", "uid:boss", "3"))
	e.both(put(person("3", nil)), check("nobody left", "uid:boss"))
	device := &directory.Object{Kind: directory.Device, ID: "d", Links: []directory.Link{{Type: directory.Owner, To: "uid:other"}}}
	e.both(put(device), check("link of another type", "uid:other", "1"))
	e.view(func(r store.Reader) error {
		e.equal("devices", referrersOf(r, directory.Owner, number(r, "uid:other")), []store.Num{number(r, "id:d")})
		calls := 0
		err := r.ReferrersOf(directory.Manager, []store.Num{number(r, "uid:other")}, func(_, _ store.Num) bool { calls++; return false })
		e.equal("calls until false", must(calls, err), 1)
		return nil
	})
}

func deleteRow(e *env) {
	var n store.Num
	e.update(func(w store.Writer) (err error) {
		n, err = w.PutRow(person("1", []string{"uid:a"}, "uid:b"), store.Here)
		return err
	})
	e.both(func(w store.Writer) error { return w.DeleteRow(directory.Person, n) }, func(r store.Reader) {
		_, ok, err := r.Row(directory.Person, n)
		e.equal("row", must(ok, err), false)
		e.equal("count", must(r.Count(directory.Person)), 0)
		e.equal("number", number(r, directory.IDHandle("1")), n)
		h := number(r, "uid:a")
		e.equal("owner", ownerOf(r, h), h)
		e.equal("referrers", len(referrersOf(r, directory.Manager, number(r, "uid:b"))), 0)
	})
	e.both(func(w store.Writer) error {
		e.equal("number after its return", must(w.PutRow(person("1", []string{"uid:a"}), store.Here)), n)
		return nil
	}, func(r store.Reader) { e.owner(r, "uid:a", "1") })
}

// twoKinds: objects that nothing points to may have an id that another kind's object has as well.
func twoKinds(e *env) {
	device := &directory.Object{Kind: directory.Device, ID: "1", Handles: []string{"shared", "device"},
		Links: []directory.Link{{Type: directory.Manager, To: "boss"}, {Type: directory.Owner, To: "boss"}}}
	check := func(device bool) func(store.Reader) {
		return func(r store.Reader) {
			n, boss := number(r, "id:1"), number(r, "boss")
			e.owner(r, "shared", "1")
			e.equal("the device's own handle is claimed", ownerOf(r, number(r, "device")) == n, device)
			e.equal("manager of", referrersOf(r, directory.Manager, boss), []store.Num{n})
			e.equal("owner of", len(referrersOf(r, directory.Owner, boss)) == 1, device)
		}
	}
	e.both(func(w store.Writer) error {
		must(w.PutRow(person("1", []string{"shared"}, "boss"), store.Here))
		must(w.PutRow(device, store.Here))
		return nil
	}, check(true))
	e.both(func(w store.Writer) error { return w.DeleteRow(directory.Device, number(w, "id:1")) }, check(false))
}

func misuse(e *env) {
	o := person("1", nil)
	o.Kind = 0
	calls := map[string]func(store.Writer) error{
		"kind 0":           func(w store.Writer) error { _, err := w.PutRow(o, store.Here); return err },
		"unknown kind":     func(w store.Writer) error { return w.MarkDirty(200, 1, store.Changed) },
		"gone nobody":      func(w store.Writer) error { return w.SetGone(directory.Device, 1, store.NamedRemoved) },
		"unknown cause":    func(w store.Writer) error { return w.SetGone(directory.Person, 1, 99) },
		"unknown record":   func(w store.Writer) error { return w.PutRecord(1, &directory.Record{}) },
		"no stream":        func(w store.Writer) error { return w.PutStream("", store.StreamState{}) },
		"no target":        func(w store.Writer) error { return w.Enqueue("", action("1"), now) },
		"no run":           func(w store.Writer) error { return w.PutRun(store.Run{}) },
		"group 0":          func(w store.Writer) error { _, err := w.AddMembers(0, []store.Num{1}, nil); return err },
		"member never met": func(w store.Writer) error { _, err := w.AddMembers(1, []store.Num{77}, nil); return err },
		"due of no kind":   func(w store.Writer) error { return w.PutDue(0, 1, now) },
		"due of nobody":    func(w store.Writer) error { return w.PutDue(directory.Person, 77, now) },
		"replace nothing":  func(w store.Writer) error { return w.Replace("journal", 77, action("1")) },
	}
	e.update(fill)
	for what, call := range calls {
		if err := e.store.Update(e.Context(), e.p, call); err == nil {
			e.Errorf("%s: no error", what)
		}
	}
}
