package ldap

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"

	"dirsyncd/connectors"
	"dirsyncd/connectors/ldap/internal/wire"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

const (
	csnBefore = "20240131120000.000000Z#000000#001#000000"
	csnAfter  = "20240131130000.000000Z#000000#001#000000"
	syncOID   = "1.3.6.1.4.1.4203.1.9.1."
)

// fakeSync is an OpenLDAP server whose synchronization answers are written by the test.
func fakeSync() *fakeDirectory {
	return &fakeDirectory{
		root: map[string][]string{
			"supportedControl": {ldap.ControlTypePaging, wire.SyncRequestOID}, "namingContexts": {"dc=example,dc=test"},
		},
		entries: []fakeEntry{{"dc=example,dc=test", "domain", map[string][]string{"objectGUID": {""}, "contextCSN": {csnBefore}}}},
	}
}

// control makes a control of an answer.
func control(oid string, value *ber.Packet) *ber.Packet {
	c := ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSequence, nil, "")
	c.AppendChild(octets(oid))
	c.AppendChild(octets(string(value.Bytes())))
	controls := ber.Encode(ber.ClassContext, ber.TypeConstructed, 0, nil, "")
	controls.AppendChild(c)
	return controls
}

func sequence(parts ...*ber.Packet) *ber.Packet {
	seq := ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSequence, nil, "")
	for _, p := range parts {
		if p != nil {
			seq.AppendChild(p)
		}
	}
	return seq
}

func truthOf(b bool) *ber.Packet {
	return ber.NewBoolean(ber.ClassUniversal, ber.TypePrimitive, ber.TagBoolean, b, "")
}

func uuidOf(i int) string { return fmt.Sprintf("0123456789abcde%c", 'a'+i) }

// changed sends a person with a sync state.
func (r *fakeRequest) changed(i int, state wire.State) {
	list := ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSequence, nil, "")
	id, _ := uuidText(uuidOf(i))
	if state != wire.Deleted && state != wire.Present {
		list.AppendChild(attribute("entryUUID", []string{id}))
		list.AppendChild(attribute("cn", []string{fmt.Sprint("Person ", i)}))
	}
	op := ber.Encode(ber.ClassApplication, ber.TypeConstructed, ldap.ApplicationSearchResultEntry, nil, "")
	op.AppendChild(octets(fmt.Sprintf("uid=p%d,dc=example,dc=test", i)))
	op.AppendChild(list)
	mode := ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagEnumerated, int64(state), "")
	write(r.conn, r.id, op, control(syncOID+"2", sequence(mode, octets(uuidOf(i)))))
}

// info sends a sync info message.
func (r *fakeRequest) info(tag ber.Tag, parts ...*ber.Packet) {
	value := ber.Encode(ber.ClassContext, ber.TypeConstructed, tag, nil, "")
	for _, p := range parts {
		value.AppendChild(p)
	}
	op := ber.Encode(ber.ClassApplication, ber.TypeConstructed, ldap.ApplicationIntermediateResponse, nil, "")
	op.AppendChild(ber.NewString(ber.ClassContext, ber.TypePrimitive, 0, syncOID+"4", ""))
	op.AppendChild(ber.NewString(ber.ClassContext, ber.TypePrimitive, 1, string(value.Bytes()), ""))
	write(r.conn, r.id, op)
}

// ids sends a set of UUIDs.
func (r *fakeRequest) ids(deletes bool, people ...int) {
	set := ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSet, nil, "")
	for _, i := range people {
		set.AppendChild(octets(uuidOf(i)))
	}
	r.info(3, truthOf(deletes), set)
}

// synced ends an answer.
func (r *fakeRequest) synced(csn string, deletes bool) {
	var cookie *ber.Packet
	if csn != "" {
		cookie = octets("rid=000,csn=" + csn)
	}
	write(r.conn, r.id, result(ldap.ApplicationSearchResultDone, 0, ""), control(syncOID+"3", sequence(cookie, truthOf(deletes))))
}

// syncFrom reads from a cursor of csnBefore while the server is at csnAfter. The container search of every answer is
// empty; objects answers the other one.
func syncFrom(t *testing.T, objects func(r *fakeRequest)) (words []string, cursor cursor, err error) {
	t.Helper()
	d := fakeSync()
	d.sync = func(n int, r *fakeRequest) {
		if n == 1 {
			r.synced(csnAfter, true)
			return
		}
		objects(r)
	}
	c := newFakeServer(t, d).open(t, nil)
	var first []byte
	list := func(p *connectors.Page) error {
		first = slices.Clone(p.Cursor)
		return nil
	}
	if err := connectors.Guard(c).Read(t.Context(), connectors.Request{Stream: streamUsers, Mode: connectors.Full}, list); err != nil || first == nil {
		t.Fatalf("full read: cursor %q, error %v", first, err)
	}
	d.mu.Lock()
	d.entries[0].attributes["contextCSN"] = []string{csnAfter}
	d.mu.Unlock()
	err = connectors.Guard(c).Read(t.Context(), connectors.Request{Stream: streamUsers, Mode: connectors.Delta, Cursor: first}, func(p *connectors.Page) error {
		for _, o := range p.Objects {
			words = append(words, "+"+o.ID)
		}
		for _, ref := range p.Removed {
			if ref.Kind != directory.Person {
				t.Errorf("removed %v", ref)
			}
			words = append(words, "-"+ref.ID)
		}
		if p.Proof != nil {
			words = append(words, "proof")
			cursor, _ = decodeCursor(p.Cursor)
		}
		return nil
	})
	return words, cursor, err
}

