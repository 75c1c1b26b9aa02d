// Package halo is a target: the customers, sites, people, groups, licences, assets and tickets of a Halo service desk (HaloPSA,
// HaloITSM, HaloServiceDesk), which share one API. What it knows of it comes from the vendor's description and from public
// clients (halosim/api.json); nothing was tried on a real desk. It therefore reads before it writes, writes one thing at a
// time, reads what became of it, and believes no search that it has not measured.
package halo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/rest"
	"dirsyncd/sync/targets"
)

// Desk is one service desk. It implements targets.Desk.
type Desk struct {
	cfg    Config
	client *client
	gauge  *gauge
	// memberships is held while a list of groups on a person is read, changed and written back: the list is replaced as a whole.
	memberships sync.Mutex
	// unmarked: the desk has taken a mark and does not show it. Nothing more is made then.
	unmarked atomic.Bool
	// blind: tickets cannot be searched by our mark.
	blind atomic.Bool

	mu sync.Mutex
	me string // the id of the agent that we act as
	// most is how many things of a resource were there when most were: where many are missing all at once, rights may be.
	most map[string]int
	main map[string]site // by customer
}

// Factory makes halo targets.
func Factory() targets.Factory {
	return targets.NewDesk("halo", "keeps customers, sites, people and groups of a HaloPSA or HaloITSM desk", defaults, describe,
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
	return &Desk{cfg: *cfg, client: cl, most: map[string]int{}, main: map[string]site{}, gauge: &gauge{client: cl, now: now, known: map[string]measured{}}}, nil
}

// Describe implements targets.Desk.
func (d *Desk) Describe() targets.DeskDescription { return describe(&d.cfg) }

// Check implements targets.Desk: it asks which agent we are, and reads one customer.
func (d *Desk) Check(ctx context.Context) error {
	if _, err := d.self(ctx); err != nil {
		return err
	}
	_, err := d.client.list(ctx, customers().path, customers().envelope, pages(customers().envelope, 1, 1, nil))
	return err
}

// self is the id of the agent that we act as.
func (d *Desk) self(ctx context.Context) (string, error) {
	d.mu.Lock()
	me := d.me
	d.mu.Unlock()
	if me != "" {
		return me, nil
	}
	v, err := d.client.read(ctx, "Agent/me", nil)
	if err != nil {
		return "", err
	}
	answer, _ := v.(map[string]any)
	if me = object(answer).id("id"); me == "" {
		return "", &fault.Error{
			Class: fault.Configuration, Op: "GET Agent/me", Where: d.client.host, Err: errors.New("the application acts as no agent"),
			Hint: "give the application an agent: Configuration > Integrations > Halo API > Login type: Agent",
		}
	}
	d.mu.Lock()
	d.me = me
	d.mu.Unlock()
	return me, nil
}

func unknownKind(kind directory.RecordKind) error {
	return &fault.Error{Class: fault.Invalid, Op: "deliver", Err: fmt.Errorf("halo takes no %s", kind), Hint: "take the kind out of kinds of the target, or give its type (asset.type, ticket.type)"}
}

// resource is how the desk keeps a kind that goes there; nil for groups.
func (d *Desk) resource(kind directory.RecordKind) (*resource, error) {
	about := d.Describe()
	if _, known := about.Of(kind); !known {
		return nil, unknownKind(kind)
	}
	return resourceOf(kind), nil
}

// Survey implements targets.Desk. A walk ends when as many came as the desk says there are; a page that brings nothing new
// ends it, too, and proves nothing. Marks of what is marked by external links come in a list of their own.
func (d *Desk) Survey(ctx context.Context, kind directory.RecordKind, yield func(*targets.Entity) error) (targets.Proof, error) {
	r, err := d.resource(kind)
	if err != nil {
		return targets.Proof{}, err
	}
	if r == nil {
		return d.surveyGroups(ctx, yield)
	}
	me, err := d.self(ctx)
	if err != nil {
		return targets.Proof{}, err
	}
	beside, err := d.beside(ctx, r)
	if err != nil {
		return targets.Proof{}, err
	}
	seen := map[string]bool{}
	proof, err := d.walk(ctx, r, func(row object) error {
		id := row.id("id")
		if seen[id] {
			return nil
		}
		seen[id] = true
		e := d.entity(r, row, beside)
		e.Short = d.short(r, row, beside)
		return yield(&e)
	})
	if err == nil && kind == directory.AgentRecord && !seen[me] && proof.Doubt == "" {
		proof.Doubt = "the desk leaves out the agent that we act as: it may leave out others"
	}
	return proof, err
}

// lists are what is asked for beside the rows of a resource: marks, and the tenants of customers.
type lists struct {
	marks   map[string]string // by id
	marked  bool              // the marks are known
	tenants map[string]string
}

func (d *Desk) beside(ctx context.Context, r *resource) (lists, error) {
	var l lists
	var err error
	if r.linked && d.cfg.Mark == markLink {
		if l.marks, l.marked, err = d.marks(ctx, r.kind); err != nil {
			return l, err
		}
	}
	if r.kind == directory.CustomerRecord {
		l.tenants, err = d.tenants(ctx, nil)
	}
	return l, err
}

// short reports whether a row leaves out what tells things apart.
func (d *Desk) short(r *resource, row object, l lists) bool {
	switch {
	case r.linked && d.cfg.Mark == markLink && !l.marked:
		return true
	case r.kind == directory.TicketRecord:
		return d.blind.Load() && !row.has(r.marked)
	case r.marked != "":
		return !row.has(r.marked)
	default:
		return r.kind == directory.UserRecord && d.cfg.Details
	}
}

// walk goes over all rows of a resource.
func (d *Desk) walk(ctx context.Context, r *resource, row func(object) error) (targets.Proof, error) {
	size := d.cfg.Page
	if r.most > 0 {
		size = min(size, r.most)
	}
	if r.kind == directory.TicketRecord {
		return d.walkTickets(ctx, r, size, row)
	}
	return d.walkList(ctx, r.path, r.envelope, size, r.every, row)
}

// walkTickets goes over the tickets of the types that ours can have, one type after the other. Where the desk does not hear the filter,
// the first list has them all.
func (d *Desk) walkTickets(ctx context.Context, r *resource, size int, row func(object) error) (all targets.Proof, err error) {
	seen := map[string]bool{}
	for _, number := range d.cfg.Ticket.numbers() {
		proof, err := d.walkList(ctx, r.path, r.envelope, size, map[string]string{"requesttype_id": strconv.Itoa(number)}, func(o object) error {
			if seen[o.id("id")] {
				return nil
			}
			seen[o.id("id")] = true
			return row(o)
		})
		if err != nil {
			return proof, err
		}
		all.Doubt = cmp.Or(all.Doubt, proof.Doubt)
	}
	all.Count = len(seen) // each list agreed with its own total, or there is doubt
	return all, nil
}

func (d *Desk) walkList(ctx context.Context, path, envelope string, size int, every map[string]string, row func(object) error) (targets.Proof, error) {
	seen := map[string]struct{}{}
	for n := 1; ; n++ {
		p, err := d.client.list(ctx, path, envelope, pages(envelope, n, size, every))
		if err != nil {
			return targets.Proof{}, err
		}
		if every["client_id"] == "" {
			d.fell(path, p.total)
		}
		before := len(seen)
		for _, o := range p.rows {
			id := o.id("id")
			if id == "" {
				id = o.text("id") // roles have texts
			}
			if id == "" {
				return targets.Proof{}, &fault.Error{Class: fault.Transient, Op: "GET " + path, Where: d.client.host, Err: errors.New("a row has no id")}
			}
			if _, again := seen[id]; again {
				continue
			}
			seen[id] = struct{}{}
			if err := row(o); err != nil {
				return targets.Proof{}, err
			}
		}
		proof := targets.Proof{Count: p.total}
		switch {
		case envelope == "" && p.total < 0:
			return proof, nil // a bare list is the whole of it
		case p.total >= 0 && len(seen) == p.total:
			return proof, nil
		case p.total >= 0 && len(seen) > p.total:
			proof.Doubt = fmt.Sprintf("the desk says that there are %d and has listed %d", p.total, len(seen))
			return proof, nil
		case len(seen) == before && p.total < 0:
			proof.Doubt = "the desk does not say how many there are"
			return proof, nil
		case len(seen) == before:
			proof.Doubt = fmt.Sprintf("of %d the desk has listed %d, and the same ones again or none after that", p.total, len(seen))
			return proof, nil
		}
	}
}

// Fetch implements targets.Desk.
func (d *Desk) Fetch(ctx context.Context, kind directory.RecordKind, id string) (targets.Entity, error) {
	r, err := d.resource(kind)
	if err != nil {
		return targets.Entity{}, err
	}
	if r == nil {
		return d.fetchGroup(ctx, id)
	}
	o, err := d.one(ctx, r, id)
	if err != nil {
		return targets.Entity{}, err
	}
	return d.whole(ctx, r, o)
}

// one reads one thing. That it is gone is proven only when the desk still knows us and still shows things of the kind: rights
// that were taken away look like absence.
func (d *Desk) one(ctx context.Context, r *resource, id string) (object, error) {
	number := strings.TrimPrefix(id, prefixAgent)
	query := url.Values{"includedetails": {"true"}}
	if r.kind == directory.UserRecord || r.kind == directory.SiteRecord {
		query.Set("includeactivity", "true")
	}
	v, err := d.client.read(ctx, r.path+"/"+url.PathEscape(number), query)
	if fault.ClassOf(err) == fault.Gone {
		return nil, d.reallyGone(ctx, r, err)
	}
	if err != nil {
		return nil, err
	}
	if rows, is := objectsOf(v); is && len(rows) == 1 {
		v = map[string]any(rows[0])
	}
	o, _ := v.(map[string]any)
	if object(o).id("id") != number {
		err := errors.New("the answer is not the thing that was asked for")
		if text := said(v); text != "" {
			err = &rest.Refusal{Status: 200, Text: text}
		}
		return nil, &fault.Error{Class: fault.Transient, Op: "GET " + r.path, Where: d.client.host, Err: err}
	}
	return o, nil
}

func (d *Desk) reallyGone(ctx context.Context, r *resource, gone error) error {
	if _, err := d.client.read(ctx, "Agent/me", nil); err != nil {
		return err
	}
	p, err := d.client.list(ctx, r.path, r.envelope, pages(r.envelope, 1, 1, r.every))
	switch {
	case err != nil:
		return err
	case len(p.rows) == 0 && r.kind != directory.TicketRecord && p.total != 0:
		return &fault.Error{Class: fault.Transient, Op: "GET " + r.path, Where: d.client.host, Err: errors.Join(errors.New("the desk shows nothing of the kind"), gone)}
	case d.fell(r.path, p.total):
		return &fault.Error{
			Class: fault.Transient, Op: "GET " + r.path, Where: d.client.host, Err: fmt.Errorf("many are missing all at once: the desk shows %d", p.total),
			Hint: "may the application's agent still see all customers and teams? If they were really removed, restart dirsyncd",
		}
	default:
		return gone
	}
}

// fell notes how many things of a resource there are, and reports whether one in twenty is missing of those that were there.
func (d *Desk) fell(path string, total int) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	most := max(d.most[path], total)
	d.most[path] = most
	return total >= 0 && most-total > max(5, most/20)
}

