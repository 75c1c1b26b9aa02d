package ldap

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"

	"dirsyncd/connectors/ldap/slapdtest"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/settings"
)

// user returns the attributes of a user of a fake domain, to change.
func (d *fakeDirectory) user(i int) map[string][]string { return d.entries[i].attributes }

// group returns the attributes of a group of a fake domain.
func (d *fakeDirectory) group(i int) map[string][]string { return d.entries[35+i].attributes }

func TestActiveDirectoryPerson(t *testing.T) {
	d := fakeAD()
	for name, values := range map[string][]string{
		"displayName": {"Ada Ames"}, "department": {"Sales"}, "manager": {fakeUserDN(2)}, "userAccountControl": {"66050"},
		"proxyAddresses": {"SMTP:ada@example.test", "smtp:ames@example.test", "X500:/o=x"}, "employeeID": {"E7"},
		"lastLogonTimestamp": {"133511760000000000"}, "objectSid": {fakeSID(1001)},
	} {
		d.user(1)[name] = values
	}
	delete(d.user(1), "mail")
	delete(d.user(2), "userAccountControl")
	f := newFakeServer(t, d)
	got := readAll(t.Context(), f.open(t, func(c *Config) {
		c.Attributes = attributesNamed("objectSid", "objectGUID")
		c.Fields = map[string]Names{"last_login": {"lastLogonTimestamp"}}
	}), streamUsers, nil).must(t)
	if len(got.objects) != 35 {
		t.Fatalf("%d people, want 35", len(got.objects))
	}
	id := fakeGUIDText(1)
	for name, want := range map[string]string{
		"login": "user1", "name": "Ada Ames", "email": "ada@example.test", "emails": "ada@example.test, ames@example.test",
		"department": "Sales", "employee_id": "E7", "enabled": "false", "status": "disabled", "path": "OU=Staff,DC=example,DC=test",
		"created": "2024-01-31T12:00:00Z", "last_login": "2024-01-31T12:00:00Z", "attributes.objectSid": "S-1-5-21-1-2-3-1001",
		"attributes.objectGUID": id,
	} {
		if value := got.field(id, name); value != want {
			t.Errorf("%s is %q, want %q", name, value, want)
		}
	}
	links := []directory.Link{
		{Type: directory.Manager, To: got.objects[fakeGUIDText(2)].Handles[0]}, {Type: directory.MemberOf, To: "sid:S-1-5-21-1-2-3-513"},
	}
	if o := got.objects[id]; !slices.Equal(o.Links, links) {
		t.Errorf("links %v, want %v", o.Links, links)
	}
	// What cannot be read is unknown, not enabled.
	if enabled, status := got.field(fakeGUIDText(2), "enabled"), got.field(fakeGUIDText(2), "status"); enabled != "(none)" || status != "(none)" {
		t.Errorf("without userAccountControl: enabled %s, status %s", enabled, status)
	}
}

func TestActiveDirectoryGroups(t *testing.T) {
	d := fakeAD()
	d.group(1)["member"] = []string{fakeUserDN(3), "CN=Desk,CN=Users,DC=example,DC=test"}
	d.group(2)["groupType"] = []string{"2"}
	f := newFakeServer(t, d)
	got := readAll(t.Context(), f.open(t, nil), streamGroups, nil).must(t)
	users := got.objects[fakeGUIDText(500)]
	if !slices.Contains(users.Handles, "sid:S-1-5-21-1-2-3-513") {
		t.Errorf("handles of the primary group: %q", users.Handles)
	}
	want := []string{"dn:cn=user\\, 3,ou=staff,dc=example,dc=test", got.objects[fakeGUIDText(502)].Handles[0]}
	if members := got.members[fakeGUIDText(501)]; !slices.Equal(members, want) {
		t.Errorf("members %q, want %q", members, want)
	}
	if a, b := got.field(fakeGUIDText(501), "group_type"), got.field(fakeGUIDText(502), "group_type"); a != "security" || b != "distribution" {
		t.Errorf("group types %s and %s", a, b)
	}
	if list, ok := got.members[fakeGUIDText(500)]; !ok || len(list) != 0 {
		t.Errorf("an empty group has members %v, named %t", list, ok)
	}
}

func manyMembers(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fakeUserDN(i)
	}
	return list
}

