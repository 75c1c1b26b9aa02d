package desk

import (
	"context"
	"slices"
	"sync"
	"testing"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/targets"
	"dirsyncd/sync/targets/desktest"
)

// A place whose groups have people as members only is never given the id of something else as that of a member.
func TestMembersOfOtherKinds(t *testing.T) {
	scene(t, nil, func(t *testing.T, w *world) {
		w.sim.Kinds = desktest.DefaultKinds()
		for i := range w.sim.Kinds {
			if w.sim.Kinds[i].Members {
				w.sim.Kinds[i].MemberKinds = []directory.RecordKind{directory.UserRecord}
			}
		}
		w.put(directory.UserRecord, "u1", "name=A", "login=a")
		w.put(directory.AgentRecord, "a1", "name=B", "login=b")
		w.run()
		w.put(directory.GroupRecord, "g1", "name=G", "members=u1,a1")
		w.run()
		user := w.person("user/hq/u1")
		if g := w.person("group/hq/g1"); !slices.Equal(g.Members, []string{user.ID}) {
			t.Errorf("members %v, the user is %s", g.Members, user.ID)
		}
	})
}

// witness remembers the owners that jobs name.
type witness struct {
	targets.Desk
	mu     sync.Mutex
	owners []string
}

func (d *witness) Apply(ctx context.Context, jobs []targets.Job) ([]targets.Result, error) {
	d.mu.Lock()
	for _, j := range jobs {
		d.owners = append(d.owners, j.Op.String()+" "+j.Owner)
	}
	d.mu.Unlock()
	return d.Desk.Apply(ctx, jobs)
}

// What changes a thing says whose it is, as far as the link knows.
func TestJobsNameTheOwner(t *testing.T) {
	scene(t, nil, func(t *testing.T, w *world) {
		seen := &witness{}
		w.place = func(d targets.Desk) targets.Desk {
			seen.Desk = d
			return seen
		}
		w.put(directory.UserRecord, "u1", "name=A", "login=a")
		w.run()
		w.put(directory.UserRecord, "u1", "name=B", "login=a")
		w.run()
		w.leave(directory.UserRecord, "u1")
		w.run()
		seen.mu.Lock()
		defer seen.mu.Unlock()
		if !slices.Equal(seen.owners, []string{"create ", "update hq/u1", "deactivate hq/u1"}) {
			t.Errorf("%q", seen.owners)
		}
	})
}
