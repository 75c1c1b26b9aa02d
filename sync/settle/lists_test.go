package settle

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/mapping"
	"dirsyncd/sync/plan"
)

// listing makes users of all who are not called "nobody", and records of groups and licences.
func listing() mapping.Spec {
	return mapping.Spec{Rules: rule(`name != "nobody"`, directory.UserRecord), Groups: rule("true", directory.GroupRecord), Licences: rule("true", directory.LicenceRecord)}
}

// Whom a list names: people below it who have an active record when the settling is over, each once.
func TestWhomListsName(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(r *tenant)
		want   []string
	}{
		{"somebody enters", func(r *tenant) { r.group("inner", "p:1", "p:2", "p:3") }, []string{"update group inner +3"}}, // outer has 3 already
		{"somebody leaves", func(r *tenant) { r.group("inner", "p:1") }, []string{"update group inner -2", "update group outer -2"}},
		{"somebody leaves one of two ways", func(r *tenant) { r.group("outer", "g:inner", "p:1") }, []string{"update group outer -3"}},
		{"a group leaves", func(r *tenant) { r.group("outer", "p:2", "p:3") }, []string{"update group outer -1"}},
		{"a group in a circle", func(r *tenant) { r.group("inner", "p:1", "p:2", "g:outer") }, []string{"update group inner +3"}},
		{"somebody without a record", func(r *tenant) {
			r.put(directory.Person, "4", "nobody")
			r.group("inner", "p:1", "p:2", "p:4", "p:unknown")
		}, nil},
		{"somebody loses the record", func(r *tenant) { r.put(directory.Person, "1", "nobody") }, []string{"deactivate user 1", "update group inner -1", "update group outer -1"}},
		{"and gets it in the same settling as another", func(r *tenant) {
			r.put(directory.Person, "1", "nobody")
			r.people("4")
			r.group("inner", "p:1", "p:2", "p:4")
		}, []string{"deactivate user 1", "create user 4", "update group inner +4 -1", "update group outer +4 -1"}},
		{"somebody is gone", func(r *tenant) { r.gone(directory.Person, store.Absent, "2") }, []string{"deactivate user 2", "update group inner -2", "update group outer -2"}},
		{"a licence is given", func(r *tenant) { r.put(directory.Person, "2", "2", "holds:l:e3") }, []string{"update licence e3 +2"}},
		{"a licence is taken", func(r *tenant) { r.put(directory.Person, "3", "3") }, []string{"update licence e3 -3"}},
		{"who holds it loses the record", func(r *tenant) { r.put(directory.Person, "3", "nobody") }, []string{"deactivate user 3", "update group outer -3", "update licence e3 -3"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, chunk := range []int{Chunk, 1} {
				r := newTenant(t, listing())
				r.task.Chunk = chunk
				r.people("1", "2")
				r.put(directory.Person, "3", "3", "holds:l:e3")
				r.group("inner", "p:1", "p:2")
				r.group("outer", "g:inner", "p:1", "p:3")
				r.put(directory.Licence, "e3", "E3")
				r.expect("first", "create user 1", "create user 2", "create user 3", "create group inner +1 +2", "create group outer +1 +2 +3", "create licence e3 +3")
				r.task.SameRules = true
				c.change(r)
				// What a read does when links change.
				r.mark(directory.Licence, "e3", store.MembersChanged)
				if c.name == "a group leaves" || c.name == "somebody is gone" {
					r.mark(directory.Group, "outer", store.MembersChanged)
				}
				r.expect(fmt.Sprint("chunks of ", chunk), c.want...)
				r.expect("and then nothing")
				if left := r.marks(); left != "" {
					t.Errorf("marks of %s are left", left)
				}
			}
		})
	}
}

// What lists lose is limited; who is held stays in them, and who enters does so at once.
func TestWhatListsLose(t *testing.T) {
	members := func(from, to int) (list []string) {
		for _, id := range ids(to)[from:] {
			list = append(list, "p:"+id)
		}
		return list
	}
	for _, c := range []struct {
		name   string
		change func(r *tenant)
		ahead  string
		reason string // "" when nothing waits
	}{
		{"a few", func(r *tenant) { r.group("team", members(2, 20)...) }, "update group team -01 -02", ""},
		{"most of one list", func(r *tenant) { r.group("team", members(12, 20)...) }, "", "more than 50% of their members from 1 group or licence"},
		{"a large share of all", func(r *tenant) { r.group("team", members(7, 20)...) }, "", "take 7 of 30 memberships away"},
		{"most of one list, and somebody enters", func(r *tenant) { r.group("team", append(members(12, 20), "p:30")...) }, "update group team +30", "more than 50%"},
		{"who leaves altogether does not count", func(r *tenant) { r.gone(directory.Person, store.Absent, ids(12)...) },
			"deactivate user 01; deactivate user 02; deactivate user 03; deactivate user 04; deactivate user 05; deactivate user 06; deactivate user 07; " +
				"deactivate user 08; deactivate user 09; deactivate user 10; deactivate user 11; deactivate user 12; " +
				"update group team -01 -02 -03 -04 -05 -06 -07 -08 -09 -10 -11 -12", ""},
		{"who is held stays", func(r *tenant) {
			r.task.Guard = at(1, directory.Deactivate)
			r.gone(directory.Person, store.Absent, "01", "02")
			r.group("team", members(2, 20)...)
		}, "", "deactivate 2"},
		{"who is held stays, and another leaves", func(r *tenant) {
			r.task.Guard = at(1, directory.Deactivate)
			r.gone(directory.Person, store.Absent, "01", "02")
			r.group("team", members(3, 20)...)
		}, "update group team -03", "deactivate 2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newTenant(t, listing())
			r.people(ids(30)...)
			r.group("team", members(0, 20)...)
			r.group("other", members(20, 30)...)
			r.settle()
			r.task.Lists = plan.DefaultLists()
			c.change(r)
			p := r.expect("settled", slices.DeleteFunc([]string{c.ahead}, func(s string) bool { return s == "" })...)
			var why string
			if p.Held != nil {
				why = strings.Join(p.Held.Reasons, "; ")
			}
			if (c.reason == "") != (why == "") || !strings.Contains(why, c.reason) {
				t.Errorf("waits: %q, want %q", why, c.reason)
			}
			if marked := strings.Contains(r.marks(), "g:team"); marked != (c.reason != "") {
				t.Errorf("marks %q: a list that keeps whom it would lose is looked at again, and no other", r.marks())
			}
			if p.Held == nil {
				return
			}
			r.task.Approve = p.Held.Hash
			got, _ := r.settle()
			if !strings.Contains(got, "update group team") || r.marks() != "" {
				t.Errorf("approved: %s, marks %s", got, r.marks())
			}
		})
	}
}
