package engine

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/store"
	"dirsyncd/store/bolt"
	"dirsyncd/store/storetest"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/mapping"
	"dirsyncd/sync/plan"
)

// world is a small directory that a test changes, and the source that reads it: people with a log-in handle,
// groups with members by handle, in pages of two. Every misbehaviour is a field.
type world struct {
	people map[string]person
	groups map[string][]string // id (and name) to members: "p:ID" or "g:ID"
	// What a wide world has besides: licences and customers by id and name, devices by id and owner's handle.
	wide      bool
	licences  map[string]string
	customers map[string]string
	devices   map[string]string
	// sites are sites by id and the customer's, as are devices and licences besides by what they belong to.
	sites    map[string]string
	belongTo map[string][]directory.Link

	scope string
	count int // of the proof; -1: cannot tell
	// says is what the proofs of a stream say is read; off are streams that the configuration has switched off.
	says map[string][]string
	off  map[string]bool
	// doubts are why the lists of a stream prove nothing.
	doubts map[string]string

	unlisted  []connectors.Part
	parts     bool            // members come one by one instead of whole
	resumable bool            // pages can be resumed from
	sometimes bool            // every third page only
	failAfter int             // pages, then fail with err; 0: never
	err       error           // of failAfter
	noProof   bool            // the last page lacks its proof
	hide      map[string]bool // streams that list nothing
	invalid   []connectors.Invalid
	delta     func(emit func(*connectors.Page) error) error // users stream in delta mode
	// groupDelta is that of the groups stream.
	groupDelta func(emit func(*connectors.Page) error) error
	reads      int
	mendAfter  int // reads, after which failAfter no longer counts; 0: never

	definite      bool                                 // who is not found one by one is gone
	peopleCounted bool                                 // but their people are counted
	countedMore   map[string]int                       // how many more members the source counts of groups than it lists
	mayBeShort    bool                                 // lists of devices and of members can be short without saying so
	lookIn        func(group string) ([]string, error) // the members of a group by another way
	moreListed    int                                  // how many more people the source counts than it lists
	mayLack       *connectors.MayLack                  // of people and licences
	used          map[string]int64                     // of licences
	skip          map[string]bool                      // devices, and members by handle, that are there and are not listed
	unreadable    map[string]bool                      // groups that are there and cannot be read
	blind         error                                // devices cannot be asked for one by one, but for this
	looks         []string                             // the devices that were asked for
	domains       []string                             // of the tenant, told with its people
	cursor        string                               // that full reads of streams with delta end with; empty: delta
	basis         string                               // of digests of entries; empty: there are none
	translated    []string                             // the ids of those that a full read had to translate
	before, after []directory.Object                   // entries that come before and after all others, too
}

type person struct {
	name, department, manager string
	handle                    string // other than "p:ID"
	disabled                  bool
	holds                     []string // licences
	in                        []string // groups, by the person's own word
	mail                      string
}

func newWorld() *world {
	return &world{
		people: map[string]person{}, groups: map[string][]string{}, licences: map[string]string{}, customers: map[string]string{},
		devices: map[string]string{}, sites: map[string]string{}, belongTo: map[string][]directory.Link{}, scope: "all", count: -1, hide: map[string]bool{},
		says: map[string][]string{}, off: map[string]bool{}, doubts: map[string]string{},
	}
}

func (w *world) Describe() connectors.Description {
	d := connectors.Description{Streams: []connectors.Stream{
		{Name: "users", Kinds: []directory.Kind{directory.Person}, Delta: w.delta != nil, Tombstones: w.delta != nil, Resumable: w.resumable, Counted: w.count >= 0},
		{Name: "groups", Kinds: []directory.Kind{directory.Group}, Members: true, Delta: w.groupDelta != nil, Tombstones: w.groupDelta != nil},
	}}

	if w.wide {
		d.Streams = append(d.Streams, connectors.Stream{Name: "licences", Kinds: []directory.Kind{directory.Licence}},
			connectors.Stream{Name: "devices", Kinds: []directory.Kind{directory.Device}},
			connectors.Stream{Name: "customers", Kinds: []directory.Kind{directory.Customer}},
			connectors.Stream{Name: "sites", Kinds: []directory.Kind{directory.Site}})
	}
	d.Streams = slices.DeleteFunc(d.Streams, func(s connectors.Stream) bool { return w.off[s.Name] })
	return d
}

