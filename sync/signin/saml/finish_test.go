package saml

import (
	"encoding/base64"
	"errors"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/beevik/etree"
	"github.com/crewjam/saml/xmlenc"
	dsig "github.com/russellhaering/goxmldsig"

	"dirsyncd/sync/settings"
	"dirsyncd/sync/signin"
	"dirsyncd/sync/signin/saml/samltest"
)

// set changes an attribute of the elements at a path.
func set(path, name, value string) func(*etree.Element) {
	return func(response *etree.Element) {
		for _, el := range response.FindElements(path) {
			el.CreateAttr(name, value)
		}
	}
}

func text(path, value string) func(*etree.Element) {
	return func(response *etree.Element) {
		for _, el := range response.FindElements(path) {
			el.SetText(value)
		}
	}
}

func remove(path string) func(*etree.Element) {
	return func(response *etree.Element) {
		for _, el := range response.FindElements(path) {
			el.Parent().RemoveChild(el)
		}
	}
}

func withoutAttr(path, name string) func(*etree.Element) {
	return func(response *etree.Element) {
		for _, el := range response.FindElements(path) {
			el.RemoveAttr(name)
		}
	}
}

func all(edits ...func(*etree.Element)) func(*etree.Element) {
	return func(response *etree.Element) {
		for _, edit := range edits {
			edit(response)
		}
	}
}

func at(d time.Duration) string { return start.Add(d).Format(time.RFC3339) }

const (
	theAssertion    = "./Assertion"
	theConfirmation = "./Assertion/Subject/SubjectConfirmation"
	theData         = "./Assertion/Subject/SubjectConfirmation/SubjectConfirmationData"
	theConditions   = "./Assertion/Conditions"
)

