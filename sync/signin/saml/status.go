package saml

import "strings"

const statusPrefix = "urn:oasis:names:tc:SAML:2.0:status:"

// statusHints says what each status code of SAML core 3.2.2.2 means for the operator.
var statusHints = map[string]string{
	"Requester":                "the provider finds our request wrong: compare the entity id, the ACS address and the certificate that are registered there with `signin metadata`",
	"Responder":                "the provider failed by itself: look into its log at this time",
	"VersionMismatch":          "the provider does not speak SAML 2.0",
	"AuthnFailed":              "the person did not prove who they are, or was not let through by a rule of the provider",
	"InvalidAttrNameOrValue":   "the provider does not know an attribute: look at what is set up there for us",
	"InvalidNameIDPolicy":      "the provider cannot give ids of this format: set name_id to one that it has, or let it issue this one",
	"NoAuthnContext":           "the provider cannot do what authn_context asks for",
	"NoAvailableIDP":           "the provider is a gateway, and none behind it can be reached",
	"NoPassive":                "the provider wanted to show a page and was not allowed to",
	"NoSupportedIDP":           "the provider is a gateway, and knows none that it may use",
	"PartialLogout":            "some sessions at the provider, or at others that use it, are still there",
	"ProxyCountExceeded":       "the provider is a gateway, and may not ask another one",
	"RequestDenied":            "the provider refuses us or this person: is the person assigned to this application there, and are requests signed where it wants that?",
	"RequestUnsupported":       "the provider does not know this kind of request",
	"RequestVersionDeprecated": "the provider does not speak this version of SAML any more",
	"RequestVersionTooHigh":    "the provider does not speak SAML 2.0",
	"RequestVersionTooLow":     "the provider speaks a later version of SAML only",
	"ResourceNotRecognized":    "the provider does not know the resource asked for",
	"TooManyResponses":         "the provider has more answers than it may send",
	"UnknownAttrProfile":       "the provider does not know an attribute profile",
	"UnknownPrincipal":         "the provider does not know this person",
	"UnsupportedBinding":       "the provider cannot answer by HTTP-POST",
}

// statusHint says what to do about a status, by the code that says most: the innermost that is known.
func statusHint(codes []string) string {
	for i := len(codes) - 1; i >= 0; i-- {
		if hint := statusHints[strings.TrimPrefix(codes[i], statusPrefix)]; hint != "" {
			return hint
		}
	}
	return "look into the provider's log at this time"
}

// innermost is the code that says most.
func innermost(codes []string) string {
	if len(codes) == 0 {
		return ""
	}
	return codes[len(codes)-1]
}
