// Package scim is a target: users and groups of a service that speaks SCIM 2.0 (RFC 7643, RFC 7644). It sends what services
// were tested with, which is what the large identity providers send, and believes of a service what it has measured.
package scim

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/rest"
	"dirsyncd/sync/targets"
)

// The kinds of resource, as in addresses.
const (
	users  = "Users"
	groups = "Groups"
)

// The keys by which resources are recognised, in the words of RFC 7643.
const (
	keyExternalID = "externalId"
	keyUserName   = "userName"
	keyEmail      = "emails"
	keyName       = "displayName"
)

// refManager is the reference of a user to its manager (RFC 7643 section 4.3).
const refManager = "manager"

// Desk is one service. It implements targets.Desk.
type Desk struct {
	cfg        Config
	client     *client
	gauge      *gauge
	attributes map[string]attribute
	patchless  atomic.Bool // it has refused a PATCH as such
}

// Factory makes scim targets.
func Factory() targets.Factory {
	return targets.NewDesk("scim", "keeps users and groups of a service that speaks SCIM 2.0", defaults, describe,
		func(cfg *Config, env targets.Env) (targets.Desk, error) { return Open(cfg, env) })
}

// Open makes the desk of a configuration. It does no network I/O.
func Open(cfg *Config, env targets.Env) (*Desk, error) {
	cl, err := newClient(cfg, env)
	if err != nil {
		return nil, err
	}
	now := env.Now
	if now == nil {
		now = time.Now
	}
	return &Desk{cfg: *cfg, client: cl, gauge: &gauge{client: cl, now: now}, attributes: cfg.attributes()}, nil
}

// Describe implements targets.Desk.
func (d *Desk) Describe() targets.DeskDescription { return describe(&d.cfg) }

func describe(cfg *Config) targets.DeskDescription {
	ends := []directory.Op{directory.Deactivate, directory.Delete}
	return targets.DeskDescription{
		Place: strings.TrimRight(cfg.URL, "/"), Batch: 1, Parallel: cfg.Parallel,
		Kinds: []targets.DeskKind{{
			Kind: directory.UserRecord, Marked: true, Ends: ends,
			Keys: []targets.DeskKey{
				{Name: keyExternalID, Anchor: true}, {Name: keyUserName, Folded: true, Usual: cfg.Username}, {Name: keyEmail, Folded: true},
			},
			References: map[string]directory.RecordKind{refManager: directory.UserRecord},
			Needs:      [][]string{cfg.Username},
		}, {
			Kind: directory.GroupRecord, Marked: true, Ends: []directory.Op{directory.Delete}, Members: true,
			Keys:  []targets.DeskKey{{Name: keyExternalID, Anchor: true}, {Name: keyName, Folded: true, Proposes: true, Usual: []string{directory.FieldName, directory.FieldTitle}}},
			Title: keyName,
		}},
	}
}

// Check implements targets.Desk: it reads one user.
func (d *Desk) Check(ctx context.Context) error {
	_, err := d.client.list(ctx, users, url.Values{"startIndex": {"1"}, "count": {"1"}})
	return err
}

// Probe implements targets.Desk.
func (d *Desk) Probe(ctx context.Context) ([]targets.Ability, error) {
	a, err := d.gauge.again(ctx)
	if err != nil {
		return nil, err
	}
	return a.list(), nil
}

// Survey implements targets.Desk. A walk ends when as many came as the service says there are; a page that brings nothing
// new ends it, too, and proves nothing. Members are left out: see Fetch.
func (d *Desk) Survey(ctx context.Context, kind directory.RecordKind, yield func(*targets.Entity) error) (targets.Proof, error) {
	name, err := nameOfKind(kind)
	if err != nil {
		return targets.Proof{}, err
	}
	seen := map[string]struct{}{}
	query := url.Values{"count": {strconv.Itoa(d.cfg.Page)}}
	if kind == directory.GroupRecord {
		query.Set("excludedAttributes", "members")
	}
	for {
		query.Set("startIndex", strconv.Itoa(len(seen)+1))
		p, err := d.client.list(ctx, name, query)
		if err != nil {
			return targets.Proof{}, err
		}
		before := len(seen)
		for _, r := range p.resources {
			id := r.text("id")
			if id == "" {
				return targets.Proof{}, &fault.Error{Class: fault.Transient, Op: "GET " + name, Where: d.client.host, Err: errors.New("a resource has no id")}
			}
			if _, again := seen[id]; again {
				continue
			}
			seen[id] = struct{}{}
			e := d.entity(kind, r)
			e.Short = kind == directory.GroupRecord
			if err := yield(&e); err != nil {
				return targets.Proof{}, err
			}
		}
		proof := targets.Proof{Count: p.total}
		switch {
		case p.total >= 0 && len(seen) == p.total:
			return proof, nil
		case p.total >= 0 && len(seen) > p.total:
			proof.Doubt = fmt.Sprintf("the service says that there are %d and has listed %d", p.total, len(seen))
			return proof, nil
		case len(seen) == before && p.total < 0 && len(p.resources) == 0:
			proof.Doubt = "the service does not say how many there are"
			return proof, nil
		case len(seen) == before:
			proof.Doubt = fmt.Sprintf("of %d the service has listed %d, and the same ones again or none after that", p.total, len(seen))
			return proof, nil
		}
	}
}

