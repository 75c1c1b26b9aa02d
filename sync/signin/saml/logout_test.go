package saml

import (
	"bytes"
	"compress/flate"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"

	"dirsyncd/sync/signin"
	"dirsyncd/sync/signin/saml/samltest"
)

const ended = "urn:oasis:names:tc:SAML:2.0:status:"

func (r *rig) logoutXML(id string) string {
	return fmt.Sprintf(`<samlp:LogoutRequest xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID=%q Version="2.0" IssueInstant="2026-03-02T09:00:00Z" Destination=%q>`+
		`<saml:Issuer>%s</saml:Issuer><saml:NameID Format="%s">p-0001</saml:NameID><samlp:SessionIndex>s-1</samlp:SessionIndex><samlp:SessionIndex>s-2</samlp:SessionIndex></samlp:LogoutRequest>`,
		id, r.sp.SLO, r.idp.EntityID, samltest.Persistent)
}

func (r *rig) logoutAnswer(request, code, inner string) string {
	if inner != "" {
		inner = fmt.Sprintf(`<samlp:StatusCode Value="%s%s"/>`, ended, inner)
	}
	return fmt.Sprintf(`<samlp:LogoutResponse xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="l-2" Version="2.0" IssueInstant="2026-03-02T09:00:00Z" Destination=%q InResponseTo=%q>`+
		`<saml:Issuer>%s</saml:Issuer><samlp:Status><samlp:StatusCode Value="%s%s">%s</samlp:StatusCode></samlp:Status></samlp:LogoutResponse>`,
		r.sp.SLO, request, r.idp.EntityID, ended, code, inner)
}

// posted signs a message as the POST binding does.
func posted(t testing.TB, field, text string, pair samltest.Pair) url.Values {
	t.Helper()
	doc := etree.NewDocument()
	if err := doc.ReadFromString(text); err != nil {
		t.Fatal(err)
	}
	doc.SetRoot(samltest.Sign(t, doc.Root(), pair, ""))
	signed, err := doc.WriteToBytes()
	if err != nil {
		t.Fatal(err)
	}
	return url.Values{field: {base64.StdEncoding.EncodeToString(signed)}, "RelayState": {"their-state"}}
}

// queried signs a message as the redirect binding does; escape spells the query.
func queried(t testing.TB, field, text string, pair samltest.Pair, hash crypto.Hash, escape func(string) string) string {
	t.Helper()
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = w.Write([]byte(text))
	_ = w.Close()
	method := dsig.RSASHA256SignatureMethod
	if hash == crypto.SHA1 {
		method = dsig.RSASHA1SignatureMethod
	}
	query := field + "=" + escape(base64.StdEncoding.EncodeToString(b.Bytes())) + "&RelayState=their-state&SigAlg=" + escape(method)
	sum256, sum1 := sha256.Sum256([]byte(query)), sha1.Sum([]byte(query))
	sum := sum256[:]
	if hash == crypto.SHA1 {
		sum = sum1[:]
	}
	signature, err := rsa.SignPKCS1v15(rand.Reader, pair.Key, hash, sum)
	if err != nil {
		t.Fatal(err)
	}
	return query + "&Signature=" + escape(base64.StdEncoding.EncodeToString(signature))
}

// lowerCase escapes as AD FS and Entra do.
func lowerCase(text string) string {
	return strings.NewReplacer("%2B", "%2b", "%2F", "%2f", "%3D", "%3d", "%3A", "%3a").Replace(url.QueryEscape(text))
}

func raw(query string) url.Values { return url.Values{signin.RawQuery: {query}} }

