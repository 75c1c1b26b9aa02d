package desktest

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"dirsyncd/sync/directory"
)

// Freeze remembers what is there: what belongs to nobody of ours, by Thing.Person, must stay as it is.
func (s *Sim) Freeze() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.before = map[string]Thing{}
	for kind := range s.things {
		for _, t := range s.sorted(kind) {
			if !ours(t) {
				s.before[kind.String()+"/"+t.ID] = t.copy()
			}
		}
	}
}

// ours reports whether a thing is that of a record: its person is a subject.
func ours(t *Thing) bool { return strings.HasPrefix(t.Person, t.Kind.String()+"/") }

// Problems says what is not as it must be, whatever happened before: links are the ids of the records' things by subject.
//
//   - nobody has two things, and no thing is two records';
//   - a record has the thing that really is its own;
//   - what belongs to others is as it was;
//   - nobody got a mail, and nothing went off by itself.
func (s *Sim) Problems(links map[string]string) (problems []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	say := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	persons := map[string][]string{}
	at := map[string]*Thing{}
	for _, kind := range slices.Sorted(maps.Keys(s.things)) {
		for _, t := range s.sorted(kind) {
			id := kind.String() + "/" + t.ID
			at[id] = t
			if ours(t) {
				persons[t.Person] = append(persons[t.Person], t.ID)
			} else if before, frozen := s.before[id]; frozen && t.Human == before.Human {
				if now := t.copy(); !reflect.DeepEqual(now, before) {
					say("%s belongs to %s and was changed: %+v, before %+v", id, cmp.Or(t.Person, "somebody"), now, before)
				}
			}
		}
	}
	for _, p := range slices.Sorted(maps.Keys(persons)) {
		if len(persons[p]) > 1 {
			say("%s has %d things: %v", p, len(persons[p]), persons[p])
		}
	}
	for id := range s.before {
		if at[id] == nil {
			say("%s belongs to others and is gone", id)
		}
	}
	owners := map[string]string{}
	for _, subject := range slices.Sorted(maps.Keys(links)) {
		word, _, _ := strings.Cut(subject, "/")
		kind, _ := directory.ParseRecordKind(word)
		id := kind.String() + "/" + links[subject]
		if other, taken := owners[id]; taken {
			say("%s is the thing of %s and of %s", id, other, subject)
		}
		owners[id] = subject
		if t := at[id]; t != nil && t.Person != subject {
			say("%s is the thing of %s and really is %s", id, subject, cmp.Or(t.Person, "somebody else"))
		}
	}
	if s.counts.Mails > 0 {
		say("%d mails", s.counts.Mails)
	}
	if s.counts.Automations > 0 {
		say("%d automations", s.counts.Automations)
	}
	return problems
}
