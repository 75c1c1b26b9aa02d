package ldap

import (
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"

	"dirsyncd/connectors/ldap/internal/wire"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

// scriptedChanges is a domain with directory synchronization, for what the real one does not do.
func scriptedChanges() *fakeDirectory {
	d := scriptedDomain()
	d.root["supportedControl"] = append(d.root["supportedControl"], wire.DirSyncOID)
	d.page = d.byGUID
	d.dirsync = func(r *fakeRequest) { r.synchronized(false, "present") }
	return d
}

// byGUID answers searches by GUID, and those for deleted entries, with what matches.
func (d *fakeDirectory) byGUID(_ int, r *fakeRequest) bool {
	if !strings.Contains(r.filter, "objectGUID=") && !strings.Contains(r.filter, "isDeleted") {
		return false
	}
	for _, e := range d.entries {
		p, err := ldap.CompileFilter("(objectGUID=" + escapeBytes(hex.EncodeToString([]byte(e.attributes["objectGUID"][0]))) + ")")
		if err != nil {
			panic(err)
		}
		own, _ := ldap.DecompileFilter(p)
		wanted := strings.Contains(r.filter, "(objectClass="+e.class+")") && !strings.Contains(r.filter, "(!(objectClass")
		deleted := e.class == "tombstone"
		if strings.Contains(r.filter, own) && (wanted || deleted) || deleted && strings.Contains(r.filter, "isDeleted") {
			r.entry(d, e)
		}
	}
	r.done(0, "", []byte{})
	return true
}

// synchronized ends an answer of directory synchronization.
func (r *fakeRequest) synchronized(more bool, cookie string) {
	flag := 0
	if more {
		flag = 1
	}
	seq := ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSequence, nil, "")
	for _, n := range []int{flag, 0} {
		seq.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, n, ""))
	}
	seq.AppendChild(octets(cookie))
	r.doneWith(string(seq.Bytes()))
}

// doneWith ends an answer with a value of the control.
func (r *fakeRequest) doneWith(value string) {
	control := ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSequence, nil, "")
	control.AppendChild(octets(wire.DirSyncOID))
	control.AppendChild(octets(value))
	controls := ber.Encode(ber.ClassContext, ber.TypeConstructed, 0, nil, "")
	controls.AppendChild(control)
	write(r.conn, r.id, result(ldap.ApplicationSearchResultDone, 0, ""), controls)
}

// change sends a part of an entry.
func (r *fakeRequest) change(dn string, attributes ...*ber.Packet) {
	list := ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSequence, nil, "")
	for _, a := range attributes {
		list.AppendChild(a)
	}
	op := ber.Encode(ber.ClassApplication, ber.TypeConstructed, ldap.ApplicationSearchResultEntry, nil, "")
	op.AppendChild(octets(dn))
	op.AppendChild(list)
	write(r.conn, r.id, op)
}

func guidOf(i int) *ber.Packet { return attribute("objectGUID", []string{fakeGUID(i)}) }

// deletion sends what is left of a user.
func (r *fakeRequest) deletion(i int) {
	r.change(`CN=y\0ADEL:2,CN=Deleted Objects,DC=example,DC=test`, guidOf(i), attribute("isDeleted", []string{"TRUE"}))
}