func (w *world) Check(context.Context) ([]connectors.Finding, error) { return nil, nil }
func (w *world) Tenants(context.Context) ([]connectors.Tenant, error) {
	return []connectors.Tenant{{}}, nil
}
func (w *world) Close() error { return nil }

func (w *world) Read(ctx context.Context, req connectors.Request, emit func(*connectors.Page) error) error {
	w.reads++
	switch {
	case req.Mode == connectors.Delta && req.Stream == "groups":
		return w.groupDelta(emit)
	case req.Mode == connectors.Delta:
		return w.delta(emit)
	}
	pages := w.pages(req.Stream)
	if req.Stream == "users" && len(w.before)+len(w.after) > 0 {
		pages = slices.Concat([]*connectors.Page{{Objects: w.before}}, pages[:len(pages)-1], []*connectors.Page{{Objects: w.after}, {}})
	}
	known, err := w.known(ctx, &req)
	if err != nil {
		return err
	}
	first := 0
	if len(req.Cursor) > 0 {
		_, _ = fmt.Sscanf(string(req.Cursor), "page %d", &first)
		first = min(first, len(pages)-1) // the listing may be shorter by now
	}
	for i := first; i < len(pages); i++ {
		if w.mendAfter > 0 && w.reads >= w.mendAfter {
			w.failAfter = 0
		}
		if w.failAfter > 0 && i == w.failAfter && req.Stream == "users" {
			return w.err
		}
		p := pages[i]
		if i == len(pages)-1 {
			if w.noProof {
				return nil
			}
			p.Proof, p.Unlisted = &connectors.Proof{Scope: w.scope, Count: w.count, Reads: w.says[req.Stream]}, w.unlisted
			p.Proof.Doubt = w.doubts[req.Stream]
			if req.Stream == "users" {
				p.Domains = w.domains
			}
			p.Proof.MayBeShort = w.mayBeShort && req.Stream != "users"
			if req.Stream == "users" && w.moreListed > 0 {
				p.Proof.MayBeShort, p.Proof.CountedMore, p.Look, p.Definite = true, w.moreListed, w.lookPeople, w.definite
			}
			if req.Stream == "groups" && w.lookIn != nil {
				p.LookMembers = func(_ context.Context, group string) ([]string, error) {
					w.looks = append(w.looks, "in "+group)
					return w.lookIn(group)
				}
			}
			if req.Stream == "devices" && w.mayBeShort {
				p.Look, p.Definite = w.look, w.definite
			}
			if w.delta != nil || w.groupDelta != nil && req.Stream == "groups" {
				p.Cursor = []byte(cmp.Or(w.cursor, "delta"))
			}
		} else if w.resumable && (!w.sometimes || i%3 == 2) {
			p.Cursor, p.Resumable = fmt.Appendf(nil, "page %d", i+1), true
		}
		w.recognise(p, known)
		if err := emit(p); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// known is the request's Same, in worlds with digests of what does not depend on other reads.
func (w *world) known(ctx context.Context, req *connectors.Request) (func(connectors.Digest) bool, error) {
	if w.basis == "" || w.parts || w.mayBeShort {
		return nil, nil
	}
	return req.Same(ctx, w.basis)
}

// recognise leaves those entries of a page untranslated that are known.
func (w *world) recognise(p *connectors.Page, known func(connectors.Digest) bool) {
	if known == nil || p.MayLack != nil {
		for i := range p.Objects {
			w.translated = append(w.translated, p.Objects[i].ID)
		}
		return
	}
	objects, members := p.Objects, p.Members
	p.Objects, p.Members = nil, nil
	for i := range objects {
		entry := directory.AppendObject(nil, &objects[i])
		if len(members) > 0 {
			entry = fmt.Append(entry, members[i].Add)
		}
		sum := sha256.Sum256(entry)
		digest := connectors.Digest(sum[:])
		if known(digest) {
			p.Same = append(p.Same, digest)
			continue
		}
		p.Objects, p.Digests = append(p.Objects, objects[i]), append(p.Digests, digest)
		if len(members) > 0 {
			p.Members = append(p.Members, members[i])
		}
		w.translated = append(w.translated, objects[i].ID)
	}
}

func (w *world) pages(stream string) []*connectors.Page {
	var pages []*connectors.Page
	switch {
	case w.hide[stream]:
	case stream == "users":
		for ids := range slices.Chunk(slices.Sorted(maps.Keys(w.people)), 2) {
			p := &connectors.Page{MayLack: w.mayLack}
			for _, id := range ids {
				if !w.skip["person "+id] {
					p.Objects = append(p.Objects, w.object(id))
				}
			}
			pages = append(pages, p)
		}
		pages = append(pages, &connectors.Page{Invalid: w.invalid})
	case stream == "groups":
		for _, id := range slices.Sorted(maps.Keys(w.groups)) {
			if w.skip["group "+id] {
				continue
			}
			if w.unreadable[id] {
				bad := &fault.Error{Class: fault.Forbidden, Op: "list members", Where: "group " + id, Err: errors.New("403")}
				pages = append(pages, &connectors.Page{Invalid: []connectors.Invalid{{Kind: directory.Group, ID: id, Where: id, Err: bad}}})
				continue
			}
			pages = append(pages, w.groupPages(id)...)
		}
	case stream == "licences":
		pages = w.things(w.licences, directory.Licence, "l:")
		for _, p := range pages {
			p.MayLack = w.mayLack
			for i := range p.Objects {
				if n, ok := w.used[p.Objects[i].ID]; ok {
					p.Objects[i].Set(directory.FieldUsed, directory.Number(n))
				}
			}
		}
	case stream == "customers":
		pages = w.things(w.customers, directory.Customer, "c:")
	case stream == "sites":
		pages = w.things(w.sites, directory.Site, "s:")
	case stream == "devices":
		listed := maps.Clone(w.devices)
		maps.DeleteFunc(listed, func(id, _ string) bool { return w.skip[id] })
		pages = w.things(listed, directory.Device, "d:")
	}
	return append(pages, &connectors.Page{})
}

// look is the last page's Look for devices.
func (w *world) look(_ context.Context, ids []string) (there []string, err error) {
	w.looks = append(w.looks, ids...)
	for _, id := range ids {
		if _, ok := w.devices[id]; ok {
			there = append(there, id)
		}
	}
	return there, w.blind
}

func (w *world) lookPeople(_ context.Context, ids []string) (there []string, err error) {
	w.looks = append(w.looks, ids...)
	for _, id := range ids {
		if _, ok := w.people[id]; ok {
			there = append(there, id)
		}
	}
	return there, w.blind
}

func (w *world) object(id string) directory.Object {
	p := w.people[id]
	o := directory.Object{Kind: directory.Person, ID: id, Handles: []string{"p:" + id}}
	if p.handle != "" {
		o.Handles = []string{p.handle}
	}
	o.SetText(directory.FieldName, p.name)
	o.SetText(directory.FieldDepartment, p.department)
	o.SetText(directory.FieldEmail, p.mail)
	o.Set(directory.FieldEnabled, directory.Bool(!p.disabled))
	if p.manager != "" {
		o.Links = []directory.Link{{Type: directory.Manager, To: p.manager}}
	}
	for _, g := range p.in {
		o.Links = append(o.Links, directory.Link{Type: directory.MemberOf, To: "g:" + g})
	}
	for _, l := range p.holds {
		o.Links = append(o.Links, directory.Link{Type: directory.Holds, To: "l:" + l})
	}
	o.Links = append(o.Links, w.belongTo[id]...)
	return o
}

// things lists simple objects: the text is a device's owner, a site's customer, and the name of all others.
func (w *world) things(all map[string]string, kind directory.Kind, prefix string) (pages []*connectors.Page) {
	for _, id := range slices.Sorted(maps.Keys(all)) {
		o := directory.Object{Kind: kind, ID: id, Handles: []string{prefix + id}}
		switch kind {
		case directory.Device:
			o.SetText(directory.FieldName, id)
			o.Links = []directory.Link{{Type: directory.Owner, To: all[id]}}
		case directory.Site:
			o.SetText(directory.FieldName, id)
			o.Links = []directory.Link{{Type: directory.OfCustomer, To: "c:" + all[id]}}
		default:
			o.SetText(directory.FieldName, all[id])
		}
		o.Links = append(o.Links, w.belongTo[id]...)
		pages = append(pages, &connectors.Page{Objects: []directory.Object{o}})
	}
	return pages
}

func (w *world) groupPages(id string) []*connectors.Page {
	o := directory.Object{Kind: directory.Group, ID: id, Handles: []string{"g:" + id}, Links: slices.Clone(w.belongTo[id])}
	o.SetText(directory.FieldName, id)
	if !w.parts {
		add := slices.DeleteFunc(slices.Clone(w.groups[id]), func(h string) bool { return w.skip[h] })
		return []*connectors.Page{{Objects: []directory.Object{o}, Members: []connectors.Members{{Group: id, Add: add, Whole: true, MayBeShort: w.mayBeShort, PeopleCounted: w.peopleCounted, CountedMore: w.countedMore[id]}}}}
	}
	pages := []*connectors.Page{{Objects: []directory.Object{o}}}
	for _, m := range w.groups[id] {
		pages = append(pages, &connectors.Page{Members: []connectors.Members{{Group: id, Add: []string{m}}}})
	}
	return pages
}

// rig is an engine on a real store, a world, and what a target would have been told.
type rig struct {
	*testing.T
	*world
	store   store.Store
	engine  *Engine
	conn    *Connection
	journal []directory.Action // delivered by drain
	job     Job
	spec    mapping.Spec
	name    string // of the connection; empty: hq
}

const target = "journal"

func newRig(t *testing.T, rules ...mapping.RuleSpec) *rig {
	t.Helper()
	r := &rig{T: t, world: newWorld()}
	r.store = storetest.Strict(t, openState(t))
	r.engine = New(r.store, Options{Log: slog.New(slog.DiscardHandler), Now: time.Now, Program: func() string { return "test" }})
	r.engine.chunk = 2
	r.conn = &Connection{Name: "hq", Connector: "world", Source: r.world, Guard: plan.DefaultGuard(), Lists: plan.DefaultLists(), Targets: []string{target}}
	if len(rules) == 0 {
		rules = []mapping.RuleSpec{user("everyone", "enabled")}
	}
	r.rules(rules...)
	return r
}

// onDatabase are the states of tests that run on a database (TestOnPostgreSQL).
var onDatabase = newStates()

// openState returns an empty store.
func openState(t *testing.T) store.Store {
	t.Helper()
	if os.Getenv(stateURL) != "" {
		return onDatabase.take(t)
	}
	st, err := bolt.Open(filepath.Join(t.TempDir(), "state.db"), bolt.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Verify(context.WithoutCancel(t.Context())); err != nil { // a test's own context has ended by now
			t.Error(err)
		}
		_ = st.Close()
	})
	return st
}

func (r *rig) rules(rules ...mapping.RuleSpec) {
	r.Helper()
	r.mapping(mapping.Spec{Name: "m", Rules: rules})
}

func (r *rig) mapping(spec mapping.Spec) {
	r.Helper()
	if spec.Fields == nil {
		spec.Fields = map[directory.RecordKind][]mapping.FieldSpec{
			directory.UserRecord:    {field("name", "= name"), field("team", "= department")},
			directory.AgentRecord:   {field("name", "= name")},
			directory.GroupRecord:   {field("name", "= name")},
			directory.LicenceRecord: {field("name", "= name")}, directory.CustomerRecord: {field("name", "= name")},
			directory.AssetRecord: {field("owner", "= owner.name")}, directory.SiteRecord: {field("customer", "= customer.name")},
		}
	}
	for kind := range spec.Fields {
		if len(spec.Of(mapping.ObjectOf(kind))) == 0 {
			delete(spec.Fields, kind)
		}
	}
	rs, problems := mapping.Compile(spec)
	if len(problems) > 0 {
		r.Fatalf("rules: %+v", problems)
	}
	r.conn.Rules, r.spec = rs, spec
}

func field(name string, value any) mapping.FieldSpec {
	return mapping.FieldSpec{Name: name, Value: mapping.ValueSpec{Value: value}, On: mapping.OnAlways, Blank: mapping.KeepBlank}
}

func user(name, when string) mapping.RuleSpec  { return rule(name, when, directory.UserRecord) }
func agent(name, when string) mapping.RuleSpec { return rule(name, when, directory.AgentRecord) }
func rule(name, when string, kind directory.RecordKind) mapping.RuleSpec {
	return mapping.RuleSpec{Name: name, When: mapping.TextSpec{Text: when}, Records: map[directory.RecordKind][]mapping.FieldSpec{kind: {}}}
}

func (r *rig) add(id, name string) { r.people[id] = person{name: name} }

// sync runs once and returns what was newly queued, in words, and the run.
func (r *rig) sync() (string, Result) {
	r.Helper()
	res := r.engine.Run(r.Context(), r.conn, connectors.Tenant{}, r.job)
	r.job = Job{}
	return r.drain(), res
}

// expect runs once and compares outcome and actions.
func (r *rig) expect(what, outcome string, want ...string) Result {
	r.Helper()
	got, res := r.sync()
	if res.Run.Outcome != outcome {
		r.Errorf("%s: outcome %s, want %s: %v %v", what, res.Run.Outcome, outcome, res.Err, res.Run.Notes)
	}
	if w := strings.Join(want, "; "); got != w {
		r.Errorf("%s:\n got %s\nwant %s", what, got, w)
	}
	if n := r.marks(); outcome == Clean && n > 0 {
		r.Errorf("%s: %d dirty marks are left", what, n)
	}
	return res
}

// marks counts the dirty marks.
func (r *rig) marks() (n int) {
	r.Helper()
	err := r.store.View(r.Context(), r.part(), func(tx store.Reader) error {
		for _, kind := range directory.Kinds() {
			if err := tx.Dirty(kind, 0, func(store.Num, store.DirtyReason) bool { n++; return true }); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		r.Fatal(err)
	}
	return n
}

// drain takes everything out of the outbox.
func (r *rig) drain() string {
	r.Helper()
	var words []string
	var actions []directory.Action
	err := r.store.Update(r.Context(), r.part(), func(tx store.Writer) error {
		var seqs []uint64
		words, actions = nil, nil
		err := tx.Outbox(target, 0, func(q store.Queued) bool {
			a, err := directory.ParseAction(q.Data)
			if err != nil {
				r.Fatal(err)
			}
			actions = append(actions, a)
			words = append(words, say(&a))
			seqs = append(seqs, q.Seq)
			return true
		})
		if err != nil {
			return err
		}
		return tx.Dequeue(target, seqs)
	})
	if err != nil {
		r.Fatal(err)
	}
	r.journal = append(r.journal, actions...)
	return strings.Join(words, "; ")
}

func (r *rig) part() store.Partition { return store.Partition{Connection: cmp.Or(r.name, "hq")} }

func (r *rig) state() (s store.TenantState) {
	r.Helper()
	if err := r.store.View(r.Context(), r.part(), func(tx store.Reader) (err error) { s, err = tx.Tenant(); return err }); err != nil {
		r.Fatal(err)
	}
	return s
}

// say puts an action in words: "update user 1 name:a>b".
func say(a *directory.Action) string {
	text := fmt.Sprintf("%s %s %s", a.Op, a.Kind, a.Origin.ID)
	for _, c := range a.Changes {
		text += fmt.Sprintf(" %s:%v>%v", c.Name, c.From, c.To)
	}
	for _, s := range a.Sets {
		text += fmt.Sprintf(" +%s -%s", strings.Join(s.Added, ","), strings.Join(s.Removed, ","))
	}
	return text
}

func (c *countingStore) Update(ctx context.Context, p store.Partition, fn func(store.Writer) error) error {
	*c.n++
	return c.Store.Update(ctx, p, fn)
}
