package scim

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/rest"
	"dirsyncd/sync/targets"
)

// The schemas of resources (RFC 7643 sections 4.1, 4.2).
const (
	userSchema  = "urn:ietf:params:scim:schemas:core:2.0:User"
	groupSchema = "urn:ietf:params:scim:schemas:core:2.0:Group"
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
	name, err := nameOfKind(job.Kind)
	if err != nil {
		return targets.Entity{}, nil, err
	}
	switch {
	case job.Op != directory.Create && job.ID == "":
		return targets.Entity{}, nil, &fault.Error{Class: fault.Internal, Op: "deliver", Err: errors.New("the job names no resource")}
	case job.Op == directory.Create:
		return d.create(ctx, name, job)
	case job.Op == directory.Delete:
		_, err := d.client.send(ctx, http.MethodDelete, "/"+name+"/"+url.PathEscape(job.ID), nil, nil)
		return targets.Entity{}, nil, err
	default:
		return d.change(ctx, name, job)
	}
}

// create makes a resource. Members come afterwards, as services expect it.
func (d *Desk) create(ctx context.Context, kind string, job *targets.Job) (targets.Entity, []string, error) {
	r, err := d.fresh(job)
	if err != nil {
		return targets.Entity{}, nil, err
	}
	a, err := d.client.send(ctx, http.MethodPost, "/"+kind, r, nil)
	if err != nil {
		return targets.Entity{}, nil, err
	}
	id := a.body.text("id")
	switch {
	case a.status == http.StatusOK:
		// RFC 7644 section 3.3 knows 201 only: it was there, and may have been changed.
		return targets.Entity{}, nil, &fault.Error{
			Class: fault.Invalid, Op: "POST " + kind, Where: d.client.host, Err: errors.Join(errors.New("answered 200 to a creation"), targets.ErrExists),
		}
	case id == "":
		return targets.Entity{}, nil, &fault.Error{
			Class: fault.Transient, Op: "POST " + kind, Where: d.client.host, Err: errors.New("the answer to a creation names no id"),
		}
	}
	d.gauge.made()
	var warnings []string
	if mark := a.body.text(keyExternalID); mark != "" && mark != job.Mark {
		warnings = append(warnings, "the service answered with another externalId than it was sent")
	}
	if len(job.Add) > 0 {
		if err := d.members(ctx, id, job.Add, nil); err != nil {
			return targets.Entity{}, nil, err
		}
	}
	return d.entityOf(job.Kind, a), warnings, nil
}

// fresh is the resource that a creation sends.
func (d *Desk) fresh(job *targets.Job) (resource, error) {
	fields := job.Fields
	if job.Kind == directory.GroupRecord {
		name := groupName(fields, job.Sent)
		if name == "" {
			return nil, missing(keyName, "the record has neither name nor title")
		}
		return resource{"schemas": []any{groupSchema}, keyExternalID: job.Mark, keyName: name}, nil
	}
	name := d.userName(fields, job.Sent)
	if name == "" {
		return nil, missing(keyUserName, "the record has none of "+strings.Join(d.cfg.Username, ", "))
	}
	r := resource{"schemas": []any{userSchema}, keyExternalID: job.Mark, keyUserName: name, "active": true}
	for _, f := range fields {
		if a, known := d.attributes[f.Name]; known && !f.Value.Blank() {
			r.set(a, f.Value.String())
		}
	}
	if id := job.Refs[refManager]; id != "" {
		manage(r, id)
	}
	if r.in(enterprise) != nil {
		r["schemas"] = []any{userSchema, enterprise}
	}
	return r, nil
}

func missing(attribute, why string) error {
	return &fault.Error{
		Class: fault.Invalid, Op: "make a resource", Err: fmt.Errorf("SCIM needs %s, and %s", attribute, why),
		Hint: "give the record a field for it in the mapping, or name another one in the target",
	}
}

func manage(r resource, id string) {
	part := r.in(enterprise)
	if part == nil {
		part = resource{}
		r[enterprise] = map[string]any(part)
	}
	_, key := part.at(refManager)
	if id == "" {
		delete(part, key)
		return
	}
	part[key] = map[string]any{"value": id}
}

func valueIn(name string, lists ...[]directory.Field) string {
	for _, list := range lists {
		for _, f := range list {
			if f.Name == name && !f.Value.Blank() {
				return f.Value.String()
			}
		}
	}
	return ""
}

// userName is what the fields make of it; those of a change before those that stay.
func (d *Desk) userName(fields, sent []directory.Field) string {
	for _, name := range d.cfg.Username {
		if v := valueIn(name, fields, sent); v != "" {
			return v
		}
	}
	return ""
}

// renames reports whether a change is one of the name by which somebody signs in: of the first field that it is made of, or of one
// before that which has no value any more. Somebody who is adopted and has such a name has it changed only by its own field.
func (d *Desk) renames(now resource, job *targets.Job) bool {
	if adopts := job.Mark != ""; adopts && now.text(keyUserName) != "" {
		return touches(job.Fields, directory.FieldLogin)
	}
	for _, name := range d.cfg.Username {
		if touches(job.Fields, name) {
			return true
		}
		if valueIn(name, job.Sent) != "" {
			return false
		}
	}
	return false
}

