package desktest

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/targets"
)

// Place is a place that a test may write to. It need not be empty and cannot be reset: the suite looks only at what it made.
type Place struct {
	// Open opens a desk on the place. The suite closes it. Several may be opened one after the other.
	Open func(t *testing.T) targets.Desk
	// Fields are those of a thing that can be made there, told apart by a text that no other has. Nil: a name, and for people a
	// log-in and a mail address, for tickets a summary.
	Fields func(kind directory.RecordKind, unique string) []directory.Field
	// Many is how many people are made at once, so that lists have several pages; zero for none.
	Many int
	// Break makes the place fail for everything; Mend ends that. Nil when it cannot be made to fail.
	Break, Mend func(t *testing.T)
	// Secrets must not show up in any error.
	Secrets []string
}

// Run runs the suite. place is called once per test. What a place does not promise (DeskDescription) is not asked of it.
func Run(t *testing.T, place func(t *testing.T) *Place) {
	tests := []struct {
		name string
		run  func(*testing.T, *suite)
	}{
		{"description", testDescription},
		{"check and probe leave no trace", testNoTrace},
		{"what is made is found", testMade},
		{"what is not there is not found", testNotThere},
		{"a change leaves the rest alone", testChange},
		{"no value", testNull},
		{"nobody is taken over", testTwice},
		{"out of use and back", testEnd},
		{"removed", testDelete},
		{"what is gone", testGone},
		{"survey", testSurvey},
		{"many", testMany},
		{"members", testMembers},
		{"references", testReferences},
		{"strange texts", testStrange},
		{"tickets", testTickets},
		{"batches", testBatches},
		{"side by side", testParallel},
		{"ended context", testEnded},
		{"broken place", testBroken},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := place(t)
			s := &suite{T: t, place: p, run: fmt.Sprintf("t%09d", time.Now().UnixNano()%1_000_000_000)}
			s.desk = s.open()
			s.about = s.desk.Describe()
			tt.run(t, s)
		})
	}
}

type suite struct {
	*testing.T
	place *Place
	desk  targets.Desk
	about targets.DeskDescription
	run   string // a text that no earlier run had
	n     int
}

func (s *suite) open() targets.Desk {
	desk := s.place.Open(s.T)
	s.Cleanup(func() { _ = desk.Close() })
	return desk
}

// job makes a job that creates something of a kind, with what it has to refer to.
func (s *suite) job(k *targets.DeskKind) targets.Job {
	s.Helper()
	s.n++
	unique := fmt.Sprintf("%s%d", s.run, s.n)
	j := targets.Job{Op: directory.Create, Kind: k.Kind, Key: "key" + unique, Mark: "hq/" + unique, Fields: s.fields(k.Kind, unique)}
	// A customer comes first: what else is referred to is made inside it.
	byRank := slices.SortedFunc(maps.Keys(k.References), func(a, b string) int {
		return cmp.Or(k.References[a].Rank()-k.References[b].Rank(), strings.Compare(a, b))
	})
	for _, field := range byRank {
		kind := k.References[field]
		if about, ok := s.about.Of(kind); ok && field == kind.String() {
			if j.Refs == nil {
				j.Refs = map[string]string{}
			}
			to := s.job(&about)
			if j.Refs["customer"] != "" && about.References["customer"] != 0 {
				to.Refs = map[string]string{"customer": j.Refs["customer"]}
			}
			j.Refs[field] = s.apply(to).ID
		}
	}
	j.Sent = j.Fields
	return j
}

func (s *suite) fields(kind directory.RecordKind, unique string) []directory.Field {
	if s.place.Fields != nil {
		return s.place.Fields(kind, unique)
	}
	if kind == directory.TicketRecord {
		return []directory.Field{{Name: "summary", Value: directory.Text("New starter " + unique)}}
	}
	name := directory.Field{Name: directory.FieldName, Value: directory.Text("Thing " + unique)}
	if kind != directory.UserRecord && kind != directory.AgentRecord {
		return []directory.Field{name}
	}
	return []directory.Field{
		{Name: directory.FieldEmail, Value: directory.Text(unique + "@example.test")},
		{Name: directory.FieldLogin, Value: directory.Text("login" + unique)}, name,
	}
}

