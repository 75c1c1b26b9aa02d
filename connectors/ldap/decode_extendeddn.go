package ldap

import (
	"strings"

	"github.com/go-ldap/ldap/v3"

	"dirsyncd/connectors/ldap/internal/wire"
	"dirsyncd/sync/directory"
)

// The extended DN control of Active Directory (MS-ADTS 3.1.1.3.4.1.5) makes every DN of an answer
// <GUID=…>;<SID=…>;CN=…, the SID only where there is one. The value SEQUENCE { 1 } asks for the usual spelling
// of both, in place of hexadecimal digits.
const (
	controlExtendedDN = "1.2.840.113556.1.4.529"
	usualSpelling     = "\x30\x03\x02\x01\x01"
	guidPrefix        = "<GUID="
)

// controls are those that the searches of the translator's entries need. They are critical: without them the
// links would be others.
func (t *translator) controls() []wire.Control {
	if !t.row.extended {
		return nil
	}
	return []wire.Control{{OID: controlExtendedDN, Critical: true, Value: usualSpelling}}
}

// extendedControls are the same for go-ldap.
func (t *translator) extendedControls() []ldap.Control {
	if !t.row.extended {
		return nil
	}
	return []ldap.Control{ldap.NewControlString(controlExtendedDN, true, usualSpelling)}
}

// plainDN returns an extended DN without what was added. A DN proper can begin with no "<".
func plainDN(dn string) string {
	for strings.HasPrefix(dn, "<") {
		_, rest, ok := strings.Cut(dn, ">;")
		if !ok {
			return dn
		}
		dn = rest
	}
	return dn
}

// linkedGUID returns the GUID of an extended DN.
func linkedGUID(dn string) (guid string, ok bool) {
	guid, ok = strings.CutPrefix(dn, guidPrefix)
	if !ok || len(guid) < 37 || guid[36] != '>' {
		return "", false
	}
	return strings.ToLower(guid[:36]), true
}

// addTarget adds the handle of the entry that a value points to: its id where the server says it, its DN elsewhere.
func (t *translator) addTarget(b *batch, slot, i int, dn string) {
	if linked := t.row.linked[slot]; i >= 0 && i < len(linked) {
		if guid, ok := linkedGUID(linked[i]); ok {
			b.names.add(directory.IDHandle(""), guid)
			return
		}
	}
	b.names.addDN(t.preset.form, dn)
}
