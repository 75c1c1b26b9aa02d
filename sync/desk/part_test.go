package desk

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/targets/desktest"
)

func person(id string, fields ...string) desktest.Thing {
	t := there(fields...)
	t.Person = "user/hq/" + id
	return t
}

// half is a desk that knows two by their log-in names and two by their addresses, and has not heard of a fifth.
func half(w *world) {
	for i := range 5 {
		id := fmt.Sprintf("u%d", i)
		w.put(directory.UserRecord, id, "login="+id, "email="+id+"@x", "title=Boss")
		switch {
		case i < 2:
			w.sim.Add(person(id, "login="+id, "title="))
		case i < 4:
			w.sim.Add(person(id, "email="+id+"@x"))
		}
	}
	w.sim.Freeze()
}

// A part of the adoptions goes by a hash of its own; the rest stays held, under a hash of what is left.
func TestAPartOfTheAdoptions(t *testing.T) {
	scene(t, func(o *Options) { o.Freely = false }, func(t *testing.T, w *world) {
		half(w)
		w.run()
		before, _, err := w.desk.Held(t.Context())
		if err != nil || before == nil || before.Counts["user"]["adopt"] != 4 {
			t.Fatalf("%+v, %v", before, err)
		}
		part, err := w.desk.Offer(t.Context(), []directory.RecordKind{directory.UserRecord}, "login")
		if err != nil || part.Counts["user"]["adopt"] != 2 || part.Fields["user"]["title"]["fill"] != 2 {
			t.Fatalf("%+v, %v", part, err)
		}
		if w.sim.Counts().Writes != 0 {
			t.Fatal("an offer wrote")
		}
		w.stop() // it is still there when the process has ended
		w.start()
		if found, err := w.desk.Approve(t.Context(), part.Hash); !found || err != nil {
			t.Fatal(found, err)
		}
		w.rest(10 * time.Minute)
		for i, want := range []string{"hq/u0", "hq/u1", "", ""} {
			if got := w.person(fmt.Sprintf("user/hq/u%d", i)).Mark; got != want {
				t.Errorf("u%d has the mark %q", i, got)
			}
		}
		if n := len(w.sim.Things(directory.UserRecord)); n != 4 {
			t.Errorf("%d things: one was made", n)
		}
		after, _, err := w.desk.Held(t.Context())
		if err != nil || after == nil || after.Hash == before.Hash || after.Counts["user"]["adopt"] != 2 || after.Counts["user"]["linked"] != 2 || after.Counts["user"]["create"] != 1 {
			t.Fatalf("%+v, %v", after, err)
		}
		if found, err := w.desk.Approve(t.Context(), before.Hash); found || err != nil {
			t.Errorf("what was held before is approved: %v, %v", found, err)
		}
		if w.waits()["guard"] != 3 {
			t.Errorf("waits %v", w.waits())
		}
		w.approve()
		w.rest(10 * time.Minute)
		check(t, w)
		if len(w.waits()) > 0 || len(w.sim.Things(directory.UserRecord)) != 5 {
			t.Errorf("waits %v, %+v", w.waits(), w.sim.Things(directory.UserRecord))
		}
	})
}

// A part in which something else would happen by the time that it is approved is shown anew.
func TestAPartThatChanged(t *testing.T) {
	scene(t, func(o *Options) { o.Freely = false }, func(t *testing.T, w *world) {
		half(w)
		w.run()
		part, err := w.desk.Offer(t.Context(), nil, "login")
		if err != nil {
			t.Fatal(err)
		}
		w.put(directory.UserRecord, "u1", "login=u1", "email=u1@y", "title=Boss")
		w.put(directory.UserRecord, "u5", "login=u0") // whose is u0 now?
		w.run()
		if _, err := w.desk.Approve(t.Context(), part.Hash); !errors.Is(err, ErrLapsed) {
			t.Errorf("approved: %v", err)
		}
		w.rest(10 * time.Minute)
		if n := w.sim.Counts().Writes; n != 0 {
			t.Errorf("%d writes", n)
		}
	})
}

