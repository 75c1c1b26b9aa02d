package storetest

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

// linkTo makes a link of a user's record to a thing.
func linkTo(subject, id string) store.Link {
	return store.Link{Subject: subject, Kind: directory.UserRecord, ID: id, State: store.Linked, Owner: store.Created, Active: true,
		Contributor: store.Partition{Connection: "hq", Tenant: "a"}, Since: now.Truncate(time.Second), Changed: now.Truncate(time.Second)}
}

// linksOf returns all links, by subject.
func linksOf(r store.Reader) []store.Link {
	list := collect(func(fn func(store.Link) bool) error { return r.Links("", fn) })
	slices.SortFunc(list, func(a, b store.Link) int { return strings.Compare(a.Subject, b.Subject) })
	return list
}

func reviewsOf(r store.Reader) []store.Review {
	return collect(func(fn func(store.Review) bool) error { return r.Reviews(0, fn) })
}

func targetPartitions(e *env) {
	p := store.TargetPartition("halo")
	if name, ok := p.Target(); name != "halo" || !ok {
		e.Errorf("target of %s: %q, %v", p, name, ok)
	}
	if _, ok := e.p.Target(); ok {
		e.Error("a connection's partition is a target's")
	}
	e.update(fill)
	hq := e.p
	e.p = p
	e.update(func(w store.Writer) error { return w.PutLink(linkTo("user/1", "7")) })
	e.equal("partitions", must(e.store.Partitions(e.Context())), []store.Partition{hq})
	e.equal("partitions of targets", must(store.TargetPartitions(e.Context(), e.store)), []store.Partition{p})
	copied := must(e.store.Scratch(e.Context(), hq, p))
	e.equal("in a copy", must(store.TargetPartitions(e.Context(), copied)), []store.Partition{p})
	must(0, copied.View(e.Context(), p, func(r store.Reader) error { e.equal("links", len(linksOf(r)), 1); return nil }))
	e.verify(copied)
	must(0, copied.Close())
	must(0, e.store.DropPartition(e.Context(), hq))
	e.view(func(r store.Reader) error { e.equal("links stay", len(linksOf(r)), 1); return nil })
	must(0, e.store.DropPartition(e.Context(), p))
	e.equal("partitions of targets", must(store.TargetPartitions(e.Context(), e.store)), []store.Partition{})
}

func links(e *env) {
	long := strings.Repeat("x", 70000)
	full := linkTo("user/hq/1", "7")
	full.Owner, full.Mark, full.Parent, full.Revision, full.LastKey, full.Why = store.Adopted, "hq/1", "12", "W/3", "k1", "moved"
	full.Sent = map[string]store.Digest{"name": store.DigestOf("Ann"), "phone": store.DigestOf("1"), "title": store.DigestOf("")}
	full.Saw = map[string]store.Digest{"name": store.DigestOf("Ann"), "phone": store.DigestOf("+1"), "site": store.DigestOf("Leeds")}
	full.Once, full.Members = []string{"login", "site"}, []string{"1", "2", "3"}
	list := []store.Link{
		full,
		linkTo("user/hq/"+long, long),
		{Subject: "user/hq/2", Kind: directory.UserRecord, State: store.InReview},
		{Subject: "user/hq/3", Kind: directory.UserRecord, ID: "9", State: store.LinkDead, Active: false},
	}
	e.both(func(w store.Writer) error {
		for _, l := range list {
			must(0, w.PutLink(l))
		}
		return nil
	}, func(r store.Reader) {
		e.equal("of records", must(r.LinksOf([]string{"user/hq/3", "none", full.Subject, "user/hq/2"})), []store.Link{list[3], {}, full, list[2]})
		e.equal("at things", must(r.LinksAt(directory.UserRecord, []string{long, "none", "9", "7", ""})), []store.Link{list[1], list[3], full})
		e.equal("at things of another kind", len(must(r.LinksAt(directory.AgentRecord, []string{"7", "9"}))), 0)
		e.equal("all", len(linksOf(r)), 4)
		e.equal("counts", must(r.LinkCounts()), map[store.LinkState]int{store.Linked: 2, store.InReview: 1, store.LinkDead: 1})
		var chunks []string
		for after := ""; ; {
			was := after
			must(0, r.Links(after, func(l store.Link) bool { after = l.Subject; return false }))
			if was == after {
				break
			}
			chunks = append(chunks, after)
		}
		slices.Sort(chunks)
		e.equal("one after the other", len(slices.Compact(chunks)), 4)
	})
	// What is handed in is the caller's, lists are sorted, and what is handed out is the caller's too.
	e.update(func(w store.Writer) error {
		l := full
		l.Once, l.Members = []string{"site", "login", "site"}, []string{"3", "1", "2"}
		must(0, w.PutLink(l))
		e.equal("the caller's", l.Members[0], "3")
		got := must(w.LinksOf([]string{full.Subject}))
		e.equal("sorted", got[0], full)
		got[0].Members[0], got[0].Sent["name"] = "spoilt", store.Digest{}
		e.equal("still", must(w.LinksOf([]string{full.Subject}))[0], full)
		return nil
	})
	// Another thing, another state, nothing.
	moved := full
	moved.ID = "8"
	e.both(func(w store.Writer) error { return w.PutLink(moved) }, func(r store.Reader) {
		e.equal("where it was", len(must(r.LinksAt(directory.UserRecord, []string{"7"}))), 0)
		e.equal("where it is", must(r.LinksAt(directory.UserRecord, []string{"8"})), []store.Link{moved})
	})
	e.both(func(w store.Writer) error {
		e.equal("deleted", must(w.DeleteLink(moved.Subject)), true)
		e.equal("deleted again", must(w.DeleteLink(moved.Subject)), false)
		return nil
	}, func(r store.Reader) {
		e.equal("of a record", must(r.LinksOf([]string{moved.Subject})), []store.Link{{}})
		e.equal("at a thing", len(must(r.LinksAt(directory.UserRecord, []string{"8"}))), 0)
		e.equal("counts", must(r.LinkCounts()), map[store.LinkState]int{store.Linked: 1, store.InReview: 1, store.LinkDead: 1})
	})
	for _, bad := range []store.Link{{}, {Subject: "user/1", State: store.Linked, Kind: directory.UserRecord}, {Subject: "user/1", State: store.InReview},
		{Subject: "user/1", Kind: directory.UserRecord, ID: "1"}, {Subject: "user/1", Kind: directory.UserRecord, ID: "1", State: 99}} {
		if err := e.store.Update(e.Context(), e.p, func(w store.Writer) error { return w.PutLink(bad) }); err == nil {
			e.Errorf("%+v was stored", bad)
		}
	}
}

