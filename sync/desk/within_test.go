package desk

import (
	"slices"
	"testing"
	"time"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/targets"
	"dirsyncd/sync/targets/desktest"
)

// TestWithinACustomerByKey: a record that names its customer by the key of the customer's record is told apart as one that names it by name.
func TestWithinACustomerByKey(t *testing.T) {
	scene(t, nil, func(t *testing.T, w *world) {
		for i := range w.sim.Kinds {
			at := slices.IndexFunc(w.sim.Kinds[i].Keys, func(k targets.DeskKey) bool { return k.Name == "email" })
			if at >= 0 {
				w.sim.Kinds[i].Keys[at].Within = true
			}
		}
		acme := ""
		for _, name := range []string{"Beta", "Acme"} {
			acme = w.sim.Add(desktest.Thing{Kind: directory.CustomerRecord, Active: true, Fields: map[string]string{"name": name}})
			w.sim.Add(desktest.Thing{Kind: directory.UserRecord, Active: true, Fields: map[string]string{"name": "Ada", "email": "ada@example.test"}, Refs: map[string]string{"customer": acme}})
		}
		w.put(directory.CustomerRecord, "c", "name=Acme")
		w.put(directory.UserRecord, "u1", "name=Ada", "email=ada@example.test", "customer=hq/c")
		w.run()
		w.rest(2 * time.Hour)
		things := w.sim.Things(directory.UserRecord)
		for _, u := range things {
			if (u.Mark == "hq/u1") != (u.Refs["customer"] == acme) {
				t.Errorf("%+v", u)
			}
		}
		if len(things) != 2 || len(w.waits()) > 0 {
			t.Errorf("%d users, waits %v", len(things), w.waits())
		}
	})
}

// Customers that are at the place and are no records that go there are known, too, where a key counts inside of them only.
func TestWithinACustomerOfTheirs(t *testing.T) {
	scene(t, func(o *Options) { o.Kinds = []directory.RecordKind{directory.UserRecord} }, func(t *testing.T, w *world) {
		for i := range w.sim.Kinds {
			at := slices.IndexFunc(w.sim.Kinds[i].Keys, func(k targets.DeskKey) bool { return k.Name == "email" })
			if at >= 0 {
				w.sim.Kinds[i].Keys[at].Within = true
			}
		}
		acme := w.sim.Add(desktest.Thing{Kind: directory.CustomerRecord, Active: true, Fields: map[string]string{"name": "Acme"}})
		beta := w.sim.Add(desktest.Thing{Kind: directory.CustomerRecord, Active: true, Fields: map[string]string{"name": "Beta"}})
		for _, customer := range []string{acme, beta} {
			w.sim.Add(desktest.Thing{Kind: directory.UserRecord, Active: true, Fields: map[string]string{"name": "Ada", "email": "ada@example.test"}, Refs: map[string]string{"customer": customer}})
		}
		w.put(directory.UserRecord, "u1", "name=Ada", "email=ada@example.test", "customer=Acme")
		w.run()
		w.rest(2 * time.Hour)
		for _, u := range w.sim.Things(directory.UserRecord) {
			if (u.Mark == "hq/u1") != (u.Refs["customer"] == acme) {
				t.Errorf("%+v", u)
			}
		}
		if len(w.waits()) > 0 {
			t.Errorf("waits: %v", w.waits())
		}
	})
}
