package ldap

import (
	"encoding/hex"
	"strings"
	"testing"
	"time"
)

func raw(t *testing.T, s string) string {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestGUID(t *testing.T) {
	value := raw(t, "33221100554477668899aabbccddeeff")
	if got, ok := guidText(value); !ok || got != "00112233-4455-6677-8899-aabbccddeeff" {
		t.Errorf("guidText: %q, %t", got, ok)
	}
	if got, ok := uuidText(value); !ok || got != "33221100-5544-7766-8899-aabbccddeeff" {
		t.Errorf("uuidText: %q, %t", got, ok)
	}
	if _, ok := guidText(value[1:]); ok {
		t.Error("15 bytes are taken for a GUID")
	}
}

func TestSID(t *testing.T) {
	for in, want := range map[string]string{
		"010500000000000515000000010000000200000003000000e8030000": "S-1-5-21-1-2-3-1000",
		"01020000000000052000000020020000":                         "S-1-5-32-544",
		"010100000000000100000000":                                 "S-1-1-0",
		"0101ffffffffffff01000000":                                 "S-1-0xFFFFFFFFFFFF-1",
		"0100000000000005":                                         "S-1-5",
		"02010000000000050000000":                                  "",
	} {
		if len(in)%2 == 1 {
			in += "0"
		}
		if got, _ := sidText(raw(t, in)); got != want {
			t.Errorf("%s: %q, want %q", in, got, want)
		}
	}
	if got := domainSID("S-1-5-21-1-2-3-1000"); got != "S-1-5-21-1-2-3" {
		t.Errorf("domain %q", got)
	}
}

func TestFiletime(t *testing.T) {
	for in, want := range map[string]string{
		"133511760000000000": "2024-01-31T12:00:00Z", "116444736000000000": "1970-01-01T00:00:00Z", "1": "1601-01-01T00:00:00.0000001Z",
		"0": "", "9223372036854775807": "", "-1": "", "x": "", "": "",
	} {
		got, ok := parseFiletime(in)
		if ok != (want != "") || ok && got.Format(time.RFC3339Nano) != want {
			t.Errorf("%s: %v, %t; want %q", in, got, ok, want)
		}
	}
}

func TestGeneralizedTime(t *testing.T) {
	for in, want := range map[string]string{
		"20240131120000.0Z": "2024-01-31T12:00:00Z", "20240131120000Z": "2024-01-31T12:00:00Z", "202401311200Z": "2024-01-31T12:00:00Z",
		"2024013112Z": "2024-01-31T12:00:00Z", "20240131120000+0100": "2024-01-31T11:00:00Z", "20240131120000-01": "2024-01-31T13:00:00Z",
		"20240131120000,25Z": "2024-01-31T12:00:00.25Z", "2024013112.5Z": "2024-01-31T12:30:00Z", "16010101000000.0Z": "1601-01-01T00:00:00Z",
		"20240131120000": "", "20241331120000Z": "", "20240131120000.Z": "", "20240131120000+2500": "", "20240131120000Zx": "", "": "", "Z": "",
		"20240131120000+1": "", "202401311": "",
	} {
		got, ok := parseGeneralizedTime(in)
		if ok != (want != "") || ok && got.Format(time.RFC3339Nano) != want {
			t.Errorf("%s: %v, %t; want %q", in, got, ok, want)
		}
	}
}

func TestSplitRange(t *testing.T) {
	for in, want := range map[string]struct {
		name   string
		part   valueRange
		ranged bool
		ok     bool
	}{
		"member":                    {"member", valueRange{}, false, true},
		"member;range=0-1499":       {"member", valueRange{first: 0, last: 1499}, true, true},
		"member;Range=1500-*":       {"member", valueRange{first: 1500, final: true}, true, true},
		"cert;binary":               {"cert;binary", valueRange{}, false, true},
		"cert;binary;range=0-1":     {"cert;binary", valueRange{last: 1}, true, true},
		"member;range=5-4":          {"", valueRange{}, true, false},
		"member;range=-":            {"", valueRange{}, true, false},
		"member;range=0-9999999999": {"", valueRange{}, true, false},
		"member;range=+1-2":         {"", valueRange{}, true, false},
		"member;range=0-1;range=2-": {"", valueRange{}, true, false},
	} {
		name, part, ranged, ok := splitRange(in)
		if ok != want.ok || ranged != want.ranged || ok && (name != want.name || part != want.part) {
			t.Errorf("%s: %q %+v %t %t, want %+v", in, name, part, ranged, ok, want)
		}
	}
}

func TestReadable(t *testing.T) {
	guid := raw(t, "33221100554477668899aabbccddeeff")
	for _, tc := range []struct{ attribute, value, want string }{
		{"roomNumber", "ä", "ä"}, {"objectGUID", guid, "00112233-4455-6677-8899-aabbccddeeff"},
		{"objectSid", raw(t, "010100000000000100000000"), "S-1-1-0"}, {"objectSid", "plain", "plain"},
		{"jpegPhoto", "plain", reference("plain")}, {"blob", "\xff", reference("\xff")},
	} {
		if got := readable(tc.attribute, tc.value); got != tc.want {
			t.Errorf("%s: %q, want %q", tc.attribute, got, tc.want)
		}
	}
	if got := reference("abc"); got != "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad 3 bytes" {
		t.Errorf("reference: %s", got)
	}
}

func FuzzSID(f *testing.F) {
	f.Add("\x01\x01\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00")
	f.Add("\x01\x0f")
	f.Fuzz(func(t *testing.T, value string) {
		text, ok := sidText(value)
		if ok != strings.HasPrefix(text, "S-1-") {
			t.Errorf("%q: %q, %t", value, text, ok)
		}
		if ok && strings.Count(text, "-") != 2+int(value[1]) {
			t.Errorf("%q: %q", value, text)
		}
	})
}

func FuzzGUID(f *testing.F) {
	f.Add("0123456789abcdef")
	f.Fuzz(func(t *testing.T, value string) {
		text, ok := guidText(value)
		if ok != (len(value) == 16) || ok && len(text) != 36 {
			t.Errorf("%q: %q, %t", value, text, ok)
		}
		if !ok {
			return
		}
		// Twice swapped is as it was.
		plain, _ := hex.DecodeString(strings.ReplaceAll(text, "-", ""))
		back, _ := guidText(string(plain))
		if want, _ := uuidText(value); back != want {
			t.Errorf("%x: %s", value, text)
		}
	})
}

func FuzzTime(f *testing.F) {
	for _, s := range []string{"20240131120000.0Z", "2024013112,5+0130", "133511760000000000", "9223372036854775807", "-1", "0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if at, ok := parseTime(s); ok && (at.Location() != time.UTC || at.Year() < -1 || at.Year() > 30829) {
			t.Errorf("%q: %v", s, at)
		}
	})
}

func FuzzSplitRange(f *testing.F) {
	f.Add("member;range=0-1499")
	f.Add("member;range=1500-*;x")
	f.Fuzz(func(t *testing.T, description string) {
		name, part, ranged, ok := splitRange(description)
		if ok && ranged && !part.final && part.last < part.first {
			t.Errorf("%q: %+v", description, part)
		}
		if ok && !ranged && name != description {
			t.Errorf("%q: name %q", description, name)
		}
	})
}