func linkConflicts(e *env) {
	put := func(l store.Link) error {
		return e.store.Update(e.Context(), e.p, func(w store.Writer) error { return w.PutLink(l) })
	}
	must(0, put(linkTo("user/1", "7")))
	err := put(linkTo("user/2", "7"))
	if fault.ClassOf(err) != fault.Conflict || !strings.Contains(err.Error(), "user/1") || !strings.Contains(err.Error(), "user/2") {
		e.Errorf("two records at one thing: %v", err)
	}
	// Within a transaction, too; and a transaction that catches it goes on.
	e.update(func(w store.Writer) error {
		must(0, w.PutLink(linkTo("user/3", "8")))
		if err := w.PutLink(linkTo("user/4", "8")); fault.ClassOf(err) != fault.Conflict {
			e.Errorf("in one transaction: %v", err)
		}
		return nil
	})
	agent := linkTo("agent/1", "7")
	agent.Kind = directory.AgentRecord
	must(0, put(agent)) // a kind has ids of its own
	must(0, put(linkTo("user/1", "7")))
	other := linkTo("user/2", "7")
	other.State = store.InReview
	must(0, put(other)) // it does not have the thing
	dead := linkTo("user/1", "7")
	dead.State = store.LinkDead
	must(0, put(dead))
	must(0, put(linkTo("user/2", "7")))
	e.view(func(r store.Reader) error {
		e.equal("who has it, then who had it", must(r.LinksAt(directory.UserRecord, []string{"7"})), []store.Link{linkTo("user/2", "7"), dead})
		return nil
	})
	if err := put(linkTo("user/1", "7")); fault.ClassOf(err) != fault.Conflict {
		e.Errorf("back from the dead: %v", err)
	}
}

// randomLinks makes random changes to links, and to a map.
func randomLinks(e *env) {
	rnd := rand.New(rand.NewPCG(1, 3))
	model := map[string]store.Link{}
	for range 60 {
		var next map[string]store.Link
		fails, seed := rnd.IntN(5) == 0, rnd.Uint64()
		err := e.store.Update(e.Context(), e.p, func(w store.Writer) error {
			next = maps.Clone(model)
			rnd := rand.New(rand.NewPCG(seed, seed)) // every attempt makes the same changes
			for range rnd.IntN(20) {
				changeLinks(e, w, next, rnd)
			}
			compareLinks(e, w, next)
			if fails {
				return errStop
			}
			return nil
		})
		if !fails {
			must(0, err)
			model = next
		}
		e.view(func(r store.Reader) error { compareLinks(e, r, model); return nil })
		if e.Failed() {
			return
		}
	}
}