// Every row of the table of checks, and every fault that a provider or an attacker can make, has its own reason.
func TestEveryCheckRefusesWithItsReason(t *testing.T) {
	guid := `<saml:Attribute Name="objectGUID"><saml:AttributeValue>3f2504e0-4f89-41d3-9a0c-0305e82c3301</saml:AttributeValue></saml:Attribute>`
	tests := []struct {
		name   string
		change func(*Config)
		answer func(r *samltest.Response)
		form   func(url.Values)
		rig    func(*rig)
		want   signin.Reason // blank: good
		check  string        // the one that fails
		says   string        // part of the text or the hint
	}{
		{name: "good, assertion signed"},
		{name: "good, response signed", answer: func(r *samltest.Response) { r.Sign = "response" }},
		{name: "good, both signed", answer: func(r *samltest.Response) { r.Sign = "both" }},
		{name: "good, wrapped base64", form: func(f url.Values) {
			f.Set("SAMLResponse", f.Get("SAMLResponse")[:60]+"\r\n"+f.Get("SAMLResponse")[60:])
		}},

		// XML: bounded, no DTD, safe in round trips.
		{name: "too large", form: func(f url.Values) { f.Set("SAMLResponse", strings.Repeat("A", 2<<20)) }, want: signin.Malformed, check: "xml", says: "1 MiB"},
		{name: "no base64", form: func(f url.Values) { f.Set("SAMLResponse", "<xml>") }, want: signin.Malformed, check: "xml", says: "base64"},
		{name: "no XML", form: func(f url.Values) { f.Set("SAMLResponse", base64.StdEncoding.EncodeToString([]byte("hello"))) }, want: signin.Malformed, check: "xml"},
		{name: "blank", form: func(f url.Values) { f.Set("SAMLResponse", "") }, want: signin.Malformed, check: "xml"},
		{name: "another message", answer: func(r *samltest.Response) {
			r.EditText = func(s string) string { return strings.ReplaceAll(s, "samlp:Response", "samlp:LogoutResponse") }
		}, want: signin.Malformed, check: "xml", says: "no Response"},
		{name: "document type", answer: func(r *samltest.Response) {
			r.EditText = func(s string) string { return `<!DOCTYPE r [<!ENTITY e "x">]>` + s }
		}, want: signin.Malformed, check: "xml", says: "document type"},
		{name: "deep", answer: func(r *samltest.Response) {
			r.EditText = func(s string) string {
				return strings.Replace(s, "<samlp:Status>", "<samlp:Status>"+strings.Repeat("<a>", 100)+strings.Repeat("</a>", 100), 1)
			}
		}, want: signin.Malformed, check: "xml", says: "deep"},
		{name: "another version", answer: func(r *samltest.Response) { r.Edit = set(".", "Version", "1.1") }, want: signin.Malformed},

		// The form.
		{name: "two responses", form: func(f url.Values) { f.Add("SAMLResponse", f.Get("SAMLResponse")) }, want: signin.Malformed, check: "form"},
		{name: "no response", form: func(f url.Values) { f.Del("SAMLResponse") }, want: signin.Malformed, check: "form"},
		{name: "artifact", form: func(f url.Values) { f.Set("SAMLart", "AAQ") }, want: signin.Malformed, check: "form", says: "SAMLart"},
		{name: "detached signature", form: func(f url.Values) { f.Set("Signature", "AAQ") }, want: signin.Malformed, check: "form", says: "Signature"},
		{name: "detached algorithm", form: func(f url.Values) { f.Set("SigAlg", "AAQ") }, want: signin.Malformed, check: "form", says: "SigAlg"},
		{name: "two relay states", form: func(f url.Values) { f.Add("RelayState", "B") }, want: signin.Malformed, check: "form"},

		// Signature on response or assertion, with a configured key only.
		{name: "not signed", answer: func(r *samltest.Response) { r.Sign = "none" }, want: signin.NotSigned, check: "signature"},
		{name: "changed assertion", answer: func(r *samltest.Response) { r.EditSigned = text("./Assertion/Subject/NameID", "p-0002") }, want: signin.Signature, check: "signature"},
		{name: "changed response", answer: func(r *samltest.Response) {
			r.Sign = "response"
			r.EditText = func(s string) string { return strings.Replace(s, "p-0001", "p-0002", 1) }
		}, want: signin.Signature, check: "signature"},
		{name: "another key", answer: func(r *samltest.Response) { r.By = other(t) }, want: signin.UntrustedCertificate, check: "signature", says: "metadata name"},
		{name: "SHA-1", answer: func(r *samltest.Response) { r.Method = dsig.RSASHA1SignatureMethod }, want: signin.SHA1, check: "signature", says: "SHA-256"},
		{name: "SHA-1 allowed", change: func(c *Config) { c.AllowSHA1 = true }, answer: func(r *samltest.Response) { r.Method = dsig.RSASHA1SignatureMethod }},
		{name: "certificate too old", rig: oldCertificate, want: signin.CertificateDates, check: "certificate dates"},
		{name: "certificate too old, ignored", change: func(c *Config) { c.CertificateDates = "ignore" }, rig: oldCertificate},
		{name: "signature of something else", answer: func(r *samltest.Response) { r.EditSigned = set(theAssertion, "ID", "a-2") }, want: signin.Signature},

		// Exactly one assertion, child of the response; no ID twice.
		{name: "two assertions", answer: func(r *samltest.Response) { r.EditSigned = double("a-2", ".") }, want: signin.TwoAssertions, check: "assertions"},
		{name: "two assertions, response signed", answer: func(r *samltest.Response) { r.Sign, r.Edit = "response", double("a-2", ".") }, want: signin.TwoAssertions, check: "assertions"},
		{name: "one elsewhere", answer: func(r *samltest.Response) { r.EditSigned = double("a-2", "./Status") }, want: signin.TwoAssertions, check: "assertions"},
		{name: "wrapped", answer: func(r *samltest.Response) {
			r.EditSigned = func(response *etree.Element) { // the signed one into an extension, an unsigned one in its place
				signed := response.SelectElement("Assertion")
				forged := signed.Copy()
				forged.RemoveChild(forged.SelectElement("Signature"))
				forged.CreateAttr("ID", "a-2")
				response.AddChild(forged)
				holder := etree.NewElement("samlp:Extensions")
				response.RemoveChild(signed)
				holder.AddChild(signed)
				response.InsertChildAt(1, holder)
			}
		}, want: signin.TwoAssertions, check: "assertions"},
		{name: "none", answer: func(r *samltest.Response) { r.Sign, r.Edit = "response", remove(theAssertion) }, want: signin.Malformed, check: "assertions"},
		{name: "one ID twice", answer: func(r *samltest.Response) { r.Sign, r.Edit = "response", set(theAssertion, "ID", "r-1") }, want: signin.TwoAssertions, check: "ids"},

		// Destination, issuer, status.
		{name: "for another address", answer: func(r *samltest.Response) { r.Edit = set(".", "Destination", "https://other.example.test/acs") }, want: signin.Destination, check: "destination", says: base + "/acs"},
		{name: "signed, for nobody", answer: func(r *samltest.Response) { r.Sign, r.Edit = "response", withoutAttr(".", "Destination") }, want: signin.Destination, check: "destination"},
		{name: "unsigned around it, for nobody", answer: func(r *samltest.Response) { r.Edit = withoutAttr(".", "Destination") }},
		{name: "response of another", answer: func(r *samltest.Response) { r.Edit = text("./Issuer", "https://evil.example.test") }, want: signin.Issuer, check: "issuer"},
		{name: "assertion of another", answer: func(r *samltest.Response) { r.Edit = text("./Assertion/Issuer", "https://evil.example.test") }, want: signin.Issuer, check: "issuer"},
		{name: "status of the request", answer: func(r *samltest.Response) {
			r.Edit = status("urn:oasis:names:tc:SAML:2.0:status:Requester", "urn:oasis:names:tc:SAML:2.0:status:InvalidNameIDPolicy")
		}, want: signin.ProviderError, check: "status", says: "name_id"},
		{name: "status failed", answer: func(r *samltest.Response) { r.Edit = status("urn:oasis:names:tc:SAML:2.0:status:Responder", "") }, want: signin.ProviderError, check: "status", says: "log"},
		{name: "no status", answer: func(r *samltest.Response) { r.Edit = remove("./Status") }, want: signin.Malformed, check: "status"},

		// Age.
		{name: "old", answer: func(r *samltest.Response) { r.At = start.Add(-6 * time.Minute) }, want: signin.Clock, check: "clock", says: "6m0s ago"},
		{name: "four minutes old", answer: func(r *samltest.Response) { r.At = start.Add(-4 * time.Minute) }},
		{name: "early", answer: func(r *samltest.Response) { r.At = start.Add(4 * time.Minute) }, want: signin.Clock, check: "clock", says: "4m0s ahead"},
		{name: "two minutes early", answer: func(r *samltest.Response) { r.At = start.Add(2 * time.Minute) }},
		{name: "old assertion in a new response", answer: func(r *samltest.Response) { r.Edit = set(theAssertion, "IssueInstant", at(-6*time.Minute)) }, want: signin.Clock, check: "clock"},
		{name: "no time", answer: func(r *samltest.Response) { r.Edit = withoutAttr(".", "IssueInstant") }, want: signin.Clock, check: "clock"},

		// InResponseTo.
		{name: "no request of ours", answer: func(r *samltest.Response) { r.Request = "_b" }, want: signin.NotBegunHere, check: "request"},
		{name: "another browser's", answer: func(r *samltest.Response) { r.Request = "id-" + strings.Repeat("a", 40) }, want: signin.NotBegunHere, check: "request"},
		{name: "assertion for another request", answer: func(r *samltest.Response) { r.Edit = set(theData, "InResponseTo", "id-"+strings.Repeat("a", 40)) }, want: signin.NotBegunHere, check: "request"},
		{name: "assertion for no request", answer: func(r *samltest.Response) { r.Edit = withoutAttr(theData, "InResponseTo") }, want: signin.NotBegunHere, check: "request"},

		// Confirmation.
		{name: "no confirmation", answer: func(r *samltest.Response) { r.Edit = remove(theConfirmation) }, want: signin.Malformed},
		{name: "no data", answer: func(r *samltest.Response) { r.Edit = remove(theData) }, want: signin.Malformed},
		{name: "another method", answer: func(r *samltest.Response) {
			r.Edit = set(theConfirmation, "Method", "urn:oasis:names:tc:SAML:2.0:cm:holder-of-key")
		}, want: signin.Malformed},
		{name: "two confirmations", answer: func(r *samltest.Response) { r.Edit = twice(theConfirmation) }, want: signin.Malformed, check: "confirmation"},
		{name: "for another recipient", answer: func(r *samltest.Response) { r.Edit = set(theData, "Recipient", "https://other.example.test/acs") }, want: signin.Destination},
		{name: "confirmation without end", answer: func(r *samltest.Response) { r.Edit = withoutAttr(theData, "NotOnOrAfter") }, want: signin.Clock},
		{name: "confirmation ended", answer: func(r *samltest.Response) { r.Edit = set(theData, "NotOnOrAfter", at(-4*time.Minute)) }, want: signin.Clock, check: "clock"},
		{name: "confirmation with a beginning", answer: func(r *samltest.Response) { r.Edit = set(theData, "NotBefore", at(-time.Minute)) }, want: signin.Malformed, check: "confirmation", says: "NotBefore"},

		// Conditions.
		{name: "no conditions", answer: func(r *samltest.Response) { r.Edit = remove(theConditions) }, want: signin.Malformed},
		{name: "not yet", answer: func(r *samltest.Response) { r.Edit = set(theConditions, "NotBefore", at(4*time.Minute)) }, want: signin.Clock, check: "clock"},
		{name: "no more", answer: func(r *samltest.Response) { r.Edit = set(theConditions, "NotOnOrAfter", at(-3*time.Minute)) }, want: signin.Clock, check: "clock"},
		{name: "a condition of their own", answer: func(r *samltest.Response) {
			r.Edit = func(response *etree.Element) { response.FindElement(theConditions).CreateElement("saml:Condition") }
		}, want: signin.Malformed},
		{name: "session over", answer: func(r *samltest.Response) {
			r.Edit = set("./Assertion/AuthnStatement", "SessionNotOnOrAfter", at(-4*time.Minute))
		}, want: signin.Clock, check: "clock"},

		// Audience.
		{name: "no audience", answer: func(r *samltest.Response) { r.Edit = remove(theConditions + "/AudienceRestriction") }, want: signin.Audience, check: "audience"},
		{name: "another audience", answer: func(r *samltest.Response) {
			r.Edit = text(theConditions+"/AudienceRestriction/Audience", "https://other.example.test")
		}, want: signin.Audience, check: "audience"},
		{name: "two restrictions, one for another", answer: func(r *samltest.Response) {
			r.Edit = all(twice(theConditions+"/AudienceRestriction"), func(response *etree.Element) {
				response.FindElement(theConditions + "/AudienceRestriction/Audience").SetText("https://other.example.test")
			})
		}, want: signin.Audience, check: "audience"},

		// NameID and the rest of the statement.
		{name: "no name", answer: func(r *samltest.Response) { r.Edit = remove("./Assertion/Subject/NameID") }, want: signin.Malformed},
		{name: "blank name", answer: func(r *samltest.Response) { r.NameID = " \n " }, want: signin.Malformed, check: "name id"},
		{name: "no subject", answer: func(r *samltest.Response) { r.Edit = remove("./Assertion/Subject") }, want: signin.Malformed},
		{name: "no statement", answer: func(r *samltest.Response) { r.Edit = remove("./Assertion/AuthnStatement") }, want: signin.Malformed},
		{name: "no assertion id", answer: func(r *samltest.Response) { r.Sign, r.Edit = "response", withoutAttr(theAssertion, "ID") }, want: signin.Malformed},
		{name: "transient name", answer: func(r *samltest.Response) { r.Format = samltest.Transient }, want: signin.TransientID, check: "name id", says: "PersistentNameID"},
		{name: "transient name beside an object", answer: func(r *samltest.Response) { r.Format, r.Attributes = samltest.Transient, guid }, want: signin.TransientID},
		{name: "another format", answer: func(r *samltest.Response) { r.Format = samltest.Email }, want: signin.ClaimRefused, check: "name id"},
		{name: "another format beside an object", answer: func(r *samltest.Response) { r.Format, r.Attributes = samltest.Email, guid }},
		{name: "two objects", answer: func(r *samltest.Response) { r.Attributes = guid + guid }, want: signin.ClaimRefused, check: "object id"},
		{name: "another authentication", change: func(c *Config) {
			c.AuthnContext = settings.Names{"urn:oasis:names:tc:SAML:2.0:ac:classes:TimeSyncToken"}
		}, want: signin.ClaimRefused, check: "authentication"},
		{name: "authentication as asked", change: func(c *Config) {
			c.AuthnContext = settings.Names{"urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport"}
		}},

		// Encryption.
		{name: "encrypted", answer: encrypted(gcm(), 2)},
		{name: "encrypted, not signed", answer: func(r *samltest.Response) { encrypted(gcm(), 2)(r); r.Sign = "none" }, want: signin.NotSigned, check: "signature"},
		{name: "encrypted, response signed", answer: func(r *samltest.Response) { encrypted(gcm(), 2)(r); r.Sign = "response" }},
		{name: "CBC, response not signed", answer: encrypted(xmlenc.OAEP(), 2), want: signin.NotSigned, check: "encryption", says: "CBC"},
		{name: "CBC, response signed", answer: func(r *samltest.Response) { encrypted(xmlenc.OAEP(), 2)(r); r.Sign = "both" }},
		{name: "CBC allowed", change: func(c *Config) { c.AllowCBC = true }, answer: encrypted(xmlenc.OAEP(), 2)},
		{name: "encrypted to another", answer: encrypted(gcm(), 1), want: signin.Malformed, check: "encryption"},
		{name: "encrypted to a former key", change: func(c *Config) { c.FormerKeys = []settings.Secret{settings.NewSecret(other(t).PEM())} }, answer: encrypted(gcm(), 1)},
		{name: "encrypted to the next key", change: func(c *Config) { c.NextKey = settings.NewSecret(other(t).PEM()) }, answer: encrypted(gcm(), 1)},
		{name: "encrypted, SHA-1 inside", answer: func(r *samltest.Response) { encrypted(gcm(), 2)(r); r.Method = dsig.RSASHA1SignatureMethod }, want: signin.SHA1, check: "signature"},
		{name: "encrypted and plain", answer: func(r *samltest.Response) {
			r.EditText = func(s string) string {
				return strings.Replace(s, "</samlp:Response>", `<saml:EncryptedAssertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion"/></samlp:Response>`, 1)
			}
		}, want: signin.TwoAssertions, check: "assertions"},
		{name: "encrypted for another issuer", answer: func(r *samltest.Response) {
			encrypted(gcm(), 2)(r)
			r.Edit = text("./Assertion/Issuer", "https://evil.example.test")
		}, want: signin.Issuer},
		{name: "encrypted for another request", answer: func(r *samltest.Response) {
			encrypted(gcm(), 2)(r)
			r.Edit = set(theData, "InResponseTo", "id-"+strings.Repeat("a", 40))
		}, want: signin.NotBegunHere},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := newRig(t, test.change)
			if test.rig != nil {
				test.rig(r)
			}
			_, pending := r.begin(t)
			answer := r.answer(pending.Request)
			if test.answer != nil {
				test.answer(&answer)
			}
			form := r.idp.Form(t, answer)
			if test.form != nil {
				test.form(form)
			}
			got, err := r.Finish(t.Context(), form, pending)
			if test.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				if got.Request != pending.Request || len(got.Checks) < 10 || slices.ContainsFunc(got.Checks, func(c signin.Check) bool { return !c.OK }) {
					t.Errorf("got %+v", got)
				}
				return
			}
			refusal := refusalOf(t, err)
			if refusal.Reason != test.want {
				t.Fatalf("reason %s, want %s: %s", refusal.Reason, test.want, refusal.Text)
			}
			if len(refusal.Checks) == 0 || refusal.Text == "" {
				t.Fatalf("no checks or text: %+v", refusal)
			}
			last := refusal.Checks[len(refusal.Checks)-1]
			if last.OK || test.check != "" && last.Name != test.check {
				t.Errorf("last check %+v, want %q", last, test.check)
			}
			if !strings.Contains(refusal.Text+" "+refusal.Hint, test.says) {
				t.Errorf("%q %q does not say %q", refusal.Text, refusal.Hint, test.says)
			}
			if len(r.once.until) != 0 {
				t.Error("a refused assertion was remembered")
			}
		})
	}
}

