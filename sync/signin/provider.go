// Package signin lets people sign in at providers of identity and tells applications who they are.
package signin

import (
	"context"
	"net/url"
	"time"
)

// Provider speaks to one provider of identity, by OpenID Connect or SAML 2.0. It keeps nothing of anybody's sign-in: what must
// outlive a request is in Pending, which the caller seals into a cookie, and in Once. Safe for concurrent use.
//
// What is refused is an error of the type *Refusal; every other error is a fault of ours.
type Provider interface {
	// Begin makes the address or the form that takes the browser to the provider.
	Begin(ctx context.Context, s Start) (To, Pending, error)

	// Finish reads what the browser brought back, the form or the query of the callback, and checks everything that can be
	// checked of it. p is what Begin returned; nil when nobody of ours asked, which only SAML may admit.
	Finish(ctx context.Context, form url.Values, p *Pending) (*Assertion, error)

	// EndRequest reads a request of the provider to end sessions, and makes the answer. What answers a request of ours comes
	// here, too: nothing ends then, and Reply is blank. form holds the query as it came under RawQuery.
	EndRequest(ctx context.Context, form url.Values) (Ended, Reply, error)

	// End makes the address or the form by which the provider ends its own session; To.URL is blank when there is none.
	End(ctx context.Context, s Session) (To, error)

	// Probe looks at what the provider publishes: addresses, keys, clock, what runs out.
	Probe(ctx context.Context) ([]Finding, error)
}

// RawQuery is where the form of EndRequest holds the query as it came, undecoded: the signature of SAML's redirect binding is
// over those bytes, and senders escape them in different ways. Whoever calls sets it, over whatever the browser sent.
const RawQuery = "\x00query"

// Registered is a Provider that can say what is to be registered of us there: the metadata of a service provider, or addresses, one a line.
type Registered interface {
	Metadata() ([]byte, error)
}

// Initiator is a Provider whose own list of applications can begin a sign-in here (OpenID Connect Core, section 4). target is where it wants people to
// go, unchecked; blank when it does not say.
type Initiator interface {
	Initiated(ctx context.Context, form url.Values) (s Start, target string, err error)
}

// Runner is a Provider that keeps something fresh until a context ends.
type Runner interface {
	Run(ctx context.Context) error
}

// Start is what a sign-in begins with.
type Start struct {
	State     string // unguessable, 256 bits in base64url; its first eight characters are the handle of the pending cookie
	LoginHint string // a mail address or log-in that the person has given before; may be blank
	Again     bool   // the person must choose or prove an account anew: prompt=select_account, ForceAuthn
	SignUp    bool   // the person has no account yet: the sign-up flow of the provider, where it has one
	Flow      string // a flow of the provider that Refusal.Restart named; blank: the usual one
}

// To is where a browser goes next.
type To struct {
	URL  string     // absolute
	Form url.Values // posted to URL when not nil; a GET otherwise
}

// HandOver is what a product that takes tokens of its own form is told of somebody.
type HandOver struct {
	Record, Name, Email string
	Target              string // where they want to go; absolute, at the product's host
	Nonce, State        string // of the product's request
}

// Pending is what Finish must know of Begin. It is sealed before it leaves the machine.
type Pending struct {
	State    string
	Nonce    string // OIDC
	Verifier string // OIDC: PKCE, RFC 7636
	Request  string // SAML: the ID of the AuthnRequest
	Flow     string // the provider's own, such as the user flow of Azure AD B2C
	At       time.Time
}

// Subject is whom a provider speaks of.
type Subject struct {
	Realm     string // in which Value is unique: "entra/<tid>", "saml/<entityID>", the issuer
	Value     string
	Immutable bool   // Value is never given to somebody else
	Tenant    string // the directory's id of the tenant, where Value is an id of an object there; else blank
	Object    string // the id of the object in a directory that we may read; blank when Value is none
}

