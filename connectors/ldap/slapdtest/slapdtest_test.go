package slapdtest

import (
	"bufio"
	"bytes"
	"strings"
	"testing"

	"github.com/go-ldap/ldap/v3"
)

func TestPopulation(t *testing.T) {
	p := Population{People: 100, Groups: 21, Posix: true}
	var first, second bytes.Buffer
	if err := p.WriteLDIF(&first, "dc=example,dc=test"); err != nil {
		t.Fatal(err)
	}
	if err := p.WriteLDIF(&second, "dc=example,dc=test"); err != nil {
		t.Fatal(err)
	}
	if first.String() != second.String() {
		t.Error("the same population is written differently")
	}
	entries, members := 0, 0
	for lines := bufio.NewScanner(&first); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "dn: ") {
			entries++
		}
		if strings.HasPrefix(lines.Text(), "member: ") {
			members++
		}
	}
	if entries != 121 || members != p.Memberships() {
		t.Errorf("%d entries and %d members, want 121 and %d", entries, members, p.Memberships())
	}
}

func TestServerLifecycle(t *testing.T) {
	s := Start(t, Options{Load: Population{People: 20, Groups: 3}.WriteLDIF, MemberOf: true})
	dn := s.AddPerson("ada", nil)
	uuid := s.UUID(dn)
	s.AddGroup("desk", dn)
	s.Rename(dn, "uid=ada2", "ou=services,"+s.Suffix)
	s.Restart()
	if got := s.UUID("uid=ada2,ou=services," + s.Suffix); got != uuid {
		t.Errorf("entryUUID %q after a rename and a restart, want %q", got, uuid)
	}
	s.Kill()
	if conn, err := ldap.DialURL(s.URL); err == nil {
		_ = conn.Close()
		t.Error("a killed server takes connections")
	}
	if s.PID() != 0 {
		t.Error("a killed server has a process id")
	}
	s.Reconfigure(func(o *Options) { o.SizeLimit = 5 })
	conn, err := ldap.DialURL(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if err := conn.Bind(s.BlindDN, BlindPassword); err != nil {
		t.Fatal(err)
	}
	res, err := conn.Search(ldap.NewSearchRequest(s.Suffix, ldap.ScopeWholeSubtree, 0, 0, 0, false, "(objectClass=person)", nil, nil))
	if err != nil || len(res.Entries) != 0 {
		t.Errorf("the blind identity sees %d people, error %v", len(res.Entries), err)
	}
}
