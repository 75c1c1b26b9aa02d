package ldap

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"

	"dirsyncd/connectors"
	"dirsyncd/connectors/ldap/internal/wire"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/directory/dn"
	"dirsyncd/sync/fault"
)

// Controls that make a search go on: change notifications (MS-ADTS 3.1.1.3.4.1.9) and the persistent search of
// draft-ietf-ldapext-psearch, which 389 Directory Server, OpenDJ and others know.
const (
	controlNotification     = "1.2.840.113556.1.4.528"
	controlPersistentSearch = "2.16.840.1.113730.3.4.3"
)

// The ways to watch, in words.
const (
	watchSyncrepl     = "syncrepl refreshAndPersist"
	watchNotification = "change notifications"
	watchPersistent   = "persistent search"
)

// watchMethod is how a server can be watched; empty when it cannot.
func watchMethod(root *rootDSE) string {
	switch {
	case root.activeDirectory() && root.offers(controlNotification):
		return watchNotification
	case root.offers(wire.SyncRequestOID):
		return watchSyncrepl
	case root.offers(controlPersistentSearch):
		return watchPersistent
	default:
		return ""
	}
}

// Watch implements connectors.Watcher. It needs a connection of its own for every naming context, which stays open.
func (c *Connector) Watch(ctx context.Context, t connectors.Tenant, notify func()) error {
	const op = "watch"
	if !c.cfg.Watch {
		return nil
	}
	own, err := c.view(ctx, op, t)
	if err == nil {
		err = own.watch(ctx, op, notify)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

func (c *Connector) watch(ctx context.Context, op string, notify func()) error {
	inner, cancel := context.WithCancel(ctx)
	defer cancel()
	s, err := c.open(inner, op, "", nil)
	if err != nil {
		return err
	}
	scopes, err := c.watchScopes(s, op)
	if err != nil || len(scopes) == 0 {
		s.close()
		return err
	}
	reader := c.boundDN(s)
	all := watches{missing: len(scopes), notify: notify}
	ended := make(chan error, len(scopes))
	var running sync.WaitGroup
	for i, scope := range scopes {
		if i > 0 {
			if s, err = c.connect(inner, op, s.server); err != nil {
				ended <- err
				break
			}
		}
		own := watch{op: op, session: s, scope: scope, all: &all, form: presetFor(c.cfg.Preset, s.root).form, reader: reader}
		running.Go(func() {
			defer own.session.close()
			var err error
			defer func() { ended <- err }()
			defer fault.Recover(op, &err)
			err = own.run()
		})
	}
	err = <-ended
	cancel()
	running.Wait()
	if fault.ClassOf(err) == fault.Transient {
		c.servers.failed(scopes[0].server)
	}
	return err
}

// watchScope is where something is watched.
type watchScope struct {
	base   string
	suffix string // the naming context, where the server names one
	csn    []string
	method string
	server string
}

// watchScopes are the naming contexts that hold what both streams read, each at the lowest point that has all of it below.
func (c *Connector) watchScopes(s *session, op string) ([]watchScope, error) {
	method := watchMethod(&s.root)
	if method == "" {
		return nil, &fault.Error{
			Class: fault.Configuration, Op: op, Where: s.server, Err: errors.New("the server does not tell of changes"),
			Hint: "remove watch (OpenLDAP: or add the overlay syncprov)",
		}
	}
	r := c.newReading(s, op, directory.Person, false)
	groups := c.newReading(s, op, directory.Group, false)
	r.query.lines = slices.Concat(r.query.lines, groups.query.lines)
	areas, ok := r.areas()
	if !ok {
		return nil, &fault.Error{
			Class: fault.Configuration, Op: op, Where: s.server, Err: errors.New("a base lies in no naming context of the server"),
			Hint: "check base, users and groups",
		}
	}
	list := make([]watchScope, 0, len(areas))
	for _, a := range areas {
		p := watchScope{base: a.base, suffix: a.suffix, method: method, server: s.server}
		switch method {
		case watchNotification:
			p.base = a.suffix // nowhere else can a whole subtree be watched
		case watchSyncrepl:
			var why string
			var err error
			if p.csn, why, err = r.contextCSN(a); err != nil {
				return nil, err
			}
			if why != "" && s.root.offers(controlPersistentSearch) {
				// 389 Directory Server has content synchronization as a plug-in, with positions of another kind.
				p.method = watchPersistent
				break
			}
			if why != "" {
				return nil, &fault.Error{
					Class: fault.Forbidden, Op: op, Where: s.server, Err: errors.New(why), Hint: "let the bind user read contextCSN",
				}
			}
		}
		list = append(list, p)
	}
	return list, nil
}

// watches call when all of them are in place, and then for each.
type watches struct {
	notify func()

	mu      sync.Mutex
	missing int
}

func (w *watches) inPlace() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.missing--; w.missing == 0 {
		w.notify()
	}
}

func (w *watches) changed() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.missing <= 0 { // otherwise the call that is still to come is for this, too
		w.notify()
	}
}