// TestDirSyncParts: an answer in parts is read to its end, each part with the cookie of the one before; what changed is
// read whole, and the cursor has the last cookie.
func TestDirSyncParts(t *testing.T) {
	d := scriptedChanges()
	c := newFakeServer(t, d).open(t, nil)
	f := follow(t, c, streamUsers)
	if methodOf(t, f.cursor) != methodDirSync {
		t.Fatalf("cursor %s", f.cursor)
	}
	if cur, err := decodeCursor(f.cursor); err != nil || cur.host() != "dc1.example.test" {
		t.Errorf("the cursor is of %s, error %v", cur.host(), err)
	}
	people := len(f.objects)
	d.root["highestCommittedUSN"] = []string{"102"}
	d.entries[2].attributes["title"] = []string{"Boss"}
	var asked []string
	d.dirsync = func(r *fakeRequest) {
		asked = append(asked, string(r.dirsync.Cookie))
		switch string(r.dirsync.Cookie) {
		case "present":
			r.deletion(1)
			r.synchronized(true, "one")
		case "one":
			r.synchronized(true, "two")
		default:
			r.change(fakeUserDN(2), guidOf(2), attribute("title", []string{"Boss"}))
			r.synchronized(false, "three")
		}
	}
	if err := f.delta(t.Context()); err != nil || f.removed != 1 || f.touched != 1 || len(f.objects) != people-1 {
		t.Errorf("%d removed, %d touched, error %v", f.removed, f.touched, err)
	}
	if !strings.Contains(f.objects[fakeGUIDText(2)], "Boss") || !strings.Contains(f.objects[fakeGUIDText(2)], "user2@") {
		t.Errorf("what changed is not whole: %s", f.objects[fakeGUIDText(2)])
	}
	if !slices.Equal(asked, []string{"present", "one", "two"}) {
		t.Errorf("asked with the cookies %q", asked)
	}
	d.root["highestCommittedUSN"] = []string{"103"}
	asked = nil
	d.dirsync = func(r *fakeRequest) {
		asked = append(asked, string(r.dirsync.Cookie))
		r.synchronized(false, "four")
	}
	if err := f.delta(t.Context()); err != nil || !slices.Equal(asked, []string{"three"}) {
		t.Errorf("asked with the cookies %q, error %v", asked, err)
	}
}

// TestDirSyncIncomplete: an answer that is refused, ends badly or says what cannot be followed removes nobody.
func TestDirSyncIncomplete(t *testing.T) {
	for name, tc := range map[string]struct {
		answer func(r *fakeRequest)
		class  fault.Class
	}{
		"refused cookie":    {func(r *fakeRequest) { r.done(ldap.LDAPResultUnavailableCriticalExtension, "cookie", nil) }, fault.CursorExpired},
		"right taken away":  {func(r *fakeRequest) { r.done(ldap.LDAPResultInsufficientAccessRights, "", nil) }, fault.CursorExpired},
		"unwilling":         {func(r *fakeRequest) { r.done(ldap.LDAPResultUnwillingToPerform, "", nil) }, fault.CursorExpired},
		"busy":              {func(r *fakeRequest) { r.deletion(1); r.done(ldap.LDAPResultBusy, "", nil) }, fault.Transient},
		"control ignored":   {func(r *fakeRequest) { r.deletion(1); r.done(0, "", nil) }, fault.CursorExpired},
		"control misread":   {func(r *fakeRequest) { r.deletion(1); r.doneWith("\x30\x00") }, fault.Transient},
		"no cookie":         {func(r *fakeRequest) { r.deletion(1); r.synchronized(false, "") }, fault.CursorExpired},
		"no end":            {func(r *fakeRequest) { r.deletion(1); r.synchronized(true, "same") }, fault.CursorExpired},
		"closed":            {func(r *fakeRequest) { r.deletion(1); _ = r.conn.Close() }, fault.Transient},
		"a nameless change": {func(r *fakeRequest) { r.deletion(1); r.change(fakeUserDN(2)); r.synchronized(false, "new") }, fault.CursorExpired},
		"brought back": {func(r *fakeRequest) {
			r.change(fakeUserDN(1), guidOf(1), attribute("isDeleted", nil))
			r.synchronized(false, "new")
		}, fault.CursorExpired},
		"gone out of sight": {func(r *fakeRequest) {
			r.change("", guidOf(1), attribute("isDeleted", []string{"TRUE"}))
			r.synchronized(false, "new")
		}, fault.CursorExpired},
		"more, then trouble": {func(r *fakeRequest) {
			if string(r.dirsync.Cookie) == "present" {
				r.deletion(1)
				r.synchronized(true, "one")
				return
			}
			r.done(ldap.LDAPResultUnavailable, "", nil)
		}, fault.Transient},
	} {
		t.Run(name, func(t *testing.T) {
			d := scriptedChanges()
			c := newFakeServer(t, d).open(t, func(c *Config) { c.Incremental = methodDirSync })
			f := follow(t, c, streamUsers)
			people := len(f.objects)
			d.root["highestCommittedUSN"] = []string{"102"}
			d.dirsync = tc.answer
			if err := f.delta(t.Context()); fault.ClassOf(err) != tc.class {
				t.Errorf("class %s, want %s: %v", fault.ClassOf(err), tc.class, err)
			}
			if len(f.objects) != people {
				t.Errorf("%d people are left of %d", len(f.objects), people)
			}
			d.dirsync = func(r *fakeRequest) { r.deletion(1); r.synchronized(false, "new") }
			if err := f.delta(t.Context()); err != nil || len(f.objects) != people-1 {
				t.Errorf("afterwards: %d people left of %d, error %v", len(f.objects), people, err)
			}
		})
	}
}

