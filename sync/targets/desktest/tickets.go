package desktest

import (
	"errors"
	"slices"
	"testing"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/targets"
)

// A ticket is made, of the person who is there, and looked for by its mark: whoever lost the answer must not make another. Nothing
// else is done to tickets (package desk), so nothing else is asked of a place.
func testTickets(t *testing.T, s *suite) {
	k, ok := s.about.Of(directory.TicketRecord)
	if !ok {
		t.Skip("it takes no tickets")
	}
	if len(k.Keys) > 0 {
		t.Errorf("a ticket has the keys %v: that of somebody else would be taken for ours", k.Keys)
	}
	person := "hq/" + s.run
	job := func(number string) targets.Job {
		j := s.job(&k)
		j.Mark = person + "/ticket/joiner/" + number
		return j
	}
	first := job("1")
	made := s.apply(first)
	s.isTicket(made.ID, &first)
	other := job("10")
	other.Refs = first.Refs
	second := s.apply(other)
	if second.ID == made.ID {
		t.Errorf("the second ticket about a person is the first one, %s", made.ID)
	}
	// Of somebody who is gone there is no thing to refer to, and the ticket says who it is.
	alone := job("2")
	for field, kind := range k.References {
		if kind == directory.UserRecord {
			delete(alone.Refs, field)
		}
	}
	alone.Fields = slices.Clone(alone.Fields)
	if i := slices.IndexFunc(alone.Fields, func(f directory.Field) bool { return f.Name == "summary" }); i >= 0 {
		alone.Fields[i].Value = directory.Text(`Leaver: "O'Brien" <b>& Söhne</b> 100%`)
	}
	s.isTicket(s.apply(alone).ID, &alone)
	if _, err := s.desk.Fetch(t.Context(), k.Kind, "999999999"); fault.ClassOf(err) != fault.Gone {
		t.Errorf("fetch of a ticket that never was: %v", err)
	}
	if !k.Marked {
		return // a human is asked whether one was made
	}
	s.desk = s.open() // as another process, which knows nothing of the answer
	for mark, id := range map[string]string{first.Mark: made.ID, other.Mark: second.ID, person + "/ticket/joiner/3": "", person + "/ticket/joiner": "", person: ""} {
		var list []targets.Entity
		found, err := s.find(&k, targets.Mark, mark)
		proof := targets.Proof{}
		if errors.Is(err, targets.ErrCannotFind) {
			found = nil
			proof, err = s.desk.Survey(t.Context(), k.Kind, func(e *targets.Entity) error { found = append(found, *e); return nil })
		}
		for _, e := range found {
			if e.Short {
				e = s.fetch(k.Kind, e.ID)
			}
			if e.Keys[targets.Mark] == mark {
				list = append(list, e)
			}
		}
		switch {
		case err != nil:
			t.Errorf("%s: %v", mark, err)
		case id == "" && len(list) > 0, id != "" && proof.Doubt == "" && (len(list) != 1 || list[0].ID != id):
			t.Errorf("%s: found %+v, want %q", mark, list, id)
		}
	}
}

// isTicket compares a ticket with the job that made it, as far as the place shows it.
func (s *suite) isTicket(id string, j *targets.Job) {
	s.Helper()
	e := s.fetch(j.Kind, id)
	if e.ID != id || e.Kind != j.Kind || e.Short {
		s.Errorf("ticket %s is fetched as %s %s, short %t", id, e.Kind, e.ID, e.Short)
	}
	for _, f := range j.Fields {
		if have, shown := e.Fields[f.Name]; shown && have != f.Value.String() {
			s.Errorf("ticket %s: %s is %q, written as %q", id, f.Name, have, f.Value.String())
		}
	}
	for field, to := range j.Refs {
		if have, shown := e.Refs[field]; shown && have != to {
			s.Errorf("ticket %s: %s is %q, written as %q", id, field, have, to)
		}
	}
}
