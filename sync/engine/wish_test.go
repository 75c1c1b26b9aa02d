package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"dirsyncd/connectors"
	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/plan"
)

// A full read that proves nothing, or not everything, makes the next one a full read, wherever the process ended: changes
// alone would never tell.
func TestCutBeforeTheWish(t *testing.T) {
	for name, doubt := range map[string]func(*rig){ // of people, or else of groups
		"doubt": func(r *rig) { r.doubts["users"] = "a look says otherwise" },
		"no id": func(r *rig) {
			r.invalid = []connectors.Invalid{{Kind: directory.Person, Where: "entry 2", Err: gibberish}}
		},
		"nobody":               func(r *rig) { r.hide["users"] = true },
		"other scope":          func(r *rig) { r.scope = "less"; delete(r.people, "4") },
		"groups, short list":   func(r *rig) { r.mayBeShort, r.skip = true, map[string]bool{"group desk": true} },
		"groups, short lists":  func(r *rig) { r.mayBeShort, r.skip = true, map[string]bool{"p:1": true} },
		"groups, no members":   func(r *rig) { r.groups["desk"], r.groups["team"] = nil, nil },
		"count":                func(r *rig) { r.count = 3 },
		"groups, changed list": func(r *rig) { r.changedList() },
	} {
		t.Run(name, func(t *testing.T) {
			whole := newWish(t, doubt)
			_, res := whole.sync()
			if !whole.state().WantFull {
				t.Fatalf("nothing is wanted: %s, %v, %v", res.Run.Outcome, res.Run.Notes, res.Err)
			}
			people := !strings.HasPrefix(name, "groups")
			whole.end(people)
			want := whole.records()
			for _, after := range []bool{false, true} {
				for n := 1; ; n++ {
					r := newWish(t, doubt)
					cut := &cutStore{Store: r.store, left: n, after: after}
					r.engine.store = cut
					r.sync()
					r.engine = New(r.store, r.engine.opts)
					r.end(people)
					if got := r.records(); got != want {
						t.Errorf("cut %d after %t:\n got %s\nwant %s", n, after, got, want)
					}
					if !cut.dead.Load() {
						break
					}
				}
			}
		})
	}
}

var gibberish = &fault.Error{Class: fault.Invalid, Op: "read", Err: errors.New("no id")}

// ageing is a source whose first cursors are worth nothing any longer, and whose later ones say that nothing has changed.
type ageing struct {
	*world
	groups func(emit func(*connectors.Page) error) error // what the first cursor of groups still tells, if anything
}

func (a *ageing) Read(ctx context.Context, req connectors.Request, emit func(*connectors.Page) error) error {
	switch {
	case req.Mode != connectors.Delta:
		return a.world.Read(ctx, req, emit)
	case string(req.Cursor) != "old":
		return emit(&connectors.Page{Cursor: req.Cursor, Proof: &connectors.Proof{Scope: "all", Count: -1}})
	case req.Stream == "groups" && a.groups != nil:
		return a.groups(emit)
	default:
		return &fault.Error{Class: fault.CursorExpired, Op: "read", Err: errors.New("too old")}
	}
}

// newWish is a tenant that is to be read in full, for its cursors are worth nothing any longer, by lists that are in doubt.
func newWish(t *testing.T, doubt func(*rig)) *rig {
	r := newRig(t)
	r.conn.Guard, r.conn.Lists = nil, plan.Lists{}
	r.mapping(teamsSpec())
	for i := range 9 {
		r.add(fmt.Sprint(i), "P")
		for _, g := range []string{"desk", "team"} {
			r.groups[g] = append(r.groups[g], fmt.Sprint("p:", i))
		}
	}
	r.conn.Source = &ageing{world: r.world}
	told := func(func(*connectors.Page) error) error { panic("not asked") }
	r.delta, r.groupDelta, r.cursor = told, told, "old"
	r.sync()
	r.cursor = "new"
	doubt(r)
	return r
}

// changedList is an incremental read of a list of members that may be short.
func (r *rig) changedList() {
	m := connectors.Members{Group: "desk", Add: []string{"p:0", "p:2"}, Whole: true, MayBeShort: true}
	r.conn.Source.(*ageing).groups = func(emit func(*connectors.Page) error) error {
		return emit(&connectors.Page{Members: []connectors.Members{m}, Cursor: []byte("new"), Proof: &connectors.Proof{Scope: "all", Count: -1}})
	}
}

