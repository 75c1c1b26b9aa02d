package key

import (
	"slices"
	"strings"
	"testing"

	"dirsyncd/sync/directory"
)

func TestOf(t *testing.T) {
	const guidText = "00112233-4455-6677-8899-aabbccddeeff"
	long := strings.Repeat("a", 242)
	for _, test := range []struct {
		kind Kind
		text string
		want []string
	}{
		{Mail, "ann@example.test", []string{"ann@example.test"}},
		{Mail, "  Ann.Lee+x@EXAMPLE.test\t", []string{"ann.lee+x@example.test"}},
		{Mail, "ANN@Bücher.example", []string{"ann@xn--bcher-kva.example"}},
		{Mail, "ann@XN--BCHER-KVA.example", []string{"ann@xn--bcher-kva.example"}},
		{Mail, "Ju\u0308rgen@example.test", []string{"jürgen@example.test"}},
		{Mail, "JÜRGEN@example.test", []string{"jürgen@example.test"}},
		{Mail, "ann@localhost", []string{"ann@localhost"}},
		{Mail, long + "@example.com", []string{long + "@example.com"}},
		{Mail, long + "@example.test", nil},
		{Mail, "", nil},
		{Mail, "ann", nil},
		{Mail, "@example.test", nil},
		{Mail, "ann@", nil},
		{Mail, "ann@b@example.test", nil},
		{Mail, `"ann"@example.test`, nil},
		{Mail, `"a@b"@example.test`, nil},
		{Mail, "an n@example.test", nil},
		{Mail, "an\u00a0n@example.test", nil},
		{Mail, "an\u200bn@example.test", nil},
		{Mail, "an\u00adn@example.test", nil},
		{Mail, "an\ufeffn@example.test", nil},
		{Mail, "an\u202en@example.test", nil},
		{Mail, "an\x00n@example.test", nil},
		{Mail, "an\nn@example.test", nil},
		{Mail, "an\xffn@example.test", nil},
		{Mail, "\u212aevin@example.test", nil}, // Kelvin sign
		{Mail, "\u0130an@example.test", nil},   // dotted capital I
		{Mail, "\u0131an@example.test", []string{"\u0131an@example.test"}},
		{Mail, "ann\uff20example.test", nil}, // full width
		{Mail, "ann@example.test.", nil},
		{Mail, "ann@.example.test", nil},
		{Mail, "ann@-example.test", nil},
		{Mail, "ann@exa mple.test", nil},
		{Mail, "ann@exa_mple.test", nil},
		{Mail, "ann@[192.0.2.1]", nil},
		{Mail, "ann@xn--a", nil},
		{Mail, "ann@example.test,bob@example.test", nil},
		{Mail, "ann@example.test?x", nil},
		{Mail, "sip:ann@example.test", nil},
		{Mail, "a,b@example.test", nil},
		{Mail, "<ann@example.test>", nil},
		{Mail, "o'neil/x=1@example.test", []string{"o'neil/x=1@example.test"}},
		{Login, " Ann@Corp.Example.TEST", []string{"ann@corp.example.test"}},
		{Login, `CORP\ann`, nil},

		{GUID, guidText, []string{guidText}},
		{GUID, " {00112233-4455-6677-8899-AABBCCDDEEFF} ", []string{guidText}},
		{GUID, "00112233445566778899AABBCCDDEEFF", []string{guidText}},
		{GUID, "ABEiM0RVZneImaq7zN3u/w==", []string{guidText, "33221100-5544-7766-8899-aabbccddeeff"}},
		{GUID, "AAAAAAAAAAAAAAAAAAAAAA==", []string{"00000000-0000-0000-0000-000000000000"}},
		{GUID, "ABEiM0RVZneImaq7zN3u/x==", nil}, // bits behind the end
		{GUID, "00112233-4455-6677-8899-aabbccddeef", nil},
		{GUID, "00112233-4455-6677-8899-aabbccddeefg", nil},
		{GUID, "0011223344-55-6677-8899-aabbccddeeff", nil},
		{GUID, "{00112233-4455-6677-8899-aabbccddeeff", nil},
		{GUID, "", nil},

		{NameID, "  aBc \n", []string{"aBc"}},
		{NameID, "  ", nil},
		{NameID, strings.Repeat("x", 1025), nil},
		{Exact, " aBc ", []string{" aBc "}},
		{Exact, "", nil},
		{Exact, strings.Repeat("x", 255), []string{strings.Repeat("x", 255)}},
		{Exact, strings.Repeat("x", 256), nil},
		{ID, "Ab/1", []string{"Ab/1"}},
		{"shoe", "43", nil},
	} {
		var got []string
		for _, k := range Of(test.kind, test.text) {
			if k.Kind != test.kind {
				t.Errorf("%s %q became a %s", test.kind, test.text, k.Kind)
			}
			got = append(got, k.Value)
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s %q: got %q, want %q", test.kind, test.text, got, test.want)
		}
	}
}

func TestOfObject(t *testing.T) {
	o := &directory.Object{Kind: directory.Person, ID: "1"}
	o.SetText(directory.FieldEmail, "Ann@example.test")
	o.Set(directory.FieldEmails, directory.List("SMTP:ann@example.test", "smtp:Ann.Lee@example.test", "sip:ann@example.test", "X500:/o=x"))
	o.SetText(directory.FieldLogin, "ann@example.test")
	o.Set(directory.FieldEnabled, directory.Bool(true))
	o.SetText("attributes.objectGUID", "00112233-4455-6677-8899-aabbccddeeff")
	fields := []Field{{Mail, directory.FieldEmail}, {Mail, directory.FieldEmails}, {Login, directory.FieldLogin}, {Exact, directory.FieldEnabled},
		{Exact, "attributes.none"}, {GUID, "attributes.objectGUID"}}
	want := []Key{{Mail, "ann@example.test"}, {Mail, "ann.lee@example.test"}, {Login, "ann@example.test"},
		{GUID, "00112233-4455-6677-8899-aabbccddeeff"}}
	if got := OfObject(o, fields); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if Of(Mail, "a@example.test")[0].Hash() == Of(Login, "a@example.test")[0].Hash() {
		t.Error("a mail address has the hash of a log-in name")
	}
}

// A normal form is its own, and says the same whatever the case.
func FuzzOf(f *testing.F) {
	for _, text := range []string{"Ann@Example.TEST", "ü@bücher.example", "{00112233-4455-6677-8899-AABBCCDDEEFF}", "ABEiM0RVZneImaq7zN3u/w==", "\u212a@x", "a@xn--a", "ẞ@ẞ.example", "ǅ@x"} {
		for i := range Kinds() {
			f.Add(uint8(i), text)
		}
	}
	f.Fuzz(func(t *testing.T, kind uint8, text string) {
		k := Kinds()[int(kind)%len(Kinds())]
		keys := Of(k, text)
		if len(keys) > 1 && (k != GUID || len(keys) > 2) {
			t.Errorf("%q stands for %d", text, len(keys))
		}
		for _, one := range keys {
			if again := Of(k, one.Value); !slices.Equal(again, []Key{one}) {
				t.Errorf("%s %q became %q, and that %q", k, text, one.Value, again)
			}
			if len(one.Value) > mostNameID || one.Value == "" {
				t.Errorf("%s %q became %d bytes", k, text, len(one.Value))
			}
			if k != Mail {
				continue
			}
			if at := strings.IndexByte(one.Value, '@'); at < 1 || strings.Count(one.Value, "@") != 1 || strings.Contains(one.Value, " ") {
				t.Errorf("%q became %q", text, one.Value)
			}
		}
	})
}