// whole is a thing that was read by itself.
func (d *Desk) whole(ctx context.Context, r *resource, o object) (targets.Entity, error) {
	if _, err := d.self(ctx); err != nil {
		return targets.Entity{}, err
	}
	l := lists{marked: true, marks: map[string]string{}}
	id := o.id("id")
	if r.linked && d.cfg.Mark == markLink {
		if err := d.ownMark(ctx, r.kind, o, l.marks); err != nil {
			return targets.Entity{}, err
		}
	}
	if r.kind == directory.CustomerRecord {
		var err error
		if l.tenants, err = d.tenants(ctx, url.Values{"client_id": {id}}); err != nil {
			return targets.Entity{}, err
		}
	}
	e := d.entity(r, o, l)
	var err error
	e.Busy, err = d.busy(ctx, r, o)
	return e, err
}

// busy says why a thing cannot be taken out of use: tickets that are open.
func (d *Desk) busy(ctx context.Context, r *resource, o object) (string, error) {
	if r.tickets == "" {
		return "", nil
	}
	n, known := o.number("open_ticket_count")
	if !known {
		id := o.id("id")
		p, err := d.client.list(ctx, "Tickets", "tickets", pages("tickets", 1, 1, map[string]string{r.tickets: id, "open_only": "true"}))
		if err != nil {
			return "", err
		}
		n = max(p.total, len(p.rows))
		// A filter that the desk does not know is answered with the tickets of others.
		for _, row := range p.rows {
			if row.has(r.tickets) && row.id(r.tickets) != id {
				n = 0
			}
		}
	}
	if n > 0 {
		return fmt.Sprintf("it has %d open tickets", n), nil
	}
	return "", nil
}