// end is what happens later: lists are good, members and maybe somebody are gone, and no incremental read says so.
func (r *rig) end(leaver bool) {
	r.Helper()
	r.mayBeShort, r.skip, r.scope, r.count, r.invalid = false, nil, "all", -1, nil
	clear(r.doubts)
	clear(r.hide)
	r.add("4", "P")
	if leaver {
		delete(r.people, "3")
	}
	r.groups["desk"], r.groups["team"] = []string{"p:0", "p:2", "p:4"}, []string{"p:5"}
	for range 3 {
		if _, res := r.sync(); res.Err != nil {
			r.Error(res.Err)
		}
	}
}

// records are the records, and who is in them.
func (r *rig) records() (text string) {
	r.Helper()
	err := r.store.View(r.Context(), r.part(), func(tx store.Reader) error {
		text = ""
		for _, kind := range directory.RecordKinds() {
			err := tx.Records(kind, 0, func(_ store.Num, rec directory.Record) bool {
				text += fmt.Sprintf("%s active %t members %v; ", rec.Key, rec.Active, rec.Members)
				return true
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		r.Fatal(err)
	}
	return text
}

// A tenant that its source no longer lists is marked as a whole, wherever the process ended; one that is listed again is
// read in full.
func TestCutUnlisted(t *testing.T) {
	for _, again := range []bool{true, false} {
		for _, after := range []bool{false, true} {
			for n := 1; ; n++ {
				r := newWish(t, func(*rig) {})
				r.end(true)
				unlisted := func() Result {
					return r.engine.run(r.Context(), r.conn, connectors.Tenant{}, tenantJob{unlisted: true, residents: r.engine.opts.Residents})
				}
				want := r.records()
				cut := &cutStore{Store: r.store, left: n, after: after}
				r.engine.store = cut
				unlisted()
				r.engine = New(r.store, r.engine.opts)
				where := fmt.Sprintf("again %t cut %d after %t", again, n, after)
				if again {
					if _, res := r.sync(); res.Run.Outcome != Clean {
						t.Errorf("%s: %s %v %v %+v", where, res.Run.Outcome, res.Run.Notes, res.Err, r.state().Held)
					}
				} else if res := unlisted(); res.Run.Outcome != Held || fmt.Sprint(res.Run.HeldCounts) != "map[group:map[deactivate:2] user:map[deactivate:8]]" {
					t.Errorf("%s: %s %v %v", where, res.Run.Outcome, res.Run.HeldCounts, res.Err)
				}
				if got := r.records(); got != want {
					t.Errorf("%s:\n got %s\nwant %s", where, got, want)
				}
				if !cut.dead.Load() {
					break
				}
			}
		}
	}
}

// Whoever asks after one who failed to learn what the state holds asks again.
func TestResidentsAreAskedForAgain(t *testing.T) {
	r := newRig(t)
	asked := 0
	r.engine.opts.Residents = func(context.Context) ([]Resident, error) {
		if asked++; asked == 1 {
			return nil, errors.New("the disk is busy")
		}
		return []Resident{{Name: "Contoso"}}, nil
	}
	residents := r.engine.residentsOnce()
	if _, err := residents(t.Context()); err == nil {
		t.Error("the error is lost")
	}
	for range 2 {
		if all, err := residents(t.Context()); err != nil || len(all) != 1 {
			t.Errorf("%v, %v", all, err)
		}
	}
	if asked != 2 {
		t.Errorf("asked %d times", asked)
	}
}

// A full read that takes an older source and breaks off is done again: what it overwrote no later change would bring back.
func TestFullReadOfAnOlderSourceBreaksOff(t *testing.T) {
	r := newWish(t, func(*rig) {})
	r.sync() // from here on incremental reads say that nothing changes
	r.people["0"] = person{name: "as it was once"}
	r.failAfter, r.err = 3, gibberish
	r.job = Job{Full: true, Older: true}
	if _, res := r.sync(); res.Err == nil {
		t.Fatal("nothing broke off")
	}
	r.failAfter = 0
	r.add("0", "P")
	if _, res := r.sync(); res.Run.Mode != connectors.Full.String() {
		t.Errorf("the next run is %s", res.Run.Mode)
	}
	r.sync()
	var name string
	err := r.store.View(r.Context(), r.part(), func(tx store.Reader) error {
		return tx.Records(directory.UserRecord, 0, func(_ store.Num, rec directory.Record) bool {
			if rec.Key == "hq/0" {
				name = fmt.Sprint(rec.Fields)
			}
			return true
		})
	})
	if err != nil || !strings.Contains(name, "P") {
		t.Errorf("%s, %v", name, err)
	}
}
