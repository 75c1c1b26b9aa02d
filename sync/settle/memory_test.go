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

// The memory of a batch is taken again for the next one: whoever has heard of an action still has it then, and what comes of all is the same in batches of
// any size.
func TestActionsOutliveTheirBatch(t *testing.T) {
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
		var actions []*directory.Action
		var told [][]byte
		r.task.Acted = func(a *directory.Action) {
			actions, told = append(actions, a), append(told, directory.AppendAction(nil, a))
		}
		for _, round := range []string{"", "!", "?"} {
			for i := range 23 {
				r.put(directory.Person, fmt.Sprint(i), fmt.Sprint("name ", i, round), fmt.Sprint("manager:p:", i/4))
			}
			r.group("leads", "p:1", "p:5", "p:"+fmt.Sprint(9+len(round)))
			r.group("more"+round, "p:2", "p:5", "p:6")
			r.settle()
		}
		for i, a := range actions {
			if !bytes.Equal(directory.AppendAction(nil, a), told[i]) {
				t.Fatalf("in batches of %d action %d has become another one: %+v", chunk, i, a)
			}
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
		if len(actions) < 60 || all.String() != want {
			t.Errorf("in batches of %d, %d actions, something else comes of it:\n%s\nnot\n%s", chunk, len(actions), all.String(), want)
		}
	}
}
