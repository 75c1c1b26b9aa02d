package tables

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
)

func TestLDIF(t *testing.T) {
	wanted := []string{"dn", "uid", "mail", "member", "objectGUID", "objectSid", "photo"}
	for _, tc := range []struct{ name, in, want string }{
		{"ldapsearch -LLL", "dn: uid=a,dc=x\nuid: a\nmail: a@x\nmail: b@x\n\ndn: uid=b,dc=x\nuid: b\n\n", "1 uid=a,dc=x|a|[a@x b@x]||||\n6 uid=b,dc=x|b|||||\n"},
		{"with a version, comments, CRLF and folded lines", "version: 1\r\n# extended LDIF\r\n#  of more\r\n  lines\r\n\r\ndn: uid=a,\r\n dc=x\r\nuid: long\r\n er\r\n# in between\r\nmail: a\r\n", "6 uid=a,dc=x|longer|a||||\n"},
		{"base64", "dn:: dWlkPUrDtnJnLGRjPXg=\nuid:: SsO2cmc=\nphoto:: /9j/4A==\n", "1 uid=Jörg,dc=x|Jörg|||||/9j/4A==\n"},
		{"empty values", "dn: uid=a\nuid:\nmail: \ncreatorsName:\n", "1 uid=a||||||\n"},
		{"a value that begins with blanks, and one of blanks", "dn: uid=a\nuid:  a b  \n", "1 uid=a|a b|||||\n"},
		{"a BOM", "\uFEFFdn: uid=a\nuid: a\n", "1 uid=a|a|||||\n"},
		{"the end of a search", "dn: uid=a\nuid: a\n\n# search result\nsearch: 2\nresult: 0 Success\n\n# numResponses: 2\n# numEntries: 1\n", "1 uid=a|a|||||\n"},
		{"a search that was cut", "dn: uid=a\nuid: a\n\nsearch: 2\nresult: 4 Size limit exceeded\n\n# numEntries: 1\n", "1 uid=a|a|||||\nDOUBT the search that wrote it ended with \"4 Size limit exceeded\"\n"},
		{"other than counted", "dn: uid=a\nuid: a\n\n# numEntries: 2\n", "1 uid=a|a|||||\nDOUBT it says that it has 2 entries, and has 1\n"},
		{"ldbsearch", "# record 1\ndn: CN=a\nuid: a\n\n# Referral\nref: ldap://x/CN=Configuration\n\n# returned 2 records\n# 1 entries\n# 1 referrals\n", "2 CN=a|a|||||\n"},
		{"ldifde", "dn: CN=a\nchangetype: add\nobjectGUID:: AQIDBAUGBwgJCgsMDQ4PEA==\nobjectSid:: AQUAAAAAAAUVAAAAAQAAAAIAAAADAAAA9AEAAA==\n\n", "1 CN=a||||04030201-0605-0807-090a-0b0c0d0e0f10|S-1-5-21-1-2-3-500|\n"},
		{"changes", "dn: uid=a\nchangetype: modify\nreplace: mail\nmail: x\n-\n\ndn: uid=b\nchangetype: delete\n\ndn: uid=c\nuid: c\n", "2 BAD : the entry is a change (changetype: modify), and no content\n8 BAD : the entry is a change (changetype: delete), and no content\n10 uid=c|c|||||\n"},
		{"a part of a list", "dn: cn=a\nmember;range=0-1: x\nmember;range=0-1: y\n\ndn: cn=b\nmember;range=2-*: z\n", "1 BAD member: only the first values are in the file (range=)\n5 cn=b|||z|||\n"},
		{"languages are other attributes", "dn: cn=a\nuid;lang-de: x\nuid: y\n", "1 cn=a|y|||||\n"},
		{"a value in another file", "dn: uid=a\nphoto:< file:///etc/passwd\n\ndn: uid=b\nuid: b\n", "2 BAD photo: the value is in another file (:<), which is not read\n4 uid=b|b|||||\n"},
		{"no base64", "dn: uid=a\nuid:: %%%\n\ndn: uid=b\nuid: b\n", "2 BAD : the value of uid is no base64\n4 uid=b|b|||||\n"},
		{"an entry without its name", "dn: uid=a\nuid: a\n\nuid: b\nmail: b\n\ndn: uid=c\nuid: c\n", "1 uid=a|a|||||\n4 BAD : the entry does not begin with dn:\n7 uid=c|c|||||\n"},
		{"cut off", "dn: uid=a\nuid: a\n\ndn: uid=b\nui", "1 uid=a|a|||||\n5 BAD : a line is neither an attribute nor the rest of one\nDOUBT its last line (5) has no end\n"},
	} {
		table, err := OpenLDIF(strings.NewReader(tc.in), wanted, DefaultLimits())
		if err != nil {
			t.Errorf("%s: %v", tc.name, err)
			continue
		}
		if got := dump(table); got != tc.want {
			t.Errorf("%s: got\n%swant\n%s", tc.name, got, tc.want)
		}
	}
	names, err := AttributesOf(strings.NewReader("dn: a\nuid: x\nmember;range=0-1: y\nUID: z\n\ndn: b\nmail: c\n\nsearch: 2\nresult: 0\n"), 10, DefaultLimits())
	if want := []string{"dn", "uid", "member", "mail"}; err != nil || !slices.Equal(names, want) {
		t.Errorf("attributes %v, %v, want %v", names, err, want)
	}
	for _, in := range []string{"", "\n\n", "name,mail\n1,2\n"} {
		var u *Unfit
		if _, err := OpenLDIF(strings.NewReader(in), wanted, DefaultLimits()); !errors.As(err, &u) {
			t.Errorf("%q: %v, want it refused", in, err)
		}
	}
}

