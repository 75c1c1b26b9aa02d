package halo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

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
	r, err := d.resource(job.Kind)
	switch {
	case err != nil:
		return targets.Entity{}, nil, err
	case job.Op == directory.Delete:
		return targets.Entity{}, nil, &fault.Error{Class: fault.Invalid, Op: "deliver", Err: errors.New("nothing is deleted in Halo"), Hint: "leavers: {do: deactivate}"}
	case job.Op != directory.Create && job.ID == "":
		return targets.Entity{}, nil, &fault.Error{Class: fault.Internal, Op: "deliver", Err: errors.New("the job names nothing")}
	case r == nil && job.Op == directory.Create:
		return d.makeGroup(ctx, job)
	case r == nil:
		return d.changeGroup(ctx, job)
	case job.Op == directory.Create:
		return d.create(ctx, r, job)
	case r.kind == directory.TicketRecord:
		return d.keepTicket(ctx, r, job)
	default:
		return d.change(ctx, r, job)
	}
}

// keepTicket leaves a ticket as it is: it is made once, and then its agents'.
func (d *Desk) keepTicket(ctx context.Context, r *resource, job *targets.Job) (targets.Entity, []string, error) {
	if job.Op == directory.Deactivate {
		return targets.Entity{}, nil, &fault.Error{
			Class: fault.Invalid, Op: "close a ticket", Where: d.client.host, Err: errors.New("a sync closes no tickets"), Hint: "leavers: {ticket: {do: keep}}",
		}
	}
	e, err := d.Fetch(ctx, r.kind, job.ID)
	return e, nil, err
}

func missing(property, why string) error {
	return &fault.Error{
		Class: fault.Invalid, Op: "make a thing", Err: fmt.Errorf("the desk needs %s, and %s", property, why),
		Hint: "give the record a field for it in the mapping",
	}
}

