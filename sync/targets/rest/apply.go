package rest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/rest"
	"dirsyncd/sync/targets"
)

// Apply implements targets.Desk.
func (d *Desk) Apply(ctx context.Context, jobs []targets.Job) ([]targets.Result, error) {
	ctx = rest.Writing(ctx)
	out := make([]targets.Result, len(jobs))
	for i := range jobs {
		e, warnings, err := d.apply(ctx, &jobs[i])
		if class := fault.ClassOf(err); err != nil && (class == fault.Auth || ctx.Err() != nil) {
			return nil, err
		}
		out[i] = targets.Result{Err: err, Entity: e, Warnings: warnings}
	}
	return out, nil
}

func (d *Desk) apply(ctx context.Context, job *targets.Job) (targets.Entity, []string, error) {
	k, err := d.kind(job.Kind)
	if err != nil {
		return targets.Entity{}, nil, err
	}
	if err := d.signedIn(ctx); err != nil {
		return targets.Entity{}, nil, err
	}
	if job.Op == directory.Create {
		return d.create(ctx, k, job)
	}
	if job.ID == "" {
		return targets.Entity{}, nil, &fault.Error{Class: fault.Internal, Op: "deliver", Err: errors.New("the job names no thing")}
	}
	if job.Op == directory.Delete {
		if k.remove == nil {
			return targets.Entity{}, nil, cannot(job, "delete")
		}
		_, err := d.client.do(ctx, job.Kind, k.remove, values{"id": job.ID}, nil, nil)
		return targets.Entity{}, nil, d.vanished(ctx, k, job, settled(err))
	}
	return d.change(ctx, k, job)
}

func cannot(job *targets.Job, what string) error {
	return &fault.Error{
		Class: fault.Invalid, Op: what + " " + job.Kind.String(), Err: fmt.Errorf("the description of the place has no %s", what),
		Hint: "describe it, or choose another end under leavers",
	}
}

// settled takes a refusal that says that it is so already for a success.
func settled(err error) error {
	if errors.Is(err, errDone) {
		return nil
	}
	return err
}

func (d *Desk) create(ctx context.Context, k *kind, job *targets.Job) (targets.Entity, []string, error) {
	for _, name := range k.required {
		if valueIn(name, job.Fields).Blank() && k.instead(name, job).Blank() {
			return targets.Entity{}, nil, &fault.Error{
				Class: fault.Invalid, Op: "create " + job.Kind.String(), Err: fmt.Errorf("the place needs %s, and the record has none", name),
				Hint: "give the record a field for it in the mapping",
			}
		}
	}
	into, err := k.written(job)
	if err != nil {
		return targets.Entity{}, nil, err
	}
	for i := range k.fields {
		f := &k.fields[i]
		if v := k.instead(f.name, job); f.write != nil && !v.Blank() {
			if err := into.add(f, v); err != nil {
				return targets.Entity{}, nil, err
			}
		}
	}
	a, err := d.client.do(ctx, job.Kind, k.create, values{"mark": job.Mark}, nil, into.body(k.create, k.always))
	if err != nil {
		return targets.Entity{}, nil, err
	}
	id := idOf(k, k.create, a)
	if k.create.found != "" {
		if id, err = d.made(ctx, k, job, into); err != nil {
			return targets.Entity{}, nil, err
		}
	}
	if id == "" {
		return targets.Entity{}, nil, &fault.Error{
			Class: fault.Transient, Op: wordOf(job.Kind, k.create), Where: d.client.base.Host, Err: errors.New("the answer to a creation names no id"),
		}
	}
	if err := d.members(ctx, k, job, id); err != nil {
		return targets.Entity{}, nil, err
	}
	e, warnings, err := d.look(ctx, k, job, id, k.create, a)
	if fault.ClassOf(err) == fault.Gone {
		err = &fault.Error{Class: fault.Transient, Op: wordOf(job.Kind, k.create), Where: d.client.base.Host, Err: errors.New("what was made is not there")}
	}
	if err == nil && k.about.Marked && job.Mark != "" && e.Keys[targets.Mark] == "" {
		err = &fault.Error{
			Class: fault.Configuration, Op: wordOf(job.Kind, k.create), Where: d.client.base.Host, Err: errors.New("the place took a thing and does not show its mark"),
			Hint: "is there the field that mark names, for this kind, and may the account write and read it?",
		}
	}
	if err != nil {
		return targets.Entity{}, nil, err
	}
	return e, warnings, nil
}

