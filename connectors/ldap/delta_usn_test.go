package ldap

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/go-ldap/ldap/v3"

	"dirsyncd/connectors/ldap/internal/wire"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

// metadata makes a value of replPropertyMetaData: pairs of an attribute and the number of its last change.
func metadata(pairs ...uint64) string {
	b := binary.LittleEndian.AppendUint32(nil, 1)
	b = binary.LittleEndian.AppendUint32(b, 0)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(pairs)/2))
	b = binary.LittleEndian.AppendUint32(b, 0)
	for p := range slices.Chunk(pairs, 2) {
		one := make([]byte, 48)
		binary.LittleEndian.PutUint32(one, uint32(p[0]))
		binary.LittleEndian.PutUint64(one[40:], p[1])
		b = append(b, one...)
	}
	return string(b)
}

func TestWrittenBy(t *testing.T) {
	good := metadata(attributeName, 7, attributeIsDeleted, 9)
	for name, tc := range map[string]struct {
		data      string
		attribute uint32
		number    uint64
		ok        bool
	}{
		"first":         {good, attributeName, 7, true},
		"second":        {good, attributeIsDeleted, 9, true},
		"never written": {good, 3, 0, true},
		"missing":       {"", attributeName, 0, false},
		"cut short":     {good[:len(good)-1], attributeName, 0, false},
		"other version": {"\x02" + good[1:], attributeName, 0, false},
	} {
		if number, ok := writtenBy(tc.data, tc.attribute); number != tc.number || ok != tc.ok {
			t.Errorf("%s: %d, %t; want %d, %t", name, number, ok, tc.number, tc.ok)
		}
	}
}

func FuzzWrittenBy(f *testing.F) {
	f.Add(metadata(attributeName, 7))
	f.Add("\x01\x00\x00\x00\x00\x00\x00\x00\xff\xff\xff\xff\x00\x00\x00\x00")
	f.Fuzz(func(t *testing.T, data string) {
		if number, ok := writtenBy(data, attributeName); !ok && number != 0 {
			t.Errorf("number %d of what cannot be read", number)
		}
	})
}

// TestStampedWithoutMetadata: who may not see what was written assumes a move, which costs a listing, and a return
// from deletion, which costs a full read, only of what was deleted once.
func TestStampedWithoutMetadata(t *testing.T) {
	for name, tc := range map[string]struct {
		attributes map[string][]string
		moved      bool
		returned   bool
	}{
		"nothing":        {nil, true, false},
		"deleted once":   {map[string][]string{"lastKnownParent": {"DC=x"}}, true, true},
		"written before": {map[string][]string{"replPropertyMetaData": {metadata(attributeName, 4, attributeIsDeleted, 4)}}, false, false},
		"written since":  {map[string][]string{"replPropertyMetaData": {metadata(attributeName, 5, attributeIsDeleted, 6)}}, true, true},
	} {
		var e wire.Entry
		for attribute, values := range tc.attributes {
			e.Attributes = append(e.Attributes, wire.Attribute{Name: attribute, Values: values})
		}
		var s scannedEntry
		s.load(&e)
		if moved, returned := s.movedSince(5), s.returnedSince(5); moved != tc.moved || returned != tc.returned {
			t.Errorf("%s: moved %t, returned %t", name, moved, returned)
		}
	}
}

// scriptedDomain is a domain with numbered changes, for what the real one does not do.
func scriptedDomain() *fakeDirectory {
	d := fakeExtended()
	d.root["supportedControl"] = append(d.root["supportedControl"], controlShowDeleted)
	d.root["dnsHostName"], d.root["highestCommittedUSN"] = []string{"DC1.example.test"}, []string{"100"}
	d.root["dsServiceName"] = []string{"CN=NTDS Settings,CN=DC1"}
	d.entries = append(
		d.entries,
		fakeEntry{"CN=NTDS Settings,CN=DC1", "nTDSDSA", map[string][]string{"invocationId": {fakeGUID(900)}, "objectGUID": {fakeGUID(901)}}},
		fakeEntry{`CN=x\0ADEL:1,CN=Deleted Objects,DC=example,DC=test`, "tombstone", map[string][]string{
			"objectGUID": {fakeGUID(700)}, "isDeleted": {"TRUE"}, "uSNChanged": {"50"},
		}},
	)
	return d
}

// tombstones answers searches for deleted entries, and the scan, with what the domain holds as such.
func (d *fakeDirectory) tombstones(n int, r *fakeRequest) bool {
	if n > 0 || !strings.Contains(r.filter, "isDeleted") && !strings.Contains(r.filter, "objectGUID=") {
		return false
	}
	for _, e := range d.entries {
		if e.class == "tombstone" {
			r.entry(d, e)
		}
	}
	r.done(0, "", []byte{})
	return true
}

