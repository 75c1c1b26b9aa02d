package settle

import (
	"slices"
	"strings"
	"testing"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/mapping"
	"dirsyncd/sync/plan"
)

// What the first pass has worked out is kept for the second where both come to the same, and where it is small.
func TestApplyKeepsASmallPlan(t *testing.T) {
	for _, c := range []struct {
		name string
		set  func(*tenant)
		kept bool
		want string
	}{
		{"a joiner and a leaver", func(r *tenant) {
			r.people("9")
			r.gone(directory.Person, store.NamedRemoved, "1")
		}, true, "deactivate user 1; create user 9"},
		{"as many as a chunk has", func(r *tenant) { r.people("6", "7", "8", "9") }, true, "create user 6; create user 7; create user 8; create user 9"},
		{"more", func(r *tenant) { r.people("5", "6", "7", "8", "9") }, false,
			"create user 5; create user 6; create user 7; create user 8; create user 9"},
		{"somebody is gone without proof", func(r *tenant) {
			r.people("9")
			r.gone(directory.Person, store.OutOfScope, "1")
		}, false, "create user 9"},
		{"somebody without a record is", func(r *tenant) {
			r.people("9")
			r.gone(directory.Person, store.OutOfScope, "3")
		}, false, "create user 9"},
		{"lists of people", func(r *tenant) {
			r.rules(mapping.Spec{Rules: rule(`name != "3"`, directory.UserRecord), Groups: rule("true", directory.GroupRecord)})
			r.people("9")
		}, false, "create user 9"},
	} {
		r := newTenant(t, users(`name != "3"`))
		r.people("1", "2", "3")
		r.settle()
		r.task.SameRules, r.task.Chunk = true, 4
		r.task.Guard, r.acted = plan.DefaultGuard(), nil
		c.set(r)
		s, err := Prepare(r.Context(), &r.task)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Preview(r.Context(), nil); err != nil {
			t.Fatal(err)
		}
		if kept := s.made != nil; kept != c.kept {
			t.Errorf("%s: kept %t", c.name, kept)
		}
		counts, err := s.Apply(r.Context())
		got := slices.Sorted(strings.SplitSeq(strings.Join(r.acted, "; "), "; "))
		want := slices.Sorted(strings.SplitSeq(c.want, "; "))
		if err != nil || !slices.Equal(got, want) || counts.Total() != len(want) {
			t.Errorf("%s: %q, %d counted, %v", c.name, got, counts.Total(), err)
		}
	}
}

// Somebody who is settled alone between the passes is not told a second time.
func TestApplyAfterOneBeside(t *testing.T) {
	r := newTenant(t, users("true"))
	r.people("1")
	r.settle()
	r.task.SameRules, r.task.Guard = true, plan.DefaultGuard()
	r.people("8", "9")
	s, err := Prepare(r.Context(), &r.task)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Preview(r.Context(), nil); err != nil || s.made == nil {
		t.Fatal("nothing is kept: ", err)
	}
	n := r.num("8")
	r.update(func(tx store.Writer) error {
		if err := tx.PutTenant(store.TenantState{Alone: "another"}); err != nil {
			return err
		}
		_, err := One(r.Context(), &r.task, tx, n)
		return err
	})
	if _, err := s.Apply(r.Context()); err != nil {
		t.Fatal(err)
	}
	if got := r.outbox(target); strings.Count(got, "create user 8") != 1 || strings.Count(got, "create user 9") != 1 {
		t.Errorf("%s", got)
	}
}

// What is stored of somebody without an action does not take back what was told of him meanwhile.
func TestApplyLeavesWhatOneHasTold(t *testing.T) {
	r := newTenant(t, users("true"))
	r.people("1")
	r.settle()
	spec := users("true")
	spec.Rules[0].Name = "the same by another name"
	r.rules(spec)
	r.task.Guard = plan.DefaultGuard()
	s, err := Prepare(r.Context(), &r.task)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Preview(r.Context(), nil); err != nil || s.made == nil {
		t.Fatal("nothing is kept: ", err)
	}
	r.put(directory.Person, "1", "another")
	n := r.num("1")
	r.update(func(tx store.Writer) error {
		if err := tx.PutTenant(store.TenantState{Alone: "another"}); err != nil {
			return err
		}
		_, err := One(r.Context(), &r.task, tx, n)
		return err
	})
	if _, err := s.Apply(r.Context()); err != nil {
		t.Fatal(err)
	}
	r.view(func(tx store.Reader) error {
		rec, _, err := tx.Record(directory.UserRecord, n)
		if name, _ := rec.Get(directory.FieldName); rec.Revision != 2 || name.Text() != "another" {
			t.Errorf("revision %d of %q: %v", rec.Revision, name.Text(), err)
		}
		return err
	})
}
