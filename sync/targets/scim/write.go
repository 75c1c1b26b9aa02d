package scim

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"dirsyncd/sync/fault"
)

// patchSchema is that of a PATCH (RFC 7644 section 3.5.2).
const patchSchema = "urn:ietf:params:scim:api:messages:2.0:PatchOp"

// operation is one of a PATCH. Its value is never null: services differ in what they make of it.
type operation struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value,omitempty"`
}

func patchOf(ops ...operation) resource {
	return resource{"schemas": []any{patchSchema}, "Operations": ops}
}

func (e edit) operation() operation {
	if e.value == nil {
		return operation{Op: "remove", Path: e.path}
	}
	return operation{Op: "replace", Path: e.path, Value: e.value}
}

// others are the operations that say the same in another form, for services that refuse the first one.
func (e edit) others() []operation {
	if e.value == nil {
		return []operation{{Op: "replace", Path: e.path, Value: ""}}
	}
	return []operation{{Op: "add", Path: e.path, Value: e.value}}
}

// write changes a resource: with a PATCH, one operation for each attribute, or with a PUT of all that it has.
func (d *Desk) write(ctx context.Context, kind, id string, wanted resource, edits []edit, revision string) (answer, error) {
	if d.cfg.Updates == "put" || d.cfg.Updates == "auto" && d.patchless.Load() {
		return d.put(ctx, kind, id, wanted, revision)
	}
	ops := make([]operation, len(edits))
	for i, e := range edits {
		ops[i] = e.operation()
	}
	a, err := d.patch(ctx, kind, id, revision, ops...)
	switch status := refusalOf(err).Status; {
	case err == nil:
	case d.cfg.Updates == "auto" && (status == http.StatusMethodNotAllowed || status == http.StatusNotImplemented):
		d.patchless.Store(true)
		a, err = d.put(ctx, kind, id, wanted, revision)
	case status == http.StatusBadRequest:
		err = d.oneByOne(ctx, kind, id, edits)
	}
	if err != nil {
		return answer{}, err
	}
	if len(a.body) == 0 || a.body.text("id") != id {
		a, err = d.client.get(ctx, kind, id, url.Values{"excludedAttributes": {"members"}})
	}
	return a, err
}

func ifMatch(revision string) http.Header {
	if revision == "" {
		return nil
	}
	return http.Header{"If-Match": {revision}}
}

func (d *Desk) patch(ctx context.Context, kind, id, revision string, ops ...operation) (answer, error) {
	return d.client.send(ctx, http.MethodPatch, "/"+kind+"/"+url.PathEscape(id), patchOf(ops...), ifMatch(revision))
}

// oneByOne finds out which attribute a service refuses, and whether it takes another form of the same. What it takes is
// done, whatever becomes of the rest.
func (d *Desk) oneByOne(ctx context.Context, kind, id string, edits []edit) error {
	var refused error
	var names []string
	for _, e := range edits {
		var err error
		for _, op := range append([]operation{e.operation()}, e.others()...) {
			if _, err = d.patch(ctx, kind, id, "", op); refusalOf(err).Status != http.StatusBadRequest {
				break
			}
		}
		if err != nil && fault.ClassOf(err) != fault.Invalid {
			return err
		}
		if err != nil {
			refused = err
			names = append(names, e.path)
		}
	}
	if refused == nil {
		return nil
	}
	return &fault.Error{
		Class: fault.Invalid, Op: "PATCH " + kind, Where: d.client.host,
		Err:  fmt.Errorf("the service refuses %s: %w", strings.Join(names, ", "), refused),
		Hint: "`fields` of the target says which attributes are sent",
	}
}

// put replaces a resource with all that it had and what is to be changed. Attributes that only the service writes are left
// out (RFC 7644 section 3.5.1).
func (d *Desk) put(ctx context.Context, kind, id string, wanted resource, revision string) (answer, error) {
	body := wanted.copied()
	for _, name := range []string{"meta", "groups", "password"} {
		_, key := body.at(name)
		delete(body, key)
	}
	if kind == groups {
		// A PUT without members would be one that takes all of them away.
		whole, err := d.client.get(ctx, kind, id, nil)
		if err != nil {
			return answer{}, err
		}
		members, shown := whole.body.at("members")
		if _, isList := members.([]any); !isList {
			return answer{}, errHiddenMembers(d.client.host)
		}
		body[shown] = members
	}
	a, err := d.client.send(ctx, http.MethodPut, "/"+kind+"/"+url.PathEscape(id), body, ifMatch(revision))
	if err == nil && a.body.text("id") != id {
		return d.client.get(ctx, kind, id, nil)
	}
	return a, err
}

func errHiddenMembers(host string) error {
	return &fault.Error{
		Class: fault.Invalid, Op: "PUT Groups", Where: host,
		Err:  errors.New("the service takes no PATCH and does not show the members of a group, so that a PUT would remove them"),
		Hint: "take group out of kinds of the target",
	}
}

// members adds and removes members of a group, so many with a request, each once: some services store one twice that is
// added twice, and none is added that the caller knows to be there.
func (d *Desk) members(ctx context.Context, id string, add, remove []string) error {
	if d.cfg.Updates == "put" || d.cfg.Updates == "auto" && d.patchless.Load() {
		return d.putMembers(ctx, id, add, remove)
	}
	for chunk := range slices.Chunk(add, d.cfg.Chunk) {
		list := make([]any, len(chunk))
		for i, member := range chunk {
			list[i] = map[string]any{"value": member}
		}
		err := d.change1(ctx, id, operation{Op: "add", Path: "members", Value: list})
		if status := refusalOf(err).Status; d.cfg.Updates == "auto" && (status == http.StatusMethodNotAllowed || status == http.StatusNotImplemented) {
			d.patchless.Store(true)
			return d.putMembers(ctx, id, add, remove)
		}
		if err != nil {
			return err
		}
	}
	for chunk := range slices.Chunk(remove, d.cfg.Chunk) {
		// Never `remove` of the path "members" with a list as its value: a service that does not look at the value empties
		// the group.
		ops := make([]operation, len(chunk))
		for i, member := range chunk {
			ops[i] = operation{Op: "remove", Path: "members[value eq " + quoted(member) + "]"}
		}
		err := d.change1(ctx, id, ops...)
		if err != nil {
			return err
		}
	}
	return nil
}

func (d *Desk) change1(ctx context.Context, id string, ops ...operation) error {
	_, err := d.patch(ctx, groups, id, "", ops...)
	return err
}

// putMembers replaces the list of a service that knows PUT only: with all that is there, and what changes.
func (d *Desk) putMembers(ctx context.Context, id string, add, remove []string) error {
	a, err := d.client.get(ctx, groups, id, nil)
	if err != nil {
		return err
	}
	there, known := membersOf(a.body)
	if !known {
		return errHiddenMembers(d.client.host)
	}
	list := slices.DeleteFunc(there, func(m string) bool { return slices.Contains(remove, m) })
	for _, m := range add {
		if !slices.Contains(list, m) {
			list = append(list, m)
		}
	}
	body := a.body.copied()
	members := make([]any, len(list))
	for i, m := range list {
		members[i] = map[string]any{"value": m}
	}
	_, key := body.at("members")
	body[key] = members
	_, meta := body.at("meta")
	delete(body, meta)
	_, err = d.client.send(ctx, http.MethodPut, "/"+groups+"/"+url.PathEscape(id), body, nil)
	return err
}
