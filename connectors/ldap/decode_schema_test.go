package ldap

import (
	"slices"
	"testing"
)

func TestSchemaLinks(t *testing.T) {
	got := parseSchema([]string{
		"( 2.5.4.31 NAME 'member' DESC 'RFC2256: a SYNTAX of a group' SUP distinguishedName )",
		"( 2.5.4.49 NAME 'distinguishedName' DESC 'RFC4519: common supertype' EQUALITY distinguishedNameMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.12 )",
		"( 2.5.4.50 NAME 'uniqueMember' EQUALITY uniqueMemberMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.34 )",
		"( 0.9.2342.19200300.100.1.10 NAME ( 'manager' 'boss' ) SYNTAX 1.3.6.1.4.1.1466.115.121.1.12 )",
		"( 1.2.840.113556.1.2.102 NAME 'memberOf' SYNTAX '1.3.6.1.4.1.1466.115.121.1.12' NO-USER-MODIFICATION )",
		"( 2.5.4.3 NAME ( 'cn' 'commonName' ) SUP name )",
		"( 2.5.4.41 NAME 'name' SYNTAX 1.3.6.1.4.1.1466.115.121.1.15{32768} )",
		"( 1.1 NAME 'round' SUP about )", "( 1.2 NAME 'about' SUP round )", "( 1.3 NAME 'byNumber' SUP 2.5.4.49 )", "(", "",
	}).links()
	if want := []string{"boss", "byNumber", "distinguishedName", "manager", "member", "memberOf", "uniqueMember"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
