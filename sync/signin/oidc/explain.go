package oidc

import (
	"regexp"
	"strings"

	"dirsyncd/sync/signin"
)

// numbered finds the number that Microsoft puts into a description.
var numbered = regexp.MustCompile(`\b(AADSTS|AADB2C)\d{4,8}\b`)

// hints say what to do about the errors that operators meet: those of OAuth 2.0 and OpenID Connect, and those of Microsoft by number (its
// pages "Microsoft Entra authentication and authorization error codes" and "Error codes: Azure Active Directory B2C").
var hints = map[string]string{
	"access_denied":              "the person cancelled, or is not assigned to the application at the provider",
	"invalid_request":            "compare redirect address, scopes and the type of the application at the provider",
	"invalid_scope":              "allow the scopes at the provider, or change `scopes`",
	"invalid_client":             "compare client_id and client_secret (or certificate) with the provider: it may have run out there",
	"invalid_grant":              "the code was used before, ran out, or is for another redirect address; begin anew at the application",
	"unauthorized_client":        "allow the authorization code flow for this application at the provider",
	"unsupported_response_type":  "allow the authorization code flow for this application at the provider",
	"server_error":               "the provider has a fault; its log knows more",
	"temporarily_unavailable":    "the provider is overloaded; try again later",
	"login_required":             "prompt: none lets in only who has a session there; remove it",
	"interaction_required":       "prompt: none lets in only who has a session there; remove it",
	"consent_required":           "an administrator must consent to the application at the provider",
	"account_selection_required": "remove prompt: none",

	"AADSTS16000":   "the person has several accounts there and must choose: remove prompt: none",
	"AADSTS50001":   "the application is not known in this tenant: compare tenant and client_id",
	"AADSTS50011":   "register the redirect address under Authentication of the app registration, letter by letter, as type Web",
	"AADSTS50012":   "the certificate is not one of the app registration's: upload it there",
	"AADSTS50020":   "the account belongs to another tenant: invite it as a guest, or sign in with another account",
	"AADSTS50034":   "the account does not exist in this tenant",
	"AADSTS50053":   "the account is locked after too many attempts, or the address is blocked",
	"AADSTS50055":   "the password has run out: the person must set a new one",
	"AADSTS50057":   "the account is disabled in the directory",
	"AADSTS50058":   "prompt: none, and the person has no session there; remove it",
	"AADSTS50059":   "the tenant is missing in the request: compare `tenant`",
	"AADSTS50072":   "the person must register for multi-factor authentication first",
	"AADSTS50074":   "multi-factor authentication was asked for and not done",
	"AADSTS50076":   "conditional access asks for multi-factor authentication",
	"AADSTS50079":   "the person must register for multi-factor authentication first",
	"AADSTS50105":   "assign the person or a group to the enterprise application, or turn \"Assignment required\" off",
	"AADSTS50126":   "user name or password is wrong",
	"AADSTS50128":   "the tenant is not known there: write its GUID as `tenant`",
	"AADSTS50131":   "conditional access refuses the device, the place or the application",
	"AADSTS50140":   "the person was asked whether to stay signed in, and did not answer",
	"AADSTS50194":   "the app registration is for one tenant: write `tenant`, or make it multitenant",
	"AADSTS53000":   "conditional access asks for a device that is compliant",
	"AADSTS53001":   "conditional access asks for a device that is joined to the domain",
	"AADSTS53003":   "conditional access blocks the sign-in: see the sign-in logs of Entra",
	"AADSTS54005":   "the code was redeemed before: a page was loaded twice; begin anew",
	"AADSTS65001":   "an administrator must consent to the application in this tenant",
	"AADSTS65004":   "the person declined to consent",
	"AADSTS70000":   "the code is not valid, or was redeemed before; begin anew",
	"AADSTS70001":   "the application is not known in this tenant: compare client_id, or have it consented to",
	"AADSTS70008":   "the code ran out; begin anew",
	"AADSTS70011":   "compare `scopes` with the app registration",
	"AADSTS90002":   "the tenant does not exist: write its GUID as `tenant`, and check the cloud (`authority`)",
	"AADSTS90072":   "the account of another tenant is no guest of this one: invite it first",
	"AADSTS90094":   "an administrator must consent to the application",
	"AADSTS500113":  "register a redirect address under Authentication of the app registration",
	"AADSTS500208":  "the account is of a kind that this tenant does not take",
	"AADSTS700003":  "the device was removed from the directory",
	"AADSTS700016":  "the application is not known in this tenant: compare client_id and tenant; an administrator of the tenant may have to consent",
	"AADSTS700027":  "the certificate is not one of the app registration's, or has run out: upload it there",
	"AADSTS700054":  "the authorization code flow is wanted: set the response type back to code",
	"AADSTS7000112": "the enterprise application is disabled in this tenant",
	"AADSTS7000215": "client_secret is wrong: write the secret's value, not its id",
	"AADSTS7000218": "the app registration wants a secret or certificate: give one, and register the redirect address as type Web",
	"AADSTS7000222": "client_secret has run out: make a new one in the app registration",
	"AADSTS9002325": "register the redirect address as type Web, not single-page application",
	"AADSTS9002346": "the app registration takes personal accounts only: set its account types",
	"AADSTS90023":   "the request is not valid there: compare redirect address and scopes",
	"AADSTS900144":  "a parameter is missing in the request: compare client_id",
	"AADB2C90006":   "register the redirect address at the application, letter by letter",
	"AADB2C90007":   "register a redirect address at the application",
	"AADB2C90008":   "the request has no client id: compare client_id",
	"AADB2C90013":   "the response type is not taken: allow the code flow",
	"AADB2C90035":   "the service is overloaded; try again later",
	"AADB2C90037":   "an error while the request was handled: see the log of the tenant with the correlation id",
	"AADB2C90043":   "the prompt is not valid there: change `prompt`",
	"AADB2C90057":   "turn implicit flow off: the code flow is used",
	"AADB2C90068":   "the application was registered with an identity provider that the flow does not have: register it in the B2C tenant itself",
	"AADB2C90077":   "no session, and no interaction allowed: remove prompt: none",
	"AADB2C90080":   "the code or refresh token has run out; begin anew",
	"AADB2C90081":   "compare client_id and client_secret",
	"AADB2C90085":   "an error of the server: see the log of the tenant with the correlation id",
	"AADB2C90088":   "the code is of another flow, or was used before: begin anew",
	"AADB2C90091":   "the person cancelled",
	"AADB2C90117":   "compare `scopes` with the application in the B2C tenant",
	"AADB2C90118":   "the person forgot the password: write the flow that resets it as `reset`",
	"AADB2C90157":   "too many attempts",
	"AADB2C90205":   "the application is not allowed to use the policy's scope: grant admin consent in the B2C tenant",
	"AADB2C90244":   "too many requests; try again later",
	"AADB2C90273":   "the identity provider that it trusts gives an answer that is not valid: see there",
	"AADB2C90289":   "the identity provider that it trusts cannot be reached",
	"AADB2C90083":   "compare the request: a value of it is missing or wrong",
	"AADB2C90225":   "user name or password is wrong",
	"AADB2C90129":   "the grant was revoked; begin anew",
	"AADB2C90128":   "the account is not there any more",
	"AADB2C90018":   "client_id is not known in this tenant",
}

// explain returns the most telling code of an error, and what to do about it. Nothing of it is the provider's text.
func explain(code, description string) (string, string) {
	if number := numbered.FindString(description); number != "" {
		if hint := hints[number]; hint != "" {
			return number, hint
		}
		return number, "look the number up at Microsoft (https://login.microsoftonline.com/error takes those of Entra)"
	}
	code = bounded(code)
	if hint := hints[code]; hint != "" {
		return code, hint
	}
	return code, "see the log of the provider"
}

// refusal is what an error of the provider means, at the callback (RFC 6749 section 4.1.2.1) or the token endpoint.
func (p *preset) refusal(c *checks, code, description, flow string) *signin.Refusal {
	name, hint := explain(code, description)
	r := c.that("no error", false, name, signin.ProviderError, "the provider refuses: "+name, hint)
	c.personal(strings.TrimSpace(description))
	r.Code, r.Checks = name, c.list
	if p.restart != nil {
		r.Restart = p.restart(name, flow)
	}
	return r
}
