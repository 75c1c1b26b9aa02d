package settle

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/plan"
)

type contextOf = context.Context

// A preview counts and shows, and stores nothing.
func TestPreviewStoresNothing(t *testing.T) {
	r := newTenant(t, users("true"))
	r.people("1", "2", "3")
	r.settle()
	r.task.Guard = plan.DefaultGuard()
	r.put(directory.Person, "1", "One")
	r.gone(directory.Person, store.Absent, "2")
	r.people("4")
	before := r.marks()
	var seen []string
	s := r.prepare()
	p, err := s.Preview(t.Context(), func(a *directory.Action) { seen = append(seen, words(a)) })
	if got := strings.Join(seen, "; "); err != nil || got != "update user 1 name:1>One; deactivate user 2; create user 4" {
		t.Errorf("seen %s, %v", got, err)
	}
	if got := fmt.Sprint(p.Counts.Words()); got != "map[user:map[create:1 deactivate:1 update:1]]" || p.Held != nil || p.Whole {
		t.Errorf("counts %s, held %+v", got, p.Held)
	}
	if after := r.marks(); after != before || before != "p:1 p:2 p:4" || r.outbox(target) != "create user 1; create user 2; create user 3" {
		t.Errorf("marks %s, before %s; outbox %s", after, before, r.outbox(target))
	}
}

// A plan that nothing can hold is not made twice.
func TestPreviewOfWhatNothingHolds(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(r *tenant)
		made   bool
	}{
		{"a first settling", func(r *tenant) { r.task.Guard = plan.DefaultGuard() }, false},
		{"no limits, and records: to take all away is never done unasked", func(r *tenant) { r.settle(); r.people("9") }, true},
		{"a limit for joiners", func(r *tenant) { r.task.Guard = at(2, directory.Create) }, true},
		{"limits, and records", func(r *tenant) { r.settle(); r.people("9"); r.task.Guard = plan.DefaultGuard() }, true},
		{"limits of all tenants, and records", func(r *tenant) { r.settle(); r.people("9"); r.task.Shared = plan.DefaultShared() }, true},
		{"less is read", func(r *tenant) { r.task.Less = []string{"x"} }, true},
		{"an older source", func(r *tenant) { r.task.Older = "an hour" }, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newTenant(t, users("true"))
			r.people("1", "2", "3")
			c.change(r)
			if _, p := r.preview(); (p.Counts != nil) != c.made {
				t.Errorf("counts %v, want some: %t", p.Counts, c.made)
			}
		})
	}
}

// Only the plan that was looked at goes ahead.
func TestApprove(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(r *tenant, hash string)
		ahead  string
		now    string // of the error; "" for none
	}{
		{"as it was", func(r *tenant, hash string) { r.task.Approve = hash }, "deactivate user 1; deactivate user 2; deactivate user 3", ""},
		{"as it was, and a joiner", func(r *tenant, hash string) { r.task.Approve = hash; r.people("9") }, "deactivate user 1; deactivate user 2; deactivate user 3; create user 9", ""},
		{"another one", func(r *tenant, _ string) { r.task.Approve = "beef" }, "", "it is now "},
		{"somebody else left", func(r *tenant, hash string) {
			r.task.Approve = hash
			r.gone(directory.Person, store.Absent, "4")
		}, "", "it is now "},
		{"the limit was raised", func(r *tenant, hash string) { r.task.Approve, r.task.Guard = hash, nil }, "deactivate user 1; deactivate user 2; deactivate user 3", ""},
		{"nothing waits, and another one is named", func(r *tenant, hash string) { r.task.Approve, r.task.Guard = "beef", nil }, "", "nothing is held any longer"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newTenant(t, users("true"))
			r.people("1", "2", "3", "4", "5")
			r.settle()
			r.task.Guard = at(2, directory.Deactivate)
			r.gone(directory.Person, store.Absent, "1", "2", "3")
			held := r.expect("too many").Held
			c.change(r, held.Hash)
			s := r.prepare()
			p, err := s.Preview(t.Context(), nil)
			if c.now != "" {
				if !errors.Is(err, ErrPlanChanged) || fault.ClassOf(err) != fault.Conflict || !strings.Contains(err.Error(), c.now) || fault.Hint(err) == "" {
					t.Errorf("error %v", err)
				}
				if p.Held != nil && !strings.Contains(err.Error(), p.Held.Hash) {
					t.Errorf("error %v, and the plan is %s", err, p.Held.Hash)
				}
				return
			}
			if err != nil || p.Held != nil {
				t.Fatalf("held %+v, error %v", p.Held, err)
			}
			r.expect("approved", c.ahead)
			if left := r.marks(); left != "" {
				t.Errorf("marks of %s are left", left)
			}
		})
	}
}

// What an approval makes the measure of later reads.
func TestApproveAcceptsScopes(t *testing.T) {
	r := newTenant(t, users("true"))
	r.people("1", "2")
	r.settle()
	r.gone(directory.Person, store.OutOfScope, "1")
	r.task.Guard = plan.DefaultGuard()
	r.stream("users", store.StreamState{Scope: "all", NewScope: "less"})
	r.stream("groups", store.StreamState{Scope: "all", Emptied: true})
	held := r.expect("held").Held
	scopes := func() (text string) {
		r.view(func(tx store.Reader) error {
			text = ""
			for _, name := range []string{"users", "groups", "devices"} {
				s, err := tx.Stream(name)
				if err != nil {
					return err
				}
				text += fmt.Sprintf("%s %q %q %t; ", name, s.Scope, s.NewScope, s.Emptied)
			}
			return nil
		})
		return text
	}
	if got := scopes(); got != `users "all" "less" false; groups "all" "" true; devices "all" "" false; ` {
		t.Errorf("before: %s", got)
	}
	r.task.Approve = held.Hash
	r.expect("approved", "deactivate user 1")
	if got := scopes(); got != `users "less" "" false; groups "all" "" false; devices "all" "" false; ` {
		t.Errorf("after: %s", got)
	}
}