func unmoved(op, host string) error {
	return &fault.Error{
		Class: fault.Invalid, Op: op, Where: host, Err: errors.New("the desk took it and shows the thing as before"),
		Hint: "is the application's agent allowed to change that?",
	}
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

func touches(fields []directory.Field, names ...string) bool {
	return slices.ContainsFunc(fields, func(f directory.Field) bool { return slices.Contains(names, f.Name) })
}

// create makes a thing, with its mark in the same request, and reads what became of it.
func (d *Desk) create(ctx context.Context, r *resource, job *targets.Job) (targets.Entity, []string, error) {
	if r.linked && d.cfg.Mark == markLink && d.unmarked.Load() {
		return targets.Entity{}, nil, d.notMarked(r)
	}
	body := object{}
	maps.Copy(body, r.quiet)
	maps.Copy(body, r.fresh)
	for name, value := range d.properties(r, object{}, job) {
		body[name] = value
	}
	if err := d.place(ctx, r, job, body); err != nil {
		return targets.Entity{}, nil, err
	}
	switch r.kind {
	case directory.CustomerRecord:
		body["newclient_sitename"] = d.cfg.MainSite
		if d.cfg.TopLevel > 0 {
			body["toplevel_id"] = d.cfg.TopLevel
		}
	case directory.AssetRecord:
		body["assettype_id"] = d.cfg.Asset.Type
		if d.cfg.Asset.Status > 0 {
			body["status_id"] = d.cfg.Asset.Status
		}
	case directory.TicketRecord:
		if err := d.ticket(job, body); err != nil {
			return targets.Entity{}, nil, err
		}
	default:
	}
	if r.kind == directory.UserRecord && textOf(body["name"]) == "" {
		body["name"] = strings.TrimSpace(textOf(body["firstname"]) + " " + textOf(body["surname"]))
	}
	if r.name != "" && textOf(body[r.name]) == "" {
		return targets.Entity{}, nil, missing(r.name, "the record has no name")
	}
	d.mark(r, job, body)
	answer, err := d.client.write(ctx, r.path, body)
	if err != nil {
		return targets.Entity{}, nil, err
	}
	d.gauge.made(r)
	o, err := d.one(ctx, r, answer.id("id"))
	if err != nil {
		return targets.Entity{}, nil, later(err)
	}
	e, err := d.whole(ctx, r, o)
	if err != nil {
		return targets.Entity{}, nil, err
	}
	warnings := warningsOf(answer)
	if r.linked && d.cfg.Mark == markLink && e.Keys[targets.Mark] == "" {
		d.unmarked.Store(true)
		warnings = append(warnings, "the desk does not show the external link that went along: nothing more is made there")
	}
	if r.marked != "" && e.Keys[targets.Mark] == "" {
		warnings = append(warnings, "the desk does not show "+r.marked)
	}
	return e, append(warnings, d.differing(r, job, &e)...), d.moved(r, job, &e)
}

// later makes of an error after a creation one that is tried again: what was made is found by its mark then.
func later(err error) error {
	if fault.ClassOf(err) != fault.Gone {
		return err
	}
	return &fault.Error{Class: fault.Transient, Op: "read what was made", Err: err}
}

func (d *Desk) notMarked(r *resource) error {
	return &fault.Error{
		Class: fault.Configuration, Op: "POST " + r.path, Where: d.client.host, Err: errors.New("the desk took an external link and does not show it"),
		Hint: "give module the number of an integration that may have links, or write mark: none (then a creation whose answer is lost waits for a human)",
	}
}

func (d *Desk) mark(r *resource, job *targets.Job, body object) {
	switch {
	case job.Mark == "":
	case r.marked != "":
		body[r.marked] = job.Mark
	case r.linked && d.cfg.Mark == markLink:
		link := object{"third_party_id": linkValue(r.kind, job.Mark), "third_party_type": thirdParty}
		if d.cfg.Module > 0 {
			link["module_id"] = d.cfg.Module
		}
		body["new_external_link"] = link
	}
}

// properties are those that a job sets, less those that are as they should be. No value is an empty text: null is ignored.
// Lists are read, changed and written whole.
func (d *Desk) properties(r *resource, now object, job *targets.Job) object {
	out := object{}
	names := d.cfg.fieldsOf(r)
	for _, f := range job.Fields {
		value := ""
		if !f.Value.Blank() {
			value = f.Value.String()
		}
		if number, known := d.cfg.Asset.Fields[f.Name]; known && r.kind == directory.AssetRecord {
			element(out, now, "fields", "id", number, value)
			continue
		}
		name, known := names[f.Name]
		if !known {
			continue
		}
		if have, shown := now.property(name); shown && have == value {
			continue
		}
		if inner, custom := customOf(name); custom {
			element(out, now, "customfields", "name", inner, value)
			continue
		}
		out[name] = typed(f.Value, value)
	}
	for name, value := range job.Keys {
		if name != "azure_tenant_id" && now.text(name) != value { // which tenant a customer has is mapped by people
			out[name] = value
		}
	}
	return out
}

// typed is a value as JSON: a number stays one.
func typed(v directory.Value, text string) any {
	if v.Type() == directory.NumberType {
		return whole(text)
	}
	return text
}

// element sets one element of a list that is written as a whole. A list that was not shown is not written: that would be to take
// away what is in it.
func element(out, now object, name, key string, is any, value string) {
	list, ok := out[name].([]object)
	if !ok {
		old, shown := now.whole(name)
		if !shown && len(now) > 0 {
			return
		}
		for _, o := range old {
			list = append(list, maps.Clone(o))
		}
	}
	want := fmt.Sprint(is)
	for _, o := range list {
		if strings.EqualFold(o.text(key), want) {
			o["value"] = value
			out[name] = list
			return
		}
	}
	out[name] = append(list, object{key: is, "value": value})
}

// place says where a thing belongs. A user and an asset are in a site, which is of a customer.
func (d *Desk) place(ctx context.Context, r *resource, job *targets.Job, body object) error {
	customer, site, user := job.Refs[refCustomer], job.Refs[refSite], job.Refs[refUser]
	switch r.kind {
	case directory.UserRecord, directory.AssetRecord, directory.TicketRecord:
		if customer == "" && site == "" && job.Op != directory.Create {
			break
		}
		if user != "" && r.kind == directory.TicketRecord {
			o, err := d.one(ctx, users(), user)
			switch {
			case err == nil:
				site = cmp.Or(site, o.id("site_id")) // a ticket is where its user is, unless it says where
			case fault.ClassOf(err) != fault.Gone:
				return err
			default:
				user = "" // its text says who it was
			}
		}
		if site == "" {
			if customer == "" {
				return missing("a site", "the record has neither site nor customer")
			}
			var err error
			if site, err = d.mainSite(ctx, customer); err != nil {
				return err
			}
		}
		body["site_id"] = whole(site)
		if customer != "" {
			body["client_id"] = whole(customer)
		}
	case directory.SiteRecord, directory.LicenceRecord:
		switch {
		case customer != "":
			body["client_id"] = whole(customer)
		case job.Op == directory.Create:
			return missing("a customer", "the record has none")
		}
	default:
	}
	if user != "" && r.kind == directory.TicketRecord {
		body["user_id"] = whole(user)
	} else if user != "" && r.kind == directory.AssetRecord {
		body["users"] = []object{{"id": whole(user)}}
	}
	if manager := job.Refs[refManager]; manager != "" && r.kind == directory.AgentRecord {
		body["linemanager"] = whole(strings.TrimPrefix(manager, prefixAgent))
	} else if manager != "" && r.kind == directory.UserRecord {
		o, err := d.one(ctx, users(), manager)
		if err != nil && fault.ClassOf(err) != fault.Gone { // whoever is gone manages nobody
			return err
		}
		if mail := o.text("emailaddress"); mail != "" {
			body["manager_email"] = mail
		}
	}
	return nil
}

// mainSite is the site of a customer that takes those who have none: the one that is named so, or the only one that is in use.
func (d *Desk) mainSite(ctx context.Context, customer string) (string, error) {
	d.mu.Lock()
	known, ok := d.main[customer]
	d.mu.Unlock()
	if ok && d.gauge.now().Sub(known.at) < mainSiteLasts {
		return known.id, nil
	}
	id, err := d.findMainSite(ctx, customer)
	if err == nil {
		d.mu.Lock()
		d.main[customer] = site{id, d.gauge.now()}
		d.mu.Unlock()
	}
	return id, err
}

// site is one that was looked up, and when.
type site struct {
	id string
	at time.Time
}

// mainSiteLasts is for how long a customer's main site is not looked up again.
const mainSiteLasts = 5 * time.Minute

func (d *Desk) findMainSite(ctx context.Context, customer string) (string, error) {
	var named, inUse []string
	r := sites()
	every := maps.Clone(r.every)
	every["client_id"] = customer
	_, err := d.walkList(ctx, r.path, r.envelope, d.cfg.Page, every, func(row object) error {
		if row.id("client_id") != customer || row.is("inactive") {
			return nil
		}
		inUse = append(inUse, row.id("id"))
		if strings.EqualFold(strings.TrimSpace(row.text("name")), d.cfg.MainSite) {
			named = append(named, row.id("id"))
		}
		return nil
	})
	switch {
	case err != nil:
		return "", err
	case len(named) == 1:
		return named[0], nil
	case len(inUse) == 1:
		return inUse[0], nil
	}
	return "", &fault.Error{
		Class: fault.Invalid, Op: "find the main site", Where: d.client.host, Err: fmt.Errorf("the customer has %d sites in use, and %d of them are named %q", len(inUse), len(named), d.cfg.MainSite),
		Hint: "give the record a site, or write main_site",
	}
}

// ticket fills in what a new ticket has.
func (d *Desk) ticket(job *targets.Job, body object) error {
	body["summary"] = valueIn("summary", job.Fields)
	if body["summary"] == "" {
		body["summary"] = valueIn(directory.FieldName, job.Fields)
	}
	if details := valueIn("details", job.Fields); details != "" {
		body["details_html"] = details
	}
	body["tickettype_id"] = d.cfg.Ticket.Type
	if word := valueIn("type", job.Fields); word != "" {
		number, known := d.cfg.Ticket.typeOf(word)
		if !known {
			return &fault.Error{Class: fault.Invalid, Op: "make a ticket", Where: d.client.host, Err: errors.New("its type is none of ticket.types"),
				Hint: "ticket: {types: {NAME: NUMBER}} of the target says which types tickets can name"}
		}
		body["tickettype_id"] = number
	}
	template, err := numberIn(job, "template", d.cfg.Ticket.Template)
	if err != nil {
		return err
	}
	if template > 0 {
		body["template_id"] = template
	} else {
		body["donotapplytemplateintheapi"] = true
	}
	priority, err := numberIn(job, "priority", d.cfg.Ticket.Priority)
	if priority > 0 {
		body["priority_id"] = priority
	}
	return err
}

// numberIn is a field of a ticket that holds the number of something at the desk.
func numberIn(job *targets.Job, field string, otherwise int) (int, error) {
	text := valueIn(field, job.Fields)
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return 0, &fault.Error{Class: fault.Invalid, Op: "make a ticket", Err: fmt.Errorf("its %s is not a number", field), Hint: "write the number that it has at the desk"}
	}
	return n, nil
}

