package settle

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/mapping"
)

// A chunk is one transaction: records, actions, and the marks that led there; a chunk that comes to nothing is none.
func TestCommitIsOneTransaction(t *testing.T) {
	for chunk, want := range map[int]int{Chunk: 1, 2: 3, 1: 5} {
		r := newTenant(t, users("true"))
		r.task.Chunk = chunk
		r.people(ids(5)...)
		got, _ := r.settle()
		if r.updates != want || len(strings.Split(got, "; ")) != 5 || r.outbox(target) != got || r.marks() != "" {
			t.Errorf("chunks of %d: %d transactions, want %d; %s, marks %q", chunk, r.updates, want, got, r.marks())
		}
		r.rules(users(`true or name == "x"`))
		if got, _ := r.settle(); got != "" || r.updates != 0 {
			t.Errorf("chunks of %d: nothing took %d transactions: %s", chunk, r.updates, got)
		}
		r.mark(directory.Person, "03", store.Changed)
		if got, _ := r.settle(); got != "" || r.updates != 1 || r.marks() != "" {
			t.Errorf("chunks of %d: a mark took %d transactions: %s, marks %q", chunk, r.updates, got, r.marks())
		}
	}
}

// Every target is told.
func TestCommitTellsEveryTarget(t *testing.T) {
	r := newTenant(t, users("true"))
	r.task.Targets = []string{target, "desk"}
	var told []string
	r.task.Queued = func(target string) { told = append(told, target) }
	r.people("1")
	r.settle()
	if a, b := r.outbox(target), r.outbox("desk"); a != "create user 1" || a != b || strings.Join(told, " ") != "journal desk" {
		t.Errorf("%s; %s; told %q", a, b, told)
	}
}

// For whom the rules fail is parked, once for a reason, keeps the record, and is settled when they work again.
func TestCommitParks(t *testing.T) {
	r := newTenant(t, users(`int(name) > 0`))
	parked := func() (list string) {
		r.view(func(tx store.Reader) error {
			list = ""
			return tx.Parked(func(p store.Parked) bool { list += fmt.Sprintf("%d %s %s; ", p.ID, p.Object, p.Stage); return true })
		})
		return list
	}
	r.people("1", "2", "3")
	r.expect("first", "create user 1", "create user 2", "create user 3")
	r.put(directory.Person, "2", "two")
	r.put(directory.Person, "3", "4")
	r.expect("one fails", "update user 3 name:3>4")
	first := parked()
	if first != "1 2 map; " || strings.Join(r.parked, " ") != "person 2 invalid" || r.marks() != "" {
		t.Errorf("parked %s, told %q, marks %q", first, r.parked, r.marks())
	}
	r.mark(directory.Person, "2", store.Changed)
	r.expect("for the same reason")
	if got := parked(); got != first || len(r.parked) > 0 {
		t.Errorf("parked %s, told %q", got, r.parked)
	}
	r.put(directory.Person, "2", "0")
	r.expect("it works again", "deactivate user 2")
	if got := parked(); got != "" {
		t.Errorf("parked %s", got)
	}
}

// Who is gone is forgotten once nothing is left to do, and not before.
func TestCommitForgets(t *testing.T) {
	for _, c := range []struct {
		name     string
		cause    store.GoneCause
		approve  bool
		want     string
		isStored bool
	}{
		{"proven", store.Absent, false, "deactivate user 1", false},
		{"not proven", store.OutOfScope, false, "", true},
		{"proven, without a record", store.Absent, false, "", false},
		{"not proven, without a record", store.OutOfScope, false, "", true},
		{"approved", store.OutOfScope, true, "deactivate user 1", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newTenant(t, users(`name != "nobody"`))
			r.people("1", "2")
			if c.want == "" && c.name != "not proven" {
				r.put(directory.Person, "1", "nobody")
			}
			r.settle()
			n := r.num("1")
			r.gone(directory.Person, c.cause, "1")
			got, p := r.settle()
			if c.approve {
				r.task.Approve = p.Held.Hash
				got, _ = r.settle()
			}
			if is := r.id(directory.Person, n) == "1"; got != c.want || is != c.isStored || (r.marks() == "p:1") != c.isStored {
				t.Errorf("%s; stored %t, want %t; marks %q", got, is, c.isStored, r.marks())
			}
		})
	}
}

