package desk

import (
	"context"
	"strings"
	"testing"
	"time"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/targets"
	"dirsyncd/sync/targets/desktest"
)

// What an import only updates is adopted where it is there; where it is not, a human says whether it is made.
func TestUpdateOnlyMakesNothing(t *testing.T) {
	scene(t, func(o *Options) { o.Freely = false }, func(t *testing.T, w *world) {
		w.imports = directory.ImportUpdateOnly
		w.opts.References = map[string]Reference{"customer": {Create: true}}
		w.sim.Add(there("login=ada", "name=Ada"))
		w.sim.Freeze()
		w.put(directory.UserRecord, "1", "name=Ada", "login=ada")
		w.put(directory.UserRecord, "2", "name=Bob", "login=bob")
		w.put(directory.UserRecord, "3", "name=Cy", "login=cy", "customer=Nowhere")
		w.sync()
		w.start()
		w.rest(time.Hour)
		first, _, err := w.desk.Held(t.Context())
		if err != nil || first == nil {
			t.Fatal(first, err)
		}
		if counts := first.Counts["user"]; counts["adopt"] != 1 || counts["create"] != 0 || counts["review"] != 2 {
			t.Errorf("the first contact is shown as %v", counts)
		}
		w.approve()
		w.rest(48 * time.Hour)
		if n := len(w.sim.Things(directory.UserRecord)); n != 1 {
			t.Fatalf("there are %d users: something was made", n)
		}
		if n := len(w.sim.Things(directory.CustomerRecord)); n != 0 {
			t.Fatalf("there are %d customers: something was made", n)
		}
		reviews := w.reviews()
		if len(reviews) != 2 || reviews[0].Cause != "absent" || reviews[1].Cause != "absent" {
			t.Fatalf("reviews: %+v", reviews)
		}
		for _, r := range reviews {
			if r.Subject != "user/hq/2" {
				continue
			}
			if _, err := w.desk.Decide(t.Context(), Decision{Number: r.Number, Fingerprint: r.Fingerprint, Accept: true, New: true}); err != nil {
				t.Fatal(err)
			}
		}
		w.rest(time.Hour)
		if n := len(w.sim.Things(directory.UserRecord)); n != 2 {
			t.Errorf("there are %d users: a human said that one is made", n)
		}
	})
}

// lowering is a place whose search minds the case of letters and is asked in lower case, too.
type lowering struct{ targets.Desk }

func (l lowering) Find(ctx context.Context, kind directory.RecordKind, key, value string) ([]targets.Entity, error) {
	list, err := l.Desk.Find(ctx, kind, key, value)
	if lower := strings.ToLower(value); err == nil && len(list) == 0 && lower != value {
		list, err = l.Desk.Find(ctx, kind, key, lower)
	}
	return list, err
}

// A creation that is refused shows who was not found; where nothing is created, a search alone proves nobody absent.
func TestUpdateOnlyLooksAtAll(t *testing.T) {
	scene(t, nil, func(t *testing.T, w *world) {
		w.sim.Set(func(f *desktest.Faults) { f.CaseSensitive = true })
		w.place = func(d targets.Desk) targets.Desk { return lowering{d} }
		w.put(directory.UserRecord, "u1", "login=ada", "name=Ada")
		w.run()
		w.rest(time.Hour)
		w.imports = directory.ImportUpdateOnly
		bob := there("login=Bob", "name=Bob")
		bob.Person = "user/hq/u2"
		id := w.sim.Add(bob)
		w.sim.Freeze()
		w.put(directory.UserRecord, "u2", "login=bob", "name=Bob")
		w.run()
		if l := w.links()["user/hq/u2"]; l.ID != id || len(w.waits()) != 0 {
			t.Errorf("%+v, waits %v", l, w.waits())
		}
	})
}
