package desk

import (
	"context"
	"fmt"
	"testing"
	"time"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/targets/desktest"
)

// What the first contact would do to fields is told field by field, and what is told is what happens.
func TestForesee(t *testing.T) {
	for adopt, want := range map[Adopt]string{
		AdoptBlank:     "map[title:map[fill:1 keep:2]]",
		AdoptLink:      "map[title:map[keep:2]]",
		AdoptOverwrite: "map[title:map[fill:1 overwrite:2]]",
	} {
		scene(t, func(o *Options) { o.Freely, o.Adopt = false, adopt }, func(t *testing.T, w *world) {
			for i, title := range []string{"Boss", "Chief", "", "Engineer"} {
				login := fmt.Sprintf("l%d", i)
				w.sim.Add(desktest.Thing{Kind: directory.UserRecord, Person: "user/hq/" + login, Active: true, Fields: map[string]string{"login": login, "title": title}})
				w.put(directory.UserRecord, login, "login="+login, "title=Engineer")
			}
			w.put(directory.UserRecord, "new", "login=new", "title=Engineer")
			w.run()
			first, _, err := w.desk.Held(context.Background())
			if err != nil || first == nil || fmt.Sprint(first.Fields["user"]) != want {
				t.Fatalf("%+v, %v; want %s", first, err, want)
			}
			list, err := w.desk.Examples(context.Background())
			if err != nil || len(list) != 2 || list[0].Theirs != "Boss" || list[0].Ours != "Engineer" {
				t.Errorf("%+v, %v", list, err)
			}
			more := directory.Action{Op: directory.Create, Kind: directory.UserRecord, Record: "hq/later", Origin: directory.Origin{Connection: "hq", ID: "later"}}
			writes := w.sim.Counts().Writes
			f, err := w.desk.Foresee(context.Background(), []directory.Action{more}, 2)
			if err != nil || f.Counts["user"]["adopt"] != 4 || f.Counts["user"]["create"] != 2 || len(f.Actions) != 2 || f.Actions[0].Key != "login" || f.Actions[0].What != "adopt" {
				t.Errorf("%+v, %v", f, err)
			}
			if fmt.Sprint(f.Fields["user"]) != want || w.sim.Counts().Writes != writes {
				t.Errorf("%+v", f.Fields)
			}
			if !w.approve() {
				t.Fatal("not approved")
			}
			w.rest(10 * time.Minute)
			kept := 0
			for _, p := range w.sim.Things(directory.UserRecord) {
				if p.Fields["title"] == "Boss" || p.Fields["title"] == "Chief" {
					kept++
				}
			}
			if replaced := first.Fields["user"]["title"]["overwrite"]; kept != 2-replaced || len(w.sim.Things(directory.UserRecord)) != 5 {
				t.Errorf("%d kept, %d were to be replaced", kept, replaced)
			}
		})
	}
}

// What is discarded is looked at anew, and held again.
func TestDiscard(t *testing.T) {
	scene(t, func(o *Options) { o.Freely = false }, func(t *testing.T, w *world) {
		w.put(directory.UserRecord, "u", "login=u")
		w.run()
		first, _, _ := w.desk.Held(context.Background())
		requests := w.sim.Counts().Requests
		if found, err := w.desk.Discard(context.Background(), first.Hash); err != nil || !found {
			t.Fatal(found, err)
		}
		w.rest(time.Minute)
		again, _, err := w.desk.Held(context.Background())
		if err != nil || again == nil || again.Hash != first.Hash || w.sim.Counts().Requests == requests || w.sim.Counts().Writes != 0 {
			t.Errorf("%+v, %v", again, err)
		}
		if found, err := w.desk.Discard(context.Background(), "another"); err != nil || found {
			t.Error(found, err)
		}
	})
}