func other(t testing.TB) *samltest.Pair {
	pair := samltest.NewPair(t, 1, start.Add(-time.Hour), start.Add(1000*time.Hour))
	return &pair
}

func gcm() xmlenc.Encrypter {
	e := xmlenc.OAEP()
	e.BlockCipher = xmlenc.AES256GCM
	return e
}

func encrypted(how xmlenc.Encrypter, key int) func(*samltest.Response) {
	return func(r *samltest.Response) {
		r.Encrypt, r.To = how, samltest.NewPair(fatal{}, key, start.Add(-time.Hour), start.Add(1000*time.Hour)).Cert
	}
}

// fatal is a testing.TB where there is none.
type fatal struct{ testing.TB }

func (fatal) Helper()           {}
func (fatal) Fatal(args ...any) { panic(args) }

func oldCertificate(r *rig) {
	r.idp.Pair = samltest.NewPair(fatal{}, 0, start.Add(-1000*time.Hour), start.Add(-time.Hour))
	r.serve(r.idp.Metadata())
}

func status(code, inner string) func(*etree.Element) {
	return func(response *etree.Element) {
		remove(theAssertion)(response)
		el := response.FindElement("./Status/StatusCode")
		el.CreateAttr("Value", code)
		if inner != "" {
			el.CreateElement("samlp:StatusCode").CreateAttr("Value", inner)
		}
		response.FindElement("./Status").CreateElement("samlp:StatusMessage").SetText("no <way>")
	}
}