// TestUSNIncomplete: an answer of the scan that ends badly removes nobody, and neither does one that is refused.
func TestUSNIncomplete(t *testing.T) {
	for name, tc := range map[string]struct {
		page  func(d *fakeDirectory, r *fakeRequest)
		class fault.Class
	}{
		"size limit": {func(d *fakeDirectory, r *fakeRequest) {
			r.entry(d, d.entries[len(d.entries)-1])
			r.done(ldap.LDAPResultSizeLimitExceeded, "", []byte{})
		}, fault.Configuration},
		"time limit":   {func(_ *fakeDirectory, r *fakeRequest) { r.done(ldap.LDAPResultTimeLimitExceeded, "", []byte{}) }, fault.Transient},
		"no such base": {func(_ *fakeDirectory, r *fakeRequest) { r.done(ldap.LDAPResultNoSuchObject, "", nil) }, fault.Configuration},
		"no rights":    {func(_ *fakeDirectory, r *fakeRequest) { r.done(ldap.LDAPResultInsufficientAccessRights, "", nil) }, fault.Forbidden},
		"empty":        {func(_ *fakeDirectory, r *fakeRequest) { r.done(0, "", []byte{}) }, fault.CursorExpired},
		"closed": {func(_ *fakeDirectory, r *fakeRequest) {
			_, _ = r.conn.Write([]byte{0x30})
			_ = r.conn.Close()
		}, fault.Transient},
		"paging lost":   {func(_ *fakeDirectory, r *fakeRequest) { r.done(0, "", nil) }, fault.CursorExpired},
		"limit reached": {func(_ *fakeDirectory, r *fakeRequest) { r.done(ldap.LDAPResultBusy, "", nil) }, fault.Transient},
	} {
		t.Run(name, func(t *testing.T) {
			d := scriptedDomain()
			d.page = d.tombstones
			c := newFakeServer(t, d).open(t, func(c *Config) { c.Incremental = methodUSN })
			f := follow(t, c, streamUsers)
			if f.cursor == nil {
				t.Fatal("no cursor")
			}
			people := len(f.objects)
			d.entries = append(d.entries, fakeEntry{`CN=y\0ADEL:2,CN=Deleted Objects,DC=example,DC=test`, "tombstone", map[string][]string{
				"objectGUID": {fakeGUID(1)}, "isDeleted": {"TRUE"}, "uSNChanged": {"101"},
			}})
			d.root["highestCommittedUSN"] = []string{"102"}
			d.page = func(_ int, r *fakeRequest) bool { tc.page(d, r); return true }
			if err := f.delta(t.Context()); fault.ClassOf(err) != tc.class {
				t.Errorf("class %s, want %s: %v", fault.ClassOf(err), tc.class, err)
			}
			if len(f.objects) != people {
				t.Errorf("%d people are left of %d", len(f.objects), people)
			}
			d.page = d.tombstones
			if err := f.delta(t.Context()); err != nil || len(f.objects) != people-1 {
				t.Errorf("afterwards: %d people left of %d, error %v", len(f.objects), people, err)
			}
		})
	}
}

// TestUSNNotOffered: what the method lacks is said, and no cursor is made.
func TestUSNNotOffered(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(d *fakeDirectory, c *Config)
		words  string
	}{
		"no numbers":      {func(d *fakeDirectory, _ *Config) { delete(d.root, "highestCommittedUSN") }, "does not number"},
		"another anchor":  {func(_ *fakeDirectory, c *Config) { c.Anchor.Users = "sAMAccountName" }, "objectGUID"},
		"no tombstones":   {func(d *fakeDirectory, _ *Config) { d.root["supportedControl"] = d.root["supportedControl"][:2] }, "deleted entries"},
		"foreign base":    {func(_ *fakeDirectory, c *Config) { c.Users.Base = Names{"DC=other"} }, "one domain"},
		"nothing deleted": {func(d *fakeDirectory, _ *Config) { d.entries = d.entries[:len(d.entries)-1] }, "Deleted Objects"},
		"no invocationId": {func(d *fakeDirectory, _ *Config) { delete(d.entries[len(d.entries)-2].attributes, "invocationId") }, "invocationId"},
		"a catalogue":     {func(d *fakeDirectory, _ *Config) { d.root["dnsHostName"] = nil }, "does not number"},
	} {
		d := scriptedDomain()
		d.page = d.tombstones
		f := newFakeServer(t, d)
		c := f.open(t, func(c *Config) { tc.change(d, c) })
		s, err := c.connect(t.Context(), "test", f.url)
		if err != nil {
			t.Fatal(err)
		}
		m, _, why, err := c.newReading(s, "test", directory.Person, false).choose()
		s.close()
		if m != nil || err != nil || !strings.Contains(why, tc.words) {
			t.Errorf("%s: method %v, why %q, error %v", name, m, why, err)
		}
	}
}

func TestGlobalCatalogue(t *testing.T) {
	for server, want := range map[string]bool{"ldap://dc1:3268": true, "ldaps://dc1:3269": true, "ldaps://dc1": false, "ldap://dc3268": false} {
		if got := globalCatalogue(server); got != want {
			t.Errorf("%s: %t", server, got)
		}
	}
}

func FuzzUSNPosition(f *testing.F) {
	f.Add(usnPosition{Host: "dc1", Invocation: "00", USN: 7, TombstoneProbe: strings.Repeat("0", 32)}.encode())
	f.Add([]byte("{}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, ok := decodeUSNPosition(data)
		if !ok {
			return
		}
		if _, err := ldap.CompileFilter(fmt.Sprintf("(objectGUID=%s)", escapeBytes(m.TombstoneProbe))); err != nil {
			t.Errorf("the probe %q makes no filter: %v", m.TombstoneProbe, err)
		}
		if _, err := hex.DecodeString(m.TombstoneProbe); err != nil || len(m.TombstoneProbe) != 32 {
			t.Errorf("probe %q", m.TombstoneProbe)
		}
	})
}
