package desktest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/targets"
)

// Apply implements targets.Desk.
func (s *Sim) Apply(ctx context.Context, jobs []targets.Job) ([]targets.Result, error) {
	results := make([]targets.Result, len(jobs))
	for i := range jobs {
		if err := s.request(ctx, jobs[i].Op.String()+" "+jobs[i].Kind.String()); err != nil {
			if i == 0 || fault.ClassOf(err) == fault.Auth {
				return nil, err
			}
			results[i].Err = err
			continue
		}
		s.mu.Lock()
		lost := s.happens(s.faults.EffectWithoutAnswer)
		cut := s.happens(s.faults.PartialBatch) && len(jobs) > 1
		results[i] = s.apply(&jobs[i])
		if s.Trace != nil {
			s.Trace(fmt.Sprintf("%s %s %s mark %s %v refs %v +%v -%v: %s %v %v, lost %v", jobs[i].Op, jobs[i].Kind, jobs[i].ID, jobs[i].Mark, jobs[i].Fields, jobs[i].Refs,
				jobs[i].Add, jobs[i].Remove, results[i].Entity.ID, results[i].Err, results[i].Warnings, lost || cut))
		}
		s.mu.Unlock()
		if lost || cut {
			return nil, &fault.Error{Class: fault.Transient, Op: jobs[i].Op.String(), Where: "the desk", Err: errors.New("connection reset")}
		}
	}
	return results, nil
}

func (s *Sim) apply(job *targets.Job) targets.Result {
	f := &s.faults
	if s.happens(f.ErrorInside) {
		return refused(fault.Transient, errors.New(`200 {"status":"error"}`))
	}
	if job.Op == directory.Create {
		return s.create(job)
	}
	t, ok := s.things[job.Kind][job.ID]
	switch {
	case !ok:
		return targets.Result{Err: gone(job.ID)}
	case f.MostMembers > 0 && len(job.Add)+len(job.Remove) > f.MostMembers:
		return refused(fault.Invalid, errors.New("400: too many members"))
	case job.Revision != "" && job.Revision != strconv.Itoa(t.Revision):
		return refused(fault.Conflict, errors.New("412"))
	case f.SecondEnd && job.Op == directory.Deactivate && !t.Active:
		return refused(fault.Transient, errors.New("500"))
	case s.happens(f.AnswerWithoutEffect):
		shown := t.copy()
		s.write(&shown, job)
		return targets.Result{Entity: s.entity(&shown, false)}
	}
	if other := s.clash(job, t); other != nil {
		return refused(fault.Invalid, fmt.Errorf("%w: email address in use", targets.ErrExists))
	}
	if job.Op == directory.Delete {
		s.remove(t)
		s.counts.Writes++
		return targets.Result{}
	}
	if s.happens(f.LaterFailed) {
		shown := t.copy()
		s.write(&shown, job)
		return targets.Result{Entity: s.entity(&shown, false)}
	}
	name := t.Fields["name"]
	warnings := s.write(t, job)
	if f.RenameMoves && t.Fields["name"] != name {
		delete(s.things[t.Kind], t.ID)
		t.ID += "x"
		s.things[t.Kind][t.ID] = t
	}
	return targets.Result{Entity: s.entity(t, false), Warnings: warnings}
}

func refused(class fault.Class, err error) targets.Result {
	return targets.Result{Err: &fault.Error{Class: class, Op: "write", Where: "the desk", Err: err}}
}