// TestRanges: a group with more members than the server sends at once is read whole.
func TestRanges(t *testing.T) {
	for _, n := range []int{7, 8, 14, 15, 100} {
		d := fakeAD()
		d.maxRange = 7
		d.group(1)["member"] = manyMembers(n)
		f := newFakeServer(t, d)
		got := readAll(t.Context(), f.open(t, nil), streamGroups, nil).must(t)
		list := slices.Compact(slices.Sorted(slices.Values(got.members[fakeGUIDText(501)])))
		if len(list) != n {
			t.Errorf("%d members, want %d", len(list), n)
		}
		if parts := f.connections.Load(); (parts == 2) != (n > 7) {
			t.Errorf("%d members: %d connections", n, parts)
		}
	}
}

// TestTwentyThousandMembers: a group of 20,000, 1,500 at a time as a Windows domain controller sends them, and at once
// as OpenLDAP does.
func TestTwentyThousandMembers(t *testing.T) {
	const n = 20_000
	t.Run("ranges", func(t *testing.T) {
		d := fakeAD()
		d.maxRange = 1500
		d.group(1)["member"] = manyMembers(n)
		got := readAll(t.Context(), newFakeServer(t, d).open(t, nil), streamGroups, nil).must(t)
		if have := len(slices.Compact(slices.Sorted(slices.Values(got.members[fakeGUIDText(501)])))); have != n {
			t.Errorf("%d members, want %d", have, n)
		}
	})
	t.Run("OpenLDAP", func(t *testing.T) {
		s := slapdtest.Start(t, slapdtest.Options{Load: func(w io.Writer, suffix string) error {
			var b strings.Builder
			fmt.Fprintf(&b, "dn: cn=many,ou=groups,%s\nobjectClass: groupOfNames\ncn: many\n", suffix)
			for i := range n {
				fmt.Fprintf(&b, "member: uid=m%d,ou=people,%s\n", i, suffix)
			}
			_, err := io.WriteString(w, b.String()+"\n")
			return err
		}})
		got := readAll(t.Context(), openFor(t, s, nil), streamGroups, nil).must(t)
		for _, members := range got.members {
			if have := len(slices.Compact(slices.Sorted(slices.Values(members)))); have == n {
				return
			}
		}
		t.Errorf("no group of %d members", n)
	})
}

// TestRangesChange: a list that changes between its parts is read again from the start.
func TestRangesChange(t *testing.T) {
	d := fakeAD()
	d.maxRange = 10
	d.group(1)["member"] = manyMembers(30)
	d.ranged = func(part int, e fakeEntry) {
		if part == 2 {
			e.attributes["member"] = e.attributes["member"][:25]
			e.attributes["uSNChanged"] = []string{"8"}
		}
	}
	got := readAll(t.Context(), newFakeServer(t, d).open(t, nil), streamGroups, nil).must(t)
	if n := len(got.members[fakeGUIDText(501)]); n != 25 {
		t.Errorf("%d members, want 25", n)
	}

	d.ranged = func(part int, e fakeEntry) { e.attributes["uSNChanged"] = []string{strconv.Itoa(part)} }
	expect(t, readAll(t.Context(), newFakeServer(t, d).open(t, nil), streamGroups, nil), fault.Transient, "keeps changing")
}