// watch is a search that goes on.
type watch struct {
	op      string
	session *session
	scope   watchScope
	all     *watches
	form    dn.Form
	// reader is the entry of the account that reads, in normal form. Some servers note every bind in it (OpenLDAP: lastbind,
	// 389 Directory Server: the account policy plug-in): a read would ask for the next one, without end. Empty: unknown.
	reader string
}

// boundDN is the entry of the account that reads, in normal form, as the server says (RFC 4532) or else as configured; empty
// where neither is a DN.
func (c *Connector) boundDN(s *session) string {
	name := c.cfg.Bind.User
	began := time.Now()
	var who *ldap.WhoAmIResult
	err := s.limit(func() (err error) {
		who, err = s.conn.WhoAmI(nil)
		return err
	})
	s.requested("who am i", began, err)
	if err == nil && who != nil {
		if bound, ok := strings.CutPrefix(who.AuthzID, "dn:"); ok && bound != "" {
			name = bound
		}
	}
	if _, err := dn.Parse(name); err != nil || name == "" {
		return ""
	}
	form := presetFor(c.cfg.Preset, s.root).form
	return string(form.Append(nil, name))
}

// own reports whether a change is one of the reader's own entry.
func (w *watch) own(item wire.Item, e *wire.Entry) bool {
	return item == wire.EntryItem && w.reader != "" && string(w.form.Append(nil, e.DN)) == w.reader
}

// search is the request. Everything below the base is watched: what a read would see of it, the read knows.
func (w *watch) search() wire.Search {
	search := wire.Search{Base: w.scope.base, Scope: ldap.ScopeWholeSubtree, Filter: "(objectClass=*)", Attributes: []string{"1.1"}}
	switch w.scope.method {
	case watchSyncrepl:
		search.Controls = []wire.Control{wire.SyncRequest(wire.RefreshAndPersist, "rid=000,csn="+strings.Join(w.scope.csn, ";"))}
		search.Intermediate = true
	case watchNotification:
		search.Controls = []wire.Control{{OID: controlNotification, Critical: true}}
		if w.session.root.offers(controlShowDeleted) {
			search.Controls = append(search.Controls, wire.Control{OID: controlShowDeleted, Critical: true})
		}
	case watchPersistent:
		search.Controls = []wire.Control{{OID: controlPersistentSearch, Critical: true, Value: persistentSearch()}}
	}
	return search
}

// persistentSearch is SEQUENCE { changeTypes INTEGER, changesOnly BOOLEAN, returnECs BOOLEAN }: all changes, none of what
// is there already, without a word about what kind of change it was.
func persistentSearch() string {
	const everyChange = 1 | 2 | 4 | 8
	seq := ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSequence, nil, "")
	seq.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, everyChange, ""))
	seq.AppendChild(ber.NewBoolean(ber.ClassUniversal, ber.TypePrimitive, ber.TagBoolean, true, ""))
	seq.AppendChild(ber.NewBoolean(ber.ClassUniversal, ber.TypePrimitive, ber.TagBoolean, false, ""))
	return string(seq.Bytes())
}

// run watches until the connection ends, which the end of the context sees to. A server has no reason to say anything
// for days: a dead one is noticed by the keep-alive of TCP.
func (w *watch) run() error {
	began := time.Now()
	conn, err := w.session.take(w.op, 0)
	if err == nil {
		err = conn.Send(w.search())
	}
	w.session.requested("watch", began, err)
	if err != nil {
		return transportError(w.op, w.session.server, err)
	}
	settled := w.scope.method != watchSyncrepl // the other servers do not say when the watch is in place
	if settled {
		w.all.inPlace()
	}
	var entry wire.Entry
	for {
		item, res, err := conn.Next(&entry)
		if err != nil {
			return transportError(w.op, w.session.server, err)
		}
		switch item {
		case wire.DoneItem:
			return w.end(&res)
		case wire.ReferenceItem:
			continue
		case wire.IntermediateItem:
			info, ok, err := res.SyncInfo()
			switch {
			case err != nil:
				return transportError(w.op, w.session.server, err)
			case !ok || info.Info == wire.NewCookie:
				continue
			case !settled:
				if info.Done {
					settled = true
					w.all.inPlace()
				}
				continue
			}
		}
		if settled && !w.own(item, &entry) {
			w.all.changed()
		}
	}
}

// end is the error for a watch that the server ended.
func (w *watch) end(res *wire.Result) error {
	if res.Code == ldap.LDAPResultSuccess || res.Code == ldap.LDAPResultSyncRefreshRequired {
		return &fault.Error{Class: fault.Transient, Op: w.op, Where: w.session.server, Err: errors.New("the server ended the watch")}
	}
	return resultError(w.op, w.session.server, res.Code, res.Text)
}

// checkWatch says how the server will be watched.
func (c *Connector) checkWatch(s *session) connectors.Finding {
	scopes, err := c.watchScopes(s, "check")
	if err != nil {
		return connectors.Failed("watch", err)
	}
	f := connectors.Finding{Subject: "watch", OK: true, Detail: "nothing to watch"}
	if len(scopes) > 0 {
		f.Detail = scopes[0].method
	}
	return f
}
