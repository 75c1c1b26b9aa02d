package ldap

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"dirsyncd/sync/fault"
)

// rangeReader fetches the values that Active Directory leaves out of an entry with many (MaxValRange, 1,500
// by default; MS-ADTS 3.1.1.3.1.3.3). It asks on a connection of its own, since the other one is in the middle
// of a listing.
type rangeReader struct {
	connector *Connector
	op        string
	server    string
	session   *session
}

func (rr *rangeReader) close() {
	if rr.session != nil {
		rr.session.close()
	}
}

// attempts is how often a list is read anew because it changed between two parts.
const attempts = 3

// open connects, unless that was done.
func (rr *rangeReader) open(ctx context.Context) (err error) {
	if rr.session == nil {
		rr.session, err = rr.connector.connect(ctx, rr.op, rr.server)
	}
	return err
}

// complete replaces the values of every slot of the row that is known in part by the whole list.
func (rr *rangeReader) complete(ctx context.Context, t *translator) error {
	if err := rr.open(ctx); err != nil {
		return err
	}
	base := entryBase(t)
	for _, slot := range t.row.partial {
		values, err := rr.whole(base, t.row.names[slot], t.extendedControls())
		if err != nil {
			return err
		}
		t.row.replace(slot, values)
	}
	return nil
}

// entryBase names the entry so that a rename in the meantime does no harm, where the server knows such names
// (MS-ADTS 3.1.1.3.1.2.4).
func entryBase(t *translator) string {
	if t.preset.name == presetActiveDirectory && strings.EqualFold(t.anchorName, "objectGUID") {
		if raw := t.row.first(t.anchors[0].slot); len(raw) == 16 {
			return "<GUID=" + hex.EncodeToString([]byte(raw)) + ">"
		}
	}
	return t.row.dn
}

// whole reads all values of an attribute, again from the start when the entry changed on the way.
func (rr *rangeReader) whole(base, attribute string, controls []ldap.Control) ([]string, error) {
	for range attempts {
		values, steady, err := rr.once(base, attribute, controls)
		if err != nil || steady {
			return values, err
		}
	}
	return nil, rr.transient("an entry with many values keeps changing while it is read")
}

func (rr *rangeReader) transient(what string) error {
	return &fault.Error{Class: fault.Transient, Op: rr.op, Where: rr.server, Err: errors.New(what)}
}

// once reads the parts one after the other. steady is false when the entry's uSNChanged moved meanwhile.
func (rr *rangeReader) once(base, attribute string, controls []ldap.Control) (values []string, steady bool, err error) {
	version := ""
	for parts := 0; ; parts++ {
		want := fmt.Sprintf("%s;range=%d-*", attribute, len(values))
		entries, err := rr.session.search(rr.op, ldap.NewSearchRequest(base, ldap.ScopeBaseObject, ldap.NeverDerefAliases,
			0, 0, false, "(objectClass=*)", []string{want, "uSNChanged"}, controls))
		switch {
		case hidden(err) || err == nil && len(entries) != 1:
			return nil, false, rr.transient("an entry with many values went away while it was read")
		case err != nil:
			return nil, false, err
		}
		seen := entries[0].GetEqualFoldAttributeValue("uSNChanged")
		if parts == 0 {
			version = seen
		}
		if seen != version {
			return nil, false, nil
		}
		part, final, ok := rangePart(entries[0], attribute, len(values))
		if !ok {
			return nil, false, rr.transient("the server sent another part of a list of values than asked for")
		}
		values = append(values, part...)
		if final {
			return values, true, nil
		}
	}
}

// rangePart finds the part that begins at first. A server that sends all of the attribute without a range, or
// nothing at all because the list has become empty, has sent the end.
func rangePart(e *ldap.Entry, attribute string, first int) (values []string, final, ok bool) {
	for _, a := range e.Attributes {
		name, part, ranged, valid := splitRange(a.Name)
		switch {
		case !valid || !strings.EqualFold(name, attribute):
		case ranged && part.first == first && (len(a.Values) > 0 || part.final):
			return a.Values, part.final, true
		case !ranged && first == 0 && len(a.Values) > 0:
			return a.Values, true, true
		}
	}
	return nil, true, first == 0
}
