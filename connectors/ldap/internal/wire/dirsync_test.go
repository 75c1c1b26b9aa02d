package wire

import (
	"testing"

	ber "github.com/go-asn1-ber/asn1-ber"
)

func TestDirSyncRequest(t *testing.T) {
	got := DirSyncRequest(DirSyncIncrementalValues|DirSyncAncestorsFirst|DirSyncObjectSecurity, 1000, "c")
	want := "\x30\x0d\x02\x04\x80\x00\x08\x01\x02\x02\x03\xe8\x04\x01c"
	if got.Value != want || !got.Critical {
		t.Errorf("%q, critical %t; want %q", got.Value, got.Critical, want)
	}
	if _, err := ber.DecodePacketErr([]byte(DirSyncRequest(0, 0, "").Value)); err != nil {
		t.Error(err)
	}
}

func TestDirSyncAnswer(t *testing.T) {
	for name, tc := range map[string]struct {
		value  string
		want   DirSync
		ok, no bool
	}{
		"the end":       {"\x30\x09\x02\x01\x00\x02\x01\x00\x04\x01c", DirSync{Cookie: "c"}, true, false},
		"more":          {"\x30\x09\x02\x01\x01\x02\x01\x00\x04\x01c", DirSync{More: true, Cookie: "c"}, true, false},
		"more, as AD":   {"\x30\x0c\x02\x04\xff\xff\xff\xff\x02\x01\x00\x04\x01c", DirSync{More: true, Cookie: "c"}, true, false},
		"no cookie":     {"\x30\x06\x02\x01\x00\x02\x01\x00", DirSync{}, false, true},
		"not a number":  {"\x30\x08\x02\x00\x02\x01\x00\x04\x01c", DirSync{}, false, true},
		"something new": {"\x30\x0b\x02\x01\x00\x02\x01\x00\x04\x01c\x05\x00", DirSync{}, false, true},
		"nothing":       {"", DirSync{}, false, true},
	} {
		res := Result{Controls: []Control{{OID: DirSyncOID, Value: tc.value}}}
		got, ok, err := res.DirSync()
		if got != tc.want && !tc.no || ok != tc.ok || (err != nil) != tc.no {
			t.Errorf("%s: %+v, %t, %v", name, got, ok, err)
		}
	}
	var none Result
	if _, ok, err := none.DirSync(); ok || err != nil {
		t.Errorf("without the control: %t, %v", ok, err)
	}
}

func FuzzDirSync(f *testing.F) {
	f.Add("\x30\x09\x02\x01\x00\x02\x01\x00\x04\x01c")
	f.Add("\x30\x80")
	f.Fuzz(func(t *testing.T, value string) {
		res := Result{Controls: []Control{{OID: DirSyncOID, Value: value}}}
		if d, ok, err := res.DirSync(); ok == (err != nil) || !ok && d.More {
			t.Errorf("%+v, %t, %v", d, ok, err)
		}
	})
}