func (s *Sim) create(job *targets.Job) targets.Result {
	f := &s.faults
	person := job.Kind.String() + "/" + job.Mark
	if (job.Kind == directory.UserRecord || job.Kind == directory.AgentRecord) && s.happens(f.AnotherFirst) {
		other := &Thing{Kind: job.Kind, Person: person, Active: true}
		other.Fields, other.Refs = cloned(nil), cloned(job.Refs)
		for _, field := range job.Fields {
			if field.Name == "email" || field.Name == "name" || field.Name == "login" {
				other.Fields[field.Name] = field.Value.String()
			}
		}
		s.add(other)
	}
	if other := s.clash(job, nil); other != nil {
		if !f.Takeover {
			return refused(fault.Invalid, fmt.Errorf("%w: name in use", targets.ErrExists))
		}
		warnings := s.write(other, job)
		return targets.Result{Entity: s.entity(other, false), Warnings: warnings}
	}
	t := &Thing{Kind: job.Kind, Person: person, Active: true, Fields: map[string]string{}, Refs: map[string]string{}}
	if s.happens(f.AnswerWithoutEffect) || s.happens(f.LaterFailed) {
		s.next++
		t.ID = strconv.Itoa(s.next)
		s.write(t, job)
		return targets.Result{Entity: s.entity(t, false)}
	}
	for _, o := range s.things[job.Kind] {
		if o.Person == person {
			s.counts.Mails++ // "here is your new account", to somebody who has one
		}
	}
	s.add(t)
	warnings := s.write(t, job)
	return targets.Result{Entity: s.entity(t, false), Warnings: warnings}
}

// clash finds somebody else whose log-in or mail address a job would take.
func (s *Sim) clash(job *targets.Job, self *Thing) *Thing {
	if s.faults.ExistsSilently || job.Kind != directory.UserRecord && job.Kind != directory.AgentRecord {
		return nil
	}
	for _, field := range job.Fields {
		if field.Name != "login" && field.Name != "email" || field.Value.String() == "" {
			continue
		}
		for _, t := range s.sorted(job.Kind) {
			if t != self && strings.EqualFold(t.Fields[field.Name], field.Value.String()) {
				return t
			}
		}
	}
	return nil
}

// inWords is a value as some desks show it.
func inWords(v directory.Value) string {
	text := v.String()
	switch {
	case text == "true":
		return "True"
	case text == "false":
		return "False"
	case text != "" && strings.Trim(text, "0123456789") == "":
		return text + ".0"
	}
	return text
}

// write does a job to a thing, in the desk's own way.
func (s *Sim) write(t *Thing, job *targets.Job) (warnings []string) {
	f := &s.faults
	refuses := s.happens(f.PartRefused)
	for i, field := range job.Fields {
		text := field.Value.String()
		switch {
		case slices.Contains(f.Unknown, field.Name):
			warnings = append(warnings, field.Name+" is not known")
			continue
		case refuses && i == 0 && job.Op == directory.Update:
			warnings = append(warnings, field.Name+" was not changed")
			continue
		}
		if f.NullIgnored && field.Value.Equal(directory.Null()) {
			continue
		}
		if f.Words {
			text = inWords(field.Value)
		}
		if f.Trim {
			text = strings.TrimSpace(text)
		}
		if f.Cut > 0 && len(text) > f.Cut {
			text = text[:f.Cut]
		}
		if f.Upper && field.Name == "email" {
			text = strings.ToUpper(text)
		}
		t.Fields[field.Name] = text
	}
	for name, id := range job.Refs {
		if id == "" {
			delete(t.Refs, name)
		} else {
			t.Refs[name] = id
		}
	}
	if f.ArrayReplaced && len(job.Add) > 0 {
		t.Members = nil
	}
	for _, id := range job.Add {
		if !slices.Contains(t.Members, id) {
			t.Members = append(t.Members, id)
		}
	}
	t.Members = slices.DeleteFunc(t.Members, func(id string) bool { return slices.Contains(job.Remove, id) })
	if job.Mark != "" {
		t.Mark = job.Mark
	}
	if v := job.Keys["anchor"]; v != "" {
		t.Anchor = v
	}
	switch job.Op {
	case directory.Deactivate:
		if t.Busy != "" && t.Active {
			s.counts.Automations++
		}
		t.Active = false
	case directory.Reactivate:
		if !t.Active && t.Ours && t.Human == "deactivate" {
			s.counts.Mails++ // "you may log in again", to somebody whom a human had locked out
		}
		t.Active = true
	}
	s.counts.Writes++
	t.Ours, t.Changed = true, s.Now()
	t.Revision++
	return warnings
}
