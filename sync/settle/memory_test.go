package settle

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/mapping"
	"dirsyncd/sync/plan"
)

// Whoever keeps an action of a batch beyond its turn keeps nothing: the memory is the next one's.
func TestActionsGoWithTheirBatch(t *testing.T) {
	r := newTenant(t, users("true"))
	r.people("1", "2", "3", "4", "5")
	r.task.Guard, r.task.Chunk = plan.DefaultGuard(), 1
	var kept []*directory.Action
	_, err := r.prepare().Preview(t.Context(), func(a *directory.Action) {
		if a.Key == "" || a.Name() == "" {
			t.Errorf("shown %+v", a)
		}
		kept = append(kept, a)
	})
	if err != nil || len(kept) != 5 {
		t.Fatalf("%d actions, %v", len(kept), err)
	}
	for i, a := range kept {
		if a.Key != "" || a.Fields != nil {
			t.Errorf("action %d is still %s", i, words(a))
		}
	}
}

// The memory of a batch is taken again for the next one: what comes of all is the same in batches of any size.
func TestBatchesOfAnySize(t *testing.T) {
	spec := mapping.Spec{
		Rules: []mapping.RuleSpec{
			{Name: "leads", When: mapping.TextSpec{Text: `"leads" in groups`}, Records: map[directory.RecordKind][]mapping.FieldSpec{
				directory.AgentRecord: {{Name: "title", Value: mapping.ValueSpec{Value: "= join(groups, \", \")"}}},
			}},
			{Name: "all", When: mapping.TextSpec{Text: "true"}, Records: map[directory.RecordKind][]mapping.FieldSpec{
				directory.UserRecord: {{Name: "title", Value: mapping.ValueSpec{Value: "= manager.name"}}},
			}},
		},
		Groups: rule("true", directory.GroupRecord),
	}
	var want string
	for _, chunk := range []int{Chunk, 7, 3, 1} {
		r := newTenant(t, spec)
		r.task.Chunk, r.task.Guard = chunk, plan.DefaultGuard()
		var told [][]byte
		r.task.Acted = func(a *directory.Action) {
			told = append(told, directory.AppendAction(nil, a))
		}
		for _, round := range []string{"", "!", "?"} {
			for i := range 23 {
				r.put(directory.Person, fmt.Sprint(i), fmt.Sprint("name ", i, round), fmt.Sprint("manager:p:", i/4))
			}
			r.group("leads", "p:1", "p:5", "p:"+fmt.Sprint(9+len(round)))
			r.group("more"+round, "p:2", "p:5", "p:6")
			r.settle()
		}
		var all strings.Builder
		fmt.Fprintf(&all, "%x\n", bytes.Join(told, []byte("\n")))
		r.view(func(tx store.Reader) error {
			for _, kind := range directory.RecordKinds() {
				err := tx.Records(kind, 0, func(n store.Num, rec directory.Record) bool {
					fmt.Fprintf(&all, "%d %x\n", n, directory.AppendRecord(nil, &rec))
					return true
				})
				if err != nil {
					return err
				}
			}
			return nil
		})
		if want == "" {
			want = all.String()
		}
		if len(told) < 60 || all.String() != want {
			t.Errorf("in batches of %d, %d actions, something else comes of it:\n%s\nnot\n%s", chunk, len(told), all.String(), want)
		}
	}
}
