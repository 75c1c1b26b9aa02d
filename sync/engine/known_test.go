package engine

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

// replicas are a source of which one of several servers answers. What a server knows is the number of the last change.
type replicas struct {
	servers []replica
	answers int                  // which one
	asked   []connectors.Request // of users
}

type replica struct {
	last   byte
	people map[string]string // id to name
}

func (s *replicas) Describe() connectors.Description {
	return connectors.Description{Streams: []connectors.Stream{{Name: "users", Kinds: []directory.Kind{directory.Person}, Delta: true, Tombstones: true}}}
}
func (s *replicas) Check(context.Context) ([]connectors.Finding, error) { return nil, nil }
func (s *replicas) Tenants(context.Context) ([]connectors.Tenant, error) {
	return []connectors.Tenant{{}}, nil
}
func (s *replicas) Close() error { return nil }

func (s *replicas) Read(_ context.Context, req connectors.Request, emit func(*connectors.Page) error) error {
	req.Cursor, req.Known = slices.Clone(req.Cursor), slices.Clone(req.Known)
	s.asked = append(s.asked, req)
	at := s.servers[s.answers]
	proof := &connectors.Proof{Scope: "all", Count: -1}
	if len(req.Known) > 0 && req.Known[0] > at.last {
		if !req.Older {
			return &fault.Error{Class: fault.Transient, Op: "read users", Hint: "wait"}
		}
		proof.Older = "a change behind"
	}
	page := connectors.Page{Known: []byte{at.last}, Cursor: []byte{at.last}, Proof: proof}
	if req.Mode == connectors.Full || req.Cursor[0] != at.last {
		if req.Mode == connectors.Delta { // simple, and enough: all of them, and who is not there
			for _, other := range s.servers {
				for id := range other.people {
					if _, here := at.people[id]; !here {
						page.Removed = append(page.Removed, directory.Ref{Kind: directory.Person, ID: id})
					}
				}
			}
		}
		for id, name := range at.people {
			o := directory.Object{Kind: directory.Person, ID: id}
			o.SetText(directory.FieldName, name)
			o.Set(directory.FieldEnabled, directory.Bool(true))
			page.Objects = append(page.Objects, o)
		}
		slices.SortFunc(page.Objects, func(a, b directory.Object) int { return strings.Compare(a.ID, b.ID) })
	}
	return emit(&page)
}

func newReplicas(t *testing.T) (*rig, *replicas) {
	r := newRig(t)
	s := &replicas{servers: []replica{
		{last: 5, people: map[string]string{"1": "One", "2": "Two"}},
		{last: 3, people: map[string]string{"1": "Former"}},
	}}
	r.conn.Source = s
	r.engine.opts.Sleep = func(context.Context, time.Duration) error { return nil }
	return r, s
}

// TestOlderSource: what a source knew is handed back with every read. One that knows less undoes nothing, unless an operator
// asks for it and then approves.
func TestOlderSource(t *testing.T) {
	both := []string{"update user 1 name:One>Former", "deactivate user 2"}
	begin := func(t *testing.T) (*rig, *replicas) {
		r, s := newReplicas(t)
		r.expect("first sync", Clean, "create user 1", "create user 2")
		s.answers = 1
		r.expect("the one behind answers", Failed)
		r.job = Job{Full: true}
		r.expect("to a scheduled full read, too", Failed)
		if r.state().HalfRead {
			t.Error("something was stored")
		}
		return r, s
	}
	take := func(r *rig) string {
		r.job = Job{Full: true, Older: true, Trigger: Operator}
		res := r.expect("the operator asks for it", Held)
		if why := r.state().Held.Reasons; len(why) == 0 || !strings.Contains(why[0], "a change behind") {
			r.Errorf("reasons %q", why)
		}
		r.expect("the schedule goes on", Failed)
		r.job = Job{Offline: true}
		r.expect("and a reload", Held)
		return res.Run.Held
	}
	t.Run("approved", func(t *testing.T) {
		r, s := begin(t)
		r.job = Job{Offline: true, Approve: take(r), Trigger: Operator}
		r.expect("approved", Clean, both...)
		r.expect("it is the measure now", Clean)
		s.servers[1].last = 4
		r.expect("with what comes later", Clean)
		if known := s.asked[len(s.asked)-1].Known; len(known) > 0 && known[0] != 3 {
			t.Errorf("known is %v", known)
		}
	})
	t.Run("the newer one comes back", func(t *testing.T) {
		r, s := begin(t)
		take(r)
		s.answers = 0
		r.expect("nothing to undo", Clean)
		if r.state().Older != "" || r.state().Held != nil {
			t.Errorf("state %+v", r.state())
		}
	})
	t.Run("discarded", func(t *testing.T) {
		r, s := begin(t)
		if err := r.engine.Discard(t.Context(), r.part(), take(r)); err != nil {
			t.Fatal(err)
		}
		r.expect("it is waited for a newer one", Failed)
		s.answers = 0
		r.expect("which comes", Clean)
	})
	t.Run("nothing to undo", func(t *testing.T) {
		r, s := begin(t)
		s.servers[1].people = s.servers[0].people
		r.job = Job{Full: true, Older: true, Trigger: Operator}
		r.expect("the operator asks for it", Clean)
		r.expect("it is the measure now", Clean)
	})
}

// TestCursorMovesWithChanges: a delta that brought something is not asked for again, nor one after which the source knows
// more, whatever it had to say; an idle cycle costs no write.
func TestCursorMovesWithChanges(t *testing.T) {
	r, s := newReplicas(t)
	r.expect("first sync", Clean, "create user 1", "create user 2")
	writes := countWrites(r)
	r.expect("an idle cycle", Clean)
	if *writes > 0 {
		t.Errorf("an idle cycle wrote %d times", *writes)
	}
	s.servers[0].last, s.servers[0].people = 6, map[string]string{"1": "One", "2": "Zwei"}
	r.expect("a change", Clean, "update user 2 name:Two>Zwei")
	s.servers[0].last = 7
	r.expect("a change elsewhere", Clean)
	r.expect("an idle cycle", Clean)
	var from []byte
	for _, req := range s.asked[1:] {
		from = append(from, req.Cursor[0])
	}
	if want := []byte{5, 5, 6, 7}; !slices.Equal(from, want) {
		t.Errorf("deltas began at %v, want %v", from, want)
	}
}
