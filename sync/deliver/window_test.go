package deliver

import (
	"context"
	"fmt"
	"testing"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/targets"
)

// Whoever keeps an action that was handed over keeps none of its fields: the memory is that of the next window. What is parked of a window is whole.
func TestActionsGoWithTheirWindow(t *testing.T) {
	st, target := newMemory(), &scripted{desc: targets.Description{Batch: 7}}
	var kept []directory.Action
	target.answer = func(_ context.Context, actions []directory.Action) ([]targets.Outcome, error) {
		outcomes := make([]targets.Outcome, len(actions))
		for i := range actions {
			kept = append(kept, actions[i])
			if got, want := actions[i].Name(), "name of "+actions[i].Record; got != want {
				t.Errorf("handed over %q, want %q", got, want)
			}
			if len(kept)%5 == 0 {
				outcomes[i].Err = failWith(fault.Invalid, "no")
			}
		}
		return outcomes, nil
	}
	const people = 3 * smallestWindow
	var list []*directory.Action
	for i := range people {
		a := user(fmt.Sprint(i), directory.Create, fmt.Sprint("k", i))
		a.Fields = []directory.Field{{Name: directory.FieldName, Value: directory.Text("name of " + a.Record)}}
		list = append(list, a)
	}
	enqueue(t, st, list...)
	w := New(st, journal, target, Options{})
	if sum := drain(t, w); sum.Parked != people/5 || sum.Delivered != people-people/5 {
		t.Errorf("%+v", sum)
	}
	for i := range kept {
		if f := kept[i].Fields; f[0].Name != "" {
			t.Fatalf("action %d still has %s", i, f[0].Value)
		}
	}
	for _, p := range st.books(hq).parked {
		a, err := directory.ParseAction(p.Action)
		if err != nil || a.Name() != "name of "+a.Record {
			t.Fatalf("parked %q of %s, %v", a.Name(), a.Record, err)
		}
	}
}
