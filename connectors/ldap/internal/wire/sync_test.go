package wire

import (
	"errors"
	"slices"
	"strings"
	"testing"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"
)

const someUUID = "0123456789abcdef"

func controls(list ...*ber.Packet) *ber.Packet {
	p := ber.Encode(ber.ClassContext, ber.TypeConstructed, 0, nil, "")
	for _, c := range list {
		p.AppendChild(c)
	}
	return p
}

// intermediate makes a sync info message of an encoded value.
func intermediate(name, value string) *ber.Packet {
	op := ber.Encode(ber.ClassApplication, ber.TypeConstructed, ldap.ApplicationIntermediateResponse, nil, "")
	op.AppendChild(ber.NewString(ber.ClassContext, ber.TypePrimitive, 0, name, ""))
	op.AppendChild(ber.NewString(ber.ClassContext, ber.TypePrimitive, 1, value, ""))
	return op
}

func TestSyncMessages(t *testing.T) {
	c := reading(
		envelope(7, entry("cn=a"), controls(Control{OID: syncStateOID, Value: "\x30\x18\x0a\x01\x02\x04\x10" + someUUID + "\x04\x01c"}.encode())),
		envelope(7, intermediate(syncInfoOID, "\xa3\x1a\x04\x01k\x01\x01\xff\x31\x12\x04\x10"+someUUID)),
		envelope(7, intermediate("1.2.3", "x")),
		envelope(7, outcome(ldap.ApplicationSearchResultDone, 0, ""), controls(Control{OID: "1.2.3", Critical: true}.encode(),
			Control{OID: syncDoneOID, Critical: true, Value: "\x30\x06\x04\x01d\x01\x01\x01"}.encode())),
	)
	c.intermediate = true
	var e Entry
	if _, _, err := c.Next(&e); err != nil {
		t.Fatal(err)
	}
	if s, ok, err := e.SyncState(); !ok || err != nil || s != (SyncState{State: Modified, UUID: someUUID, Cookie: "c"}) {
		t.Errorf("state %+v, %t, %v", s, ok, err)
	}
	item, res, err := c.Next(&e)
	if item != IntermediateItem || err != nil {
		t.Fatalf("item %d, error %v", item, err)
	}
	i, ok, err := res.SyncInfo()
	if !ok || err != nil || i.Info != IDSet || !i.Deletes || i.Cookie != "k" || !slices.Equal(i.UUIDs, []string{someUUID}) {
		t.Errorf("info %+v, %t, %v", i, ok, err)
	}
	if _, res, err = c.Next(&e); err != nil {
		t.Fatal(err)
	}
	if _, ok, err := res.SyncInfo(); ok || err != nil {
		t.Errorf("another extension is taken for a sync info: %v", err)
	}
	if item, res, err = c.Next(&e); item != DoneItem || err != nil || len(res.Controls) != 2 || !res.Controls[0].Critical {
		t.Fatalf("item %d, controls %+v, error %v", item, res.Controls, err)
	}
	if d, ok, err := res.SyncDone(); !ok || err != nil || d != (SyncDone{Cookie: "d", RefreshDeletes: true}) {
		t.Errorf("done %+v, %t, %v", d, ok, err)
	}
}

func TestSyncInfo(t *testing.T) {
	for name, tc := range map[string]struct {
		value string
		want  SyncInfo
		bad   bool
	}{
		"new cookie":             {"\x80\x01c", SyncInfo{Info: NewCookie, Cookie: "c"}, false},
		"refresh delete":         {"\xa1\x00", SyncInfo{Info: RefreshDelete, Done: true}, false},
		"refresh present, cont.": {"\xa2\x06\x04\x01c\x01\x01\x00", SyncInfo{Info: RefreshPresent, Cookie: "c"}, false},
		"present set":            {"\xa3\x02\x31\x00", SyncInfo{Info: IDSet}, false},
		"nothing":                {"", SyncInfo{}, true},
		"another choice":         {"\xa4\x00", SyncInfo{}, true},
		"long boolean":           {"\xa1\x04\x01\x02\x00\x00", SyncInfo{}, true},
		"rest":                   {"\xa1\x03\x04\x00\x04", SyncInfo{}, true},
		"set without UUIDs":      {"\xa3\x00", SyncInfo{}, true},
		"short UUID":             {"\xa3\x05\x31\x03\x04\x01x", SyncInfo{}, true},
	} {
		res := Result{Name: syncInfoOID, Value: tc.value}
		got, ok, err := res.SyncInfo()
		if tc.bad != errors.Is(err, ErrMalformed) || ok == tc.bad || !tc.bad && (got.Info != tc.want.Info ||
			got.Cookie != tc.want.Cookie || got.Done != tc.want.Done || got.Deletes != tc.want.Deletes || len(got.UUIDs) != 0) {
			t.Errorf("%s: %+v, %t, %v", name, got, ok, err)
		}
	}
}

func TestSyncStateErrors(t *testing.T) {
	for _, value := range []string{
		"", "\x30\x00", "\x30\x03\x0a\x01\x07", "\x30\x06\x0a\x01\x01\x04\x01x", "\x30\x15\x0a\x01\x09\x04\x10" + someUUID,
		"\x30\x17\x0a\x01\x01\x04\x10" + someUUID + "\x02\x00",
	} {
		e := Entry{controls: string(Control{OID: syncStateOID, Value: value}.encode().Bytes())}
		if s, ok, err := e.SyncState(); ok || !errors.Is(err, ErrMalformed) {
			t.Errorf("%q: %+v, %t, %v", value, s, ok, err)
		}
	}
	if _, ok, err := (&Entry{}).SyncState(); ok || err != nil {
		t.Errorf("no control: %t, %v", ok, err)
	}
}

func TestSyncRequest(t *testing.T) {
	c := SyncRequest(RefreshOnly, "cookie")
	if !c.Critical || c.OID != SyncRequestOID || c.Value != "\x30\x0b\x0a\x01\x01\x04\x06cookie" {
		t.Errorf("%+v", c)
	}
	parsed, err := parseControls(string(c.encode().Bytes()))
	if err != nil || !slices.Equal(parsed, []Control{c}) {
		t.Errorf("%+v, %v", parsed, err)
	}
}

func FuzzSync(f *testing.F) {
	f.Add("\x30\x18\x0a\x01\x02\x04\x10"+someUUID+"\x04\x01c", "\xa3\x1a\x04\x01k\x01\x01\xff\x31\x12\x04\x10"+someUUID, "\x30\x06\x04\x01d\x01\x01\x01")
	f.Add("\x30\x00", "\x80\x00", "\x30\x00")
	f.Fuzz(func(t *testing.T, state, info, done string) {
		e := Entry{controls: string(Control{OID: syncStateOID, Value: state}.encode().Bytes())}
		if s, ok, err := e.SyncState(); ok && (err != nil || len(s.UUID) != 16) {
			t.Errorf("state %+v, %v", s, err)
		}
		res := Result{Name: syncInfoOID, Value: info, Controls: []Control{{OID: syncDoneOID, Value: done}}}
		i, ok, err := res.SyncInfo()
		if ok != (err == nil) || slices.ContainsFunc(i.UUIDs, func(u string) bool { return len(u) != 16 }) {
			t.Errorf("info %+v, %t, %v", i, ok, err)
		}
		if d, ok, err := res.SyncDone(); ok && (err != nil || !strings.Contains(done, d.Cookie)) {
			t.Errorf("done %+v, %v", d, err)
		}
	})
}
