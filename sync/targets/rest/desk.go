// Package rest is a target: a place with things of its own that has an HTTP API with JSON, described by data. A preset
// describes a product; the operator writes over it what is different at his place.
package rest

import (
	"context"
	"errors"
	"fmt"
	"html"
	"strings"
	"sync"
	"time"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/targets"
)

// Desk is one place. It implements targets.Desk.
type Desk struct {
	cfg    *Config
	place  *place
	client *client

	mu      sync.Mutex
	account string // our own account's id, once it is known
}

// Factory makes rest targets.
func Factory() targets.Factory {
	return targets.NewDesk("rest", "keeps people and groups of a service desk with a REST API: "+strings.Join(Presets(), ", ")+", or one that you describe",
		defaults, describe, func(cfg *Config, env targets.Env) (targets.Desk, error) { return Open(cfg, env) })
}

// Open makes the desk of a configuration that is valid. It does no network I/O.
func Open(cfg *Config, env targets.Env) (*Desk, error) {
	if env.Now == nil {
		env.Now = time.Now
	}
	p := compile(cfg, func(string, string, string, ...any) {})
	cl, err := newClient(cfg, p, env)
	if err != nil {
		return nil, err
	}
	return &Desk{cfg: cfg, place: p, client: cl}, nil
}

// Describe implements targets.Desk.
func (d *Desk) Describe() targets.DeskDescription { return d.place.describe(d.cfg) }

func describe(cfg *Config) targets.DeskDescription {
	return compile(cfg, func(string, string, string, ...any) {}).describe(cfg)
}

func (p *place) describe(cfg *Config) targets.DeskDescription {
	about := targets.DeskDescription{Place: strings.TrimRight(cfg.URL, "/"), Batch: 1, Parallel: max(cfg.Parallel, 1)}
	for _, k := range p.order {
		about.Kinds = append(about.Kinds, p.kinds[k].about)
	}
	return about
}

// Check implements targets.Desk: it asks for our own account, or the first part of a list.
func (d *Desk) Check(ctx context.Context) error {
	if d.place.self != nil {
		_, err := d.client.do(ctx, 0, d.place.self, values{}, nil, nil)
		return err
	}
	for _, of := range d.place.order {
		k := d.place.kinds[of]
		w := &walk{c: d.client, kind: of, r: k.list[0], v: values{}, most: 1}
		_, err := w.each(ctx, k.id, func(any, string) error { return nil })
		return err
	}
	return nil
}

func (d *Desk) kind(of directory.RecordKind) (*kind, error) {
	if k := d.place.kinds[of]; k != nil {
		return k, nil
	}
	return nil, &fault.Error{
		Class: fault.Invalid, Op: "deliver", Err: fmt.Errorf("the place has no %s", of), Hint: "take the kind out of kinds of the target",
	}
}

// Survey implements targets.Desk. A part of a list that was shown already, one that brings nothing new, or a total that disagrees
// ends it and proves nothing.
func (d *Desk) Survey(ctx context.Context, of directory.RecordKind, yield func(*targets.Entity) error) (targets.Proof, error) {
	k, err := d.kind(of)
	if err != nil {
		return targets.Proof{}, err
	}
	if err := d.signedIn(ctx); err != nil {
		return targets.Proof{}, err
	}
	all := targets.Proof{}
	seen := map[string]struct{}{}
	for _, r := range k.list {
		w := &walk{c: d.client, kind: of, r: r, v: values{}}
		p, err := w.each(ctx, k.id, func(row any, id string) error {
			if _, again := seen[id]; again {
				all.Doubt = "things moved from one list to another while they were read"
				return nil
			}
			if len(k.list) > 1 {
				seen[id] = struct{}{}
			}
			e := d.entity(of, k, row, id)
			if e.Short = r.short; r.active != nil {
				e.Active = *r.active
			}
			return yield(&e)
		})
		if err != nil {
			return targets.Proof{}, err
		}
		if p.doubt != "" && all.Doubt == "" {
			all.Doubt = p.doubt
		}
		switch {
		case p.count < 0 || r.only != nil || all.Count < 0:
			all.Count = -1
		default:
			all.Count += p.count
		}
	}
	return all, nil
}

// mostFound is how many things with the same value are looked at.
const mostFound = 5

// errEnough ends a search.
var errEnough = errors.New("enough was found")