// TestIncompleteAnswers: whatever an answer lacks, it proves nothing.
func TestIncompleteAnswers(t *testing.T) {
	const at = 2
	for name, tc := range map[string]struct {
		page  func(d *fakeDirectory, r *fakeRequest)
		class fault.Class
		words string
	}{
		"closed between pages": {func(_ *fakeDirectory, r *fakeRequest) { _ = r.conn.Close() }, fault.Transient, "connection"},
		"closed within a page": {func(d *fakeDirectory, r *fakeRequest) {
			r.entriesOf(d, at)
			_ = r.conn.Close()
		}, fault.Transient, "connection"},
		"cut within an entry": {func(_ *fakeDirectory, r *fakeRequest) {
			_, _ = r.conn.Write([]byte{0x30, 0x50, 0x02, 0x01})
			_ = r.conn.Close()
		}, fault.Transient, "connection"},
		"paging control dropped": {func(d *fakeDirectory, r *fakeRequest) {
			r.entriesOf(d, at)
			r.done(0, "", nil)
		}, fault.Transient, "stopped paging"},
		"cookie repeated": {func(_ *fakeDirectory, r *fakeRequest) { r.done(0, "", r.paging.Cookie) }, fault.Transient, "repeats a page"},
		"size limit": {func(d *fakeDirectory, r *fakeRequest) {
			r.entriesOf(d, at)
			r.done(ldap.LDAPResultSizeLimitExceeded, "", []byte("9"))
		}, fault.Configuration, "size limit"},
		"time limit":   {func(_ *fakeDirectory, r *fakeRequest) { r.done(ldap.LDAPResultTimeLimitExceeded, "", nil) }, fault.Transient, "time limit"},
		"admin limit":  {func(_ *fakeDirectory, r *fakeRequest) { r.done(ldap.LDAPResultAdminLimitExceeded, "", nil) }, fault.Configuration, "limit"},
		"busy":         {func(_ *fakeDirectory, r *fakeRequest) { r.done(ldap.LDAPResultBusy, "", nil) }, fault.Transient, "busy"},
		"referral":     {func(_ *fakeDirectory, r *fakeRequest) { r.done(ldap.LDAPResultReferral, "", nil) }, fault.Configuration, "another server"},
		"no such base": {func(_ *fakeDirectory, r *fakeRequest) { r.done(ldap.LDAPResultNoSuchObject, "", nil) }, fault.Configuration, "base"},
		"no rights": {func(_ *fakeDirectory, r *fakeRequest) {
			r.done(ldap.LDAPResultInsufficientAccessRights, "", nil)
		}, fault.Forbidden, "right"},
		"not bound": {func(_ *fakeDirectory, r *fakeRequest) {
			r.done(ldap.LDAPResultOperationsError, "000004DC: LdapErr: DSID-0C0, comment: In order to perform this operation a successful bind must be completed", nil)
		}, fault.Configuration, "set bind"},
		"notice of disconnection": {func(_ *fakeDirectory, r *fakeRequest) {
			write(r.conn, 0, result(ldap.ApplicationExtendedResponse, ldap.LDAPResultUnavailable, "shutting down"))
		}, fault.Transient, "shutting down"},
		"answer to another request": {func(_ *fakeDirectory, r *fakeRequest) {
			write(r.conn, 99, result(ldap.ApplicationSearchResultDone, 0, ""))
		}, fault.Transient, "nobody waits"},
		"rubbish": {func(_ *fakeDirectory, r *fakeRequest) { _, _ = r.conn.Write([]byte("HTTP/1.1 200 OK\r\n")) }, fault.Transient, "malformed"},
	} {
		t.Run(name, func(t *testing.T) {
			d := fakeAD()
			d.page = func(n int, r *fakeRequest) bool {
				if n == at {
					tc.page(d, r)
				}
				return n == at
			}
			got := readAll(t.Context(), newFakeServer(t, d).open(t, nil), streamUsers, nil)
			expect(t, got, tc.class, tc.words)
			if len(got.objects) > 30 {
				t.Errorf("%d people were read", len(got.objects))
			}
		})
	}
}

// TestReferences: pointers to other servers are passed over, wherever they come.
func TestReferences(t *testing.T) {
	d := fakeAD()
	d.page = func(_ int, r *fakeRequest) bool {
		r.reference("ldap://DomainDnsZones.example.test/DC=DomainDnsZones,DC=example,DC=test")
		return false
	}
	if got := readAll(t.Context(), newFakeServer(t, d).open(t, nil), streamUsers, nil).must(t); len(got.objects) != 35 {
		t.Errorf("%d people, want 35", len(got.objects))
	}
}

// TestWithoutPaging: a server that does not promise paging and answers everything at once is complete by its result.
func TestWithoutPaging(t *testing.T) {
	d := fakeAD()
	delete(d.root, "supportedControl")
	d.page = func(_ int, r *fakeRequest) bool {
		r.paging.PagingSize = 1000
		r.entriesOf(d, 0)
		r.done(0, "", nil)
		return true
	}
	if got := readAll(t.Context(), newFakeServer(t, d).open(t, nil), streamUsers, nil).must(t); len(got.objects) != 35 {
		t.Errorf("%d people, want 35", len(got.objects))
	}
}

// TestEmptyPages: pages without entries, of which Samba sends one at the end, change nothing.
func TestEmptyPages(t *testing.T) {
	d := fakeAD()
	d.page = func(n int, r *fakeRequest) bool {
		switch {
		case n < 4:
			r.entriesOf(d, n)
			r.done(0, "", []byte(strconv.Itoa(n+1)))
		case n < 6:
			r.done(0, "", []byte(strconv.Itoa(n+1)))
		default:
			r.done(0, "", []byte{})
		}
		return true
	}
	if got := readAll(t.Context(), newFakeServer(t, d).open(t, nil), streamUsers, nil).must(t); len(got.objects) != 35 {
		t.Errorf("%d people, want 35", len(got.objects))
	}
}

