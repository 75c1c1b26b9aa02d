package ldap

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"

	"dirsyncd/connectors"
	"dirsyncd/connectors/ldap/internal/wire"
	"dirsyncd/sync/fault"
)

// syncrepl is the content synchronization of RFC 4533 in its refreshOnly mode, as OpenLDAP's syncprov overlay
// offers it. Full reads stay ordinary paged searches: the cookie of a later delta is made of the contextCSN that
// the server shows before the search begins.
//
// A server that cannot tell what was deleted since the cookie lists what is still there instead (a present
// phase), or everything again. Neither is used: a full read does the same in pages.
type syncrepl struct{}

var _ method = syncrepl{}

func (syncrepl) name() string { return methodSyncrepl }

// csnPosition is how far one area has been read: a CSN for every server that writes to the database.
type csnPosition struct {
	Suffix string   `json:"suffix"`
	Base   string   `json:"base"`
	CSN    []string `json:"csn"`
}

func encodePosition(position any) []byte {
	data, err := json.Marshal(position)
	if err != nil {
		panic(err) // texts always have a JSON form
	}
	return data
}

// begin implements method.
func (syncrepl) begin(r *reading) (func() []byte, string, error) {
	switch {
	case !slices.Contains(r.session.root.controls, wire.SyncRequestOID):
		return nil, "the server does not offer it (OpenLDAP: overlay syncprov)", nil
	case !strings.EqualFold(r.tr.anchorName, "entryUUID"):
		return nil, "deletions are named by entryUUID, and the anchor is " + r.tr.anchorName, nil
	}
	areas, ok := r.areas()
	if !ok {
		return nil, "a base lies in no naming context of the server", nil
	}
	positions := make([]csnPosition, 0, len(areas))
	for _, a := range areas {
		csn, why, err := r.contextCSN(a)
		if err != nil || why != "" {
			return nil, why, err
		}
		positions = append(positions, csnPosition{Suffix: a.suffix, Base: a.base, CSN: csn})
	}
	for i, a := range areas {
		if why, err := r.covered(a, positions[i].CSN); err != nil || why != "" {
			return nil, why, err
		}
	}
	return func() []byte { return encodePosition(positions) }, "", nil
}

// contextCSN is how far a database has come: a CSN for every server that writes to it, sorted. When the server does not
// show it, why says so.
type contextCSN struct {
	csn []string
	why string
}

// contextCSN reads how far the database of an area has come, once for a session.
func (r *reading) contextCSN(a area) (csn []string, why string, err error) {
	known, ok := r.session.csn[a.suffix]
	if !ok {
		if known.csn, known.why, err = r.readContextCSN(a); err != nil {
			return nil, "", err
		}
		if r.session.csn == nil {
			r.session.csn = make(map[string]contextCSN)
		}
		r.session.csn[a.suffix] = known
	}
	return known.csn, known.why, nil
}

func (r *reading) readContextCSN(a area) (csn []string, why string, err error) {
	began := time.Now()
	defer func() { r.session.roundTrip = time.Since(began) }()
	entries, err := r.session.search(r.op+": read contextCSN", ldap.NewSearchRequest(a.suffix, ldap.ScopeBaseObject,
		ldap.NeverDerefAliases, 0, 0, false, "(objectClass=*)", []string{"contextCSN"}, nil))
	// Whatever a server or a proxy answers, but that it is busy, it shows none here. Where it did before, that counts.
	var refused *serverResult
	if err != nil && (!errors.As(err, &refused) || refused.code == ldap.LDAPResultBusy || refused.code == ldap.LDAPResultUnavailable) {
		return nil, "", err
	}
	for _, e := range entries {
		csn = append(csn, e.GetEqualFoldAttributeValues("contextCSN")...)
	}
	slices.Sort(csn)
	for _, c := range csn {
		if _, ok := serverOf(c); !ok {
			return nil, "the contextCSN of " + a.suffix + " has an unknown form", nil
		}
	}
	if len(csn) == 0 {
		return nil, "the bind user sees no contextCSN at " + a.suffix, nil
	}
	return csn, "", nil
}

