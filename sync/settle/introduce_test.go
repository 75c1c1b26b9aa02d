package settle

import (
	"strings"
	"testing"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
)

// A target that is new hears of every active record, and nobody else does.
func TestIntroduce(t *testing.T) {
	for _, chunk := range []int{Chunk, 2, 1} {
		r := newTenant(t, listing())
		r.people("1", "2", "3", "4")
		r.put(directory.Person, "5", "5", "holds:l:e3")
		r.group("team", "p:1", "p:5")
		r.put(directory.Licence, "e3", "E3")
		r.settle()
		r.put(directory.Person, "1", "One")
		r.gone(directory.Person, store.Absent, "2")
		r.settle()
		before := r.outbox(target)
		r.task.Chunk = chunk
		var told []string
		r.task.Queued = func(target string) { told = append(told, target) }
		if _, err := r.prepare().Introduce(t.Context(), "late"); err != nil {
			t.Fatal(err)
		}
		want := "create user 1; create user 3; create user 4; create user 5; create group team +1 +5; create licence e3 +5"
		if got := r.outbox("late"); got != want {
			t.Errorf("chunks of %d:\n got %s\nwant %s", chunk, got, want)
		}
		if after := r.outbox(target); after != before || strings.Join(told, " ") != "late" {
			t.Errorf("chunks of %d: the other target has %s, before %s; told %q", chunk, after, before, told)
		}
	}
	r := newTenant(t, listing())
	if _, err := r.prepare().Introduce(t.Context(), "late"); err != nil || r.outbox("late") != "" {
		t.Errorf("nobody: %v, %s", err, r.outbox("late"))
	}
}

// Told again, should the process have ended in between, each of them has the key that it had.
func TestIntroducedTwice(t *testing.T) {
	r := newTenant(t, users("true"))
	r.people("1", "2")
	r.settle()
	keys := map[string]int{}
	for range 2 {
		if _, err := r.prepare().Introduce(t.Context(), "late"); err != nil {
			t.Fatal(err)
		}
	}
	var seqs []string
	r.view(func(tx store.Reader) error {
		clear(keys)
		return tx.Outbox("late", 0, func(q store.Queued) bool {
			a, err := directory.ParseAction(q.Data)
			if err != nil {
				t.Fatal(err)
			}
			keys[a.Key]++
			return true
		})
	})
	for key, n := range keys {
		if n != 2 {
			seqs = append(seqs, key)
		}
	}
	if len(keys) != 2 || len(seqs) > 0 {
		t.Errorf("keys %v", keys)
	}
}
