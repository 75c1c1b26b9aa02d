package desktest

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/targets"
)

// What is written is there, and the rest stays as it was.

func testChange(t *testing.T, s *suite) {
	s.kinds(func(k *targets.DeskKind) {
		j := s.job(k)
		made := s.apply(j)
		before := s.fetch(k.Kind, made.ID)
		name := directory.Field{Name: directory.FieldName, Value: directory.Text("Renamed " + s.run + k.Kind.String())}
		sent := slices.Clone(j.Fields)
		i := slices.IndexFunc(sent, func(f directory.Field) bool { return f.Name == name.Name })
		if i < 0 {
			return
		}
		sent[i] = name
		changed := s.apply(targets.Job{Op: directory.Update, Kind: k.Kind, ID: made.ID, Key: j.Key + "b", Fields: []directory.Field{name}, Sent: sent})
		after := s.fetch(k.Kind, changed.ID)
		if have, shown := after.Fields[name.Name]; shown && have != name.Value.Text() {
			t.Errorf("%s: the name is %q, written as %q", k.Kind, have, name.Value.Text())
		}
		for field, was := range before.Fields {
			if field != name.Name && after.Fields[field] != was {
				t.Errorf("%s: %s was %q and is %q, though the name was changed", k.Kind, field, was, after.Fields[field])
			}
		}
		if fmt.Sprint(after.Refs) != fmt.Sprint(before.Refs) || after.Active != before.Active || after.Keys[targets.Mark] != before.Keys[targets.Mark] {
			t.Errorf("%s: was %+v and is %+v, though the name was changed", k.Kind, before, after)
		}
	})
}

func testNull(t *testing.T, s *suite) {
	s.kinds(func(k *targets.DeskKind) {
		j := s.job(k)
		title := directory.Field{Name: directory.FieldTitle, Value: directory.Text("Engineer")}
		j.Fields = append(slices.Clone(j.Fields), title)
		j.Sent = j.Fields
		made := s.apply(j)
		if s.fetch(k.Kind, made.ID).Fields[title.Name] == "" {
			return // it keeps no titles
		}
		title.Value = directory.Null()
		s.apply(targets.Job{Op: directory.Update, Kind: k.Kind, ID: made.ID, Key: j.Key + "b", Fields: []directory.Field{title}, Sent: s.job(k).Fields})
		if e := s.fetch(k.Kind, made.ID); e.Fields[title.Name] != "" {
			t.Errorf("%s: the title is %q after it was taken away", k.Kind, e.Fields[title.Name])
		}
	})
}

// What is made a second time is refused as existing or is another thing: never is somebody else's thing the answer.
func testTwice(t *testing.T, s *suite) {
	s.kinds(func(k *targets.DeskKind) {
		j := s.job(k)
		made := s.apply(j)
		second := j
		second.Key, second.Mark = j.Key+"b", j.Mark+"b"
		r := s.try(second)
		switch {
		case r.Err == nil && r.Entity.ID == made.ID:
			t.Errorf("%s: a second creation answers the first thing as made", k.Kind)
		case r.Err != nil && !errors.Is(r.Err, targets.ErrExists):
			t.Errorf("%s: a second creation: %v, which is not ErrExists", k.Kind, r.Err)
		}
		if k.Marked {
			if e := s.fetch(k.Kind, made.ID); e.Keys[targets.Mark] != j.Mark {
				t.Errorf("%s: the mark of the first is %q", k.Kind, e.Keys[targets.Mark])
			}
		}
	})
}

func testEnd(t *testing.T, s *suite) {
	s.kinds(func(k *targets.DeskKind) {
		if !slices.Contains(k.Ends, directory.Deactivate) {
			return
		}
		j := s.job(k)
		made := s.apply(j)
		end := targets.Job{Op: directory.Deactivate, Kind: k.Kind, ID: made.ID, Key: j.Key + "e", Sent: j.Fields}
		s.apply(end)
		if s.fetch(k.Kind, made.ID).Active {
			t.Fatalf("%s: in use after it was taken out of use", k.Kind)
		}
		if s.ids(k)[made.ID] != 1 {
			t.Errorf("%s: a survey leaves out what is out of use", k.Kind)
		}
		if k.Marked {
			s.finds(k, made.ID, targets.DeskKey{Name: targets.Mark}, j.Mark)
		}
		if r := s.try(end); r.Err != nil && fault.ClassOf(r.Err) != fault.Gone {
			t.Errorf("%s: taken out of use twice: %v", k.Kind, r.Err)
		}
		s.apply(targets.Job{Op: directory.Reactivate, Kind: k.Kind, ID: made.ID, Key: j.Key + "r", Sent: j.Fields})
		if e := s.fetch(k.Kind, made.ID); !e.Active {
			t.Errorf("%s: out of use after it was brought back", k.Kind)
		}
	})
}

