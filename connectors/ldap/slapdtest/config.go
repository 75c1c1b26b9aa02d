package slapdtest

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// configuration renders slapd.conf. Everybody who bound may read everything, except BlindDN.
func (s *Server) configuration() string {
	var b strings.Builder
	opts := s.opts
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }

	for _, name := range []string{"core", "cosine", "inetorgperson"} {
		line("include %s", schemaFile(name))
	}
	if opts.RFC2307bis {
		line("%s", rfc2307bis)
	} else {
		line("include %s", schemaFile("nis"))
	}
	line("pidfile %s", s.path("slapd.pid"))
	line("modulepath /usr/lib/ldap:/usr/lib/openldap:/usr/lib64/openldap")
	for _, name := range []string{"back_mdb", "syncprov", "memberof", "refint", "ppolicy"} {
		line("moduleload %s", name)
	}
	line("TLSCACertificateFile %s", s.CAFile)
	line("TLSCertificateFile %s", s.path("server.pem"))
	line("TLSCertificateKeyFile %s", s.path("server.key"))
	if opts.SizeLimit > 0 {
		line("sizelimit %d", opts.SizeLimit)
	} else {
		line("sizelimit unlimited")
	}
	line("allow bind_anon_cred")
	for _, l := range opts.Global {
		line("%s", l)
	}

	line("database mdb")
	line("maxsize 4294967296")
	line("suffix %q", s.Suffix)
	line("rootdn %q", s.AdminDN)
	line("rootpw %s", AdminPassword)
	line("directory %s", s.path("db"))
	line("dbnosync")
	line("index objectClass,entryUUID,uid,member,uniqueMember,memberUid eq")
	if !opts.NoCSNIndex {
		line("index entryCSN eq")
	}
	line("limits dn.exact=%q size=unlimited time=unlimited", s.ReplicatorDN)
	line("limits dn.exact=%q size.soft=500 size.hard=500 size.pr=500 size.prtotal=500", s.LimitedDN)
	for _, l := range opts.Access {
		line("%s", l)
	}
	line("access to attrs=userPassword by anonymous auth by * none")
	line("access to dn.regex=\"^(ou=[^,]+,)?%s$\" by users read by * none", s.Suffix)
	line("access to * by dn.exact=%q none by users read by anonymous auth", s.BlindDN)
	for _, l := range opts.Database {
		line("%s", l)
	}
	line("overlay syncprov")
	if opts.SessionLog > 0 {
		line("syncprov-sessionlog %d", opts.SessionLog)
	}
	line("overlay ppolicy")
	if opts.MemberOf || opts.MemberOfRefint {
		line("overlay memberof")
	}
	if opts.MemberOfRefint {
		line("memberof-refint TRUE")
	}
	if len(opts.Refint) > 0 {
		line("overlay refint")
		line("refint_attributes %s", strings.Join(opts.Refint, " "))
		line("refint_nothing %q", s.AdminDN) // a group must have a member
	}
	return b.String()
}

func schemaFile(name string) string {
	for _, dir := range []string{"/etc/ldap/schema", "/etc/openldap/schema", "/usr/local/etc/openldap/schema"} {
		path := filepath.Join(dir, name+".schema")
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	return name + ".schema"
}

// rfc2307bis is the part of draft-howard-rfc2307bis that the tests need: auxiliary POSIX accounts and groups.
// slapd itself knows uidNumber and gidNumber.
const rfc2307bis = `attributetype ( 1.3.6.1.1.1.1.3 NAME 'homeDirectory'
  EQUALITY caseExactIA5Match SYNTAX 1.3.6.1.4.1.1466.115.121.1.26 SINGLE-VALUE )
attributetype ( 1.3.6.1.1.1.1.12 NAME 'memberUid'
  EQUALITY caseExactMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )
objectclass ( 1.3.6.1.1.1.2.0 NAME 'posixAccount' SUP top AUXILIARY
  MUST ( cn $ uid $ uidNumber $ gidNumber $ homeDirectory ) )
objectclass ( 1.3.6.1.1.1.2.2 NAME 'posixGroup' SUP top AUXILIARY
  MUST gidNumber MAY ( memberUid $ description ) )`

// old is when the entries that every server has were changed: long ago, unlike what a test adds or loads.
const old = "createTimestamp: 20200131120000Z\nmodifyTimestamp: 20200131120000Z\nentryCSN: 20200131120000.000000Z#000000#000#000000\n"

// writeBase writes the entries that every server has.
func (s *Server) writeBase(w io.Writer) error {
	dc, _, _ := strings.Cut(domain(s.Suffix), ".")
	_, err := fmt.Fprintf(w, "dn: %s\n%sobjectClass: dcObject\nobjectClass: organization\ndc: %s\no: %s\n\n", s.Suffix, old, dc, dc)
	if err != nil {
		return err
	}
	for _, ou := range []string{"people", "groups", "services"} {
		if _, err := fmt.Fprintf(w, "dn: ou=%s,%s\n%sobjectClass: organizationalUnit\nou: %s\n\n", ou, s.Suffix, old, ou); err != nil {
			return err
		}
	}
	for _, account := range []struct{ dn, password string }{
		{s.ReplicatorDN, ReplicatorPassword}, {s.LimitedDN, LimitedPassword}, {s.BlindDN, BlindPassword},
	} {
		cn := strings.TrimPrefix(strings.SplitN(account.dn, ",", 2)[0], "cn=")
		_, err := fmt.Fprintf(w, "dn: %s\nobjectClass: organizationalRole\nobjectClass: simpleSecurityObject\n"+
			"cn: %s\nuserPassword: %s\n\n", account.dn, cn, account.password)
		if err != nil {
			return err
		}
	}
	return nil
}
