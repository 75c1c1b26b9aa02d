package ldapsim_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"

	"dirsyncd/connectors/sim/ldapsim"
)

func start(t *testing.T, o ldapsim.Options) *ldapsim.Server {
	t.Helper()
	s, err := ldapsim.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func dial(t *testing.T, url string, opts ...ldap.DialOpt) *ldap.Conn {
	t.Helper()
	c, err := ldap.DialURL(url, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func bound(t *testing.T, s *ldapsim.Server) *ldap.Conn {
	t.Helper()
	c := dial(t, s.URL())
	if err := c.Bind(s.User(), s.Password()); err != nil {
		t.Fatal(err)
	}
	return c
}

func people(s *ldapsim.Server, filter string, attrs ...string) *ldap.SearchRequest {
	return ldap.NewSearchRequest(s.Base(), ldap.ScopeWholeSubtree, ldap.NeverDerefAliases, 0, 0, false, filter, attrs, nil)
}

func search(t *testing.T, c *ldap.Conn, r *ldap.SearchRequest) []*ldap.Entry {
	t.Helper()
	found, err := c.Search(r)
	if err != nil {
		t.Fatal(err)
	}
	return found.Entries
}

func names(entries []*ldap.Entry) []string {
	var list []string
	for _, e := range entries {
		list = append(list, e.DN)
	}
	slices.Sort(list)
	return list
}

const anyone = "(objectClass=inetOrgPerson)"

func TestCompany(t *testing.T) {
	p := ldapsim.Company(40)
	if len(p.People) != 40 || len(p.Groups) != 8 {
		t.Fatalf("%d people and %d groups, want 40 and 8", len(p.People), len(p.Groups))
	}
	uids := map[string]bool{}
	for _, person := range ldapsim.Company(5000).People {
		if uids[person.UID] {
			t.Errorf("uid %s is given twice", person.UID)
		}
		uids[person.UID] = true
	}
	for n := range 12 {
		s, err := ldapsim.Start(ldapsim.Options{Population: ldapsim.Company(n)})
		if err != nil {
			t.Fatalf("company of %d: %v", n, err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestFilters(t *testing.T) {
	s := start(t, ldapsim.Options{Population: ldapsim.Population{
		People: []ldapsim.Person{
			{UID: "ann", GivenName: "Ann", FamilyName: "O'Neil (Sr)", Department: "Sales", Mail: "ann@example.test"},
			{UID: "bob", FamilyName: "Smith", Department: "Sales", Locked: true},
			{UID: "eve", FamilyName: "Smithers", Department: "R&D", Manager: "ann"},
		},
		Groups: []ldapsim.Group{{Name: "Readers", People: []string{"ann"}}},
	}})
	c := bound(t, s)
	for filter, want := range map[string][]string{
		"(uid=ANN)":                          {"ann"},
		"(sn=o'neil \\28sr\\29)":             {"ann"},
		"(&(objectClass=person)(sn=Smith*))": {"bob", "eve"},
		"(sn=*ith*rs)":                       {"eve"},
		"(sn=*smith)":                        {"bob"},
		"(sn=Smith*Smith)":                   nil,
		"(|(uid=ann)(uid=eve))":              {"ann", "eve"},
		"(&(uid=*)(!(mail=*)))":              {"bob", "eve"},
		"(pwdAccountLockedTime=*)":           {"bob"},
		"(manager=UID=ann, OU=Sales,ou=people,dc=example,dc=test)": {"eve"},
		"(&(uid=*)(modifyTimestamp>=20000101000000Z))":             {"ann", "bob", "eve"},
		"(&(uid=*)(modifyTimestamp<=20000101000000Z))":             nil,
		"(uid:caseExactMatch:=ann)":                                nil,
		"(&(uid=*)(!(uid:caseExactMatch:=ann)))":                   nil,
		"(uid~=bob)":                                               {"bob"},
	} {
		var got []string
		for _, e := range search(t, c, people(s, filter, "uid")) {
			got = append(got, e.GetAttributeValue("uid"))
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s lists %q, want %q", filter, got, want)
		}
	}
}

func TestScopes(t *testing.T) {
	s := start(t, ldapsim.Options{Population: ldapsim.Population{
		People: []ldapsim.Person{{UID: "ann", FamilyName: "A", Department: "Sales"}, {UID: "bob", FamilyName: "B"}},
	}})
	for _, dn := range []string{"A", `Ops, ou=People`} {
		if err := s.AddPerson(ldapsim.Person{UID: "in." + dn, FamilyName: "C", Department: dn}); err != nil {
			t.Fatal(err)
		}
	}
	for from, to := range map[string]string{
		s.UnitDN("A"):              "ou=All People," + s.Base(), // no unit of People, though it ends alike
		s.UnitDN("Ops, ou=People"): `ou=Ops\,ou=People,` + s.Base(),
	} {
		if err := s.Move(from, to); err != nil {
			t.Fatal(err)
		}
	}
	c := bound(t, s)
	for _, test := range []struct {
		base  string
		scope int
		want  int
	}{
		{"ou=People," + s.Base(), ldap.ScopeBaseObject, 1},
		{"OU=people, DC=Example,dc=test", ldap.ScopeSingleLevel, 2},
		{"ou=People," + s.Base(), ldap.ScopeWholeSubtree, 4},
		{"ou=People," + s.Base(), ldap.ScopeChildren, 3},
	} {
		r := people(s, "(objectClass=*)", "1.1")
		r.BaseDN, r.Scope = test.base, test.scope
		if got := search(t, c, r); len(got) != test.want {
			t.Errorf("%s scope %d lists %q, want %d entries", test.base, test.scope, names(got), test.want)
		}
	}
	r := people(s, "(objectClass=*)")
	r.BaseDN = "ou=Nowhere," + s.Base()
	if _, err := c.Search(r); !ldap.IsErrorWithCode(err, ldap.LDAPResultNoSuchObject) {
		t.Errorf("a base that is not there: %v, want no such object", err)
	}
}

func TestAttributeSelection(t *testing.T) {
	s := start(t, ldapsim.Options{Population: ldapsim.Company(1)})
	c := bound(t, s)
	for _, test := range []struct {
		asked     []string
		has, lack []string
	}{
		{nil, []string{"cn", "mail"}, []string{"entryUUID", "modifyTimestamp"}},
		{[]string{"*"}, []string{"cn"}, []string{"entryUUID"}},
		{[]string{"+"}, []string{"entryUUID", "createTimestamp", "modifyTimestamp", "entryCSN"}, []string{"cn"}},
		{[]string{"*", "entryuuid"}, []string{"cn", "entryUUID"}, []string{"entryCSN"}},
		{[]string{"1.1"}, nil, []string{"cn", "entryUUID"}},
		{[]string{"MAIL"}, []string{"mail"}, []string{"cn", "entryUUID"}},
	} {
		e := search(t, c, people(s, anyone, test.asked...))[0]
		for _, name := range test.has {
			if e.GetAttributeValue(name) == "" {
				t.Errorf("asked for %q: %s is missing", test.asked, name)
			}
		}
		for _, name := range test.lack {
			if e.GetAttributeValue(name) != "" {
				t.Errorf("asked for %q: %s was sent", test.asked, name)
			}
		}
	}
	r := people(s, anyone)
	r.TypesOnly = true
	if e := search(t, c, r)[0]; len(e.Attributes) == 0 || len(e.Attributes[0].Values) != 0 {
		t.Errorf("types only: %v", e.Attributes)
	}
}

func TestRootDSENeedsNoBind(t *testing.T) {
	s := start(t, ldapsim.Options{TLS: true})
	c := dial(t, s.URL())
	r := people(s, "(objectClass=*)", "*", "+")
	r.BaseDN, r.Scope = "", ldap.ScopeBaseObject
	e := search(t, c, r)[0]
	if got := e.GetAttributeValues("namingContexts"); !slices.Equal(got, []string{s.Base()}) {
		t.Errorf("naming contexts %q", got)
	}
	if !slices.Contains(e.GetAttributeValues("supportedControl"), ldap.ControlTypePaging) {
		t.Error("the root DSE does not name the paging control")
	}
	if _, err := c.Search(people(s, anyone)); !ldap.IsErrorWithCode(err, ldap.LDAPResultNoSuchObject) {
		t.Errorf("anonymous listing: %v, want no such object", err)
	}
}

func TestBind(t *testing.T) {
	s := start(t, ldapsim.Options{})
	c := dial(t, s.URL())
	if err := c.Bind(s.User(), "wrong"); !ldap.IsErrorWithCode(err, ldap.LDAPResultInvalidCredentials) {
		t.Errorf("wrong password: %v", err)
	}
	if err := c.Bind("uid=nobody,"+s.Base(), s.Password()); !ldap.IsErrorWithCode(err, ldap.LDAPResultInvalidCredentials) {
		t.Errorf("wrong user: %v", err)
	}
	if err := c.UnauthenticatedBind(s.User()); !ldap.IsErrorWithCode(err, ldap.LDAPResultUnwillingToPerform) {
		t.Errorf("user without password: %v", err)
	}
	if who, err := c.WhoAmI(nil); err != nil || who.AuthzID != "" {
		t.Errorf("anonymous: %v, %v", who, err)
	}
	if err := c.Bind(s.User(), s.Password()); err != nil {
		t.Fatal(err)
	}
	if who, err := c.WhoAmI(nil); err != nil || who.AuthzID != "dn:"+s.User() {
		t.Errorf("who am I: %v, %v", who, err)
	}
	if err := c.ExternalBind(); !ldap.IsErrorWithCode(err, ldap.LDAPResultAuthMethodNotSupported) {
		t.Errorf("SASL: %v", err)
	}
	if got := s.Counts(); got.Binds != 5 || got.WhoAmI != 2 || got.Connections != 1 {
		t.Errorf("counted %+v", got)
	}
	if err := c.Del(ldap.NewDelRequest(s.Base(), nil)); !ldap.IsErrorWithCode(err, ldap.LDAPResultUnwillingToPerform) {
		t.Errorf("delete: %v", err)
	}
}

func TestTLS(t *testing.T) {
	s := start(t, ldapsim.Options{RequireTLS: true, Population: ldapsim.Company(3)})
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(s.CA()) {
		t.Fatal("the authority is no PEM")
	}
	config := &tls.Config{RootCAs: pool, ServerName: "127.0.0.1", MinVersion: tls.VersionTLS12}

	plain := dial(t, s.URL())
	err := plain.Bind(s.User(), s.Password())
	if !ldap.IsErrorWithCode(err, ldap.LDAPResultConfidentialityRequired) {
		t.Errorf("password in the clear: %v", err)
	}
	if err := plain.StartTLS(config); err != nil {
		t.Fatal(err)
	}
	for _, c := range []*ldap.Conn{plain, dial(t, s.SecureURL(), ldap.DialWithTLSConfig(config))} {
		if err := c.Bind(s.User(), s.Password()); err != nil {
			t.Fatal(err)
		}
		if got := search(t, c, people(s, anyone)); len(got) != 3 {
			t.Errorf("%d people, want 3", len(got))
		}
	}
	if _, err := ldap.DialURL(s.SecureURL()); err == nil {
		t.Error("an unknown authority was accepted")
	}
}

func TestPaging(t *testing.T) {
	s := start(t, ldapsim.Options{Population: ldapsim.Company(25)})
	c := bound(t, s)
	for _, size := range []uint32{1, 7, 25, 100} {
		s.ResetCounts()
		found, err := c.SearchWithPaging(people(s, anyone), size)
		if err != nil {
			t.Fatal(err)
		}
		if distinct := slices.Compact(names(found.Entries)); len(distinct) != 25 {
			t.Errorf("pages of %d: %d people, want 25", size, len(distinct))
		}
		if got, want := s.Counts().Searches, (25+int(size)-1)/int(size); got != want {
			t.Errorf("pages of %d: %d requests, want %d", size, got, want)
		}
	}
}

// page asks for one page and returns its entries and the cookie of the next.
func page(c *ldap.Conn, r *ldap.SearchRequest, size uint32, cookie []byte) (int, []byte, error) {
	control := ldap.NewControlPaging(size)
	control.SetCookie(cookie)
	r.Controls = []ldap.Control{control}
	found, err := c.Search(r)
	if err != nil {
		return 0, nil, err
	}
	paging, ok := ldap.FindControl(found.Controls, ldap.ControlTypePaging).(*ldap.ControlPaging)
	if !ok {
		return len(found.Entries), nil, errors.New("no paging control in the answer")
	}
	return len(found.Entries), paging.Cookie, nil
}

func TestCookieIsBoundToItsConnectionAndBind(t *testing.T) {
	s := start(t, ldapsim.Options{Population: ldapsim.Company(9)})
	c := bound(t, s)
	_, cookie, err := page(c, people(s, anyone), 4, nil)
	if err != nil || len(cookie) == 0 {
		t.Fatalf("cookie %q, %v", cookie, err)
	}
	_, _, err = page(bound(t, s), people(s, anyone), 4, cookie)
	if !ldap.IsErrorWithCode(err, ldap.LDAPResultProtocolError) {
		t.Errorf("on another connection: %v", err)
	}
	if n, _, err := page(c, people(s, anyone), 4, cookie); n != 4 || err != nil {
		t.Errorf("on its own connection: %d entries, %v", n, err)
	}
	if _, _, err := page(c, people(s, anyone), 4, cookie); !ldap.IsErrorWithCode(err, ldap.LDAPResultProtocolError) {
		t.Errorf("used twice: %v", err)
	}
	_, cookie, err = page(c, people(s, anyone), 4, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Bind(s.User(), s.Password()); err != nil {
		t.Fatal(err)
	}
	if _, _, err := page(c, people(s, anyone), 4, cookie); !ldap.IsErrorWithCode(err, ldap.LDAPResultProtocolError) {
		t.Errorf("after another bind: %v", err)
	}
}

func TestSizeLimit(t *testing.T) {
	s := start(t, ldapsim.Options{Population: ldapsim.Company(9), SizeLimit: 5})
	c := bound(t, s)
	found, err := c.Search(people(s, anyone))
	if !ldap.IsErrorWithCode(err, ldap.LDAPResultSizeLimitExceeded) || len(found.Entries) != 5 {
		t.Errorf("server's limit: %v", err)
	}
	found, err = c.SearchWithPaging(people(s, anyone), 4)
	if !ldap.IsErrorWithCode(err, ldap.LDAPResultSizeLimitExceeded) || len(found.Entries) != 5 {
		t.Errorf("server's limit over pages: %v", err)
	}
	r := people(s, anyone)
	r.SizeLimit = 2
	found, err = c.Search(r)
	if !ldap.IsErrorWithCode(err, ldap.LDAPResultSizeLimitExceeded) || len(found.Entries) != 2 {
		t.Errorf("client's limit: %v", err)
	}
	if got := search(t, c, people(s, "(l=Leeds)")); len(got) > 5 {
		t.Errorf("%d entries pass a limit of 5", len(got))
	}
}

func TestChanges(t *testing.T) {
	clock := time.Date(2026, 1, 31, 8, 0, 0, 0, time.UTC)
	s := start(t, ldapsim.Options{Population: ldapsim.Company(40), Now: func() time.Time { return clock }})
	c := bound(t, s)
	boss := s.Values(s.GroupDN("Engineering"), "member")[0]
	uuid := s.Values(boss, "entryUUID")
	clock = clock.Add(time.Hour)

	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check(s.AddPerson(ldapsim.Person{UID: "new.joiner", FamilyName: "Joiner", Department: "Legal"}))
	check(s.Modify(boss, "title", "Head of Everything"))
	check(s.AddMember(s.GroupDN("Service Desk"), s.PersonDN("new.joiner")))
	check(s.AddMember(s.GroupDN("Service Desk"), s.PersonDN("new.joiner")))
	check(s.Lock(s.PersonDN("new.joiner")))
	since := people(s, "(modifyTimestamp>=20260131090000Z)", "cn")
	if got := search(t, c, since); len(got) != 4 { // unit, joiner, boss, group
		t.Errorf("changed are %q", names(got))
	}
	if got := s.Values(s.GroupDN("Service Desk"), "member"); len(got) != 3 {
		t.Errorf("members are %q", got)
	}

	moved := "uid=the.boss," + s.UnitDN("Legal")
	check(s.Move(boss, moved))
	if got := s.Values(moved, "uid"); !slices.Equal(got, []string{"the.boss"}) {
		t.Errorf("uid after the move is %q", got)
	}
	if got := s.Values(moved, "entryUUID"); !slices.Equal(got, uuid) {
		t.Errorf("entryUUID after the move is %q, was %q", got, uuid)
	}
	if !slices.Contains(s.Values(s.GroupDN("Engineering"), "member"), moved) {
		t.Error("the group does not follow the move")
	}
	if len(search(t, c, people(s, "(manager="+moved+")"))) == 0 {
		t.Error("nobody's manager follows the move")
	}

	check(s.Move(s.UnitDN("Legal"), "ou=Law,ou=People,"+s.Base()))
	moved = "uid=the.boss,ou=Law,ou=People," + s.Base()
	if got := s.Values(moved, "entryUUID"); !slices.Equal(got, uuid) {
		t.Error("who is below a moved unit does not move with it")
	}
	if !slices.Contains(s.Values(s.GroupDN("Engineering"), "member"), moved) {
		t.Error("the group does not follow the move of a unit")
	}

	check(s.RemoveMember(s.GroupDN("Service Desk"), s.PersonDN("new.joiner")))
	check(s.Remove(moved))
	if slices.Contains(s.Values(s.GroupDN("Engineering"), "member"), moved) {
		t.Error("the group lists somebody who is gone")
	}
	if got := search(t, c, people(s, "(|(manager="+moved+")(uid=the.boss))")); len(got) != 0 {
		t.Errorf("%q still know somebody who is gone", names(got))
	}
	if err := s.Remove(moved); err == nil {
		t.Error("somebody was removed twice")
	}
	if err := s.Move(s.PersonDN("new.joiner"), "uid=x,ou=Nowhere,"+s.Base()); err == nil {
		t.Error("somebody was moved to nowhere")
	}
}

func TestMoveKeepsListingThatIsUnderWay(t *testing.T) {
	s := start(t, ldapsim.Options{Population: ldapsim.Company(9)})
	c := bound(t, s)
	n, cookie, err := page(c, people(s, anyone), 4, nil)
	if n != 4 || err != nil {
		t.Fatal(n, err)
	}
	if err := s.Remove("ou=People," + s.Base()); err != nil {
		t.Fatal(err)
	}
	if n, _, err := page(c, people(s, anyone), 100, cookie); n != 5 || err != nil {
		t.Errorf("second page has %d entries, %v; want 5", n, err)
	}
	if got := search(t, c, people(s, anyone)); len(got) != 0 {
		t.Errorf("%q are still listed", names(got))
	}
}

func TestFaults(t *testing.T) {
	code := func(n uint16) func(error) bool {
		return func(err error) bool { return ldap.IsErrorWithCode(err, n) }
	}
	broken := func(err error) bool { return err != nil }
	fine := func(err error) bool { return err == nil }
	for name, test := range map[string]struct {
		fault   ldapsim.Fault
		entries int
		err     func(error) bool
	}{
		"cut at once":      {ldapsim.Fault{Kind: ldapsim.Cut}, 0, broken},
		"cut in a page":    {ldapsim.Fault{Kind: ldapsim.Cut, After: 6}, 6, broken},
		"cut at the end":   {ldapsim.Fault{Kind: ldapsim.Cut, After: 100}, 10, broken},
		"garbled":          {ldapsim.Fault{Kind: ldapsim.Garble, After: 6}, 6, broken},
		"size limit":       {ldapsim.Fault{Kind: ldapsim.Answer, Code: ldap.LDAPResultSizeLimitExceeded, After: 5}, 5, code(4)},
		"time limit":       {ldapsim.Fault{Kind: ldapsim.Answer, Code: ldap.LDAPResultTimeLimitExceeded, After: 4}, 4, code(3)},
		"busy":             {ldapsim.Fault{Kind: ldapsim.Answer, Code: ldap.LDAPResultBusy}, 0, code(51)},
		"unavailable":      {ldapsim.Fault{Kind: ldapsim.Answer, Code: ldap.LDAPResultUnavailable, After: 9}, 9, code(52)},
		"empty":            {ldapsim.Fault{Kind: ldapsim.Empty}, 0, fine},
		"paging ignored":   {ldapsim.Fault{Kind: ldapsim.IgnorePaging}, 10, fine},
		"another filter":   {ldapsim.Fault{Kind: ldapsim.Cut, Only: "groupOfNames"}, 10, fine},
		"the right filter": {ldapsim.Fault{Kind: ldapsim.Cut, Only: "inetOrgPerson"}, 0, broken},
		"lookups only":     {ldapsim.Fault{Kind: ldapsim.Cut, On: ldapsim.Lookup}, 10, fine},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, ldapsim.Options{Population: ldapsim.Company(10)})
			c := bound(t, s)
			test.fault.Times = 1
			s.Misbehave(test.fault)
			// SearchWithPaging drops what the broken page held: the server's own count tells what was sent.
			_, err := c.SearchWithPaging(people(s, anyone), 4)
			if !test.err(err) {
				t.Errorf("unexpected outcome %v", err)
			}
			if got := s.Counts().Entries; got != test.entries {
				t.Errorf("%d entries were sent, want %d", got, test.entries)
			}
			s.Behave()
			if got := search(t, bound(t, s), people(s, anyone)); len(got) != 10 {
				t.Errorf("%d people afterwards, want 10", len(got))
			}
		})
	}
}

func TestPartialEntriesArriveBeforeTheCut(t *testing.T) {
	s := start(t, ldapsim.Options{Population: ldapsim.Company(10)})
	s.Misbehave(ldapsim.Fault{Kind: ldapsim.Cut, After: 6})
	answer := bound(t, s).SearchAsync(t.Context(), people(s, anyone), 0)
	got := 0
	for answer.Next() {
		got++
	}
	if got != 6 || answer.Err() == nil {
		t.Errorf("%d entries and %v, want 6 and an error", got, answer.Err())
	}
}

func TestRepeatedCookie(t *testing.T) {
	s := start(t, ldapsim.Options{Population: ldapsim.Company(10)})
	s.Misbehave(ldapsim.Fault{Kind: ldapsim.Repeat, After: 4, Times: 1})
	c := bound(t, s)
	_, first, err := page(c, people(s, anyone), 4, nil)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		n, next, err := page(c, people(s, anyone), 4, first)
		if n != 0 || !bytes.Equal(next, first) || err != nil {
			t.Fatalf("%d entries, cookie %x after %x, %v", n, next, first, err)
		}
	}
}

func TestFaultsOfBindAndConnection(t *testing.T) {
	s := start(t, ldapsim.Options{})
	s.Misbehave(ldapsim.Fault{On: ldapsim.Binding, Kind: ldapsim.Answer, Code: ldap.LDAPResultInvalidCredentials, Times: 2})
	for i := range 3 {
		err := dial(t, s.URL()).Bind(s.User(), s.Password())
		if refused := ldap.IsErrorWithCode(err, ldap.LDAPResultInvalidCredentials); refused != (i < 2) {
			t.Errorf("bind %d: %v", i+1, err)
		}
	}
	s.Misbehave(ldapsim.Fault{On: ldapsim.Connecting, Kind: ldapsim.Cut, Times: 1})
	if err := dial(t, s.URL()).Bind(s.User(), s.Password()); err == nil {
		t.Error("the connection was not cut")
	}
	bound(t, s)
}

func TestHangEndsWithTheServer(t *testing.T) {
	s := start(t, ldapsim.Options{Population: ldapsim.Company(10)})
	s.Misbehave(ldapsim.Fault{Kind: ldapsim.Hang, After: 3})
	answer := bound(t, s).SearchAsync(t.Context(), people(s, anyone), 0)
	for range 3 {
		if !answer.Next() {
			t.Fatal(answer.Err())
		}
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if answer.Next() || answer.Err() == nil {
		t.Errorf("the search ended with %v", answer.Err())
	}
	if err := s.Close(); err != nil {
		t.Errorf("second close: %v", err)
	}
}

func TestListensOnLoopbackOnly(t *testing.T) {
	s := start(t, ldapsim.Options{TLS: true})
	for _, text := range []string{s.URL(), s.SecureURL()} {
		u, err := url.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if ip := net.ParseIP(u.Hostname()); !ip.IsLoopback() {
			t.Errorf("%s is no loopback address", text)
		}
	}
}

func TestSameProgramSameDirectory(t *testing.T) {
	list := func() []string {
		s := start(t, ldapsim.Options{Population: ldapsim.Company(10)})
		var ids []string
		for _, e := range search(t, bound(t, s), people(s, anyone, "entryUUID")) {
			ids = append(ids, e.DN+" "+e.GetAttributeValue("entryUUID"))
		}
		return ids
	}
	first, second := list(), list()
	if !slices.Equal(first, second) {
		t.Errorf("two runs differ:\n%q\n%q", first, second)
	}
	ids := map[string]bool{}
	for _, line := range first {
		_, id, _ := strings.Cut(line, " ")
		ids[id] = true
	}
	if len(ids) != 10 {
		t.Errorf("%d different ids for 10 people", len(ids))
	}
}

// TestLDAPSearch lets the usual command have its say, where it is installed.
func TestLDAPSearch(t *testing.T) {
	command, err := exec.LookPath("ldapsearch")
	if err != nil && os.Getenv("DIRSYNCD_REQUIRE_REAL") != "" {
		t.Fatal("ldapsearch is not installed, and DIRSYNCD_REQUIRE_REAL is set")
	}
	if err != nil {
		t.Skip("ldapsearch is not installed")
	}
	s := start(t, ldapsim.Options{Population: ldapsim.Company(40)})
	var problems bytes.Buffer
	run := exec.CommandContext(t.Context(), command, "-x", "-LLL", "-H", s.URL(), "-D", s.User(), "-w", s.Password(),
		"-b", s.Base(), "-E", "pr=10/noprompt", "(&(objectClass=inetOrgPerson)(!(l=Nowhere)))", "*", "+")
	run.Stderr = &problems
	out, err := run.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, problems.String())
	}
	if got := strings.Count(string(out), "\nentryUUID: "); got != 40 {
		t.Errorf("ldapsearch lists %d people, want 40", got)
	}
	if got := s.Counts().Searches; got != 4 {
		t.Errorf("ldapsearch asked for %d pages, want 4", got)
	}
}

// contextCSN is shown at the suffix to who asks for it, a value for every server that made changes; it moves with every
// change, a removal too, and goes back with an older state.
func TestContextCSN(t *testing.T) {
	s := start(t, ldapsim.Options{Population: ldapsim.Company(10)})
	c := bound(t, s)
	context := func(scope int, filter string) []string {
		t.Helper()
		res, err := c.Search(ldap.NewSearchRequest(s.Base(), scope, ldap.NeverDerefAliases, 0, 0, false, filter, []string{"contextCSN"}, nil))
		if err != nil {
			t.Fatal(err)
		}
		var values []string
		for _, e := range res.Entries {
			values = append(values, e.GetAttributeValues("contextCSN")...)
		}
		return values
	}
	first := context(ldap.ScopeBaseObject, "(objectClass=*)")
	if len(first) != 1 || first[0] < s.Values(s.GroupDN("All Staff"), "entryCSN")[0] {
		t.Fatalf("%v", first)
	}
	if got := context(ldap.ScopeWholeSubtree, "(contextCSN=*)"); !slices.Equal(got, first) {
		t.Errorf("in the subtree %v", got)
	}
	older := s.Keep()
	person := s.PersonDN(ldapsim.Company(10).People[9].UID)
	s.WriteAs(3)
	if err := s.Remove(person); err != nil {
		t.Fatal(err)
	}
	both := context(ldap.ScopeBaseObject, "(objectClass=*)")
	if len(both) != 2 || both[0] != first[0] || !strings.Contains(both[1], "#003#") {
		t.Errorf("%v after %v", both, first)
	}
	s.Lag(older)
	if got := context(ldap.ScopeBaseObject, "(objectClass=*)"); !slices.Equal(got, first) {
		t.Errorf("lagging: %v", got)
	}
	if res, err := c.Search(ldap.NewSearchRequest(person, ldap.ScopeBaseObject, ldap.NeverDerefAliases, 0, 0, false, "(objectClass=*)", nil, nil)); err != nil || len(res.Entries) != 1 {
		t.Errorf("who was removed later: %v", err)
	}
	s.Lag(s.Unfilled())
	if got := context(ldap.ScopeWholeSubtree, "(objectClass=*)"); len(got) != 0 {
		t.Errorf("unfilled: %v", got)
	}
	s.Behave()
	if got := context(ldap.ScopeBaseObject, "(objectClass=*)"); !slices.Equal(got, both) {
		t.Errorf("mended: %v", got)
	}
}