// change brings a thing to what a job says. It is read first: an unknown id in a POST may make a thing, lists are written whole, and what
// is as it should be is not written.
func (d *Desk) change(ctx context.Context, r *resource, job *targets.Job) (targets.Entity, []string, error) {
	now, err := d.one(ctx, r, job.ID)
	if err != nil {
		return targets.Entity{}, nil, err
	}
	if mark := now.text(r.marked); r.marked != "" && job.Mark == "" && job.Owner != "" && mark != "" && !strings.EqualFold(strings.TrimSpace(mark), strings.TrimSpace(job.Owner)) {
		return targets.Entity{}, nil, &fault.Error{Class: fault.Gone, Op: "GET " + r.path, Where: d.client.host, Err: errors.New("the desk has another thing under its number")}
	}
	if customer := job.Refs[refCustomer]; customer != "" && job.Refs[refSite] == "" && now.id("client_id") == customer {
		job = withoutRef(job, refCustomer) // whoever is in it already stays in its site
	}
	body := d.properties(r, now, job)
	if err := d.place(ctx, r, job, body); err != nil {
		return targets.Entity{}, nil, err
	}
	d.settlePlace(now, job, body)
	adopts := job.Mark != ""
	if adopts && now.text("manager_email") != "" {
		delete(body, "manager_email") // whoever wrote it there may know better
	}
	if adopts {
		before, err := d.whole(ctx, r, now)
		if err != nil {
			return targets.Entity{}, nil, err
		}
		if before.Keys[targets.Mark] != job.Mark {
			d.mark(r, job, body)
		}
	}
	off, on := job.Op == directory.Deactivate, job.Op == directory.Reactivate
	if off || on {
		switch {
		case r.off != "" && now.is(r.off) != off:
			body[r.off] = off
		case r.on != "" && now.is(r.on) != on:
			body[r.on] = on
		}
	}
	warnings := []string(nil)
	after := now
	if len(body) > 0 {
		body["id"] = whole(now.id("id"))
		maps.Copy(body, r.quiet)
		answer, err := d.client.write(ctx, r.path, body)
		if err != nil {
			return targets.Entity{}, nil, err
		}
		warnings = warningsOf(answer)
		if answer.id("id") != now.id("id") {
			return targets.Entity{}, nil, &fault.Error{
				Class: fault.Invalid, Op: "POST " + r.path, Where: d.client.host, Err: errors.New("the desk answered a change of one thing with another one"),
			}
		}
		if after, err = d.one(ctx, r, job.ID); err != nil {
			return targets.Entity{}, nil, err
		}
	}
	e, err := d.whole(ctx, r, after)
	if err != nil {
		return targets.Entity{}, nil, err
	}
	if off && e.Active || on && !e.Active {
		return targets.Entity{}, nil, unmoved("POST "+r.path, d.client.host)
	}
	return e, append(warnings, d.differing(r, job, &e)...), d.moved(r, job, &e)
}

