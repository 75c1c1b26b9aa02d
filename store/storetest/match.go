package storetest

import (
	"fmt"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/signin/key"
)

func byMail() []key.Field {
	return []key.Field{{Kind: key.Mail, Name: directory.FieldEmail}, {Kind: key.Mail, Name: directory.FieldEmails}}
}

func byMailAndName() []key.Field {
	return append(byMail(), key.Field{Kind: key.Exact, Name: directory.FieldName})
}

// matches returns who is found by a key.
func matches(r store.Reader, k key.Key) []store.Num {
	return collect(func(fn func(store.Num) bool) error {
		return r.Match([]store.MatchKey{store.MatchKeyOf(k)}, func(_ int, n store.Num) bool { return fn(n) })
	})
}

// matchesOf lists who is found by several addresses, by position and number.
func matchesOf(r store.Reader, addresses ...string) (list []string) {
	var keys []store.MatchKey
	for _, a := range addresses {
		keys = append(keys, store.MatchKeyOf(key.Of(key.Mail, a)[0]))
	}
	return must(list, r.Match(keys, func(key int, n store.Num) bool {
		list = append(list, fmt.Sprint(addresses[key], " ", n))
		return true
	}))
}

func called(id, address string, more ...string) *directory.Object {
	o := person(id, nil)
	o.SetText(directory.FieldEmail, address)
	if len(more) > 0 {
		o.Set(directory.FieldEmails, directory.List(more...))
	}
	return o
}

func match(e *env) {
	ask := []string{"ann@x", "bob@x", "new@x"}
	var ann, bob store.Num
	e.both(func(w store.Writer) error {
		ann = must(w.PutRow(called("1", "Ann@x", "smtp:ann@X", "al@x"), store.Here))
		bob = must(w.PutRow(called("2", "bob@x"), store.Here))
		g := group("3")
		g.SetText(directory.FieldEmail, "ann@x")
		must(w.PutRow(g, store.Here))
		return w.SetMatching(nil)
	}, func(r store.Reader) {
		e.equal("no index", fmt.Sprint(must(r.Matching()), matchesOf(r, ask...)), "[] []")
	})
	e.both(func(w store.Writer) error { return w.SetMatching(byMail()) }, func(r store.Reader) {
		e.equal("switched on", matchesOf(r, ask...), []string{fmt.Sprint("ann@x ", ann), fmt.Sprint("bob@x ", bob)})
		e.equal("fields", must(r.Matching()), byMail())
		e.equal("by another one", matchesOf(r, "al@x", "eve@x"), []string{fmt.Sprint("al@x ", ann)})
		calls := 0
		must(0, r.Match([]store.MatchKey{store.MatchKeyOf(key.Of(key.Mail, "ann@x")[0]), store.MatchKeyOf(key.Of(key.Mail, "bob@x")[0])},
			func(int, store.Num) bool { calls++; return false }))
		e.equal("stopped", calls, 1)
	})
	// Two have one address, one of them is gone, and one is called otherwise.
	e.both(func(w store.Writer) error {
		must(w.PutRow(called("2", "ann@x"), store.Here))
		must(w.PutRow(called("2", "new@x"), store.Here)) // within one transaction
		must(w.PutRow(called("2", "new@x", "ANN@x"), store.Here))
		return w.SetGone(directory.Person, ann, store.Absent)
	}, func(r store.Reader) {
		e.equal("changed", matchesOf(r, ask...), []string{fmt.Sprint("ann@x ", ann), fmt.Sprint("ann@x ", bob), fmt.Sprint("new@x ", bob)})
	})
	e.both(func(w store.Writer) error {
		must(0, w.DeleteRow(directory.Person, ann))
		return w.SetMatching(byMail()) // as it is
	}, func(r store.Reader) {
		e.equal("deleted", matchesOf(r, ask...), []string{fmt.Sprint("ann@x ", bob), fmt.Sprint("new@x ", bob)})
	})
	e.verify(e.store)
	failed := e.store.Update(e.Context(), e.p, func(w store.Writer) error {
		must(w.PutRow(called("2", "eve@x"), store.Here))
		must(0, w.SetMatching(byMailAndName()))
		return errStop
	})
	e.equal("failed", failed, errStop)
	copied := must(e.store.Scratch(e.Context(), e.p))
	must(0, copied.View(e.Context(), e.p, func(r store.Reader) error {
		e.equal("in a copy", matchesOf(r, ask...), []string{fmt.Sprint("ann@x ", bob), fmt.Sprint("new@x ", bob)})
		return nil
	}))
	e.verify(copied)
	must(0, copied.Close())
	moved := store.Partition{Connection: "moved"}
	must(0, e.store.MovePartition(e.Context(), e.p, moved))
	e.view(func(r store.Reader) error { e.equal("moved away", matchesOf(r, ask...), []string(nil)); return nil })
	e.p = moved
	e.both(func(w store.Writer) error { return w.SetMatching(byMailAndName()) }, func(r store.Reader) {
		e.equal("by name", matches(r, key.Of(key.Exact, "Person 2")[0]), []store.Num{bob})
		e.equal("by address", matchesOf(r, ask...), []string{fmt.Sprint("ann@x ", bob), fmt.Sprint("new@x ", bob)})
	})
	e.both(func(w store.Writer) error { return w.SetMatching(nil) }, func(r store.Reader) {
		e.equal("switched off", fmt.Sprint(must(r.Matching()), matchesOf(r, ask...)), "[] []")
	})
	e.update(func(w store.Writer) error { must(w.PutRow(called("2", "bob@x"), store.Here)); return nil })
}