// TestDirSyncWitness: when the deleted entry that was seen before is gone, nobody is removed. The newest one takes its place, but
// not one whose name only is left.
func TestDirSyncWitness(t *testing.T) {
	for name, tc := range map[string]struct {
		extra *ber.Packet
		want  int
	}{
		"deleted":  {attribute("isDeleted", []string{"TRUE"}), 1},
		"recycled": {attribute("isRecycled", []string{"TRUE"}), 700},
	} {
		d := scriptedChanges()
		f := follow(t, newFakeServer(t, d).open(t, nil), streamUsers)
		first := len(d.entries) - 1
		d.entries = append(d.entries, fakeEntry{`CN=y\0ADEL:2,CN=Deleted Objects,DC=example,DC=test`, "tombstone", map[string][]string{
			"objectGUID": {fakeGUID(1)}, "isDeleted": {"TRUE"},
		}})
		d.root["highestCommittedUSN"] = []string{"102"}
		d.dirsync = func(r *fakeRequest) {
			r.change(`CN=y\0ADEL:2,CN=Deleted Objects,DC=example,DC=test`, guidOf(1), attribute("isDeleted", []string{"TRUE"}), tc.extra)
			r.synchronized(false, "new")
		}
		if err := f.delta(t.Context()); err != nil || f.removed != 1 {
			t.Fatalf("%s: %d removed, error %v", name, f.removed, err)
		}
		cur, err := decodeCursor(f.cursor)
		if err != nil {
			t.Fatal(err)
		}
		m, ok := decodeDirSyncPosition(cur.Position)
		if want := hex.EncodeToString([]byte(fakeGUID(tc.want))); !ok || m.TombstoneProbe != want {
			t.Errorf("%s: the probe is %s, want %s", name, m.TombstoneProbe, want)
		}
		d.entries = slices.Delete(d.entries, first, first+2)
		d.root["highestCommittedUSN"] = []string{"103"}
		d.dirsync = func(r *fakeRequest) { r.deletion(2); r.synchronized(false, "newer") }
		if err := f.delta(t.Context()); fault.ClassOf(err) != fault.CursorExpired || f.removed != 0 {
			t.Errorf("%s: without a probe: %d removed, error %v", name, f.removed, err)
		}
	}
}