func TestLDIFBounds(t *testing.T) {
	limits := DefaultLimits()
	limits.Row = 4096
	in := "dn: uid=a\nuid: " + strings.Repeat("x", 9000) + "\nmail: a\n\ndn: uid=b\n" + strings.Repeat("mail: 0123456789\n", 1000) + "\ndn: uid=c\nuid: c\n"
	table, err := OpenLDIF(strings.NewReader(in), []string{"dn", "uid"}, limits)
	if err != nil {
		t.Fatal(err)
	}
	if got := dump(table); strings.Count(got, "the entry is too long") != 2 || !strings.Contains(got, "uid=c|c") {
		t.Errorf("got %s", got)
	}
}

func TestJSONLines(t *testing.T) {
	wanted := []string{"id", "name", "address.city", "mails.value", "phones.0", "tags", "on", "a.b"}
	for _, tc := range []struct{ name, in, want string }{
		{"values", `{"id": 9007199254740993, "name": "Jörg", "address": {"city": "X"}, "on": true}` + "\n", "1 9007199254740993|Jörg|X||||true|\n"},
		{"lists", `{"id":"1","mails":[{"value":"a"},{"value":"b"},{"x":1}],"phones":["1","2"],"tags":["b","a",null]}` + "\n", "1 1|||[a b]|1|[b a]||\n"},
		{"numbers", `{"id":1e3,"name":1.50,"tags":-0}` + "\r\n", "1 1000|1.5||||-0||\n"},
		{"names with dots", `{"id":1,"a.b":"x","a":{"b":"y"}}` + "\n", "1 1|||||||x\n"},
		{"nothing", `{"id":1,"name":null,"mails":[],"phones":[]}` + "\n\n{}\n", "1 1|||||||\n3 |||||||\n"},
		{"bad lines stop nobody", "{\"id\":1}\n{\"id\":\n[1]\nnull\n{\"id\":2} x\n{\"id\":3}\n", "1 1|||||||\n2 BAD : the line is no whole JSON object\n3 BAD : the line is no whole JSON object\n4 BAD : the line is no JSON object\n5 BAD : the line has something behind the object\n6 3|||||||\n"},
		{"an object where a value should be", `{"id":{"x":1}}` + "\n" + `{"id":2}` + "\n", "1 BAD id: is an object, and no value\n2 2|||||||\n"},
		{"cut off", "{\"id\":1}\n{\"id\":2,\"na", "1 1|||||||\n2 BAD : the line is no whole JSON object\nDOUBT its last line (2) has no end\n"},
		{"UTF-16", utf16Of("{\"id\":\"ä\"}\r\n", false, true), "1 ä|||||||\n"},
	} {
		table, err := OpenJSONLines(strings.NewReader(tc.in), wanted, DefaultLimits())
		if err != nil {
			t.Errorf("%s: %v", tc.name, err)
			continue
		}
		if got := dump(table); got != tc.want {
			t.Errorf("%s: got\n%swant\n%s", tc.name, got, tc.want)
		}
	}
	names, err := PathsOf(strings.NewReader(`{"id":1,"a":{"b":2,"c":[{"d":1}]}}`+"\n"+`{"e":[],"f":["x"]}`+"\n"), 10, DefaultLimits())
	if want := []string{"a.b", "a.c.d", "id", "e", "f"}; err != nil || !slices.Equal(names, want) {
		t.Errorf("paths %v, %v, want %v", names, err, want)
	}
	for in, want := range map[string]string{"": "empty", "[{}]": "one JSON list", "x": "does not begin"} {
		if _, err := OpenJSONLines(strings.NewReader(in), wanted, DefaultLimits()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", in, err, want)
		}
	}
}

func FuzzLDIF(f *testing.F) {
	for _, seed := range []string{
		"dn: uid=a,dc=x\nuid: a\n b\nmail:\n\nsearch: 2\nresult: 0 Success\n", "version: 1\n\ndn:: YQ==\nuid;range=0-1: x\n", "# x\n y\n\ndn: a\nuid:< file:///x\n", "\uFEFFdn: a\r\n", "dn: a\n-\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		limits := DefaultLimits()
		limits.Row, limits.Field = 4096, 1024
		read := func(r io.Reader) string {
			table, err := OpenLDIF(r, []string{"dn", "uid"}, limits)
			if err != nil {
				return err.Error()
			}
			return dump(table)
		}
		if a, b := read(bytes.NewReader(data)), read(iotest{bytes.NewReader(data)}); a != b {
			t.Errorf("in portions it reads\n%s\nand as a whole\n%s", b, a)
		}
	})
}

func FuzzJSONLines(f *testing.F) {
	for _, seed := range []string{`{"id":1,"a":{"b":[1,"x",null]}}` + "\n", "{}\n{\n", `{"a.b":1e400}`, "\uFEFF{\"id\":\"\\ud800\"}"} {
		f.Add([]byte(seed), "a.b")
	}
	f.Fuzz(func(t *testing.T, data []byte, path string) {
		limits := DefaultLimits()
		limits.Row, limits.Field = 4096, 1024
		read := func(r io.Reader) string {
			table, err := OpenJSONLines(r, []string{"id", path}, limits)
			if err != nil {
				return err.Error()
			}
			return dump(table)
		}
		if a, b := read(bytes.NewReader(data)), read(iotest{bytes.NewReader(data)}); a != b {
			t.Errorf("in portions it reads\n%s\nand as a whole\n%s", b, a)
		}
		_, _ = PathsOf(bytes.NewReader(data), 10, limits)
	})
}