func withoutRef(job *targets.Job, field string) *targets.Job {
	c := *job
	c.Refs = maps.Clone(job.Refs)
	delete(c.Refs, field)
	return &c
}

// settlePlace leaves out of a change what is so already, and keeps the users that an asset has.
func (d *Desk) settlePlace(now object, job *targets.Job, body object) {
	for _, name := range []string{"site_id", "client_id", "linemanager", "manager_email"} {
		if v, sets := body[name]; sets && fmt.Sprint(v) == now.text(name) {
			delete(body, name)
		}
	}
	// Who moves to another site of the same customer takes the customer's number along; the number alone moves nobody.
	if _, moves := body["site_id"]; !moves && job.Kind != directory.SiteRecord && job.Kind != directory.LicenceRecord {
		delete(body, "client_id")
	}
	if add, sets := body["users"].([]object); sets {
		list, shown := now.whole("users")
		if !shown || slices.ContainsFunc(list, func(u object) bool { return u.id("id") == job.Refs[refUser] }) {
			delete(body, "users")
		} else {
			body["users"] = append(add, list...)
		}
	}
}

// moved makes sure that a thing is where it was sent: a site decides about the customer.
func (d *Desk) moved(r *resource, job *targets.Job, e *targets.Entity) error {
	for _, field := range []string{refCustomer, refSite} {
		if want := job.Refs[field]; want != "" && e.Refs[field] != "" && e.Refs[field] != want {
			return &fault.Error{
				Class: fault.Invalid, Op: "POST " + r.path, Where: d.client.host, Err: fmt.Errorf("the desk has it in another %s than it was sent to", field),
				Hint: "is the site one of the customer?",
			}
		}
	}
	return nil
}

// differing are warnings of what the desk made of the texts that it was sent.
func (d *Desk) differing(r *resource, job *targets.Job, e *targets.Entity) []string {
	var warnings []string
	names := d.cfg.fieldsOf(r)
	for _, f := range job.Fields {
		have, shown := e.Fields[f.Name]
		want := ""
		if !f.Value.Blank() {
			want = f.Value.String()
		}
		name, sent := names[f.Name]
		_, custom := customOf(name)
		switch {
		case sent && shown && have != want:
			warnings = append(warnings, name+" is another one than was sent")
		case custom && !shown:
			warnings = append(warnings, name+" is not written: the desk does not show the list that it is in")
		}
	}
	return warnings
}

// warningsOf is what the desk says beside a success.
func warningsOf(answer object) []string {
	var warnings []string
	if text := rest.Printable(answer.text("_warning")); text != "" {
		warnings = append(warnings, text)
	}
	if id := answer.id("_email_collision"); id != "" {
		warnings = append(warnings, "the mail address is that of "+id+", too")
	}
	return warnings
}

// made notes that there is something to measure a search with.
func (g *gauge) made(r *resource) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for name, m := range g.known {
		if strings.HasPrefix(name, r.path+" by ") && m.detail == "" {
			delete(g.known, name)
		}
	}
}