func testDelete(t *testing.T, s *suite) {
	s.kinds(func(k *targets.DeskKind) {
		if !slices.Contains(k.Ends, directory.Delete) {
			return
		}
		j := s.job(k)
		made := s.apply(j)
		remove := targets.Job{Op: directory.Delete, Kind: k.Kind, ID: made.ID, Key: j.Key + "d"}
		s.apply(remove)
		if _, err := s.desk.Fetch(t.Context(), k.Kind, made.ID); fault.ClassOf(err) != fault.Gone {
			t.Errorf("%s: fetched after it was removed: %v", k.Kind, err)
		}
		if r := s.try(remove); r.Err != nil && fault.ClassOf(r.Err) != fault.Gone {
			t.Errorf("%s: removed twice: %v", k.Kind, r.Err)
		}
	})
}

func testMembers(t *testing.T, s *suite) {
	s.kinds(func(k *targets.DeskKind) {
		people, ok := s.about.Of(directory.UserRecord)
		if !k.Members || !ok {
			return
		}
		var ids []string
		for range 3 {
			ids = append(ids, s.apply(s.job(&people)).ID)
		}
		j := s.job(k)
		j.Add = ids[:1]
		group := s.apply(j)
		change := func(key string, add, remove []string, want ...string) {
			s.apply(targets.Job{Op: directory.Update, Kind: k.Kind, ID: group.ID, Key: j.Key + key, Add: add, Remove: remove, Sent: j.Fields})
			e := s.fetch(k.Kind, group.ID)
			if !e.MembersKnown {
				return
			}
			slices.Sort(e.Members)
			slices.Sort(want)
			if !slices.Equal(e.Members, want) {
				t.Errorf("%s after %s: members %v, want %v", k.Kind, key, e.Members, want)
			}
		}
		change("add", ids[1:2], nil, ids[0], ids[1])
		change("both", ids[2:], ids[:1], ids[1], ids[2])
		change("remove", nil, ids[2:], ids[1])
		change("last", nil, ids[1:2])
	})
}

func testReferences(t *testing.T, s *suite) {
	s.kinds(func(k *targets.DeskKind) {
		about, ok := s.about.Of(k.References["customer"])
		if !ok {
			return
		}
		j := s.job(k)
		if len(j.Refs) > 1 {
			return // a site of the customer would have to go along
		}
		made := s.apply(j)
		other := s.apply(s.job(&about))
		s.apply(targets.Job{Op: directory.Update, Kind: k.Kind, ID: made.ID, Key: j.Key + "m", Refs: map[string]string{"customer": other.ID}, Sent: j.Fields})
		if e := s.fetch(k.Kind, made.ID); e.Refs["customer"] != other.ID {
			t.Errorf("%s: its customer is %q, moved to %q", k.Kind, e.Refs["customer"], other.ID)
		}
	})
}

func testStrange(t *testing.T, s *suite) {
	for i, text := range []string{`O'Brien "the" \one`, "100% & <b>?#/;", "Ünï çødé 漢字", "a, b=c (d)", "{{= x }}"} {
		s.kinds(func(k *targets.DeskKind) {
			j := s.job(k)
			at := slices.IndexFunc(j.Fields, func(f directory.Field) bool { return f.Name == directory.FieldName })
			if at < 0 {
				return
			}
			text := fmt.Sprintf("%s %s%d", text, s.run, i)
			j.Fields = slices.Clone(j.Fields)
			j.Fields[at].Value = directory.Text(text)
			j.Sent, j.Mark = j.Fields, j.Mark+`/uid=a b,ou="x"`
			made := s.apply(j)
			e := s.fetch(k.Kind, made.ID)
			if have, shown := e.Fields[directory.FieldName]; shown && have != text {
				t.Errorf("%s: the name is %q, written as %q", k.Kind, have, text)
			}
			if k.Marked {
				s.finds(k, made.ID, targets.DeskKey{Name: targets.Mark}, j.Mark)
			}
		})
	}
}