// Find implements targets.Desk.
func (d *Desk) Find(ctx context.Context, of directory.RecordKind, name, value string) ([]targets.Entity, error) {
	k, err := d.kind(of)
	if err != nil {
		return nil, err
	}
	r := k.find[name]
	if r == nil || strings.TrimSpace(value) == "" || strings.ContainsAny(value, r.unless) {
		return nil, targets.ErrCannotFind
	}
	if err := d.signedIn(ctx); err != nil {
		return nil, err
	}
	folded := name == targets.Mark
	for _, key := range k.keys {
		folded = folded || key.Name == name && key.Folded
	}
	same := func(e *targets.Entity) bool {
		have := e.Keys[name]
		return have == value || folded && strings.EqualFold(have, value)
	}
	var found []targets.Entity
	w := &walk{c: d.client, kind: of, r: r, v: values{"value": value}, most: 3}
	if r.whole {
		w.most = 0
	}
	p, err := w.each(ctx, k.id, func(row any, id string) error {
		e := d.entity(of, k, row, id)
		if r.short && (same(&e) || e.Keys[name] == "" && !r.fuzzy) {
			if e, err = d.fetch(ctx, of, k, id, false); fault.ClassOf(err) == fault.Gone {
				return nil
			} else if err != nil {
				return err
			}
		}
		switch {
		case same(&e):
			found = append(found, e)
		case !r.fuzzy:
			return targets.ErrCannotFind // the filter was not heard
		}
		if len(found) == mostFound {
			return errEnough
		}
		return nil
	})
	switch {
	case errors.Is(err, errEnough):
		return found, nil
	case errors.Is(err, targets.ErrCannotFind):
		return nil, targets.ErrCannotFind
	case fault.ClassOf(err) == fault.Invalid:
		return nil, errors.Join(targets.ErrCannotFind, err)
	case err != nil:
		return nil, err
	case p.doubt != "" && len(found) == 0:
		return nil, targets.ErrCannotFind
	}
	return found, nil
}

// Fetch implements targets.Desk.
func (d *Desk) Fetch(ctx context.Context, of directory.RecordKind, id string) (targets.Entity, error) {
	k, err := d.kind(of)
	if err != nil {
		return targets.Entity{}, err
	}
	if err := d.signedIn(ctx); err != nil {
		return targets.Entity{}, err
	}
	e, err := d.fetch(ctx, of, k, id, true)
	if err != nil {
		return targets.Entity{}, d.gone(ctx, err)
	}
	return e, nil
}

// gone makes sure that a thing is gone, and not the whole place: it must still answer.
func (d *Desk) gone(ctx context.Context, err error) error {
	if fault.ClassOf(err) != fault.Gone {
		return err
	}
	if checked := d.Check(ctx); fault.ClassOf(checked) == fault.Gone {
		return &fault.Error{Class: fault.Configuration, Op: "read the place", Where: d.client.base.Host, Err: err, Hint: "is url what stands before all paths?"}
	} else if checked != nil {
		return checked
	}
	return err
}

// fetch reads one thing. whole: with what keeps it from being taken out of use.
func (d *Desk) fetch(ctx context.Context, of directory.RecordKind, k *kind, id string, whole bool) (targets.Entity, error) {
	e, err := d.shown(ctx, of, k, id)
	if err != nil {
		return e, err
	}
	if k.members != nil {
		w := &walk{c: d.client, kind: of, r: k.members, v: values{"id": id}}
		p, err := w.each(ctx, k.members.id, func(_ any, member string) error {
			e.Members = append(e.Members, member)
			return nil
		})
		if err != nil {
			return targets.Entity{}, err
		}
		e.MembersKnown = p.doubt == ""
	}
	if whole && k.busy != nil && e.Active {
		if e.Busy, err = d.busy(ctx, of, k, id); err != nil {
			return targets.Entity{}, err
		}
	}
	return e, nil
}

// shown reads one thing as its own request shows it, without members.
func (d *Desk) shown(ctx context.Context, of directory.RecordKind, k *kind, id string) (targets.Entity, error) {
	a, err := d.client.do(ctx, of, k.get, values{"id": id}, nil, nil)
	if err != nil {
		return targets.Entity{}, err
	}
	raw, shown := item(k.get, a), ""
	if v, ok := k.id.get(raw); ok {
		shown = textOf(v)
	}
	if shown != id {
		return targets.Entity{}, &fault.Error{
			Class: fault.Transient, Op: wordOf(of, k.get), Where: d.client.base.Host, Err: errors.New("the answer is not the thing that was asked for"),
			Hint: "check item of the request and the path of the id",
		}
	}
	return d.entity(of, k, raw, id), nil
}