func nameOfKind(kind directory.RecordKind) (string, error) {
	switch kind {
	case directory.UserRecord:
		return users, nil
	case directory.GroupRecord:
		return groups, nil
	default:
		return "", &fault.Error{
			Class: fault.Invalid, Op: "deliver", Err: fmt.Errorf("SCIM knows no %s", kind), Hint: "take the kind out of kinds of the target",
		}
	}
}

// Find implements targets.Desk.
func (d *Desk) Find(ctx context.Context, kind directory.RecordKind, key, value string) ([]targets.Entity, error) {
	name, err := nameOfKind(kind)
	if err != nil {
		return nil, err
	}
	// Of a quotation mark or backslash in a filter's value (RFC 7644 section 3.4.2.2: escaped as in JSON) some services make an
	// error and others somebody else.
	if value == "" || d.cfg.Filter == "never" || strings.ContainsAny(value, `"\`) {
		return nil, targets.ErrCannotFind
	}
	measured, err := d.gauge.get(ctx)
	if err != nil {
		return nil, err
	}
	attr, has, which := key, false, func(a *abilities) *verdict { return &a.userName }
	switch {
	case key == targets.Mark || key == keyExternalID:
		attr, has, which = keyExternalID, measured.external.has, func(a *abilities) *verdict { return &a.external }
	case key == keyUserName && kind == directory.UserRecord:
		has = measured.userName.has
	case key == keyName && kind == directory.GroupRecord:
		has, which = measured.group.has, func(a *abilities) *verdict { return &a.group }
	}
	if !has {
		return nil, targets.ErrCannotFind
	}
	beside := url.Values{}
	if kind == directory.GroupRecord {
		beside.Set("excludedAttributes", "members")
	}
	// Names are the same in any case (RFC 7643 section 4.1.1), and a search that minds it finds them in one only: that it finds
	// nobody says nothing.
	minds := attr == keyUserName && !measured.folded.has
	tries := []string{value}
	if lower := strings.ToLower(value); minds && lower != value {
		tries = append(tries, lower)
	}
	var found []targets.Entity
	seen := map[string]bool{}
	for _, try := range tries {
		p, err := d.client.list(ctx, name, filtering(attr, try, beside))
		if fault.ClassOf(err) == fault.Invalid {
			d.gauge.cannot(which, refusalOf(err).Type)
			return nil, errors.Join(targets.ErrCannotFind, err)
		}
		if err != nil {
			return nil, err
		}
		for _, r := range p.resources {
			if !strings.EqualFold(r.text(attr), value) {
				d.gauge.cannot(which, "the filter was answered with others")
				return nil, targets.ErrCannotFind
			}
			if e := d.entity(kind, r); !seen[e.ID] {
				seen[e.ID] = true
				e.Short = kind == directory.GroupRecord
				found = append(found, e)
			}
		}
	}
	if minds && len(found) == 0 {
		return nil, targets.ErrCannotFind
	}
	return found, nil
}

// Fetch implements targets.Desk. A group comes with its members, where the service shows them.
func (d *Desk) Fetch(ctx context.Context, kind directory.RecordKind, id string) (targets.Entity, error) {
	name, err := nameOfKind(kind)
	if err != nil {
		return targets.Entity{}, err
	}
	a, err := d.client.get(ctx, name, id, nil)
	if err != nil {
		return targets.Entity{}, d.notThere(ctx, name, err)
	}
	return d.entityOf(kind, a), nil
}

// notThere makes sure that a resource is gone, and not the whole service: its list must still answer.
func (d *Desk) notThere(ctx context.Context, kind string, err error) error {
	if fault.ClassOf(err) != fault.Gone {
		return err
	}
	p, listErr := d.client.list(ctx, kind, url.Values{"startIndex": {"1"}, "count": {"1"}})
	if listErr != nil {
		return listErr
	}
	if p.total < 0 {
		return &fault.Error{Class: fault.Transient, Op: "GET " + kind, Where: d.client.host, Err: err}
	}
	return err
}

// Reopen implements targets.Desk: there is nothing to open anew.
func (d *Desk) Reopen() error { return nil }

// Close implements targets.Desk.
func (d *Desk) Close() error {
	d.client.reads.CloseIdleConnections()
	return nil
}

func (d *Desk) entityOf(kind directory.RecordKind, a answer) targets.Entity {
	e := d.entity(kind, a.body)
	if meta, _ := a.body.at("meta"); a.etag != "" {
		// An ETag that the resource itself does not know is made by something on the way, of the body's bytes.
		if m, _ := meta.(map[string]any); resource(m).text("version") == a.etag {
			e.Revision = a.etag
		}
	}
	return e
}

// entity translates a resource.
func (d *Desk) entity(kind directory.RecordKind, r resource) targets.Entity {
	e := targets.Entity{
		Kind: kind, ID: r.text("id"), Keys: map[string]string{}, Fields: map[string]string{}, Refs: map[string]string{}, Active: true,
	}
	key := func(name, value string) {
		if value = strings.TrimSpace(value); value != "" {
			e.Keys[name] = value
		}
	}
	key(targets.Mark, r.text(keyExternalID))
	key(keyExternalID, r.text(keyExternalID))
	if kind == directory.GroupRecord {
		key(keyName, r.text(keyName))
		e.Fields[directory.FieldName] = r.text(keyName)
		e.Members, e.MembersKnown = membersOf(r)
	} else {
		key(keyUserName, r.text(keyUserName))
		key(keyEmail, primaryOf(r))
		e.Fields[directory.FieldLogin] = r.text(keyUserName)
		for field, a := range d.attributes {
			e.Fields[field] = r.get(a)
		}
		if active, known := r.flag("active"); known {
			e.Active = active
		}
		manager, _ := r.in(enterprise).at(refManager)
		if id := textOf(manager); id != "" {
			e.Refs[refManager] = id
		}
		e.Protected = protected(r)
	}
	meta, _ := r.at("meta")
	if m, _ := meta.(map[string]any); m != nil {
		if t, err := time.Parse(time.RFC3339, resource(m).text("lastModified")); err == nil {
			e.ChangedAt = t
		}
	}
	return e
}

// primaryOf is the address that counts: the primary one, else the one for work, else the only one.
func primaryOf(r resource) string {
	v, _ := r.at("emails")
	list, _ := v.([]any)
	for _, element := range list {
		m, _ := element.(map[string]any)
		if is, _ := resource(m).flag("primary"); is {
			return textOf(m)
		}
	}
	if i := ofType(list, "work"); i >= 0 {
		return textOf(list[i])
	}
	if len(list) == 1 {
		return textOf(list[0])
	}
	return ""
}

// membersOf are the ids of a group's members, and whether the answer shows them: a list that is left out may be one of nobody.
func membersOf(r resource) (ids []string, known bool) {
	v, _ := r.at("members")
	list, known := v.([]any)
	seen := map[string]bool{}
	for _, element := range list {
		m, _ := element.(map[string]any)
		if id := textOf(m); id != "" && !seen[id] {
			seen[id] = true
			ids = append(ids, id)
		}
	}
	return ids, known
}

// protected says why a user is left alone: roles and types that no sync gives.
func protected(r resource) string {
	if t := r.text("userType"); strings.EqualFold(t, "service") || strings.EqualFold(t, "bot") {
		return "a user of type " + rest.Printable(t)
	}
	v, _ := r.at("roles")
	list, _ := v.([]any)
	for _, element := range list {
		role := textOf(element)
		if lower := strings.ToLower(role); strings.Contains(lower, "admin") || strings.Contains(lower, "owner") {
			return "has the role " + rest.Printable(role)
		}
	}
	return ""
}
