// Package samltest is a provider of identity for tests: it signs what it is told to, right or wrong.
package samltest

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/beevik/etree"
	"github.com/crewjam/saml/xmlenc"
	dsig "github.com/russellhaering/goxmldsig"
)

// Persistent and Transient are formats of a NameID.
const (
	Persistent = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"
	Transient  = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"
	Email      = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"
)

// Pair is a key with a certificate of its own.
type Pair struct {
	Key  *rsa.PrivateKey
	Cert *x509.Certificate
}

var keys = []func() *rsa.PrivateKey{sync.OnceValue(newKey), sync.OnceValue(newKey), sync.OnceValue(newKey)}

func newKey() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
}

// NewPair makes the certificate of one of three keys, which are made once for all tests of a package.
func NewPair(tb testing.TB, key int, from, to time.Time) Pair {
	tb.Helper()
	k := keys[key]()
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(int64(key) + 1), Subject: pkix.Name{CommonName: fmt.Sprintf("key %d of a test", key)},
		NotBefore: from, NotAfter: to, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &k.PublicKey, k)
	if err != nil {
		tb.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		tb.Fatal(err)
	}
	return Pair{k, cert}
}

// PEM is the key and its certificate.
func (p Pair) PEM() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(p.Key)})) +
		string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.Cert.Raw}))
}

// IDP is a provider of identity. Its addresses are below Base.
type IDP struct {
	EntityID string
	Base     string
	Pair     Pair
	Former   []Pair // are in its metadata, too
	NoUse    bool   // its metadata do not say what keys are for
	Attrs    string // more attributes of EntityDescriptor, such as validUntil
	Bindings []string
}

// Metadata is what it publishes.
func (i *IDP) Metadata() string {
	var b strings.Builder
	fmt.Fprintf(&b, `<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" entityID=%q %s>`, i.EntityID, i.Attrs)
	b.WriteString(`<md:IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">`)
	use := ` use="signing"`
	if i.NoUse {
		use = ""
	}
	for _, p := range append([]Pair{i.Pair}, i.Former...) {
		fmt.Fprintf(&b, `<md:KeyDescriptor%s><ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:X509Data><ds:X509Certificate>%s</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>`,
			use, base64.StdEncoding.EncodeToString(p.Cert.Raw))
	}
	for _, binding := range i.bindings() {
		fmt.Fprintf(&b, `<md:SingleLogoutService Binding="urn:oasis:names:tc:SAML:2.0:bindings:%s" Location="%s/slo" ResponseLocation="%s/slo-answers"/>`, binding, i.Base, i.Base)
	}
	for _, binding := range i.bindings() {
		fmt.Fprintf(&b, `<md:SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:%s" Location="%s/sso"/>`, binding, i.Base)
	}
	b.WriteString(`</md:IDPSSODescriptor></md:EntityDescriptor>`)
	return b.String()
}

func (i *IDP) bindings() []string {
	if i.Bindings == nil {
		return []string{"HTTP-Redirect", "HTTP-POST"}
	}
	return i.Bindings
}

// SP is whom it answers.
type SP struct{ EntityID, ACS, SLO string }

// Response is an answer. Zero fields stand for what is right.
type Response struct {
	SP         SP
	Request    string // InResponseTo; blank for none
	At         time.Time
	NameID     string
	Format     string
	Attributes string // XML of Attribute elements
	Sign       string // assertion (default), response, both, none
	Method     string // of signatures; default rsa-sha256
	By         *Pair  // signs; default its own key
	Encrypt    xmlenc.Encrypter
	To         *x509.Certificate             // whom it is encrypted to
	Edit       func(response *etree.Element) // changes it before it is signed
	EditSigned func(response *etree.Element) // changes it after its assertion was signed, before it is encrypted
	EditText   func(text string) string      // changes it at last
}

// Form is the form that a browser posts.
func (i *IDP) Form(tb testing.TB, r Response) url.Values {
	tb.Helper()
	return url.Values{"SAMLResponse": {base64.StdEncoding.EncodeToString([]byte(i.XML(tb, r)))}, "RelayState": {"AAAAAAAA"}}
}

// XML is the answer.
func (i *IDP) XML(tb testing.TB, r Response) string {
	tb.Helper()
	response := i.plain(tb, r)
	if r.Edit != nil {
		r.Edit(response)
	}
	if r.Sign == "" || r.Sign == "assertion" || r.Sign == "both" {
		for _, a := range response.SelectElements("Assertion") {
			swap(response, a, i.sign(tb, a, r))
		}
	}
	if r.EditSigned != nil {
		r.EditSigned(response)
	}
	if r.Encrypt != nil {
		for _, a := range response.SelectElements("Assertion") {
			swap(response, a, encrypt(tb, a, r))
		}
	}
	if r.Sign == "response" || r.Sign == "both" {
		response = i.sign(tb, response, r)
	}
	doc := etree.NewDocument()
	doc.SetRoot(response)
	text, err := doc.WriteToString()
	if err != nil {
		tb.Fatal(err)
	}
	if r.EditText != nil {
		text = r.EditText(text)
	}
	return text
}