func TestEndRequest(t *testing.T) {
	tests := []struct {
		name string
		form func(t *testing.T, r *rig) url.Values
		want signin.Reason
		only string // the binding that the provider has
	}{
		{name: "query", form: func(t *testing.T, r *rig) url.Values {
			return raw(queried(t, "SAMLRequest", r.logoutXML("l-1"), r.idp.Pair, crypto.SHA256, url.QueryEscape))
		}},
		{name: "query in lower case", form: func(t *testing.T, r *rig) url.Values {
			return raw(queried(t, "SAMLRequest", r.logoutXML("l-1"), r.idp.Pair, crypto.SHA256, lowerCase))
		}},
		{name: "query that was lost", form: func(t *testing.T, r *rig) url.Values {
			values, err := url.ParseQuery(queried(t, "SAMLRequest", r.logoutXML("l-1"), r.idp.Pair, crypto.SHA256, url.QueryEscape))
			if err != nil {
				t.Fatal(err)
			}
			return values
		}},
		{name: "post", form: func(t *testing.T, r *rig) url.Values { return posted(t, "SAMLRequest", r.logoutXML("l-1"), r.idp.Pair) }},
		{name: "post, answered by post", only: "HTTP-POST", form: func(t *testing.T, r *rig) url.Values {
			return posted(t, "SAMLRequest", r.logoutXML("l-1"), r.idp.Pair)
		}},
		{name: "post of another key", want: signin.UntrustedCertificate, form: func(t *testing.T, r *rig) url.Values {
			return posted(t, "SAMLRequest", r.logoutXML("l-1"), *other(t))
		}},
		{name: "query of another key", want: signin.Signature, form: func(t *testing.T, r *rig) url.Values {
			return raw(queried(t, "SAMLRequest", r.logoutXML("l-1"), *other(t), crypto.SHA256, url.QueryEscape))
		}},
		{name: "changed query", want: signin.Signature, form: func(t *testing.T, r *rig) url.Values {
			return raw(strings.Replace(queried(t, "SAMLRequest", r.logoutXML("l-1"), r.idp.Pair, crypto.SHA256, url.QueryEscape), "their-state", "our-state", 1))
		}},
		{name: "SHA-1", want: signin.SHA1, form: func(t *testing.T, r *rig) url.Values {
			return raw(queried(t, "SAMLRequest", r.logoutXML("l-1"), r.idp.Pair, crypto.SHA1, url.QueryEscape))
		}},
		{name: "not signed", want: signin.NotSigned, form: func(_ *testing.T, r *rig) url.Values {
			return url.Values{"SAMLRequest": {base64.StdEncoding.EncodeToString([]byte(r.logoutXML("l-1")))}}
		}},
		{name: "query not signed", want: signin.NotSigned, form: func(t *testing.T, r *rig) url.Values {
			query := queried(t, "SAMLRequest", r.logoutXML("l-1"), r.idp.Pair, crypto.SHA256, url.QueryEscape)
			return raw(query[:strings.Index(query, "&SigAlg")])
		}},
		{name: "two messages", want: signin.Malformed, form: func(t *testing.T, r *rig) url.Values {
			query := queried(t, "SAMLRequest", r.logoutXML("l-1"), r.idp.Pair, crypto.SHA256, url.QueryEscape)
			return raw(query + "&SAMLRequest=AAAA")
		}},
		{name: "nothing", want: signin.Malformed, form: func(*testing.T, *rig) url.Values { return url.Values{} }},
		{name: "no base64", want: signin.Malformed, form: func(*testing.T, *rig) url.Values { return url.Values{"SAMLRequest": {"?"}} }},
		{name: "not compressed", want: signin.Malformed, form: func(*testing.T, *rig) url.Values { return raw("SAMLRequest=AAAA&RelayState=a") }},
		{name: "bomb", want: signin.Malformed, form: func(t *testing.T, r *rig) url.Values {
			return raw(queried(t, "SAMLRequest", strings.Repeat(" ", 2<<20), r.idp.Pair, crypto.SHA256, url.QueryEscape))
		}},
		{name: "document type", want: signin.Malformed, form: func(t *testing.T, r *rig) url.Values {
			return raw(queried(t, "SAMLRequest", "<!DOCTYPE x>"+r.logoutXML("l-1"), r.idp.Pair, crypto.SHA256, url.QueryEscape))
		}},
		{name: "another message", want: signin.Malformed, form: func(t *testing.T, r *rig) url.Values {
			return posted(t, "SAMLRequest", strings.ReplaceAll(r.logoutXML("l-1"), "LogoutRequest", "AuthnRequest"), r.idp.Pair)
		}},
		{name: "for another address", want: signin.Destination, form: func(t *testing.T, r *rig) url.Values {
			return posted(t, "SAMLRequest", strings.Replace(r.logoutXML("l-1"), r.sp.SLO, "https://other.example.test", 1), r.idp.Pair)
		}},
		{name: "of another", want: signin.Issuer, form: func(t *testing.T, r *rig) url.Values {
			return posted(t, "SAMLRequest", strings.Replace(r.logoutXML("l-1"), r.idp.EntityID, "https://evil.example.test", 1), r.idp.Pair)
		}},
		{name: "old", want: signin.Clock, form: func(t *testing.T, r *rig) url.Values {
			return posted(t, "SAMLRequest", strings.Replace(r.logoutXML("l-1"), "09:00:00", "08:50:00", 1), r.idp.Pair)
		}},
		{name: "nobody", want: signin.Malformed, form: func(t *testing.T, r *rig) url.Values {
			return posted(t, "SAMLRequest", strings.Replace(r.logoutXML("l-1"), ">p-0001<", "> <", 1), r.idp.Pair)
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := newRig(t, nil)
			if test.only != "" {
				r.idp.Bindings = []string{test.only}
				r.serve(r.idp.Metadata())
			}
			form := test.form(t, r)
			got, reply, err := r.EndRequest(t.Context(), form)
			if test.want != "" {
				if refusal := refusalOf(t, err); refusal.Reason != test.want {
					t.Errorf("%+v", refusal)
				}
				if reply.To.URL != "" {
					t.Errorf("answered with %+v", reply)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if want := (signin.Subject{Realm: "saml/" + r.idp.EntityID, Value: "persistent!!!p-0001", Immutable: true}); got.Subject != want || !slices.Equal(got.Sessions, []string{"s-1", "s-2"}) {
				t.Errorf("%+v", got)
			}
			if !strings.HasPrefix(reply.To.URL, r.idp.Base+"/slo-answers") || (reply.To.Form != nil) != (test.only != "") {
				t.Fatalf("answered with %+v", reply)
			}
			text, values := messageIn(t, reply.To, "SAMLResponse")
			if values.Get("RelayState") != "their-state" || attributesOf(t, text)["InResponseTo"] != "l-1" || !strings.Contains(text, ended+"Success") {
				t.Errorf("%v %s", values, text)
			}
			if test.only != "" {
				verifyXML(t, text)
			} else {
				verifyQuery(t, reply.To.URL)
			}
			// The same again is refused.
			_, _, err = r.EndRequest(t.Context(), form)
			if refusal := refusalOf(t, err); refusal.Reason != signin.UsedAlready {
				t.Errorf("%+v", refusal)
			}
		})
	}
}

func TestEnd(t *testing.T) {
	for _, only := range []string{"HTTP-Redirect", "HTTP-POST"} {
		r := newRig(t, nil)
		r.idp.Bindings = []string{only}
		r.serve(r.idp.Metadata())
		_, pending := r.begin(t)
		answer := r.answer(pending.Request)
		answer.Edit = set("./Assertion/Subject/NameID", "SPNameQualifier", "https://us&them.example.test")
		a, err := r.Finish(t.Context(), r.idp.Form(t, answer), pending)
		if err != nil {
			t.Fatal(err)
		}
		to, err := r.End(t.Context(), signin.Session{Subject: a.Subject, NameID: a.NameID, Session: a.Session, State: strings.Repeat("x", 43)})
		if err != nil {
			t.Fatal(err)
		}
		text, values := messageIn(t, to, "SAMLRequest")
		if values.Get("RelayState") != strings.Repeat("x", 43) || !strings.HasPrefix(to.URL, r.idp.Base+"/slo") || strings.Contains(to.URL, "answers") {
			t.Errorf("%+v", to)
		}
		for _, want := range []string{">p-0001<", `SPNameQualifier="https://us&amp;them.example.test"`, samltest.Persistent, ">s-1<", "LogoutRequest"} {
			if !strings.Contains(text, want) {
				t.Errorf("no %s in %s", want, text)
			}
		}
		if only == "HTTP-POST" {
			verifyXML(t, text)
		} else {
			verifyQuery(t, to.URL)
		}
		// And the answers.
		id := attributesOf(t, text)["ID"]
		for name, test := range map[string]struct {
			form url.Values
			want signin.Reason
		}{
			"success":    {form: posted(t, "SAMLResponse", r.logoutAnswer(id, "Success", ""), r.idp.Pair)},
			"query":      {form: raw(queried(t, "SAMLResponse", r.logoutAnswer(id, "Success", ""), r.idp.Pair, crypto.SHA256, lowerCase))},
			"partial":    {form: posted(t, "SAMLResponse", r.logoutAnswer(id, "Success", "PartialLogout"), r.idp.Pair), want: signin.ProviderError},
			"failed":     {form: posted(t, "SAMLResponse", r.logoutAnswer(id, "Responder", ""), r.idp.Pair), want: signin.ProviderError},
			"none of us": {form: posted(t, "SAMLResponse", r.logoutAnswer("_1", "Success", ""), r.idp.Pair), want: signin.NotBegunHere},
			"forged":     {form: posted(t, "SAMLResponse", r.logoutAnswer(id, "Success", ""), *other(t)), want: signin.UntrustedCertificate},
		} {
			got, reply, err := r.EndRequest(t.Context(), test.form)
			if test.want == "" && (err != nil || got.Subject != (signin.Subject{}) || reply.To.URL != "") {
				t.Errorf("%s: %+v, %+v, %v", name, got, reply, err)
			}
			if test.want != "" {
				if refusal := refusalOf(t, err); refusal.Reason != test.want || test.want == signin.ProviderError && refusal.Code == "" {
					t.Errorf("%s: %+v", name, refusal)
				}
			}
		}
	}
}

func TestWithoutSingleLogout(t *testing.T) {
	r := newRig(t, func(c *Config) { c.SingleLogout = false })
	to, err := r.End(t.Context(), signin.Session{NameID: "<NameID>a</NameID>"})
	if err != nil || to.URL != "" {
		t.Errorf("%+v, %v", to, err)
	}
	_, _, err = r.EndRequest(t.Context(), posted(t, "SAMLRequest", r.logoutXML("l-1"), r.idp.Pair))
	if refusal := refusalOf(t, err); refusal.Reason != signin.Malformed || !strings.Contains(refusal.Hint, "single_logout") {
		t.Errorf("%+v", refusal)
	}
	r = newRig(t, nil)
	r.idp.Bindings = []string{"SOAP"} // for log-outs, and sign-ins by redirect
	r.serve(strings.Replace(r.idp.Metadata(), `SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:SOAP"`, `SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"`, 1))
	if to, err = r.End(t.Context(), signin.Session{NameID: "<NameID>a</NameID>"}); err != nil || to.URL != "" {
		t.Errorf("%+v, %v", to, err)
	}
	if _, reply, err := r.EndRequest(t.Context(), posted(t, "SAMLRequest", r.logoutXML("l-1"), r.idp.Pair)); err != nil || reply.Status != 200 {
		t.Errorf("%+v, %v", reply, err)
	}
}

// A new key that signed a query looks like a bad signature: metadata are fetched for it, too.
func TestALogoutWithANewKey(t *testing.T) {
	r := newRig(t, nil)
	if err := r.signIn(t); err != nil {
		t.Fatal(err)
	}
	r.idp.Pair = *other(t)
	r.serve(r.idp.Metadata())
	r.pass(hurryEvery - 1)
	query := queried(t, "SAMLRequest", strings.Replace(r.logoutXML("l-1"), "09:00:00", "09:04:59", 1), r.idp.Pair, crypto.SHA256, url.QueryEscape)
	if _, _, err := r.EndRequest(t.Context(), raw(query)); refusalOf(t, err).Reason != signin.Signature {
		t.Error(err)
	}
	r.pass(1)
	if _, _, err := r.EndRequest(t.Context(), raw(query)); err != nil {
		t.Error(err)
	}
}
