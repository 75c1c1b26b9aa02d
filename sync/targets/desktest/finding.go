package desktest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/targets"
)

// What is there is found and listed, and nothing else is.

func testNoTrace(t *testing.T, s *suite) {
	before := map[directory.RecordKind]map[string]int{}
	s.kinds(func(k *targets.DeskKind) { before[k.Kind] = s.ids(k) })
	if err := s.desk.Check(t.Context()); err != nil {
		t.Error("check:", err)
	}
	if _, err := s.desk.Probe(t.Context()); err != nil {
		t.Error("probe:", err)
	}
	s.kinds(func(k *targets.DeskKind) {
		if after := s.ids(k); fmt.Sprint(after) != fmt.Sprint(before[k.Kind]) {
			t.Errorf("%s: %d things before, %d after", k.Kind, len(before[k.Kind]), len(after))
		}
	})
}

func testMade(t *testing.T, s *suite) {
	s.kinds(func(k *targets.DeskKind) {
		j := s.job(k)
		made := s.apply(j)
		e := s.fetch(k.Kind, made.ID)
		switch {
		case e.ID != made.ID:
			t.Errorf("%s: made as %s, fetched as %s", k.Kind, made.ID, e.ID)
		case e.Kind != k.Kind:
			t.Errorf("%s: fetched as %s", k.Kind, e.Kind)
		case !e.Active:
			t.Errorf("%s: made out of use", k.Kind)
		case e.Short:
			t.Errorf("%s: Fetch leaves fields out", k.Kind)
		}
		for _, f := range j.Fields {
			if have, shown := e.Fields[f.Name]; shown && !strings.EqualFold(have, f.Value.String()) {
				t.Errorf("%s: %s is %q, written as %q", k.Kind, f.Name, have, f.Value.String())
			}
		}
		for field, id := range j.Refs {
			if e.Refs[field] != id {
				t.Errorf("%s: %s is %q, written as %q", k.Kind, field, e.Refs[field], id)
			}
		}
		if k.Marked {
			if e.Keys[targets.Mark] != j.Mark {
				t.Errorf("%s: the mark is %q, written as %q", k.Kind, e.Keys[targets.Mark], j.Mark)
			}
			s.finds(k, made.ID, targets.DeskKey{Name: targets.Mark}, j.Mark)
		}
		for _, key := range k.Keys {
			if value := e.Keys[key.Name]; value != "" {
				s.finds(k, made.ID, key, value)
			}
		}
	})
}

// finds looks for a thing by a value, and where case makes no difference by the value in capitals.
func (s *suite) finds(k *targets.DeskKind, id string, key targets.DeskKey, value string) {
	s.Helper()
	spellings := []string{value}
	if key.Folded {
		spellings = append(spellings, strings.ToUpper(value))
	}
	for _, text := range spellings {
		list, err := s.find(k, key.Name, text)
		if errors.Is(err, targets.ErrCannotFind) {
			continue
		}
		if err != nil || !slices.ContainsFunc(list, func(e targets.Entity) bool { return e.ID == id }) {
			s.Errorf("find %s by %s %q: %d things without it, %v", k.Kind, key.Name, text, len(list), err)
		}
	}
}

func testNotThere(t *testing.T, s *suite) {
	s.kinds(func(k *targets.DeskKind) {
		keys := slices.Clone(k.Keys)
		if k.Marked {
			keys = append(keys, targets.DeskKey{Name: targets.Mark})
		}
		for _, key := range keys {
			value := "nobody-" + s.run + "@nowhere.test"
			list, err := s.desk.Find(t.Context(), k.Kind, key.Name, value)
			if err != nil && !errors.Is(err, targets.ErrCannotFind) {
				t.Errorf("find %s by %s: %v", k.Kind, key.Name, err)
			}
			for _, e := range list {
				if strings.EqualFold(e.Keys[key.Name], value) {
					t.Errorf("find %s by %s: %s has a value that nobody wrote", k.Kind, key.Name, e.ID)
				}
			}
		}
	})
}

func testGone(t *testing.T, s *suite) {
	s.kinds(func(k *targets.DeskKind) {
		const id = "999999999"
		if _, err := s.desk.Fetch(t.Context(), k.Kind, id); fault.ClassOf(err) != fault.Gone {
			t.Errorf("%s: fetch of what never was: %v", k.Kind, err)
		}
		j := s.job(k)
		r := s.try(targets.Job{Op: directory.Update, Kind: k.Kind, ID: id, Key: "gone" + s.run, Fields: j.Fields, Sent: j.Fields})
		if fault.ClassOf(r.Err) != fault.Gone {
			t.Errorf("%s: change of what never was: %v", k.Kind, r.Err)
		}
	})
}

func testSurvey(t *testing.T, s *suite) {
	s.kinds(func(k *targets.DeskKind) {
		want := map[string]bool{}
		for range 3 {
			want[s.apply(s.job(k)).ID] = true
		}
		n, ids := 0, map[string]bool{}
		proof, err := s.desk.Survey(t.Context(), k.Kind, func(e *targets.Entity) error {
			n++
			if ids[e.ID] {
				t.Errorf("%s: %s twice", k.Kind, e.ID)
			}
			ids[e.ID] = true
			delete(want, e.ID)
			return nil
		})
		if err != nil || len(want) > 0 {
			t.Errorf("%s: %v, %d are not in it", k.Kind, err, len(want))
		}
		if proof.Doubt == "" && proof.Count >= 0 && proof.Count != n {
			t.Errorf("%s: it listed %d and counts %d, without a doubt", k.Kind, n, proof.Count)
		}
		stop := errors.New("stop")
		if _, err := s.desk.Survey(t.Context(), k.Kind, func(*targets.Entity) error { return stop }); err != stop { //nolint:errorlint // it comes back unchanged
			t.Errorf("%s: the survey was ended and returned %v", k.Kind, err)
		}
	})
}

func testMany(t *testing.T, s *suite) {
	k, ok := s.about.Of(directory.UserRecord)
	if !ok || s.place.Many == 0 {
		t.Skip("no people, or no many")
	}
	first := s.job(&k)
	want := map[string]bool{s.apply(first).ID: true}
	for range s.place.Many - 1 {
		j := targets.Job{Op: directory.Create, Kind: k.Kind, Refs: first.Refs}
		s.n++
		unique := fmt.Sprintf("%s%d", s.run, s.n)
		j.Key, j.Mark, j.Fields = "key"+unique, "hq/"+unique, s.fields(k.Kind, unique)
		j.Sent = j.Fields
		want[s.apply(j).ID] = true
	}
	ids := s.ids(&k)
	for id := range want {
		if ids[id] != 1 {
			t.Fatalf("%s is listed %d times", id, ids[id])
		}
	}
}