func groupName(fields, sent []directory.Field) string {
	for _, name := range []string{directory.FieldName, directory.FieldTitle} {
		if v := valueIn(name, fields, sent); v != "" {
			return v
		}
	}
	return ""
}

// change brings a resource to what a job says. It is read first: elements of lists that are not ours stay, and what is as it
// should be is not written.
func (d *Desk) change(ctx context.Context, kind string, job *targets.Job) (targets.Entity, []string, error) {
	query := url.Values{}
	if kind == groups {
		query.Set("excludedAttributes", "members")
	}
	now, err := d.client.get(ctx, kind, job.ID, query)
	if err != nil {
		return targets.Entity{}, nil, d.notThere(ctx, kind, err)
	}
	before := d.entityOf(job.Kind, now)
	if job.Revision != "" && before.Revision != "" && before.Revision != job.Revision {
		return targets.Entity{}, nil, &fault.Error{Class: fault.Conflict, Op: "PATCH " + kind, Where: d.client.host, Err: errors.New("somebody changed the resource meanwhile")}
	}
	wanted := now.body.copied()
	edits := d.edit(wanted, now.body, job)
	after := now
	if len(edits) > 0 {
		if after, err = d.write(ctx, kind, job.ID, wanted, edits, before.Revision); err != nil {
			return targets.Entity{}, nil, err
		}
	}
	if len(job.Add)+len(job.Remove) > 0 {
		if err := d.members(ctx, job.ID, job.Add, job.Remove); err != nil {
			return targets.Entity{}, nil, err
		}
	}
	e := d.entityOf(job.Kind, after)
	if job.Op == directory.Deactivate && e.Active || job.Op == directory.Reactivate && !e.Active {
		return targets.Entity{}, nil, &fault.Error{
			Class: fault.Invalid, Op: "PATCH " + kind, Where: d.client.host, Err: fmt.Errorf("the service took it and shows the resource as before: active is %t", e.Active),
		}
	}
	return e, nil, nil
}

// edit is one attribute that differs: its path, and the value that it is to have; nil for none.
type edit struct {
	path  string
	value any
}

// edit puts what a job says into a resource, and returns the attributes that differ by that from what they are.
func (d *Desk) edit(wanted, now resource, job *targets.Job) []edit {
	set := map[string]edit{}
	note := func(a attribute) {
		value, _ := wanted.in(a.schema).at(a.name)
		if a.sub != "" {
			m, _ := value.(map[string]any)
			value, _ = resource(m).at(a.sub)
		}
		if list, ok := value.([]any); ok && len(list) == 0 {
			value = nil
		}
		set[a.path()] = edit{a.path(), value}
	}
	simple := func(name, value string) {
		if now.text(name) != value {
			wanted.set(attribute{name: name}, value)
			note(attribute{name: name})
		}
	}
	if job.Mark != "" {
		simple(keyExternalID, job.Mark)
	}
	if job.Kind == directory.GroupRecord {
		if touches(job.Fields, directory.FieldName, directory.FieldTitle) {
			if name := groupName(job.Fields, job.Sent); name != "" {
				simple(keyName, name)
			}
		}
		return slices.Collect(maps.Values(set))
	}
	if name := d.userName(job.Fields, job.Sent); name != "" && d.renames(now, job) {
		simple(keyUserName, name)
	}
	for _, f := range job.Fields {
		a, known := d.attributes[f.Name]
		value := ""
		if !f.Value.Blank() {
			value = f.Value.String()
		}
		if known && now.get(a) != value {
			wanted.set(a, value)
			note(a)
		}
	}
	if id, named := job.Refs[refManager]; named {
		old, _ := now.in(enterprise).at(refManager)
		if textOf(old) != id {
			manage(wanted, id)
			note(attribute{schema: enterprise, name: refManager})
		}
	}
	if active, known := now.flag("active"); job.Op == directory.Deactivate && (active || !known) || job.Op == directory.Reactivate && !active {
		wanted["active"] = job.Op == directory.Reactivate
		set["active"] = edit{"active", wanted["active"]}
	}
	return slices.SortedFunc(maps.Values(set), func(a, b edit) int { return strings.Compare(a.path, b.path) })
}

func touches(fields []directory.Field, names ...string) bool {
	return slices.ContainsFunc(fields, func(f directory.Field) bool { return slices.Contains(names, f.Name) })
}

// copied is a copy that can be edited.
func (r resource) copied() resource { return copied(map[string]any(r)).(map[string]any) }

func copied(v any) any {
	switch v := v.(type) {
	case map[string]any:
		m := make(map[string]any, len(v))
		for k, x := range v {
			m[k] = copied(x)
		}
		return m
	case []any:
		list := make([]any, len(v))
		for i, x := range v {
			list[i] = copied(x)
		}
		return list
	default:
		return v
	}
}