// instead is the value that a field has when something is made and the record has none for it.
func (k *kind) instead(name string, job *targets.Job) directory.Value {
	for i := range k.fields {
		if k.fields[i].name != name || !valueIn(name, job.Fields).Blank() {
			continue
		}
		for _, other := range k.fields[i].or {
			if v := valueIn(other, job.Fields); !v.Blank() {
				return v
			}
		}
	}
	return directory.Null()
}

func valueIn(name string, fields []directory.Field) directory.Value {
	for i := range fields {
		if fields[i].Name == name {
			return fields[i].Value
		}
	}
	return directory.Null()
}

// idOf is the id in an answer to a creation, or at the end of the address that it names.
func idOf(k *kind, r *request, a *answer) string {
	v, _ := k.id.get(item(r, a))
	if id := textOf(v); id != "" {
		return id
	}
	location := strings.TrimRight(a.header.Get("Location"), "/")
	return strings.TrimSuffix(location[strings.LastIndexByte(location, '/')+1:], ".json")
}

// made is the id of the one thing that has a key that was sent; none when there are more.
func (d *Desk) made(ctx context.Context, k *kind, job *targets.Job, sent writes) (string, error) {
	var raw any
	for i := range sent {
		raw = sent[i].at.set(raw, sent[i].value)
	}
	e := d.entity(job.Kind, k, raw, "")
	value, ids := e.Keys[k.create.found], []string(nil)
	w := &walk{c: d.client, kind: job.Kind, r: k.find[k.create.found], v: values{"value": value}}
	_, err := w.each(ctx, k.id, func(row any, id string) error {
		if e := d.entity(job.Kind, k, row, id); e.Keys[k.create.found] == value {
			ids = append(ids, id)
		}
		return nil
	})
	if err != nil || len(ids) != 1 {
		return "", err
	}
	return ids[0], nil
}

// vanished makes sure that what was not found is the thing, and not one that it was to have: it cannot be read either.
func (d *Desk) vanished(ctx context.Context, k *kind, job *targets.Job, err error) error {
	if fault.ClassOf(err) != fault.Gone {
		return err
	}
	if _, gone := d.fetch(ctx, job.Kind, k, job.ID, false); gone != nil {
		return d.gone(ctx, gone)
	}
	return &fault.Error{
		Class: fault.Invalid, Op: job.Op.String() + " " + job.Kind.String(), Where: d.client.base.Host, Err: err,
		Hint: "the thing is there: is what it refers to gone, or is the path of the request another one?",
	}
}

