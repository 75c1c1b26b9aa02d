package halo

import (
	"context"
	"crypto/rand"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/rest"
	"dirsyncd/sync/targets"
)

// thirdParty is what our external links say of themselves.
const thirdParty = "dirsyncd"

// linkValue is the third_party_id of our link: the kind goes in front, since users and customers share the list of links, and a
// record of one kind may have the key of a record of another.
func linkValue(kind directory.RecordKind, mark string) string { return kind.String() + ":" + mark }

// Find implements targets.Desk. What a search answers is compared; that it finds nobody counts only where it was measured.
func (d *Desk) Find(ctx context.Context, kind directory.RecordKind, key, value string) ([]targets.Entity, error) {
	r, err := d.resource(kind)
	if err != nil {
		return nil, err
	}
	value = strings.TrimSpace(value)
	switch {
	case value == "":
		return nil, targets.ErrCannotFind
	case r == nil && key == "name":
		return d.findGroups(ctx, value)
	case r == nil:
		return nil, targets.ErrCannotFind
	case key == targets.Mark && r.linked && d.cfg.Mark == markLink:
		return d.findLinked(ctx, r, value)
	case key == targets.Mark && kind == directory.TicketRecord:
		return d.findTicket(ctx, r, value)
	case key == targets.Mark:
		return nil, targets.ErrCannotFind
	case key == "azure_tenant_id" && kind == directory.CustomerRecord:
		return d.findTenant(ctx, r, value)
	case kind == directory.AgentRecord && (key == "ad" || key == "email"):
		return d.findAgents(ctx, r, key, value)
	case isShort(key), key == "oktaid", key == "activedirectory_dn", key == "intune_id", kind == directory.LicenceRecord, kind == directory.AgentRecord:
		return nil, targets.ErrCannotFind
	default:
		return d.search(ctx, r, key, value)
	}
}