// TestEntryWithoutAnchor: the read goes on and names the entry.
func TestEntryWithoutAnchor(t *testing.T) {
	d := fakeAD()
	delete(d.user(4), "objectGUID")
	d.user(5)["objectGUID"] = []string{"short"}
	got := readAll(t.Context(), newFakeServer(t, d).open(t, nil), streamUsers, nil).must(t)
	if len(got.objects) != 33 || len(got.invalid) != 2 {
		t.Fatalf("%d people, %d invalid", len(got.objects), len(got.invalid))
	}
	for i, inv := range got.invalid {
		if inv.Where != fakeUserDN(4+i) || inv.ID != "" || fault.ClassOf(inv.Err) != fault.Invalid {
			t.Errorf("invalid entry %+v", inv)
		}
	}
}

func TestAnchorOfChoice(t *testing.T) {
	got := readAll(t.Context(), newFakeServer(t, fakeAD()).open(t, func(c *Config) { c.Anchor.Users = "objectSid" }), streamUsers, nil).must(t)
	if _, ok := got.objects["S-1-5-21-1-2-3-1001"]; !ok || len(got.objects) != 35 {
		t.Errorf("%d people by SID", len(got.objects))
	}
}

func TestBindRefusals(t *testing.T) {
	for data, words := range map[string]string{
		"52e": "wrong user name or password", "533": "account disabled", "775": "account locked out", "773": "password must be changed",
		"532": "password expired", "701": "account expired", "525": "user not found", "530": "not permitted at this time",
		"80090346": "channel binding", "fff": "invalid credentials",
	} {
		t.Run(data, func(t *testing.T) {
			d := fakeAD()
			binds := 0
			d.bind = func(name, password string) (int64, string) {
				binds++
				if name != "sync@example.test" || password != "fake-secret" {
					t.Errorf("bound as %s", name)
				}
				return ldap.LDAPResultInvalidCredentials, fmt.Sprintf("80090308: LdapErr: DSID-0C090447, comment: AcceptSecurityContext error, data %s, v4563\x00", data)
			}
			got := readAll(t.Context(), newFakeServer(t, d).open(t, nil), streamUsers, nil)
			expect(t, got, fault.Auth, words)
			if binds != 1 {
				t.Errorf("%d tries", binds)
			}
		})
	}
}

func TestStrongAuthRequired(t *testing.T) {
	d := fakeAD()
	d.bind = func(string, string) (int64, string) {
		return ldap.LDAPResultStrongAuthRequired, "00002028: LdapErr: DSID-0C0, The server requires binds to turn on integrity checking if SSL\\TLS are not already active"
	}
	expect(t, readAll(t.Context(), newFakeServer(t, d).open(t, nil), streamUsers, nil), fault.Configuration, "start_tls")
}

// TestSilentServer: a server that takes the connection and says nothing ends the wait after the timeout.
func TestSilentServer(t *testing.T) {
	for name, silence := range map[string]func(d *fakeDirectory, release chan struct{}){
		"bind": func(d *fakeDirectory, release chan struct{}) {
			d.bind = func(string, string) (int64, string) {
				<-release
				return 0, ""
			}
		},
		"page": func(d *fakeDirectory, release chan struct{}) {
			d.page = func(n int, _ *fakeRequest) bool {
				if n == 1 {
					<-release
				}
				return n == 1
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			d, release := fakeAD(), make(chan struct{})
			silence(d, release)
			c := newFakeServer(t, d).open(t, func(c *Config) { c.Timeout = settings.Duration(300 * time.Millisecond) })
			got := readAll(t.Context(), c, streamUsers, nil)
			close(release)
			expect(t, got, fault.Transient, "connection")
		})
	}
}

// TestPanicInListing: a defect of ours on the reading goroutine becomes an error, since nobody could recover it.
func TestPanicInListing(t *testing.T) {
	l := &listing{reading: &reading{op: "read users", query: query{lines: []searchLine{{base: "x"}}}}, ready: make(chan *batch), spare: make(chan *batch, batches)}
	go l.run(t.Context()) // has no session
	err := l.emit(t.Context(), nil)
	if err != nil || fault.ClassOf(l.err) != fault.Internal || !strings.Contains(l.err.Error(), "panic") {
		t.Errorf("emit %v, listing %v", err, l.err)
	}
}