func twice(path string) func(*etree.Element) {
	return func(response *etree.Element) {
		el := response.FindElement(path)
		el.Parent().InsertChildAt(el.Index(), el.Copy())
	}
}

func double(id, into string) func(*etree.Element) {
	return func(response *etree.Element) {
		second := response.SelectElement("Assertion").Copy()
		second.CreateAttr("ID", id)
		response.FindElement(into).AddChild(second)
	}
}

func TestAnAssertionIsUsedOnce(t *testing.T) {
	r := newRig(t, nil)
	_, pending := r.begin(t)
	form := r.idp.Form(t, r.answer(pending.Request))
	const browsers = 8
	reasons := make(chan signin.Reason, browsers)
	for range browsers {
		go func() {
			_, err := r.Finish(t.Context(), form, pending)
			var refusal *signin.Refusal
			if errors.As(err, &refusal) {
				reasons <- refusal.Reason
				return
			}
			reasons <- ""
		}()
	}
	in := 0
	for range browsers {
		switch reason := <-reasons; reason {
		case "":
			in++
		case signin.UsedAlready:
		default:
			t.Error(reason)
		}
	}
	if in != 1 {
		t.Errorf("%d got in", in)
	}
	for _, until := range r.once.until {
		if want := start.Add(5*time.Minute + maxSkew); !until.Equal(want) {
			t.Errorf("remembered until %s, want %s", until, want)
		}
	}
}