func changeLinks(e *env, w store.Writer, model map[string]store.Link, rnd *rand.Rand) {
	l := linkTo(fmt.Sprint("user/", rnd.IntN(12)), fmt.Sprint(rnd.IntN(12)))
	l.State = store.LinkStates()[rnd.IntN(4)]
	l.Owner = store.LinkOwner(rnd.IntN(3))
	if rnd.IntN(2) == 0 {
		l.Sent = map[string]store.Digest{fmt.Sprint(rnd.IntN(3)): store.DigestOf(fmt.Sprint(rnd.IntN(3)))}
		l.Saw = map[string]store.Digest{fmt.Sprint(rnd.IntN(3)): store.DigestOf(fmt.Sprint(rnd.IntN(3)))}
	}
	if rnd.IntN(5) == 0 {
		must(w.DeleteLink(l.Subject))
		delete(model, l.Subject)
		return
	}
	taken := false
	for _, other := range model {
		taken = taken || other.State == store.Linked && l.State == store.Linked && other.ID == l.ID && other.Subject != l.Subject
	}
	err := w.PutLink(l)
	if taken != (fault.ClassOf(err) == fault.Conflict) || !taken && err != nil {
		e.Errorf("%s to %s: taken %v, %v", l.Subject, l.ID, taken, err)
	}
	if !taken {
		model[l.Subject] = l
	}
}

func compareLinks(e *env, r store.Reader, model map[string]store.Link) {
	e.Helper()
	subjects := slices.Sorted(maps.Keys(model))
	counts := map[store.LinkState]int{}
	var want []store.Link
	for _, s := range subjects {
		want = append(want, model[s])
		counts[model[s].State]++
	}
	e.equal("links", linksOf(r), want)
	e.equal("by subject", must(r.LinksOf(subjects)), want)
	e.equal("counts", must(r.LinkCounts()), counts)
	for i := range 12 {
		var at []string
		for _, l := range must(r.LinksAt(directory.UserRecord, []string{fmt.Sprint(i)})) {
			at = append(at, l.Subject)
		}
		slices.Sort(at)
		e.equal("at a thing", at, slices.DeleteFunc(slices.Clone(subjects), func(s string) bool { return model[s].ID != fmt.Sprint(i) }))
	}
}

func linksOfConnections(e *env) {
	const many = 2500
	halo, rt := store.TargetPartition("halo"), store.TargetPartition("rt")
	for _, e.p = range []store.Partition{halo, rt} {
		e.update(func(w store.Writer) error {
			for i := range many {
				l := linkTo(fmt.Sprint("user/", i), fmt.Sprint(i))
				l.Contributor.Connection = []string{"hq", "hq2"}[i%2]
				must(0, w.PutLink(l))
			}
			return nil
		})
	}
	count := func(which func(store.Link) bool) (n int) {
		for _, e.p = range []store.Partition{halo, rt} {
			e.view(func(r store.Reader) error {
				return r.Links("", func(l store.Link) bool {
					if which(l) {
						n++
					}
					return true
				})
			})
		}
		return n
	}
	must(0, store.RenameLinks(e.Context(), e.store, "hq", "office"))
	e.equal("renamed", count(func(l store.Link) bool { return l.Contributor == store.Partition{Connection: "office", Tenant: "a"} }), many)
	e.equal("others", count(func(l store.Link) bool { return l.Contributor == store.Partition{Connection: "hq2", Tenant: "a"} }), many)
	must(0, store.RetireLinks(e.Context(), e.store, []store.Partition{{Connection: "office", Tenant: "b"}, {Connection: "office", Tenant: "a"}}, now))
	e.equal("dead", count(func(l store.Link) bool { return l.State == store.LinkDead && l.Why == "retired" }), many)
	e.equal("alive", count(func(l store.Link) bool { return l.State == store.Linked && l.Contributor.Connection == "hq2" }), many)
}