// serverOf returns the id of the server that made a CSN: TIME#COUNT#SERVER#MOD.
func serverOf(csn string) (sid string, ok bool) {
	parts := strings.Split(csn, "#")
	if len(parts) != 4 || len(parts[0]) < len("20060102150405Z") || strings.ContainsAny(csn, ",; ") {
		return "", false
	}
	return parts[2], true
}

// behind reports whether a server has, for some writer, seen less than the position has.
func behind(server, position []string) bool {
	for _, seen := range position {
		sid, _ := serverOf(seen)
		if !slices.ContainsFunc(server, func(c string) bool {
			own, _ := serverOf(c)
			return own == sid && c >= seen
		}) {
			return true
		}
	}
	return false
}

// changes implements method.
func (m syncrepl) changes(ctx context.Context, r *reading, data []byte, emit func(*connectors.Page) error) error {
	var positions []csnPosition
	if err := json.Unmarshal(data, &positions); err != nil {
		return r.expired("the mark cannot be read")
	}
	areas, moved, err := r.comparePositions(positions)
	if err != nil {
		return err
	}
	if len(moved) == 0 {
		for i, a := range areas {
			if i > 0 && areas[i-1].suffix == a.suffix {
				continue
			}
			if why, err := r.newerWhileIdle(a, positions[i].CSN); err != nil {
				return err
			} else if why != "" {
				return r.expired("%s, of which contextCSN says nothing", why)
			}
		}
		return emit(r.last(m, data))
	}
	conn, err := r.session.stream(r.op)
	if err != nil {
		return err
	}
	d := r.newDelta(conn, emit)
	defer d.ranges.close()
	d.hold = true
	if slices.ContainsFunc(areas, func(a area) bool { return len(a.sets) > 1 }) {
		d.doubtful, d.taken = make(map[string]bool), make(map[string]bool)
	}
	containers := make(map[int][]string)
	for _, i := range moved {
		if containers[i], err = d.readArea(ctx, &areas[i], &positions[i]); err != nil {
			return err
		}
	}
	if err := d.release(); err != nil {
		return err
	}
	for _, i := range moved {
		for _, dn := range containers[i] {
			for j := range areas[i].sets {
				if err := d.relist(ctx, &areas[i].sets[j], dn); err != nil {
					return err
				}
			}
		}
	}
	if err := d.settleDoubts(ctx); err != nil {
		return err
	}
	if err := d.flush(); err != nil {
		return err
	}
	r.known.merge(positions)
	return emit(r.last(m, encodePosition(positions)))
}

// comparePositions finds the areas in which something was written since the positions were made.
func (r *reading) comparePositions(positions []csnPosition) (areas []area, moved []int, err error) {
	areas, ok := r.areas()
	if !ok || len(areas) != len(positions) {
		return nil, nil, r.expired("the server has other naming contexts than before")
	}
	for i, a := range areas {
		if a.suffix != positions[i].Suffix || a.base != positions[i].Base {
			return nil, nil, r.expired("the server has other naming contexts than before")
		}
		csn, why, err := r.contextCSN(a)
		switch {
		case err != nil:
			return nil, nil, err
		case why != "":
			return nil, nil, r.expired("%s", why)
		case behind(csn, positions[i].CSN):
			return nil, nil, behindError(r.op, r.session.server, csnLag(csn, positions[i].CSN))
		case !slices.Equal(csn, positions[i].CSN):
			moved = append(moved, i)
		}
	}
	return areas, moved, nil
}

