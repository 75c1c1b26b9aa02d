package ldap

import (
	"slices"
	"testing"

	"dirsyncd/sync/directory"
)

// What the server's schema does not have is asked for all the same, and last: a proxy hands on what its own schema does not have.
func TestNamesThatTheSchemaHasComeFirst(t *testing.T) {
	s := parseSchema([]string{"( 2.5.4.3 NAME ( 'cn' 'commonName' ) )", "( 0.9.2342.19200300.100.1.1 NAME ( 'uid' 'userid' ) )", "( 2.5.4.4 NAME 'sn' )"})
	r := newRow(s)
	for _, name := range []string{"nsAccountLock", "sn", "company", "userid;lang-de", "CN"} {
		r.slot(name)
	}
	if got, want := r.wanted(), []string{"sn", "userid;lang-de", "CN", "nsAccountLock", "company"}; !slices.Equal(got, want) {
		t.Errorf("asks for %q, want %q", got, want)
	}
	if list := newTranslator(directory.Person, openLDAP(), Defaults()).row.wanted(); slices.Index(list, "manager") > slices.Index(list, "nsAccountLock") ||
		slices.Index(list, "uidNumber") > slices.Index(list, "company") {
		t.Errorf("without a schema: asks for %q", list)
	}
	for _, schema := range []*schema{nil, s} {
		p := openLDAP()
		p.schema = schema
		names := newTranslator(directory.Person, p, Defaults()).row
		if got, want := slices.Sorted(slices.Values(names.wanted())), slices.Sorted(slices.Values(names.names)); !slices.Equal(got, want) {
			t.Errorf("asks for %q, want %q", got, want)
		}
	}
}