// change brings a thing to what a job says.
func (d *Desk) change(ctx context.Context, k *kind, job *targets.Job) (targets.Entity, []string, error) {
	word, state := "", (*request)(nil)
	switch job.Op {
	case directory.Deactivate:
		word, state = wordDeactivate, k.deactivate
	case directory.Reactivate:
		word, state = wordReactivate, k.reactivate
	}
	if word != "" && state == nil {
		return targets.Entity{}, nil, cannot(job, word)
	}
	// What is out of use may refuse to be changed, and to be taken out of use again.
	if state != nil {
		now, err := d.fetch(ctx, job.Kind, k, job.ID, false)
		if err != nil {
			return targets.Entity{}, nil, d.gone(ctx, err)
		}
		if err := d.owned(job, &now); err != nil {
			return targets.Entity{}, nil, err
		}
		if now.Active == (job.Op == directory.Reactivate) {
			state = nil
		}
	} else if job.Mark == "" && job.Owner != "" {
		now, err := d.shown(ctx, job.Kind, k, job.ID)
		if err != nil {
			return targets.Entity{}, nil, d.gone(ctx, err)
		}
		if err := d.owned(job, &now); err != nil {
			return targets.Entity{}, nil, err
		}
	}
	last, after := k.get, (*answer)(nil)
	turn := func() error {
		if state == nil {
			return nil
		}
		_, err := d.client.do(ctx, job.Kind, state, values{"id": job.ID}, nil, writes{}.body(state, k.always))
		return d.vanished(ctx, k, job, settled(err))
	}
	if job.Op == directory.Reactivate {
		if err := turn(); err != nil {
			return targets.Entity{}, nil, err
		}
	}
	into, err := k.written(job)
	if err != nil {
		return targets.Entity{}, nil, err
	}
	if len(into) > 0 {
		if after, err = d.client.do(ctx, job.Kind, k.update, values{"id": job.ID}, nil, into.body(k.update, k.always)); settled(err) != nil {
			return targets.Entity{}, nil, d.vanished(ctx, k, job, err)
		}
		last = k.update
	}
	if err := d.members(ctx, k, job, job.ID); err != nil {
		return targets.Entity{}, nil, d.vanished(ctx, k, job, err)
	}
	if job.Op == directory.Deactivate {
		if err := turn(); err != nil {
			return targets.Entity{}, nil, err
		}
	}
	if word != "" {
		after = nil
	}
	e, warnings, err := d.look(ctx, k, job, job.ID, last, after)
	if err != nil {
		return targets.Entity{}, nil, d.gone(ctx, err)
	}
	if job.Op == directory.Deactivate && e.Active || job.Op == directory.Reactivate && !e.Active {
		return targets.Entity{}, nil, &fault.Error{
			Class: fault.Invalid, Op: word + " " + job.Kind.String(), Where: d.client.base.Host, Err: fmt.Errorf("the place took it and shows the thing as before: in use is %t", e.Active),
		}
	}
	return e, warnings, nil
}

// owned refuses a job about a thing that has another mark: ids are given away anew. One that shows none may be of a place that keeps
// marks elsewhere.
func (d *Desk) owned(job *targets.Job, now *targets.Entity) error {
	mark := strings.TrimSpace(now.Keys[targets.Mark])
	if job.Mark != "" || job.Owner == "" || mark == "" || strings.EqualFold(mark, strings.TrimSpace(job.Owner)) {
		return nil
	}
	return &fault.Error{Class: fault.Gone, Op: job.Op.String() + " " + job.Kind.String(), Where: d.client.base.Host, Err: errors.New("the place has another thing under its id")}
}

// look sees what a write has done: in its answer, where that is the thing, or by reading.
func (d *Desk) look(ctx context.Context, k *kind, job *targets.Job, id string, r *request, a *answer) (targets.Entity, []string, error) {
	var e targets.Entity
	shown := false
	if a != nil && k.answers && len(job.Add)+len(job.Remove) == 0 {
		raw := item(r, a)
		if v, _ := k.id.get(raw); textOf(v) == id {
			e, shown = d.entity(job.Kind, k, raw, id), true
		}
	}
	if !shown {
		var err error
		if e, err = d.fetch(ctx, job.Kind, k, id, false); err != nil {
			return e, nil, err
		}
	}
	var warnings []string
	for i := range job.Fields {
		f := &job.Fields[i]
		have, read := e.Fields[f.Name]
		if want := valueText(f.Value); read && have != want {
			warnings = append(warnings, f.Name+" is not shown as it was sent")
		}
	}
	return e, warnings, nil
}

func valueText(v directory.Value) string {
	if v.Blank() {
		return ""
	}
	return v.String()
}

// writes are values and where they go.
type writes []write

type write struct {
	at    path
	value any
}

// written is what a job writes.
func (k *kind) written(job *targets.Job) (writes, error) {
	var w writes
	if k.mark != nil && k.mark.write != nil && job.Mark != "" {
		w = append(w, write{k.mark.write, job.Mark})
	}
	for i := range k.fields {
		f := &k.fields[i]
		for j := range job.Fields {
			if job.Fields[j].Name != f.name || f.write == nil || f.once && job.Op != directory.Create || job.Op == directory.Create && job.Fields[j].Value.Blank() {
				continue
			}
			if err := w.add(f, job.Fields[j].Value); err != nil {
				return nil, err
			}
		}
	}
	for i := range k.refs {
		f := &k.refs[i]
		if id, named := job.Refs[f.name]; named && f.write != nil && (id != "" || job.Op != directory.Create) {
			v := directory.Null()
			if id != "" {
				v = directory.Text(id)
			}
			if err := w.add(f, v); err != nil {
				return nil, err
			}
		}
	}
	return w, nil
}