// findLinked looks for what has our external link.
func (d *Desk) findLinked(ctx context.Context, r *resource, mark string) ([]targets.Entity, error) {
	want := linkValue(r.kind, mark)
	rows, _, err := d.links(ctx, 1, 50, map[string]string{"third_party_id": want})
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, row := range rows {
		if !strings.EqualFold(row.text("third_party_id"), want) {
			return nil, targets.ErrCannotFind // the filter is not heard
		}
		if id := row.id("halo_id"); id != "" && row.text("third_party_id") == want && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return d.fetchAll(ctx, r, ids)
}

// fetchAll reads some things; those that are gone are left out: a link can outlive what it was on.
func (d *Desk) fetchAll(ctx context.Context, r *resource, ids []string) ([]targets.Entity, error) {
	var found []targets.Entity
	for _, id := range ids[:min(len(ids), 3)] {
		o, err := d.one(ctx, r, id)
		if fault.ClassOf(err) == fault.Gone {
			continue
		}
		if err != nil {
			return nil, err
		}
		e, err := d.whole(ctx, r, o)
		if err != nil {
			return nil, err
		}
		found = append(found, e)
	}
	return found, nil
}

// links reads a page of external links. What their list is called in an answer is not described.
func (d *Desk) links(ctx context.Context, n, size int, beside map[string]string) (rows []object, total int, err error) {
	v, err := d.client.read(ctx, "ExternalLink", pages("links", n, size, beside))
	if err != nil {
		return nil, 0, err
	}
	if rows, bare := objectsOf(v); bare {
		return rows, -1, nil
	}
	answer, _ := v.(map[string]any)
	total, counted := object(answer).number("record_count")
	for _, name := range []string{"externallinks", "external_links", "externallink", "links"} {
		if rows, is := object(answer).objects(name); is {
			if !counted {
				total = -1
			}
			return rows, total, nil
		}
	}
	if counted && total == 0 {
		return nil, 0, nil
	}
	return nil, 0, &fault.Error{Class: fault.Transient, Op: "GET ExternalLink", Where: d.client.host, Err: &rest.Refusal{Status: 200, Text: said(v)}}
}

// marks reads the marks of a kind's things, by their ids. known is false where the desk does not show them all.
func (d *Desk) marks(ctx context.Context, kind directory.RecordKind) (marks map[string]string, known bool, err error) {
	marks = map[string]string{}
	prefix := linkValue(kind, "")
	seen := map[string]struct{}{}
	for n := 1; ; n++ {
		rows, total, err := d.links(ctx, n, d.cfg.Page, map[string]string{"third_party_type": thirdParty})
		switch class := fault.ClassOf(err); {
		case class == fault.Forbidden || class == fault.Gone || class == fault.Invalid:
			return nil, false, nil
		case err != nil:
			return nil, false, err
		}
		before := len(seen)
		for _, row := range rows {
			id := row.text("id")
			if _, again := seen[id]; again {
				continue
			}
			seen[id] = struct{}{}
			if mark, ours := strings.CutPrefix(row.text("third_party_id"), prefix); ours && row.id("halo_id") != "" {
				marks[row.id("halo_id")] = mark
			}
		}
		switch {
		case total >= 0 && len(seen) == total:
			return marks, true, nil
		case total < 0 && len(rows) < d.cfg.Page && len(seen) > before, total < 0 && len(rows) == 0:
			return marks, true, nil
		case len(seen) == before || total >= 0 && len(seen) > total:
			return marks, false, nil
		}
	}
}

// ownMark is the mark of one thing: its answer has it, or else it is asked for.
func (d *Desk) ownMark(ctx context.Context, kind directory.RecordKind, o object, marks map[string]string) error {
	id := o.id("id")
	list, shown := o.objects("external_links")
	if !shown {
		var err error
		if list, _, err = d.links(ctx, 1, 50, map[string]string{"halo_id": id, "third_party_type": thirdParty}); err != nil {
			return err
		}
	}
	for _, row := range list {
		if row.id("halo_id") != "" && row.id("halo_id") != id {
			continue
		}
		if mark, ours := strings.CutPrefix(row.text("third_party_id"), linkValue(kind, "")); ours {
			marks[id] = mark
		}
	}
	return nil
}

// tenants reads which customer has which tenant of Microsoft: what the desk has mapped. One with several has none that tells.
func (d *Desk) tenants(ctx context.Context, query url.Values) (map[string]string, error) {
	v, err := d.client.read(ctx, "AreaAzureTenant", query)
	if class := fault.ClassOf(err); class == fault.Forbidden || class == fault.Gone || class == fault.Invalid {
		return nil, nil // a desk without that integration
	}
	if err != nil {
		return nil, err
	}
	rows, _ := objectsOf(v)
	out, several := map[string]string{}, map[string]bool{}
	for _, row := range rows {
		client, tenant := row.id("client_id"), row.text("azure_tenant_id")
		if client == "" || tenant == "" {
			continue
		}
		if before, there := out[client]; there && before != tenant {
			several[client] = true
		}
		out[client] = tenant
	}
	for client := range several {
		delete(out, client)
	}
	return out, nil
}

func (d *Desk) findTenant(ctx context.Context, r *resource, tenant string) ([]targets.Entity, error) {
	v, err := d.client.read(ctx, "AreaAzureTenant", url.Values{"azure_tenant_id": {tenant}})
	if class := fault.ClassOf(err); class == fault.Forbidden || class == fault.Gone || class == fault.Invalid {
		return nil, targets.ErrCannotFind
	}
	if err != nil {
		return nil, err
	}
	rows, _ := objectsOf(v)
	var ids []string
	for _, row := range rows {
		if !strings.EqualFold(row.text("azure_tenant_id"), tenant) {
			return nil, targets.ErrCannotFind
		}
		if id := row.id("client_id"); id != "" && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return d.fetchAll(ctx, r, ids)
}

// findTicket looks for a ticket by our mark. A desk that does not know the filter answers with any tickets.
func (d *Desk) findTicket(ctx context.Context, r *resource, mark string) ([]targets.Entity, error) {
	p, err := d.client.list(ctx, r.path, r.envelope, pages(r.envelope, 1, 3, map[string]string{r.marked: mark}))
	if fault.ClassOf(err) == fault.Invalid {
		d.blind.Store(true)
		return nil, targets.ErrCannotFind
	}
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, row := range p.rows {
		ids = append(ids, row.id("id"))
	}
	found, err := d.fetchAll(ctx, r, ids)
	if err != nil {
		return nil, err
	}
	for _, e := range found {
		if e.Keys[targets.Mark] != mark {
			d.blind.Store(true)
			return nil, targets.ErrCannotFind
		}
	}
	return found, nil
}

// findAgents looks through all agents: their list is not long.
func (d *Desk) findAgents(ctx context.Context, r *resource, key, value string) ([]targets.Entity, error) {
	if _, err := d.self(ctx); err != nil {
		return nil, err
	}
	var found []targets.Entity
	_, err := d.walk(ctx, r, func(row object) error {
		if strings.EqualFold(row.text(key), value) {
			e := d.entity(r, row, lists{})
			e.Short = !row.has(r.marked)
			found = append(found, e)
		}
		return nil
	})
	return found, err
}

// search asks for what looks like a value, and takes what has it.
func (d *Desk) search(ctx context.Context, r *resource, key, value string) ([]targets.Entity, error) {
	if strings.ContainsAny(value, `'"\[]%`) {
		return nil, targets.ErrCannotFind // what a search that looks for parts makes of these is not known
	}
	if can, err := d.gauge.can(ctx, r, key); err != nil || !can {
		if err == nil {
			err = targets.ErrCannotFind
		}
		return nil, err
	}
	const most = 50
	p, err := d.client.list(ctx, r.path, r.envelope, searching(r, value, most))
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, row := range p.rows {
		if strings.EqualFold(strings.TrimSpace(row.text(key)), value) {
			ids = append(ids, row.id("id"))
		}
	}
	if len(p.rows) >= most || p.total > len(p.rows) || len(ids) > 3 {
		return nil, targets.ErrCannotFind // there may be others behind these
	}
	return d.fetchAll(ctx, r, ids)
}

func searching(r *resource, value string, most int) url.Values {
	q := pages(r.envelope, 1, most, r.every)
	q.Set("search", value)
	return q
}

// measured is what was measured of the search for one key.
type measured struct {
	has    bool
	detail string
	at     time.Time
}

// lasting is how long a measurement is believed; empty how long it is that there was nothing to measure with.
const (
	lasting = 30 * 24 * time.Hour
	empty   = 10 * time.Minute
)

// gauge measures what a search finds when it is needed, and keeps it.
type gauge struct {
	client *client
	now    func() time.Time

	mu    sync.Mutex // held while measuring: all who need it wait for one measurement
	known map[string]measured
}

// can reports whether a search finds what has a key, in whatever case, and whoever is out of use.
func (g *gauge) can(ctx context.Context, r *resource, key string) (bool, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	name := r.path + " by " + key
	if m, ok := g.known[name]; ok {
		life := lasting
		if m.detail == "" {
			life = empty
		}
		if g.now().Sub(m.at) < life {
			return m.has, nil
		}
	}
	m, err := g.measure(ctx, r, key)
	if err != nil {
		return false, err
	}
	g.known[name] = m
	return m.has, nil
}

func (g *gauge) measure(ctx context.Context, r *resource, key string) (measured, error) {
	m := measured{at: g.now()}
	p, err := g.client.list(ctx, r.path, r.envelope, pages(r.envelope, 1, 20, r.every))
	if err != nil {
		return m, err
	}
	for _, row := range p.rows {
		value := strings.TrimSpace(row.text(key))
		if len(value) < 3 || strings.ContainsAny(value, `'"\[]%`) {
			continue
		}
		found, err := g.finds(ctx, r, row.id("id"), value, swapCase(value))
		if err != nil {
			return m, err
		}
		nobody, err := g.client.list(ctx, r.path, r.envelope, searching(r, "nobody"+rand.Text(), 5))
		if err != nil {
			return m, err
		}
		m.has = found == 2 && len(nobody.rows) == 0
		m.detail = "a value that is there: found " + strconv.Itoa(found) + " of 2 times, one that is not: " + strconv.Itoa(len(nobody.rows)) + " found"
		return m, nil
	}
	return m, nil
}

func (g *gauge) finds(ctx context.Context, r *resource, id string, values ...string) (n int, err error) {
	for _, value := range values {
		p, err := g.client.list(ctx, r.path, r.envelope, searching(r, value, 50))
		if fault.ClassOf(err) == fault.Invalid {
			continue
		}
		if err != nil {
			return n, err
		}
		if slices.ContainsFunc(p.rows, func(row object) bool { return row.id("id") == id }) {
			n++
		}
	}
	return n, nil
}

// swapCase returns a text in another case; the same where it has none.
func swapCase(s string) string {
	if upper := strings.ToUpper(s); upper != s {
		return upper
	}
	return strings.ToLower(s)
}

// Probe implements targets.Desk.
func (d *Desk) Probe(ctx context.Context) ([]targets.Ability, error) {
	if _, err := d.self(ctx); err != nil {
		return nil, err
	}
	var out []targets.Ability
	add := func(name string, has bool, detail string) {
		out = append(out, targets.Ability{Name: name, Has: has, Detail: detail})
	}
	for _, k := range d.Describe().Kinds {
		if k.Kind == directory.GroupRecord {
			for _, g := range groupKinds() {
				_, err := d.client.list(ctx, g.path, "", nil)
				if err != nil && fault.ClassOf(err).Retryable() {
					return nil, err
				}
				add("read "+g.path, err == nil, detailOf(err))
			}
			continue
		}
		r := resourceOf(k.Kind)
		first, err := d.client.list(ctx, r.path, r.envelope, pages(r.envelope, 1, 2, r.every))
		if err != nil && fault.ClassOf(err).Retryable() {
			return nil, err
		}
		add("read "+r.path, err == nil, detailOf(err))
		if err != nil || r.envelope == "" {
			continue
		}
		add("count of "+r.path, first.total >= 0, "record_count "+strconv.Itoa(first.total))
		if first.total > 2 {
			second, err := d.client.list(ctx, r.path, r.envelope, pages(r.envelope, 2, 2, r.every))
			if err != nil {
				return nil, err
			}
			other := len(first.rows) == 2 && len(second.rows) > 0 && second.rows[0].id("id") != first.rows[0].id("id")
			add("pages of "+r.path, other, strconv.Itoa(len(first.rows))+" rows asked for 2, then "+strconv.Itoa(len(second.rows)))
		}
		for _, key := range k.Keys {
			if len(key.Usual) == 0 || k.Kind == directory.LicenceRecord {
				continue
			}
			d.gauge.mu.Lock()
			m, err := d.gauge.measure(ctx, r, key.Name)
			if err == nil {
				d.gauge.known[r.path+" by "+key.Name] = m
			}
			d.gauge.mu.Unlock()
			if err != nil {
				return nil, err
			}
			if m.detail == "" {
				m.detail = "could not be measured: there is nothing to measure with"
			}
			add("search "+r.path+" by "+key.Name, m.has, m.detail)
		}
	}
	rows, total, err := d.links(ctx, 1, 2, nil)
	if err != nil && fault.ClassOf(err).Retryable() {
		return nil, err
	}
	add("read ExternalLink", err == nil, strings.TrimSpace(detailOf(err)+" "+strconv.Itoa(len(rows))+" rows of "+strconv.Itoa(total)))
	return out, nil
}

// detailOf is the class of an error: its text may hold personal data.
func detailOf(err error) string {
	if err == nil {
		return ""
	}
	return string(fault.ClassOf(err))
}
