package slapdtest

import (
	"github.com/go-ldap/ldap/v3"
)

// do runs an operation as the root identity on a connection of its own.
func (s *Server) do(what string, fn func(*ldap.Conn) error) {
	s.tb.Helper()
	conn, err := s.connect()
	s.check("connect", err)
	defer func() { _ = conn.Close() }()
	s.check(what, fn(conn))
}

// UUID returns the entryUUID of an entry.
func (s *Server) UUID(dn string) string {
	s.tb.Helper()
	var uuid string
	s.do("search "+dn, func(c *ldap.Conn) error {
		res, err := c.Search(ldap.NewSearchRequest(dn, ldap.ScopeBaseObject, ldap.NeverDerefAliases, 0, 0, false,
			"(objectClass=*)", []string{"entryUUID"}, nil))
		if err == nil {
			uuid = res.Entries[0].GetAttributeValue("entryUUID")
		}
		return err
	})
	return uuid
}

// Add adds an entry.
func (s *Server) Add(dn string, attributes map[string][]string) {
	s.tb.Helper()
	s.do("add "+dn, func(c *ldap.Conn) error {
		req := ldap.NewAddRequest(dn, nil)
		for name, values := range attributes {
			req.Attribute(name, values)
		}
		return c.Add(req)
	})
}

// AddPerson adds an inetOrgPerson below ou=people and returns its DN.
func (s *Server) AddPerson(uid string, attributes map[string][]string) string {
	s.tb.Helper()
	all := map[string][]string{
		"objectClass": {"inetOrgPerson"}, "uid": {uid}, "cn": {uid}, "sn": {uid},
		"mail": {uid + "@" + domain(s.Suffix)},
	}
	for name, values := range attributes {
		all[name] = values
	}
	dn := s.PersonDN(uid)
	s.Add(dn, all)
	return dn
}

// AddGroup adds a groupOfNames below ou=groups and returns its DN.
func (s *Server) AddGroup(cn string, members ...string) string {
	s.tb.Helper()
	dn := s.GroupDN(cn)
	s.Add(dn, map[string][]string{"objectClass": {"groupOfNames"}, "cn": {cn}, "member": members})
	return dn
}

// Replace sets an attribute's values; none removes the attribute.
func (s *Server) Replace(dn, attribute string, values ...string) {
	s.tb.Helper()
	s.do("modify "+dn, func(c *ldap.Conn) error {
		req := ldap.NewModifyRequest(dn, nil)
		req.Replace(attribute, values)
		return c.Modify(req)
	})
}

// AddValues adds values to an attribute.
func (s *Server) AddValues(dn, attribute string, values ...string) {
	s.tb.Helper()
	s.do("modify "+dn, func(c *ldap.Conn) error {
		req := ldap.NewModifyRequest(dn, nil)
		req.Add(attribute, values)
		return c.Modify(req)
	})
}

// DeleteValues removes values of an attribute.
func (s *Server) DeleteValues(dn, attribute string, values ...string) {
	s.tb.Helper()
	s.do("modify "+dn, func(c *ldap.Conn) error {
		req := ldap.NewModifyRequest(dn, nil)
		req.Delete(attribute, values)
		return c.Modify(req)
	})
}

// Rename gives an entry another name, below another parent when superior is not empty.
func (s *Server) Rename(dn, rdn, superior string) {
	s.tb.Helper()
	s.do("rename "+dn, func(c *ldap.Conn) error {
		return c.ModifyDN(ldap.NewModifyDNRequest(dn, rdn, true, superior))
	})
}

// Delete removes an entry.
func (s *Server) Delete(dn string) {
	s.tb.Helper()
	s.do("delete "+dn, func(c *ldap.Conn) error { return c.Del(ldap.NewDelRequest(dn, nil)) })
}