func (d *Desk) busy(ctx context.Context, of directory.RecordKind, k *kind, id string) (string, error) {
	n := 0
	w := &walk{c: d.client, kind: of, r: k.busy, v: values{"id": id}, most: 1}
	id0 := k.busy.id
	if id0 == nil {
		id0 = path{{name: "id"}}
	}
	_, err := w.each(ctx, id0, func(any, string) error { n++; return nil })
	if n == 0 || err != nil {
		return "", err
	}
	if k.busy.why != "" {
		return k.busy.why, nil
	}
	return "has open work", nil
}

// item is the thing in an answer.
func item(r *request, a *answer) any {
	v, _ := r.item.get(a.body)
	return v
}

// signedIn finds out who we are at the place.
func (d *Desk) signedIn(ctx context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.place.self == nil || d.account != "" {
		return nil
	}
	a, err := d.client.do(ctx, 0, d.place.self, values{}, nil, nil)
	if err != nil {
		return err
	}
	v, _ := d.place.self.id.get(item(d.place.self, a))
	if d.account = textOf(v); d.account == "" {
		return &fault.Error{Class: fault.Transient, Op: "self", Where: d.client.base.Host, Err: errors.New("the place does not say who we are"), Hint: "check self.id"}
	}
	return nil
}

// entity translates a thing.
func (d *Desk) entity(of directory.RecordKind, k *kind, raw any, id string) targets.Entity {
	e := targets.Entity{Kind: of, ID: id, Keys: map[string]string{}, Fields: map[string]string{}, Refs: map[string]string{}, Active: true}
	text := func(p path) string {
		v, _ := p.get(raw)
		if d.cfg.Unescape {
			return html.UnescapeString(textOf(v))
		}
		return textOf(v)
	}
	key := func(name string, at path) {
		if value := strings.TrimSpace(text(at)); value != "" {
			e.Keys[name] = value
		}
	}
	if k.mark != nil && k.mark.read != nil {
		key(targets.Mark, k.mark.read)
	}
	for i := range k.keys {
		key(k.keys[i].Name, k.keys[i].at)
	}
	for i := range k.fields {
		if k.fields[i].read != nil {
			e.Fields[k.fields[i].name] = text(k.fields[i].read)
		}
	}
	for i := range k.refs {
		if value := text(k.refs[i].read); value != "" && value != "0" {
			e.Refs[k.refs[i].name] = value
		}
	}
	if k.active != nil {
		if _, said := k.active.at.get(raw); said {
			e.Active = k.active.holds(raw)
		}
	}
	if k.changed != nil {
		for _, layout := range []string{time.RFC3339, time.DateTime} {
			if t, err := time.Parse(layout, text(k.changed)); err == nil {
				e.ChangedAt = t
			}
		}
	}
	for i := range k.protect {
		if k.protect[i].holds(raw) {
			if e.Protected = k.protect[i].why; e.Protected == "" {
				e.Protected = "protected by the target"
			}
			break
		}
	}
	if person := of == directory.UserRecord || of == directory.AgentRecord; person && e.Protected == "" {
		login := d.cfg.Auth.User.Reveal()
		for i := range k.keys {
			if login != "" && strings.EqualFold(e.Keys[k.keys[i].Name], login) {
				e.Protected = ourselves
			}
		}
		if d.account != "" && d.account == id {
			e.Protected = ourselves
		}
	}
	return e
}

const ourselves = "the account that dirsyncd signs in with"

// holds looks at the value, or at each of a list.
func (t *test) holds(raw any) bool {
	v, _ := t.at.get(raw)
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	some := false
	for _, v := range list {
		text := textOf(v)
		for _, no := range t.not {
			if text == no {
				return false
			}
		}
		good := len(t.is) == 0
		for _, is := range t.is {
			good = good || text == is
		}
		some = some || good && (t.matches == nil || t.matches.MatchString(text))
	}
	return some || len(list) == 0 && len(t.is) == 0 && t.matches == nil
}

// Reopen implements targets.Desk: there is nothing to open anew.
func (d *Desk) Reopen() error { return nil }

// Close implements targets.Desk.
func (d *Desk) Close() error {
	d.client.reads.CloseIdleConnections()
	d.client.writes.CloseIdleConnections()
	return nil
}