// add adds a field's value in the form in which the place takes it.
func (w *writes) add(f *field, v directory.Value) error {
	if v.Blank() {
		switch {
		case f.none == "omit":
			return nil
		case f.as == "list":
			*w = append(*w, write{f.write, []any{}})
		case f.none == "null" || f.as != "text":
			*w = append(*w, write{f.write, nil})
		default:
			*w = append(*w, write{f.write, ""})
		}
		return nil
	}
	text := v.String()
	var value any
	switch f.as {
	case "number":
		if json.Unmarshal([]byte(text), new(float64)) != nil {
			return &fault.Error{Class: fault.Invalid, Op: "write " + f.name, Err: errors.New("the place wants a number, and the record has none there"), Hint: "mend the rule that makes the field"}
		}
		value = json.Number(text)
	case "bool":
		switch strings.ToLower(text) {
		case "true", "1", "yes":
			value = true
		case "false", "0", "no":
			value = false
		default:
			return &fault.Error{Class: fault.Invalid, Op: "write " + f.name, Err: errors.New("the place wants true or false, and the record has something else there"), Hint: "mend the rule that makes the field"}
		}
	case "list":
		items := v.List()
		if v.Type() != directory.ListType {
			items = []string{text}
		}
		list := make([]any, len(items))
		for i := range items {
			list[i] = plainIf(f, items[i])
		}
		value = list
	default:
		value = text
	}
	*w = append(*w, write{f.write, value})
	return nil
}

// plainIf: ids of references in a list are numbers where they look like them.
func plainIf(f *field, text string) any {
	if f.none == "null" {
		return plain(text)
	}
	return text
}

// body puts what is written into a request's body.
func (w writes) body(r *request, always map[string]any) func(any) any {
	return func(body any) any {
		if len(w)+len(always) == 0 || r.method == http.MethodDelete || r.method == http.MethodGet {
			return body
		}
		body = copied(body)
		into, _ := r.into.get(body)
		for _, name := range sortedKeys(always) {
			into = path{{name: name}}.set(into, copied(always[name]))
		}
		for i := range w {
			into = w[i].at.set(into, w[i].value)
		}
		return r.into.set(body, into)
	}
}

// chunk is how many members one request takes.
const chunk = 100

// members changes who is in a thing.
func (d *Desk) members(ctx context.Context, k *kind, job *targets.Job, id string) error {
	if err := d.each(ctx, k.addMember, job, id, job.Add); err != nil {
		return err
	}
	return d.each(ctx, k.removeMember, job, id, job.Remove)
}

func (d *Desk) each(ctx context.Context, r *request, job *targets.Job, id string, members []string) error {
	if len(members) == 0 {
		return nil
	}
	if r == nil {
		return cannot(job, "change of members")
	}
	size := 1
	if contains(r, "members") {
		size = chunk
	}
	for len(members) > 0 {
		n := min(size, len(members))
		v := values{"id": id, "member": members[0]}
		rows := []string{""}
		if r.lookup != nil {
			rows = nil
			w := &walk{c: d.client, kind: job.Kind, r: r.lookup, v: v}
			if _, err := w.each(ctx, r.lookup.id, func(_ any, row string) error { rows = append(rows, row); return nil }); err != nil {
				return err
			}
		}
		for _, row := range rows {
			v["row"] = row
			_, err := d.client.do(ctx, job.Kind, r, v, members[:n], nil)
			if r.word == wordRemove && r.method == http.MethodDelete && fault.ClassOf(err) == fault.Gone {
				err = nil // it is no member, or the thing is gone, which the look that follows tells
			}
			if settled(err) != nil {
				return err
			}
		}
		members = members[n:]
	}
	return nil
}