// TestDirSyncNotOffered: what the method lacks is said. By itself it is not used without the right to replicate.
func TestDirSyncNotOffered(t *testing.T) {
	refuse := func(code int64) func(*fakeRequest) {
		return func(r *fakeRequest) { r.done(code, "", nil) }
	}
	lacking := func(r *fakeRequest) {
		if uint32(r.dirsync.Flags)&wire.DirSyncObjectSecurity == 0 {
			r.done(ldap.LDAPResultInsufficientAccessRights, "", nil)
			return
		}
		r.synchronized(false, "own")
	}
	for name, tc := range map[string]struct {
		change      func(d *fakeDirectory)
		asked       bool // incremental: dirsync
		want, words string
	}{
		"offered": {func(*fakeDirectory) {}, false, methodDirSync, ""},
		"not offered": {func(d *fakeDirectory) {
			d.root["supportedControl"] = d.root["supportedControl"][:len(d.root["supportedControl"])-1]
		}, false, methodUSN, "does not offer"},
		"no right":              {func(d *fakeDirectory) { d.dirsync = lacking }, false, methodUSN, "Replicating Directory Changes"},
		"no right, asked for":   {func(d *fakeDirectory) { d.dirsync = lacking }, true, methodDirSync, ""},
		"refused, asked for":    {func(d *fakeDirectory) { d.dirsync = refuse(ldap.LDAPResultInsufficientAccessRights) }, true, "", "Replicating Directory Changes"},
		"ignored":               {func(d *fakeDirectory) { d.dirsync = nil }, false, methodUSN, "ignores"},
		"ignored, asked for":    {func(d *fakeDirectory) { d.dirsync = nil }, true, "", "ignores"},
		"an error":              {func(d *fakeDirectory) { d.dirsync = refuse(ldap.LDAPResultOperationsError) }, false, methodUSN, "result 1"},
		"no end":                {func(d *fakeDirectory) { d.dirsync = func(r *fakeRequest) { r.synchronized(true, "x") } }, false, methodUSN, "no end"},
		"deletions are hidden":  {func(d *fakeDirectory) { d.entries = d.entries[:len(d.entries)-1] }, false, "", "dirsync: the bind user sees nothing in"},
		"an unseen database":    {func(d *fakeDirectory) { delete(d.entries[len(d.entries)-2].attributes, "invocationId") }, true, "", "invocationId"},
		"unnumbered, asked for": {func(d *fakeDirectory) { delete(d.root, "highestCommittedUSN") }, true, "", "does not number"},
	} {
		d := scriptedChanges()
		tc.change(d)
		f := newFakeServer(t, d)
		c := f.open(t, func(c *Config) {
			if tc.asked {
				c.Incremental = methodDirSync
			}
		})
		s, err := c.connect(t.Context(), "test", f.url)
		if err != nil {
			t.Fatal(err)
		}
		m, end, why, err := c.newReading(s, "test", directory.Person, false).choose()
		s.close()
		got := ""
		if m != nil {
			got = m.name()
		}
		if err != nil || got != tc.want || !strings.Contains(why, tc.words) || tc.words == "" && why != "" {
			t.Errorf("%s: method %q, why %q, error %v", name, got, why, err)
			continue
		}
		if got == methodDirSync {
			if position, ok := decodeDirSyncPosition(end()); !ok || position.Secured != tc.asked {
				t.Errorf("%s: position %+v", name, position)
			}
		}
	}
}

func TestFilterAttributes(t *testing.T) {
	p, err := ldap.CompileFilter("(&(objectClass=user)(|(a=1)(!(b=*x*))(c>=1)(d<=2)(e~=3))(f=*)(g:1.2.840.113556.1.4.803:=2)(h:dn:=x))")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	filterAttributes(p, func(name string) { got = append(got, name) })
	if want := []string{"objectClass", "a", "b", "c", "d", "e", "f", "g", "h"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func FuzzDirSyncPosition(f *testing.F) {
	f.Add(dirsyncPosition{usnPosition: usnPosition{Host: "dc1", USN: 7, TombstoneProbe: strings.Repeat("0", 32)}, Cookie: []byte("x")}.encode())
	f.Add([]byte("{}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, ok := decodeDirSyncPosition(data)
		if !ok {
			return
		}
		if _, err := ldap.CompileFilter(anyGUID([]string{m.TombstoneProbe})); err != nil || len(m.Cookie) == 0 {
			t.Errorf("probe %q, cookie %q: %v", m.TombstoneProbe, m.Cookie, err)
		}
		var back dirsyncPosition
		if err := json.Unmarshal(m.encode(), &back); err != nil || back.TombstoneProbe != m.TombstoneProbe {
			t.Errorf("%+v reads %+v", m, back)
		}
	})
}