// Reopen implements targets.Desk: there is nothing to open anew.
func (d *Desk) Reopen() error { return nil }

// Close implements targets.Desk.
func (d *Desk) Close() error {
	d.client.reads.CloseIdleConnections()
	return nil
}

// entity translates a row or a thing.
func (d *Desk) entity(r *resource, o object, l lists) targets.Entity {
	id := o.id("id")
	e := targets.Entity{Kind: r.kind, ID: id, Keys: map[string]string{}, Fields: map[string]string{}, Refs: map[string]string{}, Active: true}
	if r.kind == directory.AgentRecord {
		e.ID = prefixAgent + id
	}
	key := func(name, value string) {
		if value = strings.TrimSpace(value); value != "" {
			e.Keys[name] = value
		}
	}
	switch {
	case r.marked != "":
		key(targets.Mark, o.text(r.marked))
	case r.linked:
		key(targets.Mark, l.marks[id])
	}
	for _, k := range r.about.Keys {
		switch k.Name {
		case "azure_tenant_id":
			key(k.Name, l.tenants[id])
		case "oktaid":
			value := o.text("oktaid")
			if value == "" {
				value = o.text("okta_id") // as rows spell it
			}
			key(k.Name, value)
		default:
			key(k.Name, o.text(k.Name))
		}
	}
	if r.kind != directory.TicketRecord { // a ticket is its agents' from the moment that it is made
		for field, name := range d.cfg.fieldsOf(r) {
			if value, shown := o.property(name); shown {
				e.Fields[field] = value
			}
		}
	}
	if r.kind == directory.AssetRecord {
		if list, shown := o.objects("fields"); shown {
			for field, number := range d.cfg.Asset.Fields {
				e.Fields[field] = ""
				for _, f := range list {
					if f.id("id") == strconv.Itoa(number) {
						e.Fields[field] = f.text("value")
					}
				}
			}
		}
	}
	for field, property := range map[string]string{refCustomer: "client_id", refSite: "site_id", refUser: "user_id"} {
		if _, refers := r.about.References[field]; refers && o.id(property) != "" {
			e.Refs[field] = o.id(property)
		}
	}
	if r.kind == directory.AgentRecord && o.id("linemanager") != "" {
		e.Refs[refManager] = prefixAgent + o.id("linemanager")
	}
	if list, _ := o.objects("users"); r.kind == directory.AssetRecord && len(list) > 0 {
		e.Refs[refUser] = list[0].id("id")
	}
	if off, known := o.flag(r.off); known {
		e.Active = !off
	}
	if on, known := o.flag(r.on); known {
		e.Active = on
	}
	e.Protected = d.protected(r, o)
	if t, err := time.Parse(time.RFC3339, o.text(r.changed)); err == nil {
		e.ChangedAt = t // one without a zone is no time
	}
	return e
}

// generalUser is whom the desk makes for every site, for tickets of nobody in particular.
const generalUser = "General User"

// protected says why a thing is left alone.
func (d *Desk) protected(r *resource, o object) string {
	if d.cfg.Integrated == "protect" && (o.id("azure_connectionid") != "" || o.id("sqlimport_id") != "") {
		return "one of Halo's own imports keeps it"
	}
	switch r.kind {
	case directory.UserRecord:
		switch {
		case o.is("isserviceaccount"):
			return "a service account"
		case strings.EqualFold(strings.TrimSpace(o.text("name")), generalUser), o.is("isnhserveremaildefault"):
			return "a user that the desk made for tickets of nobody in particular"
		}
	case directory.CustomerRecord, directory.SiteRecord:
		if o.is("isnhserveremaildefault") {
			return "it takes the mails of people whom nobody knows"
		}
	case directory.AgentRecord:
		d.mu.Lock()
		me := d.me
		d.mu.Unlock()
		switch {
		case o.id("id") == me:
			return "the agent that we act as"
		case o.is("isapiagent"):
			return "an agent of another program"
		case o.is("is_admin"), strings.Contains(strings.ToLower(o.text("role_list")), "administrator"):
			return "an administrator"
		}
	}
	return ""
}