func TestSyncAnswers(t *testing.T) {
	name := func(sign string, i int) string {
		id, _ := uuidText(uuidOf(i))
		return sign + id
	}
	for title, tc := range map[string]struct {
		answer func(r *fakeRequest)
		class  fault.Class // empty: fine
		want   []string
	}{
		"changes and deletions": {func(r *fakeRequest) {
			r.changed(1, wire.Added)
			r.changed(2, wire.Modified)
			r.ids(true, 3, 4)
			r.changed(5, wire.Deleted)
			r.synced(csnAfter, true)
		}, "", []string{name("+", 1), name("+", 2), name("-", 3), name("-", 4), name("-", 5), "proof"}},
		"deleted, then there again": {func(r *fakeRequest) {
			r.ids(true, 1)
			r.changed(1, wire.Added)
			r.synced(csnAfter, true)
		}, "", []string{name("-", 1), name("+", 1), "proof"}},
		"there, then deleted": {func(r *fakeRequest) {
			r.changed(1, wire.Added)
			r.ids(true, 1)
			r.synced(csnAfter, true)
		}, "", []string{name("+", 1), name("-", 1), "proof"}},
		"a delete phase with its own end": {func(r *fakeRequest) {
			r.ids(true, 1)
			r.info(1, octets("rid=000,csn="+csnAfter))
			r.synced("", true)
		}, "", []string{name("-", 1), "proof"}},
		"nothing of ours, no cookie":   {func(r *fakeRequest) { r.synced("", true) }, "", []string{"proof"}},
		"a new cookie and a reference": {func(r *fakeRequest) { r.reference("ldap://elsewhere"); r.synced(csnAfter, true) }, fault.CursorExpired, nil},

		"present entries":        {func(r *fakeRequest) { r.changed(1, wire.Present); r.synced(csnAfter, false) }, fault.CursorExpired, nil},
		"a present set":          {func(r *fakeRequest) { r.ids(false, 1, 2); r.synced(csnAfter, false) }, fault.CursorExpired, nil},
		"a present phase's end":  {func(r *fakeRequest) { r.info(2); r.synced(csnAfter, true) }, fault.CursorExpired, nil},
		"everything again":       {func(r *fakeRequest) { r.changed(1, wire.Added); r.synced(csnAfter, false) }, fault.CursorExpired, nil},
		"refresh required":       {func(r *fakeRequest) { r.done(4096, "sync cookie is stale", nil) }, fault.CursorExpired, nil},
		"newer than the server":  {func(r *fakeRequest) { r.done(53, "consumer state is newer than provider!", nil) }, fault.CursorExpired, nil},
		"cookie not understood":  {func(r *fakeRequest) { r.done(2, "sync cookie", nil) }, fault.CursorExpired, nil},
		"size limit":             {func(r *fakeRequest) { r.changed(1, wire.Added); r.done(4, "", nil) }, fault.CursorExpired, nil},
		"entry without state":    {func(r *fakeRequest) { r.entry(nil, fakeEntry{dn: "uid=x"}); r.synced(csnAfter, true) }, fault.CursorExpired, nil},
		"an ordinary search":     {func(r *fakeRequest) { r.done(0, "", nil) }, fault.Transient, nil},
		"changes without an end": {func(r *fakeRequest) { r.changed(1, wire.Added); r.done(0, "", nil) }, fault.Transient, nil},
		"cut":                    {func(r *fakeRequest) { r.ids(true, 1); _ = r.conn.Close() }, fault.Transient, nil},
		"busy":                   {func(r *fakeRequest) { r.ids(true, 1); r.done(51, "", nil) }, fault.Transient, nil},
		"base gone":              {func(r *fakeRequest) { r.ids(true, 1); r.done(32, "", nil) }, fault.Configuration, nil},
		"rights gone":            {func(r *fakeRequest) { r.done(50, "", nil) }, fault.Forbidden, nil},
		"referral":               {func(r *fakeRequest) { r.done(10, "", nil) }, fault.Configuration, nil},
		"malformed set": {func(r *fakeRequest) {
			r.info(3, truthOf(true), octets("x"))
			r.synced(csnAfter, true)
		}, fault.Transient, nil},
	} {
		t.Run(title, func(t *testing.T) {
			words, cursor, err := syncFrom(t, tc.answer)
			if !slices.Equal(words, tc.want) || fault.ClassOf(err) != tc.class {
				t.Errorf("got %q, error %v; want %q and class %q", words, err, tc.want, tc.class)
			}
			if tc.class == "" && !strings.Contains(string(cursor.Position), csnAfter) {
				t.Errorf("cursor %+v does not stand at %s", cursor, csnAfter)
			}
		})
	}
}

// TestSyncTooMuch: what a delta holds back is bounded.
func TestSyncTooMuch(t *testing.T) {
	words, _, err := syncFrom(t, func(r *fakeRequest) {
		for i := 0; i <= heldEntries && r.conn != nil; i += 1000 {
			r.ids(true, make([]int, 1000)...)
		}
		r.synced(csnAfter, true)
	})
	if len(words) > 0 || fault.ClassOf(err) != fault.CursorExpired {
		t.Errorf("%d words, error %v", len(words), err)
	}
}