func reviews(e *env) {
	first := store.Review{Subject: "user/1", Kind: directory.UserRecord, Cause: "ambiguous", Text: "two Anns", Fingerprint: "f", Since: now,
		Candidates: []store.Candidate{{ID: "7", Name: "Ann", Key: "email", Differ: []string{"phone"}}, {ID: "8"}}, Contributor: store.Partition{Connection: "hq"}}
	second := store.Review{Subject: "user/" + strings.Repeat("x", 70000), Cause: "protected", Since: now}
	e.both(func(w store.Writer) error {
		first.Number, second.Number = must(w.PutReview(first)), must(w.PutReview(second))
		return nil
	}, func(r store.Reader) {
		e.equal("numbers", first.Number > 0 && second.Number > first.Number, true)
		e.equal("all", reviewsOf(r), []store.Review{first, second})
		e.equal("after one", collect(func(fn func(store.Review) bool) error { return r.Reviews(first.Number, fn) }), []store.Review{second})
		e.equal("after everything", len(collect(func(fn func(store.Review) bool) error { return r.Reviews(1<<64-1, fn) })), 0)
		e.equal("of records", must(r.ReviewsOf([]string{second.Subject, "none", "user/1"})), []store.Review{second, first})
		e.equal("count", must(r.ReviewCount()), 2)
		got, ok, err := r.Review(second.Number)
		e.equal("by number", must(ok, err), true)
		e.equal("by number", got, second)
		_, ok, err = r.Review(4711)
		e.equal("by another number", must(ok, err), false)
	})
	again := first
	again.Number, again.Since, again.Fingerprint = 0, now.Add(time.Hour), "g"
	e.both(func(w store.Writer) error { e.equal("number", must(w.PutReview(again)), first.Number); return nil }, func(r store.Reader) {
		again.Number, again.Since = first.Number, first.Since
		e.equal("again", must(r.ReviewsOf([]string{"user/1"})), []store.Review{again})
		e.equal("count", must(r.ReviewCount()), 2)
	})
	e.both(func(w store.Writer) error {
		again.Cause, again.Since = "taken over", now.Add(time.Hour)
		must(w.PutReview(again))
		return nil
	}, func(r store.Reader) {
		e.equal("for another cause", must(r.ReviewsOf([]string{"user/1"})), []store.Review{again})
	})
	e.both(func(w store.Writer) error {
		e.equal("deleted", must(w.DeleteReview(second.Subject)), true)
		e.equal("deleted again", must(w.DeleteReview(second.Subject)), false)
		e.equal("a number is not used again", must(w.PutReview(second)) > second.Number, true)
		return nil
	}, func(r store.Reader) { e.equal("count", must(r.ReviewCount()), 2) })
}

func rejectedPairs(e *env) {
	pair := func(subject, id string) store.Rejection {
		return store.Rejection{Subject: subject, Kind: directory.UserRecord, ID: id, Fingerprint: "f", Since: now}
	}
	a, b, c := pair("user/1", "7"), pair("user/1", "10"), pair("user/2", "7")
	e.both(func(w store.Writer) error { return errors.Join(w.Reject(a), w.Reject(b), w.Reject(c), w.Reject(a)) }, func(r store.Reader) {
		e.equal("of records", must(r.Rejected([]string{"user/2", "none", "user/1"})), []store.Rejection{c, b, a})
	})
	e.both(func(w store.Writer) error {
		return errors.Join(w.Unreject("user/1", directory.UserRecord, "7"), w.Unreject("user/1", directory.UserRecord, "none"))
	}, func(r store.Reader) {
		e.equal("one is forgotten", must(r.Rejected([]string{"user/1", "user/2"})), []store.Rejection{b, c})
	})
	e.both(func(w store.Writer) error { return errors.Join(w.Reject(a), w.Unreject("user/1", 0, "")) }, func(r store.Reader) {
		e.equal("all of a record are", must(r.Rejected([]string{"user/1", "user/2"})), []store.Rejection{c})
	})
}

func desk(e *env) {
	state := store.DeskState{Place: "https://desk", Match: "m", Probed: now, Audited: now,
		Abilities: []store.DeskAbility{{Name: "filter by userName", Has: true}},
		Surveys:   map[string]store.DeskSurvey{"user": {Began: now, Ended: now, Count: 7}}}
	for _, want := range []store.DeskState{state, state, {Place: "https://other"}, {}} {
		e.both(func(w store.Writer) error { return w.PutDesk(want) }, func(r store.Reader) { e.equal("desk", must(r.Desk()), want) })
	}
	first := store.FirstContact{Hash: "h", Since: now, Counts: map[string]map[string]int{"user": {"adopt": 3}}}
	held := store.HeldWork{Hash: "x", Since: now, Counts: map[string]map[string]int{"user": {"delete": 3}}}
	outage := store.Outage{Class: "transient", Text: "reset", Since: now, Attempts: 3, Next: now.Add(time.Minute)}
	edits := store.DeskEdits{By: "one", Count: 3, Seen: 2, Keys: []string{"guard"}, Anew: true}
	e.both(func(w store.Writer) error {
		return w.PutDesk(store.DeskState{First: &first, Held: &held, Outage: &outage, Edits: &edits})
	}, func(r store.Reader) {
		d := must(r.Desk())
		e.equal("first contact", *d.First, first)
		e.equal("held", *d.Held, held)
		e.equal("outage", *d.Outage, outage)
		e.equal("edits", *d.Edits, edits)
	})
}