// What was approved in a part and is somebody else's by the time that it is written is asked about.
func TestAPartIsLookedAtAgain(t *testing.T) {
	scene(t, func(o *Options) { o.Freely = false }, func(t *testing.T, w *world) {
		half(w)
		w.run()
		part, err := w.desk.Offer(t.Context(), nil, "login")
		if err != nil {
			t.Fatal(err)
		}
		p := w.person("user/hq/u1")
		w.sim.Human(p.Kind, p.ID, "edit", func(t *desktest.Thing) { t.Fields["login"] = "other" })
		if found, err := w.desk.Approve(t.Context(), part.Hash); !found || err != nil {
			t.Fatal(found, err)
		}
		w.rest(10 * time.Minute)
		if p := w.person("user/hq/u1"); p.Mark != "" {
			t.Errorf("adopted: %+v", p)
		}
		if rs := w.reviews(); len(rs) != 1 || rs[0].Cause != string(Lapsed) || w.person("user/hq/u0").Mark != "hq/u0" {
			t.Errorf("%+v", rs)
		}
	})
}

// After the first contact, too, a part of what the guard holds may go.
func TestAPartOfWhatTheGuardHolds(t *testing.T) {
	one := 1
	scene(t, func(o *Options) { o.Guard = Guard{Adoptions: {Count: &one}} }, func(t *testing.T, w *world) {
		w.put(directory.UserRecord, "first", "login=first")
		w.run() // the first contact is over
		half(w)
		w.run()
		if _, held, err := w.desk.Held(t.Context()); err != nil || held == nil || held.Counts["user"]["adopt"] != 4 {
			t.Fatalf("%+v, %v", held, err)
		}
		part, err := w.desk.Offer(t.Context(), nil, "email")
		if err != nil || part.Counts["user"]["adopt"] != 2 {
			t.Fatalf("%+v, %v", part, err)
		}
		if found, err := w.desk.Approve(t.Context(), part.Hash); !found || err != nil {
			t.Fatal(found, err)
		}
		w.rest(10 * time.Minute)
		_, held, err := w.desk.Held(t.Context())
		if err != nil || held == nil || held.Counts["user"]["adopt"] != 2 || w.person("user/hq/u2").Mark != "hq/u2" || w.person("user/hq/u0").Mark != "" {
			t.Errorf("%+v, %v", held, err)
		}
	})
}

func TestAPartByAnUnknownKey(t *testing.T) {
	scene(t, nil, func(t *testing.T, w *world) {
		w.run()
		_, err := w.desk.Offer(context.Background(), []directory.RecordKind{directory.UserRecord}, "mail")
		var f *fault.Error
		if !errors.As(err, &f) || f.Class != fault.Configuration || f.Hint != "the keys are anchor, email, login; match of the target says which are used" {
			t.Errorf("%v", err)
		}
		if part, err := w.desk.Offer(context.Background(), nil, "login"); err != nil || part.Hash != "" {
			t.Errorf("%+v, %v", part, err)
		}
	})
}

// Who approves a part twice hears that, and not that there is no such thing.
func TestPartApprovedTwice(t *testing.T) {
	scene(t, func(o *Options) { o.Freely = false }, func(t *testing.T, w *world) {
		half(w)
		w.run()
		part, err := w.desk.Offer(t.Context(), nil, "login")
		if err != nil {
			t.Fatal(err)
		}
		if found, err := w.desk.Approve(t.Context(), part.Hash); !found || err != nil {
			t.Fatal(found, err)
		}
		found, err := w.desk.Approve(t.Context(), part.Hash)
		if !found || fault.ClassOf(err) != fault.Conflict || !strings.Contains(err.Error(), "approved already") {
			t.Errorf("again: %v, %v", found, err)
		}
		if found, err := w.desk.Approve(t.Context(), "another"); found || err != nil {
			t.Errorf("another: %v, %v", found, err)
		}
	})
}