// try does a job.
func (s *suite) try(j targets.Job) targets.Result {
	s.Helper()
	results, err := s.desk.Apply(s.Context(), []targets.Job{j})
	if err != nil {
		return targets.Result{Err: err}
	}
	if len(results) != 1 {
		s.Fatalf("%d results for one job", len(results))
	}
	s.tell(results[0].Err)
	return results[0]
}

// apply does a job that has to succeed.
func (s *suite) apply(j targets.Job) targets.Entity {
	s.Helper()
	r := s.try(j)
	if r.Err != nil {
		s.Fatalf("%s %s: %v", j.Op, j.Kind, r.Err)
	}
	if r.Entity.ID == "" && j.Op != directory.Delete {
		s.Fatalf("%s %s: no id in the answer", j.Op, j.Kind)
	}
	return r.Entity
}

func (s *suite) fetch(kind directory.RecordKind, id string) targets.Entity {
	s.Helper()
	e, err := s.desk.Fetch(s.Context(), kind, id)
	if err != nil {
		s.Fatalf("fetch %s %s: %v", kind, id, err)
	}
	return e
}

// tell looks for secrets.
func (s *suite) tell(err error) {
	s.Helper()
	for _, secret := range s.place.Secrets {
		if err != nil && strings.Contains(err.Error(), secret) {
			s.Errorf("an error shows a secret: %v", err)
		}
	}
}

// find looks for what was written a moment ago, for as long as the place may take to show it.
func (s *suite) find(k *targets.DeskKind, key, value string) ([]targets.Entity, error) {
	s.Helper()
	for until := time.Now().Add(k.Settle); ; {
		list, err := s.desk.Find(s.Context(), k.Kind, key, value)
		if len(list) > 0 || err != nil || !time.Now().Before(until) {
			return list, err
		}
		select {
		case <-s.Context().Done():
			return nil, s.Context().Err()
		case <-time.After(k.Settle/20 + time.Millisecond):
		}
	}
}

// kinds calls fn for every kind that the place knows, but for tickets: they are made, and nothing else (testTickets).
func (s *suite) kinds(fn func(k *targets.DeskKind)) {
	for i := range s.about.Kinds {
		if k := &s.about.Kinds[i]; k.Kind != directory.TicketRecord {
			fn(k)
		}
	}
}

func testDescription(t *testing.T, s *suite) {
	if s.about.Batch < 1 || s.about.Parallel < 1 {
		t.Errorf("batch %d, parallel %d", s.about.Batch, s.about.Parallel)
	}
	seen := map[directory.RecordKind]bool{}
	for i := range s.about.Kinds {
		k := &s.about.Kinds[i]
		names := map[string]bool{targets.Mark: true, "": true}
		for _, key := range k.Keys {
			if names[key.Name] {
				t.Errorf("%s: key %q twice, or without a name of its own", k.Kind, key.Name)
			}
			names[key.Name] = true
		}
		if !names[k.Title] {
			t.Errorf("%s: the title %q is no key", k.Kind, k.Title)
		}
		for field, kind := range k.References {
			if !seen[kind] && field != "manager" {
				t.Errorf("%s refers to %s, which does not come before it", k.Kind, kind)
			}
		}
		if seen[k.Kind] {
			t.Errorf("%s twice", k.Kind)
		}
		seen[k.Kind] = true
	}
	if fmt.Sprint(s.desk.Describe()) != fmt.Sprint(s.about) {
		t.Error("it describes itself in another way the second time")
	}
}

func (s *suite) ids(k *targets.DeskKind) map[string]int {
	s.Helper()
	ids := map[string]int{}
	if _, err := s.desk.Survey(s.Context(), k.Kind, func(e *targets.Entity) error { ids[e.ID]++; return nil }); err != nil {
		s.Fatalf("survey %s: %v", k.Kind, err)
	}
	return ids
}