// Assertion is what a provider said of a person, after all checks.
type Assertion struct {
	Subject      Subject
	Mail         string
	MailVerified bool                // its issuer may vouch for it: see MailVerified of each preset
	Claims       map[string][]string // every claim or attribute, by its name at the provider
	Request      string              // SAML: what it answers
	Session      string              // OIDC sid, SAML SessionIndex; for log-out
	NameID       string              // SAML: the NameID as XML, for log-out
	LoginHint    string              // OIDC: the login_hint claim, for log-out
	IDToken      string              // OIDC: for log-out; never logged or stored in clear
	Context      string              // acr, AuthnContextClassRef
	Methods      []string            // amr
	At           time.Time           // when the provider saw the person
	Until        time.Time           // SessionNotOnOrAfter; zero when the provider does not say
	Checks       []Check             // what was checked, in order, for `signin show`
}

// Check is one thing that was looked at.
type Check struct {
	Name  string // such as "audience"
	OK    bool
	Found string // without secrets and personal data
	Value string // what may be personal, such as the provider's own words; shown only where the operator asks for values
}

// Session is what a provider needs to know of a session that ends.
type Session struct {
	Subject   Subject
	NameID    string
	Session   string
	LoginHint string
	IDToken   string
	State     string // comes back with the answer
}

// Ended names the sessions that a provider wants ended: by Session where it is not blank, else all of Subject.
type Ended struct {
	Subject  Subject
	Sessions []string
}

// Reply answers a provider's request: a redirect or a form where To.URL is not blank, else a status.
type Reply struct {
	To     To
	Status int
}

// Finding is what a probe saw.
type Finding struct {
	OK   bool
	Text string    // one line for operators
	Hint string    // what to do; blank when OK
	Ends time.Time // when what it speaks of runs out; zero when it does not
}

// Once remembers what may be used a single time, such as the ID of an assertion. It is atomic over all workers, and durable.
type Once interface {
	Once(ctx context.Context, key []byte, until time.Time) (fresh bool, err error)
}

// Kept is where a provider keeps the last good copy of what it published: metadata, discovery, keys.
type Kept interface {
	Load(ctx context.Context, name string) (data []byte, at time.Time, err error) // nil, zero, nil: there is none
	Store(ctx context.Context, name string, data []byte) error
}

// Reason is why somebody did not get in. The words are stable: operators search for them, and metrics count by them.
type Reason string

// Reasons.
const (
	NotBegunHere         Reason = "not_begun_here"
	TooLate              Reason = "too_late"
	UsedAlready          Reason = "used_already"
	ProviderError        Reason = "provider_error"
	ProviderUnreachable  Reason = "provider_unreachable"
	Malformed            Reason = "malformed"
	Signature            Reason = "signature"
	UntrustedCertificate Reason = "untrusted_certificate"
	CertificateDates     Reason = "certificate_dates"
	SHA1                 Reason = "sha1"
	NotSigned            Reason = "not_signed"
	TwoAssertions        Reason = "two_assertions"
	Issuer               Reason = "issuer"
	Audience             Reason = "audience"
	Destination          Reason = "destination"
	Clock                Reason = "clock"
	Nonce                Reason = "nonce"
	TransientID          Reason = "transient_id"
	ClaimRefused         Reason = "claim_refused"
	Requirement          Reason = "requirement" // of the operator: `require`
	TenantNotAllowed     Reason = "tenant_not_allowed"
	DomainNotAllowed     Reason = "domain_not_allowed"
	MailNotVerified      Reason = "mail_not_verified"
	UnknownPerson        Reason = "unknown_person"
	Ambiguous            Reason = "ambiguous"
	Disabled             Reason = "disabled"
	Gone                 Reason = "gone"
	NoRecord             Reason = "no_record"
	WrongAudience        Reason = "wrong_audience"
	Held                 Reason = "held"
	NotCreated           Reason = "not_created"
	RateLimited          Reason = "rate_limited"
	Internal             Reason = "internal"
)

// Refusal is why somebody did not get in.
type Refusal struct {
	Reason Reason
	Text   string  // for operators: what, where; no secrets
	Hint   string  // for operators: what to do
	Code   string  // the provider's own, such as AADSTS50105 or urn:oasis:names:tc:SAML:2.0:status:AuthnFailed
	Checks []Check // as far as they went

	// Restart begins anew at once, at the same provider and with a State of its own, in place of telling the person: who forgot a password goes to
	// the flow that sets another one, and who comes from a list of applications at the provider goes back there as if they had begun here. Nothing is
	// concluded from what came. Nil for every other refusal.
	Restart *Start
}

func (r *Refusal) Error() string { return string(r.Reason) + ": " + r.Text }