func swap(parent, old, fresh *etree.Element) {
	at := old.Index()
	parent.RemoveChildAt(at)
	parent.InsertChildAt(at, fresh)
}

func (i *IDP) plain(tb testing.TB, r Response) *etree.Element {
	tb.Helper()
	at := func(d time.Duration) string { return r.At.Add(d).UTC().Format("2006-01-02T15:04:05Z") }
	answers := ""
	if r.Request != "" {
		answers = fmt.Sprintf(" InResponseTo=%q", r.Request)
	}
	if r.NameID == "" {
		r.NameID = "p-0001"
	}
	if r.Format == "" {
		r.Format = Persistent
	}
	attributes := ""
	if r.Attributes != "" {
		attributes = "<saml:AttributeStatement>" + r.Attributes + "</saml:AttributeStatement>"
	}
	doc := etree.NewDocument()
	if err := doc.ReadFromString(fmt.Sprintf(`<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" ID="r-1" Version="2.0" IssueInstant="%[1]s" Destination="%[2]s"%[3]s>`+
		`<saml:Issuer xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion">%[4]s</saml:Issuer>`+
		`<samlp:Status><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></samlp:Status>`+
		`<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="a-1" Version="2.0" IssueInstant="%[1]s"><saml:Issuer>%[4]s</saml:Issuer>`+
		`<saml:Subject><saml:NameID Format="%[5]s">%[6]s</saml:NameID>`+
		`<saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer"><saml:SubjectConfirmationData NotOnOrAfter="%[7]s" Recipient="%[2]s"%[3]s/></saml:SubjectConfirmation></saml:Subject>`+
		`<saml:Conditions NotBefore="%[8]s" NotOnOrAfter="%[7]s"><saml:AudienceRestriction><saml:Audience>%[9]s</saml:Audience></saml:AudienceRestriction></saml:Conditions>`+
		`<saml:AuthnStatement AuthnInstant="%[1]s" SessionIndex="s-1"><saml:AuthnContext><saml:AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport</saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement>`+
		`%[10]s</saml:Assertion></samlp:Response>`,
		at(0), r.SP.ACS, answers, i.EntityID, r.Format, r.NameID, at(5*time.Minute), at(-time.Minute), r.SP.EntityID, attributes)); err != nil {
		tb.Fatal(err)
	}
	return doc.Root()
}

func (i *IDP) sign(tb testing.TB, el *etree.Element, r Response) *etree.Element {
	tb.Helper()
	pair := i.Pair
	if r.By != nil {
		pair = *r.By
	}
	return Sign(tb, el, pair, r.Method)
}

// Sign signs an element; method blank is rsa-sha256.
func Sign(tb testing.TB, el *etree.Element, pair Pair, method string) *etree.Element {
	tb.Helper()
	ctx, err := dsig.NewSigningContext(pair.Key, [][]byte{pair.Cert.Raw})
	if err != nil {
		tb.Fatal(err)
	}
	ctx.Canonicalizer = dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList("")
	if method == "" {
		method = dsig.RSASHA256SignatureMethod
	}
	if method == dsig.RSASHA1SignatureMethod {
		ctx.Hash = crypto.SHA1
	}
	if err := ctx.SetSignatureMethod(method); err != nil {
		tb.Fatal(err)
	}
	signed, err := ctx.SignEnveloped(el)
	if err != nil {
		tb.Fatal(err)
	}
	return signed
}

func encrypt(tb testing.TB, el *etree.Element, r Response) *etree.Element {
	tb.Helper()
	doc := etree.NewDocument()
	doc.SetRoot(el.Copy())
	plain, err := doc.WriteToBytes()
	if err != nil {
		tb.Fatal(err)
	}
	data, err := r.Encrypt.Encrypt(r.To, plain, nil)
	if err != nil {
		tb.Fatal(err)
	}
	data.CreateAttr("Type", "http://www.w3.org/2001/04/xmlenc#Element")
	wrapped := etree.NewElement("saml:EncryptedAssertion")
	wrapped.CreateAttr("xmlns:saml", "urn:oasis:names:tc:SAML:2.0:assertion")
	wrapped.AddChild(data)
	return wrapped
}
