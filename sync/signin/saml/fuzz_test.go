package saml

import (
	"crypto"
	"encoding/base64"
	"errors"
	"net/url"
	"strings"
	"testing"

	"dirsyncd/sync/signin"
	"dirsyncd/sync/signin/saml/samltest"
)

// seeds are messages that are right, and some that are not.
func seeds(f *testing.F, good ...string) {
	f.Helper()
	for _, text := range good {
		f.Add(text)
		f.Add(text[:len(text)/2])
		f.Add("<!DOCTYPE x [<!ENTITY e 'e'>]>" + text)
		f.Add(strings.ReplaceAll(text, "saml", "sämł"))
		f.Add(strings.Replace(text, "</", "<!-- c --></", 3))
		f.Add(strings.Replace(text, "\">", "\"><?target data?>", 3))
		f.Add(strings.Replace(text, "2026", "20260", 2))
	}
	for _, text := range []string{
		"", "<", "<a/>", "<a></b>", "<a/><a/>", "\x00", "<a xmlns='x' xmlns:b='y'><b:a/></a>", `<?xml version="1.0" encoding="UTF-16"?><a/>`, strings.Repeat("<a>", 200),
		`<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol"/>`,
	} {
		f.Add(text)
	}
}

// what a message that we did not sign for may end in: a refusal with a reason, or nobody new.
func refused(t *testing.T, err error) {
	t.Helper()
	var refusal *signin.Refusal
	if !errors.As(err, &refusal) {
		t.Fatalf("no refusal but %v", err)
	}
	if refusal.Reason == "" || len(refusal.Checks) == 0 {
		t.Fatalf("%+v", refusal)
	}
}

// Whatever is in the response, only the person whom the provider signed gets in.
func FuzzResponse(f *testing.F) {
	r := newRig(f, nil)
	request := "id-" + strings.Repeat("a", 40)
	answer := r.answer(request)
	signed := r.idp.XML(f, answer)
	answer.Sign = "response"
	whole := r.idp.XML(f, answer)
	encrypted(gcm(), 2)(&answer)
	unsigned := r.answer(request)
	unsigned.Sign = "none"
	transient := r.answer("")
	transient.Format = samltest.Transient
	seeds(f, signed, whole, r.idp.XML(f, answer), r.idp.XML(f, unsigned), r.idp.XML(f, transient))
	f.Fuzz(func(t *testing.T, text string) {
		clear(r.once.until)
		a, err := r.Finish(t.Context(), url.Values{"SAMLResponse": {base64.StdEncoding.EncodeToString([]byte(text))}}, nil)
		if err != nil {
			refused(t, err)
			return
		}
		if a.Subject.Value != "persistent!!!p-0001" || a.Request != request {
			t.Fatalf("%+v got in", a)
		}
	})
}

// The same for what ends sessions, by both bindings.
func FuzzLogoutRequest(f *testing.F) {
	r := newRig(f, nil)
	form := func(field, text string) string {
		data, err := base64.StdEncoding.DecodeString(posted(f, field, text, r.idp.Pair).Get(field))
		if err != nil {
			f.Fatal(err)
		}
		return string(data)
	}
	seeds(f, form("SAMLRequest", r.logoutXML("l-1")), r.logoutXML("l-1"), r.logoutAnswer("id-"+strings.Repeat("a", 40), "Success", "PartialLogout"))
	f.Add(queried(f, "SAMLRequest", r.logoutXML("l-1"), r.idp.Pair, crypto.SHA256, lowerCase))
	f.Add(queried(f, "SAMLResponse", r.logoutAnswer("id-"+strings.Repeat("a", 40), "Success", ""), r.idp.Pair, crypto.SHA256, url.QueryEscape))
	f.Add("SAMLRequest=%zz&Signature=a&SigAlg=b")
	f.Fuzz(func(t *testing.T, text string) {
		for _, values := range []url.Values{
			{"SAMLRequest": {base64.StdEncoding.EncodeToString([]byte(text))}}, {"SAMLResponse": {base64.StdEncoding.EncodeToString([]byte(text))}},
			raw(text), {"SAMLRequest": {text}, "Signature": {text}, "SigAlg": {text}},
		} {
			clear(r.once.until)
			ended, _, err := r.EndRequest(t.Context(), values)
			if err != nil {
				refused(t, err)
				continue
			}
			if ended.Subject.Value != "" && ended.Subject.Value != "persistent!!!p-0001" {
				t.Fatalf("%+v ended", ended)
			}
		}
	})
}

// Metadata are of the entity that is set, with a key and a safe address, or nothing.
func FuzzMetadata(f *testing.F) {
	idp := samltest.IDP{EntityID: "https://idp.example.test/idp", Base: "https://idp.example.test", Pair: *other(f), Attrs: `validUntil="2027-01-01T00:00:00Z" cacheDuration="PT6H"`}
	second := idp
	second.EntityID = "https://second.example.test"
	seeds(f, idp.Metadata(), `<md:EntitiesDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" cacheDuration="P1D">`+second.Metadata()+idp.Metadata()+`</md:EntitiesDescriptor>`)
	f.Fuzz(func(t *testing.T, text string) {
		i, err := readMetadata([]byte(text), idp.EntityID, nil, start)
		if err != nil {
			return
		}
		if i.entity.EntityID != idp.EntityID || len(i.keys) == 0 || i.due().Before(start) {
			t.Fatalf("%+v", i)
		}
	})
}