// Who shares a log-in name with somebody that is let go without proof is marked, and gets what the name means with the next
// settling: the plan that was approved said nothing of it.
func TestCommitGivesNamesAway(t *testing.T) {
	r := newTenant(t, mapping.Spec{Rules: rule("true", directory.UserRecord), Groups: rule("true", directory.GroupRecord)})
	named := func(id string) {
		o := &directory.Object{Kind: directory.Person, ID: id, Handles: []string{directory.NameHandle("ann")}}
		o.SetText(directory.FieldName, id)
		r.update(func(tx store.Writer) error {
			n, err := tx.PutRow(o, store.Here)
			if err != nil {
				return err
			}
			return tx.MarkDirty(directory.Person, n, store.Changed)
		})
	}
	named("1")
	r.group("team", directory.NameHandle("ann"))
	r.expect("first", "create user 1", "create group team +1")
	named("2")
	r.update(func(tx store.Writer) error { // as a read decides
		nums, err := tx.Lookup([]string{directory.NameHandle("ann"), directory.IDHandle("1")}, nil)
		if err != nil {
			return err
		}
		return tx.Give(nums[0], nums[1])
	})
	r.expect("another one", "create user 2")
	r.gone(directory.Person, store.OutOfScope, "1")
	r.task.Approve = r.expect("gone").Held.Hash
	r.expect("approved", "deactivate user 1", "update group team -1")
	if got := r.marks(); got != "g:team p:2" {
		t.Errorf("marks %q", got)
	}
	r.expect("the next one", "update group team +2")
}

// Those who are looked at only because of somebody else's mark, and come later, get marks when that one is cleared: should
// the settling be cut there, nothing else tells of them.
func TestCommitFollows(t *testing.T) {
	managers := users("true")
	managers.Rules[0].When.Text = `manager.name != "x"`
	for _, c := range []struct {
		name   string
		spec   mapping.Spec
		build  func(r *tenant)
		change func(r *tenant)
		after  int    // transactions
		want   string // marks that are there then
	}{
		{"reports, whose turn comes later", managers, func(r *tenant) {
			r.put(directory.Person, "0", "0", "manager:p:1")
			r.people("1")
			r.put(directory.Person, "2", "2", "manager:p:1")
		}, func(r *tenant) { r.put(directory.Person, "1", "Boss") }, 1, "p:2"},
		{"devices", mapping.Spec{Rules: rule("true", directory.UserRecord), Devices: rule(`owner.name != nil`, directory.AssetRecord)}, func(r *tenant) {
			r.people("1")
			r.put(directory.Device, "pc", "PC", "owner:p:1")
		}, func(r *tenant) { r.put(directory.Person, "1", "Owner") }, 1, "d:pc"},
		{"devices of those in a group", mapping.Spec{Rules: rule("true", directory.UserRecord), Groups: rule("true", directory.GroupRecord), Devices: rule(`"Team" in owner.groups`, directory.AssetRecord)}, func(r *tenant) {
			r.people("1")
			r.group("team", "p:1")
			r.put(directory.Device, "pc", "PC", "owner:p:1")
		}, func(r *tenant) { r.put(directory.Group, "team", "Team") }, 1, "d:pc"},
		{"groups above", mapping.Spec{Rules: rule("true", directory.UserRecord), Groups: rule("true", directory.GroupRecord)}, func(r *tenant) {
			r.people("1")
			r.group("inner")
			r.group("outer", "g:inner")
		}, func(r *tenant) { r.group("inner", "p:1") }, 2, "g:outer"},
		{"groups whose members lose a record", mapping.Spec{Rules: rule(`name != "nobody"`, directory.UserRecord), Groups: rule("true", directory.GroupRecord)}, func(r *tenant) {
			r.people("1")
			r.group("team", "p:1")
		}, func(r *tenant) { r.put(directory.Person, "1", "nobody") }, 1, "g:team"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newTenant(t, c.spec)
			r.task.Chunk = 1
			c.build(r)
			r.settle()
			c.change(r)
			cut := r.task
			cut.State = &cutState{tenant: r, left: c.after}
			s, err := Prepare(t.Context(), &cut)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.Apply(t.Context()); !errors.Is(err, errCut) {
				t.Fatalf("it was not cut: %v", err)
			}
			got := r.marks()
			for _, mark := range strings.Fields(c.want) {
				if !strings.Contains(got, mark) {
					t.Errorf("marks %q, want %s", got, mark)
				}
			}
			r.settle()
			r.rules(c.spec)
			r.expect("everybody is looked at")
		})
	}
}

var errCut = errors.New("cut")

// cutState takes so many transactions and no more.
type cutState struct {
	*tenant
	left int
}

func (c *cutState) Update(ctx context.Context, fn func(store.Writer) error) error {
	if c.left--; c.left < 0 {
		return errCut
	}
	return c.tenant.Update(ctx, fn)
}