// readArea reads what changed in an area and moves its position. It returns the DNs of the changed containers.
//
// The containers come first and decide the new position: one that is changed between the two searches is then seen
// by the next delta. What the second search saw beyond the position is seen twice.
func (d *delta) readArea(ctx context.Context, a *area, position *csnPosition) (containers []string, err error) {
	cookie := "rid=000,csn=" + strings.Join(position.CSN, ";")
	var next string
	for _, base := range []string{a.suffix, a.base} {
		containers, next, err = d.changedContainers(ctx, a, base, cookie)
		if !hidden(err) {
			break
		}
		// The bind user may see less than the whole database.
	}
	if err != nil {
		return nil, err
	}
	for i := range a.sets {
		set := &a.sets[i]
		search := wire.Search{Base: set.base, Scope: set.searchScope(), Filter: set.filter, Attributes: d.tr.row.names}
		err = d.sync(ctx, search, cookie, nil, func(s wire.SyncState) error {
			id, _ := uuidText(s.UUID)
			if s.State == wire.Deleted || !set.holds(d.entry.DN) {
				return d.remove(id)
			}
			return d.take(ctx, id)
		})
		if err != nil {
			return nil, err
		}
	}
	if next != "" {
		csn, ok := cookieCSN(next)
		if !ok || behind(csn, position.CSN) {
			return nil, d.expired("the server's cookie has an unknown form")
		}
		position.CSN = csn
	}
	return containers, nil
}

// doubts is how many entries are looked for in one search.
const doubts = 50