func TestAFaultOfOursIsNoRefusal(t *testing.T) {
	r := newRig(t, nil)
	r.once.err = errors.New("disk full")
	_, pending := r.begin(t)
	_, err := r.Finish(t.Context(), r.idp.Form(t, r.answer(pending.Request)), pending)
	var refusal *signin.Refusal
	if err == nil || errors.As(err, &refusal) {
		t.Errorf("got %v", err)
	}
}

func TestWithoutTheCookieTheRequestIsHandedOn(t *testing.T) {
	r := newRig(t, nil)
	_, pending := r.begin(t)
	got, err := r.Finish(t.Context(), r.idp.Form(t, r.answer(pending.Request)), nil)
	if err != nil || got.Request != pending.Request {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestBegunByTheProvider(t *testing.T) {
	tests := []struct {
		mode    string
		answer  func(*samltest.Response)
		reason  signin.Reason
		restart bool
	}{
		{mode: "restart", reason: signin.NotBegunHere, restart: true},
		{mode: "restart", answer: func(r *samltest.Response) { r.Sign = "none" }, reason: signin.NotBegunHere, restart: true}, // nothing is concluded
		{mode: "restart", answer: func(r *samltest.Response) { r.Edit = text("./Issuer", "https://evil.example.test") }, reason: signin.Issuer},
		{mode: "restart", answer: func(r *samltest.Response) { r.Edit = remove("./Issuer") }, reason: signin.NotBegunHere},
		{mode: "refuse", reason: signin.NotBegunHere},
		{mode: "accept"},
		{mode: "accept", answer: func(r *samltest.Response) { r.Sign = "none" }, reason: signin.NotSigned},
		{mode: "accept", answer: func(r *samltest.Response) { r.Edit = set(theData, "InResponseTo", "id-"+strings.Repeat("a", 40)) }, reason: signin.NotBegunHere},
	}
	for _, test := range tests {
		r := newRig(t, func(c *Config) { c.IDPInitiated = test.mode })
		answer := r.answer("")
		if test.answer != nil {
			test.answer(&answer)
		}
		got, err := r.Finish(t.Context(), r.idp.Form(t, answer), nil)
		if test.reason == "" {
			if err != nil || got.Request != "" {
				t.Errorf("%s: %+v, %v", test.mode, got, err)
			}
			continue
		}
		if refusal := refusalOf(t, err); refusal.Reason != test.reason || (refusal.Restart != nil) != test.restart {
			t.Errorf("%s: %+v", test.mode, refusal)
		}
	}
	// Who did begin here gets no answer to nothing, whatever the mode.
	r := newRig(t, func(c *Config) { c.IDPInitiated = "accept" })
	_, pending := r.begin(t)
	_, err := r.Finish(t.Context(), r.idp.Form(t, r.answer("")), pending)
	if refusal := refusalOf(t, err); refusal.Reason != signin.NotBegunHere {
		t.Errorf("%+v", refusal)
	}
}

func TestWhomItIs(t *testing.T) {
	mail := `<saml:Attribute Name="http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress"><saml:AttributeValue>Ada@Example.test</saml:AttributeValue></saml:Attribute>`
	r := newRig(t, nil)
	_, pending := r.begin(t)
	answer := r.answer(pending.Request)
	answer.NameID = "\n  P-0001 "
	answer.Attributes = mail +
		`<saml:Attribute Name="urn:oid:1.3" FriendlyName="objectGUID"><saml:AttributeValue> 3f2504e0-4f89-41d3-9a0c-0305e82c3301 </saml:AttributeValue></saml:Attribute>` +
		`<saml:Attribute Name="groups"><saml:AttributeValue>a</saml:AttributeValue></saml:Attribute>` +
		`<saml:Attribute Name="groups"><saml:AttributeValue>b</saml:AttributeValue><saml:AttributeValue>c</saml:AttributeValue></saml:Attribute>` +
		`</saml:AttributeStatement><saml:AttributeStatement><saml:Attribute Name="groups"><saml:AttributeValue>d</saml:AttributeValue></saml:Attribute>` +
		`<saml:Attribute Name="none"/>`
	answer.Edit = all(set("./Assertion/AuthnStatement", "SessionNotOnOrAfter", at(8*time.Hour)), set("./Assertion/Subject/NameID", "NameQualifier", r.idp.EntityID),
		set("./Assertion/Subject/NameID", "SPNameQualifier", r.sp.EntityID))
	got, err := r.Finish(t.Context(), r.idp.Form(t, answer), pending)
	if err != nil {
		t.Fatal(err)
	}
	want := signin.Subject{Realm: "saml/" + r.idp.EntityID, Value: "persistent!!!P-0001", Immutable: true, Object: "3f2504e0-4f89-41d3-9a0c-0305e82c3301"}
	if got.Subject != want || got.Mail != "Ada@Example.test" || !got.MailVerified || got.Session != "s-1" || !got.At.Equal(start) || !got.Until.Equal(start.Add(8*time.Hour)) ||
		got.Context != "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport" {
		t.Errorf("%+v", got)
	}
	if groups := got.Claims["groups"]; !slices.Equal(groups, []string{"a", "b", "c", "d"}) || !slices.Equal(got.Claims["object_guid"], []string{want.Object}) {
		t.Errorf("%v", got.Claims)
	}
}

// An id that another provider behind a gateway, or another service, gave is another id.
func TestQualifiersTellIDsApart(t *testing.T) {
	seen := map[string]bool{}
	for _, edit := range []func(*etree.Element){
		func(*etree.Element) {},
		set("./Assertion/Subject/NameID", "NameQualifier", "https://behind.example.test"),
		set("./Assertion/Subject/NameID", "SPNameQualifier", "https://other.example.test"),
		set("./Assertion/Subject/NameID", "NameQualifier", "https://behind.example.test!"),
	} {
		r := newRig(t, nil)
		_, pending := r.begin(t)
		answer := r.answer(pending.Request)
		answer.Edit = edit
		got, err := r.Finish(t.Context(), r.idp.Form(t, answer), pending)
		if err != nil {
			t.Fatal(err)
		}
		if seen[got.Subject.Value] {
			t.Errorf("twice: %s", got.Subject.Value)
		}
		seen[got.Subject.Value] = true
	}
}

// A comment within a name changes nothing: it is no part of what was signed (the text before it alone would be another person).
func TestACommentInANameHidesNothing(t *testing.T) {
	r := newRig(t, nil)
	_, pending := r.begin(t)
	answer := r.answer(pending.Request)
	answer.NameID = "admin@example.test.evil.test"
	answer.EditText = func(s string) string {
		return strings.Replace(s, "admin@example.test", "admin@example.test<!-- -->", 1)
	}
	got, err := r.Finish(t.Context(), r.idp.Form(t, answer), pending)
	if err != nil {
		t.Fatal(err)
	}
	if got.Subject.Value != "persistent!!!admin@example.test.evil.test" {
		t.Errorf("%q", got.Subject.Value)
	}
}

func TestMailCountsFromTheDomainsOfTheProvider(t *testing.T) {
	for mail, verified := range map[string]bool{"ada@example.test": true, "ada@other.test": false, "ada@sub.example.test": false, "ada": false} {
		r := newRig(t, func(c *Config) { c.NameID = "email" })
		_, pending := r.begin(t)
		answer := r.answer(pending.Request)
		answer.NameID, answer.Format = mail, samltest.Email
		got, err := r.Finish(t.Context(), r.idp.Form(t, answer), pending)
		if err != nil {
			t.Fatal(err)
		}
		if got.Mail != mail || got.MailVerified != verified || got.Subject.Immutable {
			t.Errorf("%s: %+v", mail, got)
		}
	}
}
