package sambatest

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"unicode/utf16"

	"github.com/go-ldap/ldap/v3"
)

// showDeleted is the control that makes tombstones visible (MS-ADTS 3.1.1.3.4.1.14).
func showDeleted() ldap.Control { return ldap.NewControlString("1.2.840.113556.1.4.417", true, "") }

// Connect returns a connection of the administrator's that ends with the test.
func (s *Server) Connect() *ldap.Conn {
	s.tb.Helper()
	conn, err := s.connect(AdminUser, AdminPassword)
	s.check("connect", err)
	s.tb.Cleanup(func() { _ = conn.Close() })
	return conn
}

// Entry reads one attribute of an entry, which may be a deleted one.
func (s *Server) Entry(dn, attribute string) []string {
	s.tb.Helper()
	res, err := s.conn.Search(ldap.NewSearchRequest(dn, ldap.ScopeBaseObject, ldap.NeverDerefAliases, 0, 0, false,
		"(objectClass=*)", []string{attribute}, []ldap.Control{showDeleted()}))
	s.check("read "+dn, err)
	return res.Entries[0].GetAttributeValues(attribute)
}

// GUID returns the objectGUID of an entry in its usual spelling.
func (s *Server) GUID(dn string) string {
	s.tb.Helper()
	b := []byte(s.Entry(dn, "objectGUID")[0])
	slices.Reverse(b[:4])
	slices.Reverse(b[4:6])
	slices.Reverse(b[6:8])
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// SID returns the objectSid of an account in its usual spelling.
func (s *Server) SID(dn string) string {
	s.tb.Helper()
	raw := []byte(s.Entry(dn, "objectSid")[0])
	sid := fmt.Sprintf("S-%d-%d", raw[0], raw[7])
	for raw = raw[8:]; len(raw) > 0; raw = raw[4:] {
		sid += fmt.Sprintf("-%d", binary.LittleEndian.Uint32(raw))
	}
	return sid
}

// Add adds an entry.
func (s *Server) Add(dn string, attributes map[string][]string) {
	s.tb.Helper()
	req := ldap.NewAddRequest(dn, nil)
	for name, values := range attributes {
		req.Attribute(name, values)
	}
	s.check("add "+dn, s.conn.Add(req))
}

// AddOU adds an organisational unit below a parent and returns its DN.
func (s *Server) AddOU(name, parent string) string {
	s.tb.Helper()
	dn := "OU=" + name + "," + parent
	s.Add(dn, map[string][]string{"objectClass": {"organizationalUnit"}})
	return dn
}

// AddUser adds an enabled user without a password below a parent and returns its DN.
func (s *Server) AddUser(name, parent string, attributes map[string][]string) string {
	s.tb.Helper()
	const normal, noPassword = 0x200, 0x20
	all := map[string][]string{
		"objectClass": {"user"}, "sAMAccountName": {name}, "userAccountControl": {fmt.Sprint(normal | noPassword)},
		"mail": {name + "@" + Domain},
	}
	for attribute, values := range attributes {
		all[attribute] = values
	}
	dn := "CN=" + name + "," + parent
	s.Add(dn, all)
	return dn
}

// AddGroup adds a global security group below a parent and returns its DN.
func (s *Server) AddGroup(name, parent string, members ...string) string {
	s.tb.Helper()
	dn := "CN=" + name + "," + parent
	attributes := map[string][]string{"objectClass": {"group"}, "sAMAccountName": {name}}
	if len(members) > 0 {
		attributes["member"] = members
	}
	s.Add(dn, attributes)
	return dn
}

// AddReader adds an account with ReaderPassword and the rights of any user, and returns its DN; it binds with
// its name and Domain.
func (s *Server) AddReader(name string) string {
	s.tb.Helper()
	dn := s.AddUser(name, "CN=Users,"+Suffix, nil)
	s.SetPassword(dn, ReaderPassword)
	return dn
}

// SetPassword gives an account another password.
func (s *Server) SetPassword(dn, password string) {
	s.tb.Helper()
	var raw []byte
	for _, unit := range utf16.Encode([]rune(`"` + password + `"`)) {
		raw = binary.LittleEndian.AppendUint16(raw, unit)
	}
	s.Replace(dn, "unicodePwd", string(raw))
}

// Modify changes an entry.
func (s *Server) Modify(dn string, change func(*ldap.ModifyRequest), controls ...ldap.Control) {
	s.tb.Helper()
	req := ldap.NewModifyRequest(dn, controls)
	change(req)
	if err := s.conn.Modify(req); err != nil {
		s.tb.Fatalf("sambatest: modify %s: %v\n%s", dn, err, s.Log())
	}
}

// Replace sets an attribute's values; none removes the attribute.
func (s *Server) Replace(dn, attribute string, values ...string) {
	s.tb.Helper()
	s.Modify(dn, func(r *ldap.ModifyRequest) { r.Replace(attribute, values) })
}

// AddMember and RemoveMember change a group's list.
func (s *Server) AddMember(group, dn string) {
	s.tb.Helper()
	s.Modify(group, func(r *ldap.ModifyRequest) { r.Add("member", []string{dn}) })
}

// RemoveMember takes a member off a group's list.
func (s *Server) RemoveMember(group, dn string) {
	s.tb.Helper()
	s.Modify(group, func(r *ldap.ModifyRequest) { r.Delete("member", []string{dn}) })
}

// Rename gives an entry another name, below another parent when superior is not empty, and returns its new DN.
func (s *Server) Rename(dn, rdn, superior string) string {
	s.tb.Helper()
	s.check("rename "+dn, s.conn.ModifyDN(ldap.NewModifyDNRequest(dn, rdn, true, superior)))
	if superior == "" {
		_, superior, _ = strings.Cut(dn, ",")
	}
	return rdn + "," + superior
}

// Delete deletes an entry; what is left is a tombstone.
func (s *Server) Delete(dn string) {
	s.tb.Helper()
	s.check("delete "+dn, s.conn.Del(ldap.NewDelRequest(dn, nil)))
}

// Undelete gives a tombstone its life back, by its GUID, as the entry with the DN.
func (s *Server) Undelete(guid, dn string) {
	s.tb.Helper()
	s.Modify(s.Entry("<GUID="+guid+">", "distinguishedName")[0], func(r *ldap.ModifyRequest) {
		r.Delete("isDeleted", nil)
		r.Replace("distinguishedName", []string{dn})
	}, showDeleted())
}