// settleDoubts removes what one line no longer finds, unless another one does. Lines with different filters are
// answered at different moments, so that only a look at all of them afterwards tells.
func (d *delta) settleDoubts(ctx context.Context) error {
	if d.doubtful == nil {
		return nil
	}
	var ids []string
	for id := range d.doubtful {
		if !d.taken[id] {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	d.doubtful = nil
	for chunk := range slices.Chunk(ids, doubts) {
		found, err := d.findAny(ctx, chunk)
		if err != nil {
			return err
		}
		for _, id := range chunk {
			if !found[id] {
				if err := d.remove(id); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// findAny looks for entries by their entryUUID among what the lines find.
func (d *delta) findAny(ctx context.Context, ids []string) (found map[string]bool, err error) {
	found = make(map[string]bool)
	filter := "(|(entryUUID=" + strings.Join(ids, ")(entryUUID=") + "))"
	for _, l := range d.query.lines {
		err := d.pages(ctx, wire.Search{
			Base: l.base, Scope: l.scope, Filter: "(&" + l.filter + filter + ")", Attributes: d.tr.row.names,
		}, func() error {
			d.tr.row.load(&d.entry)
			if id, ok := d.tr.id(); ok {
				found[id] = true
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

// changedContainers finds the changed entries that have others below them, anywhere below base. Of those that lie
// within another only the outer one is returned.
func (d *delta) changedContainers(ctx context.Context, a *area, base, cookie string) (list []string, next string, err error) {
	var normal []string
	search := wire.Search{Base: base, Scope: ldap.ScopeWholeSubtree, Filter: "(hasSubordinates=TRUE)", Attributes: []string{"1.1"}}
	top := string(a.form.Append(nil, a.suffix))
	err = d.sync(ctx, search, cookie, &next, func(s wire.SyncState) error {
		dn := string(a.form.Append(nil, d.entry.DN))
		// A naming context is not renamed.
		if s.State != wire.Deleted && dn != top {
			list, normal = append(list, d.entry.DN), append(normal, dn)
		}
		return nil
	})
	if err != nil {
		return nil, "", err
	}
	return outermost(list, normal), next, nil
}

// cookieCSN takes the CSNs out of a cookie of OpenLDAP: rid=001,sid=002,csn=CSN;CSN.
func cookieCSN(cookie string) ([]string, bool) {
	_, list, ok := strings.Cut(cookie, "csn=")
	if !ok {
		return nil, false
	}
	csn := strings.Split(list, ";")
	for _, c := range csn {
		if _, ok := serverOf(c); !ok {
			return nil, false
		}
	}
	slices.Sort(csn)
	return csn, true
}

// sync asks for the changes since a cookie and calls take for everything that was changed or deleted, in order. What
// was changed is in d.entry. The last cookie of the answer goes to next; none means that nothing changed.
func (d *delta) sync(ctx context.Context, search wire.Search, cookie string, next *string, take func(wire.SyncState) error) error {
	search.Controls = []wire.Control{wire.SyncRequest(wire.RefreshOnly, cookie)}
	search.Intermediate = true
	began := time.Now()
	err := d.conn.Send(search)
	if err != nil {
		err = operationError(d.op, d.session.server, err)
	} else {
		err = d.syncAnswer(next, take)
	}
	d.session.requested("sync", began, err)
	if err == nil {
		err = ctx.Err()
	}
	return err
}

func (d *delta) syncAnswer(next *string, take func(wire.SyncState) error) error {
	for {
		item, res, err := d.conn.Next(&d.entry)
		if err != nil {
			return transportError(d.op, d.session.server, err)
		}
		switch item {
		case wire.DoneItem:
			return d.syncEnd(&res, next)
		case wire.ReferenceItem:
			// Who was there may be named as deleted, and is another server's from now on.
			return d.expired("the server refers to another server for a part that changed")
		case wire.IntermediateItem:
			err = d.syncInfo(&res, next, take)
		case wire.EntryItem:
			err = d.syncEntry(next, take)
		}
		if err != nil {
			return err
		}
	}
}

// errPresent says why a present phase ends the method.
const errPresent = "the server cannot name what was deleted since (OpenLDAP: syncprov-sessionlog is too small, unset or was lost in a restart)"

func (d *delta) syncEntry(next *string, take func(wire.SyncState) error) error {
	s, ok, err := d.entry.SyncState()
	switch {
	case err != nil:
		return transportError(d.op, d.session.server, err)
	case !ok:
		return d.expired("the server sent an entry without its sync state")
	case s.State == wire.Present:
		return d.expired(errPresent)
	}
	keep(next, s.Cookie)
	return take(s)
}

func (d *delta) syncInfo(res *wire.Result, next *string, take func(wire.SyncState) error) error {
	info, ok, err := res.SyncInfo()
	switch {
	case err != nil:
		return transportError(d.op, d.session.server, err)
	case !ok:
		return nil // of another extension
	case info.Info == wire.RefreshPresent, info.Info == wire.IDSet && !info.Deletes:
		return d.expired(errPresent)
	}
	keep(next, info.Cookie)
	for _, uuid := range info.UUIDs {
		if err := take(wire.SyncState{State: wire.Deleted, UUID: uuid}); err != nil {
			return err
		}
	}
	return nil
}

// syncEnd decides whether the answer was complete.
func (d *delta) syncEnd(res *wire.Result, next *string) error {
	switch res.Code {
	case ldap.LDAPResultSuccess:
	case ldap.LDAPResultSyncRefreshRequired, ldap.LDAPResultUnwillingToPerform, ldap.LDAPResultProtocolError,
		ldap.LDAPResultUnavailableCriticalExtension:
		return d.expired("the server does not take the cookie: result %d %s", res.Code, res.Text)
	case ldap.LDAPResultTimeLimitExceeded, ldap.LDAPResultSizeLimitExceeded, ldap.LDAPResultAdminLimitExceeded:
		return d.expired("the changes do not fit the server's limits: result %d %s", res.Code, res.Text)
	default:
		return resultError(d.op, d.session.server, res.Code, res.Text)
	}
	done, ok, err := res.SyncDone()
	switch {
	case err != nil:
		return transportError(d.op, d.session.server, err)
	case !ok:
		return &fault.Error{
			Class: fault.Transient, Op: d.op, Where: d.session.server,
			Err: errors.New("the server ended the changes without saying that they are complete"),
		}
	case !done.RefreshDeletes:
		return d.expired(errPresent)
	}
	keep(next, done.Cookie)
	return nil
}

// keep remembers a cookie: any message can carry one, and the last one holds.
func keep(next *string, cookie string) {
	if next != nil && cookie != "" {
		*next = cookie
	}
}
